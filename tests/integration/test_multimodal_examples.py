"""The examples over pictures run as their first lines say."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers", reason="models need the extra `local`")
pytest.importorskip("PIL", reason="pictures need the extra `image`")

from tests import pictures

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODEL = pictures.DATA / "tiny-clip"
NAMES = ("cat", "banana", "guitar", "train", "xray", "stethoscope")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in NAMES:
        shutil.copy(pictures.PICTURES / f"{name}.png", folder)
    lines = [f'{{"file": "{name}.png", "caption": "A {name}"}}' for name in NAMES]
    (folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "xray.txt").write_text("No finding.\nBones of a hand.", encoding="utf-8")
    (folder / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example as a script, in this process, where torch is loaded already."""

    def start(name, *arguments):
        path = EXAMPLES / name
        command = [str(path), *map(str, arguments), "--model", str(MODEL)]
        monkeypatch.setattr(sys, "argv", command)
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return start


def test_image_collection(run, folder, tmp_path):
    printed = run("image_collection.py", folder, "--text", "banana", "--db", tmp_path / "db")
    assert "6 new, 0 changed, 0 as before" in printed
    assert "broken.png" in printed
    first = printed.split("By words: banana\n")[1].splitlines()[0].split()
    assert first[1:] == ["banana.png", "A", "banana"]
    by_picture = printed.split("By a picture: banana.png\n")[1].splitlines()[0]
    assert "banana.png" in by_picture
    assert "'text', 'image'" in printed
    again = run("image_collection.py", folder, "--text", "banana", "--db", tmp_path / "db")
    assert "0 new, 0 changed, 6 as before" in again


def test_similar_xrays(run, folder, tmp_path):
    query = folder / "xray.png"
    printed = run("similar_xrays.py", folder, query, "--db", tmp_path / "db", "-k", "2")
    best = printed.splitlines()[-2]
    assert "xray.png" in best
    assert best.endswith("No finding.")


def test_media_archive(run, tmp_path):
    pytest.importorskip("av", reason="sound and video need the extra `media`")
    from tests import recordings

    clips = tmp_path / "clips"
    recordings.save_video(clips / "garden.mp4", "red", "blue", "green")
    recordings.subtitles(clips / "garden.srt", (5.0, 7.0, "The tomatoes are in the garden"))
    recordings.save_video(clips / "silent.mkv", "yellow")
    printed = run("media_archive.py", clips, "tomatoes", "--db", tmp_path / "db")
    assert "2 new, 0 changed, 0 as before" in printed
    best = printed.split("tomatoes\n")[1].splitlines()[0]
    assert "garden.mp4 at 0:05  The tomatoes are in the garden" in best
    assert "['text', 'image', 'image', 'image']" in printed
    again = run("media_archive.py", clips, "tomatoes", "--db", tmp_path / "db")
    assert "0 new, 0 changed, 2 as before" in again


def test_a_folder_that_is_not_there_is_one_line(run, tmp_path):
    with pytest.raises(SystemExit, match="existing folder"):
        run("image_collection.py", tmp_path / "lost", "--db", tmp_path / "db")


@pytest.mark.parametrize("name", ["image_collection.py", "media_archive.py", "similar_xrays.py"])
def test_they_stay_short(name):
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 80
