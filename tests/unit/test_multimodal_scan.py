"""Which files of a folder are pictures, and what their EXIF says."""

import os
import sys

import pytest

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.exif import facts
from langchain_chroma_hybrid.multimodal.scan import find


@pytest.fixture
def folder(tmp_path):
    names = ("b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.webp", "sub/deep/d.dcm")
    for name in (*names, ".cache/e.png", "no_suffix"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(files):
    return [file.relative for file in files]


def test_every_known_format_below_sorted_and_nothing_hidden(folder):
    assert names(find(folder, None, True)) == ["a.JPG", "b.png", "sub/c.webp", "sub/deep/d.dcm"]
    assert names(find(folder, None, False)) == ["a.JPG", "b.png"]


def test_patterns_match_from_the_right(folder):
    assert names(find(folder, ["*.png"], True)) == ["b.png"]
    assert names(find(folder, ["sub/*"], True)) == ["sub/c.webp"]
    assert names(find(folder, ["no_suffix", "deep/*.dcm"], True)) == ["no_suffix", "sub/deep/d.dcm"]


def test_a_file_knows_its_size_and_has_one_id_wherever_it_is_asked_from(folder):
    (here,) = (file for file in find(folder, None, True) if file.relative == "sub/c.webp")
    (there,) = find(folder / "sub", None, False)
    assert here.id == there.id
    assert here.size == 1
    assert len({file.id for file in find(folder, None, True)}) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="needs rights on Windows")
def test_links_to_folders_are_not_followed(folder):
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "linked.png").symlink_to(folder / "b.png")
    (folder / "dangling.png").symlink_to(folder / "lost.png")
    assert names(find(folder, ["*.png"], True)) == ["b.png", "linked.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs rights on Windows")
@pytest.mark.parametrize("recursive", [True, False])
def test_links_out_of_the_folder_are_left_out_with_a_warning(folder, recursive, caplog):
    outside = folder.parent / f"{folder.name}-outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    before = names(find(folder, None, recursive))
    (folder / "absolute.png").symlink_to(outside / "secret.png")
    (folder / "relative.png").symlink_to(f"../{outside.name}/secret.png")
    (folder / "lost.png").symlink_to(outside / "lost.png")
    (folder / "hop.png").symlink_to("absolute.png")
    (folder / "folder.png").symlink_to(outside, target_is_directory=True)
    (folder / "down").symlink_to(outside, target_is_directory=True)
    (folder / "up").symlink_to("..", target_is_directory=True)
    (folder / "system.png").symlink_to("/dev/zero")
    (folder / "through.png").symlink_to("down/secret.png")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "sub/above.png").symlink_to("../../" + outside.name + "/secret.png")
    assert names(find(folder, None, recursive)) == before
    assert "lead out of" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="needs rights on Windows")
def test_links_that_stay_inside_are_files(folder):
    link = folder.parent / f"{folder.name}-link"
    link.symlink_to(folder, target_is_directory=True)
    (folder / "inside.png").symlink_to("sub/../b.png")
    (folder / "sub/round.png").symlink_to(f"../../{link.name}/b.png")
    found = find(link, ["*.png"], True)
    assert names(found) == ["b.png", "inside.png", "sub/round.png"]
    assert all(file.size == 1 for file in found)


def test_no_such_folder(folder):
    for wrong in (folder / "lost", folder / "b.png"):
        with pytest.raises(InvalidArgumentError, match="existing folder"):
            find(wrong, None, True)
    for patterns in ("*.png", [1]):
        with pytest.raises(InvalidArgumentError, match="patterns"):
            find(folder, patterns, True)


def test_a_folder_of_thousands_is_one_pass(tmp_path):
    for i in range(300):
        (tmp_path / f"{i}.png").touch()
    assert len(find(tmp_path, None, True)) == 300
    assert os.fspath(tmp_path) in str(find(tmp_path, None, True)[0].path)


PARIS = {1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 3.0)}


def test_time_and_place():
    found = facts({0x8769: {0x9003: "2024:05:01 12:30:00", 0x9011: "+02:00"}, 0x8825: PARIS})
    assert found == {
        "taken": "2024-05-01T12:30:00+02:00",
        "taken_at": 1714559400.0,
        "latitude": 48.8566667,
        "longitude": 2.3508333,
    }


def test_without_an_offset_the_camera_clock_counts_as_utc():
    found = facts({0x0132: "1970:01:02 00:00:00"})
    assert found == {"taken": "1970-01-02T00:00:00", "taken_at": 86400.0}


def test_south_and_west_are_negative():
    found = facts({0x8825: {1: b"S\0", 2: (33, 51, 0), 3: "W", 4: (70, 40, 0)}})
    assert found["latitude"] < 0 > found["longitude"]


@pytest.mark.parametrize("tags", [
    {},
    {0x0132: "0000:00:00 00:00:00"},
    {0x0132: b"\xff\xfe"},
    {0x8769: {0x9003: None, 0x9011: "nonsense"}},
    {0x8825: {1: "N", 2: (100, 0, 0), 3: "E", 4: (2, 0, 0)}},
    {0x8825: {1: "N", 2: "no numbers", 3: "E", 4: (2, 0, 0)}},
    {0x8825: {2: (float("nan"), 0, 0), 4: (2, 0, 0)}},
    {0x8825: {1: "N", 2: (48, 51, 24)}},
    {0x8825: {1: "N", 2: (1, 2), 3: "E", 4: (2, 0, 0)}},
])  # fmt: skip
def test_malformed_tags_say_nothing(tags):
    assert facts(tags) == {}


def test_a_folder_below_that_cannot_be_read_is_not_taken_for_an_empty_one(folder, monkeypatch):
    real = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidArgumentError, match="deep"):
        find(folder, None, True)
