"""examples/image_search: folders of all kinds, search by words, by a picture, by both."""

from __future__ import annotations

import re
import shutil

import gallery
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.apps.bad_files import MARKDOWN, XSS
from tests.apps.conftest import EXAMPLES
from tests.pictures import DATA, PICTURES

NAMES = ("cat", "banana", "guitar", "train", "xray", "stethoscope")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(PICTURES / f"{name}.png", folder)
    lines = [f'{{"file": "{name}.png", "caption": "A {name}"}}' for name in NAMES]
    (folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def start(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("IMAGES_DB", str(tmp_path / "db"))
    monkeypatch.setenv("IMAGES_FOLDER", str(folder))
    monkeypatch.setenv("CLIP_MODEL", str(DATA / "tiny-clip"))

    def started():
        path = EXAMPLES / "image_search" / "app.py"
        return healthy(AppTest.from_file(path, default_timeout=60).run())

    yield started
    st.cache_resource.clear()


def healthy(app):
    assert not app.exception, app.exception[0].message
    return app


def look(app, folder=None):
    if folder is not None:
        labelled(app.text_input, "Folder of pictures").set_value(str(folder))
    return healthy(labelled(app.button, "Look through it").click().run())


def labelled(widgets, label):
    return next(each for each in widgets if each.label == label)


def search(app, words):
    return healthy(app.text_input(key="words").set_value(words).run())


def tiles(app):
    """What is said of each picture in the gallery, in its order."""
    return [each.value for each in app.get("html") if 'class="said"' in each.value]


def names(app):
    return [re.search("<b>(.*?)</b>", tile)[1] for tile in tiles(app)]


def gone(app):
    return sum("cannot be shown" in each.value for each in app.get("html"))


def test_by_words_by_a_picture_by_both(start):
    app = look(start())
    assert app.success[0].value == "6 new"
    assert len(tiles(app)) == 6
    assert "score" not in tiles(app)[0]
    app = search(app, "banana")
    assert names(app)[0] == "banana.png"
    assert "words #1" in tiles(app)[0]
    assert "picture #" in tiles(app)[0]
    assert "A banana" in tiles(app)[0]
    assert "words #" not in tiles(app)[-1]
    app.file_uploader[0].set_value(("t.png", (PICTURES / "train.png").read_bytes(), ""))
    app = search(app, "")
    assert names(app)[0] == "train.png"
    assert "words" not in tiles(app)[0]
    app = search(app, "banana")
    assert {*names(app)[:2]} == {"train.png", "banana.png"}
    assert labelled(app.slider, "Weight of the picture").value == 0.5


def test_more_like_this(start):
    app = search(look(start()), "banana")
    wanted = names(app)[1]
    app = healthy(app.button(key=f"like-{id_of(app, 1)}").click().run())
    assert names(app)[0] == wanted
    assert "words" not in tiles(app)[0]
    app = healthy(labelled(app.button, "Without this picture").click().run())
    assert "score" not in tiles(app)[0]


def id_of(app, place):
    keys = [each.key for each in app.button if each.label == "More like this"]
    return keys[place].removeprefix("like-")


def test_a_folder_looked_through_again_is_brought_up_to_date(start, folder):
    look(start())
    (folder / "cat.png").unlink()
    shutil.copy(PICTURES / "duck.png", folder)
    app = look(start())
    assert app.success[0].value == "1 new, 5 as before, 1 gone"
    assert "duck.png" in names(app)


def test_each_folder_by_itself(start, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(PICTURES / "duck.png", other)
    app = look(look(start()), other)
    assert names(search(app, "banana")) == ["duck.png"]


def test_a_folder_without_pictures(start, tmp_path):
    app = start()
    for name in ("lost", "empty", "texts"):
        if name != "lost":
            (tmp_path / name).mkdir()
        if name == "texts":
            (tmp_path / name / "a.txt").write_text("a")
        look(app, tmp_path / name)
        assert len(app.error) == 1
        assert "folder" in app.text[0].value
    assert tiles(look(app, tmp_path / "pictures"))


@pytest.mark.parametrize("name", ["", "  ", "~nobody-of-this-name/x", "a\0b", "x" * 5_000])
def test_what_cannot_be_a_folder_is_said(start, folder, name):
    app = look(start(), name)
    assert len(app.error) == 1
    assert not tiles(app)
    assert tiles(look(app, folder))


def test_broken_pictures_are_named_and_the_rest_goes_on(start, folder):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.png").write_bytes((PICTURES / "duck.png").read_bytes()[:300])
    app = look(start())
    said = " ".join(each.value for each in app.text)
    assert all(name in said for name in ("broken.png", "empty.jpg", "cut.png"))
    assert len(tiles(app)) == 6


def test_broken_captions_are_told_of(start, folder):
    (folder / "captions.jsonl").write_text("{")
    app = look(start())
    assert "captions.jsonl, line 1" in app.text[0].value
    assert not app.success


@pytest.mark.parametrize("line", ["{", "[1]", '{"file": "cat.png"}', "\x00", "1", '"a"'])
def test_broken_captions(folder, line):
    (folder / "captions.jsonl").write_text(f'{{"file": "a", "caption": "b"}}\n{line}')
    with pytest.raises(ValueError, match=r"captions\.jsonl, line 2"):
        gallery.captions(folder)


def test_captions_as_other_programs_write_them(folder):
    text = '\ufeff{"file": "a", "caption": "one\u2028two\u0085three"}\r\n\r\n'
    (folder / "captions.jsonl").write_text(text, encoding="utf-8", newline="")
    assert gallery.captions(folder) == {"a": "one\u2028two\u0085three"}


def test_an_uploaded_picture_that_is_none(start):
    app = look(start())
    for content in (b"", b"no picture", b"0" * 200_000_000):
        app.file_uploader[0].set_value(("a.png", content, ""))
        healthy(app.run())
        assert len(app.error) == 1
        assert app.text[0].value
    app.file_uploader[0].set_value(None)
    assert tiles(healthy(app.run()))


def test_pictures_that_vanish_meanwhile(start, folder):
    app = search(look(start()), "banana")
    liked = app.button(key=f"like-{id_of(app, 0)}")
    (folder / "banana.png").unlink()
    (folder / "cat.png").write_bytes(b"no picture any more")
    st.cache_data.clear()
    app = healthy(app.run())
    assert gone(app) == 2
    assert len(tiles(app)) == 6
    app = healthy(liked.click().run())
    assert gone(app) == 3
    assert len(tiles(app)) == 6


def test_nothing_outside_of_the_folder_is_shown(start, folder, tmp_path):
    app = look(start())
    moved = tmp_path / "elsewhere.png"
    shutil.move(folder / "banana.png", moved)
    (folder / "banana.png").symlink_to(moved)
    st.cache_data.clear()
    assert gone(healthy(app.run())) == 1


@pytest.mark.parametrize("evil", [XSS, MARKDOWN.replace("/", "|")])
def test_nothing_in_a_name_or_a_caption_becomes_part_of_the_page(start, folder, evil):
    shutil.copy(PICTURES / "duck.png", folder / f"{evil}.png")
    (folder / f"b{evil}.png").write_bytes(b"no picture")
    caption = evil.replace('"', "'")
    (folder / "captions.jsonl").write_text(f'{{"file": "{evil}.png", "caption": "x {caption}"}}')
    app = search(look(start()), evil)
    assert any(evil.replace("<", "&lt;").replace(">", "&gt;") in tile for tile in tiles(app))
    assert not [each for each in app.get("html") if "<img" in each.value]
    said = [*app.markdown, *app.caption, *app.success, *app.error]
    labels = [each.label for each in (*app.button, *app.expander)]
    assert not [text for text in [*(each.value for each in said), *labels] if "evil" in text]
    assert not [text for text in labels if "<" in text]


def test_a_model_that_cannot_be_had(start, monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_MODEL", str(tmp_path / "lost"))
    app = start()
    assert len(app.error) == 1
    assert app.text[0].value


def test_without_a_model_the_tiny_one_says_what_it_knows(start, monkeypatch):
    monkeypatch.delenv("CLIP_MODEL")
    assert any("nothing else" in each.value for each in start().caption)


def test_sound_and_video_play_from_the_second_that_was_found(start, folder, tmp_path):
    from tests import recordings

    recordings.save_video(folder / "garden.mp4", "red", "blue", "green")
    recordings.subtitles(folder / "garden.srt", (5.2, 7.0, "Tomatoes in the garden 3 < 4"))
    recordings.save_sound(folder / "talk.wav", "low")
    recordings.subtitles(folder / "talk.srt", (2.5, 3.0, "A lecture on beetles"))
    app = look(start())
    app = search(app, "tomatoes")
    assert names(app)[0] == "garden.mp4"
    assert "at 0:05<br>Tomatoes in the garden 3 &lt; 4" in tiles(app)[0]
    assert app.get("video")[0].proto.start_time == 5
    app = search(app, "beetles")
    assert names(app)[0] == "talk.wav"
    assert app.get("audio")[0].proto.start_time == 2
    app = search(app, "tomatoes")
    healthy(labelled(app.button, "More like this").click().run())
    (folder / "garden.mp4").unlink()
    assert gone(search(app, "tomatoes")) >= 1


def test_only_what_is_below_the_folder_is_played(tmp_path, folder):
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (folder / "here.mp4").write_bytes(b"x")
    assert gallery.playable(str(folder / "here.mp4"), folder) == (folder / "here.mp4").resolve()
    for uri in (tmp_path / "secret.mp4", folder / "../secret.mp4", folder / "lost.mp4", "", "\0"):
        assert gallery.playable(str(uri), folder) is None
