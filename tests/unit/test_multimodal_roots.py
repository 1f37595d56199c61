"""What a stored record may have opened: files below the folders that code has named, no others."""

import base64
import io
import os
import sys

import pytest
from langchain_core.documents import Document

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

from langchain_chroma_hybrid.embeddings import PicturePolicy
from langchain_chroma_hybrid.embeddings.images import web
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import ImageCollection, as_content_blocks
from tests.unit import colours

links = pytest.mark.skipif(sys.platform == "win32", reason="needs rights on Windows")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`in` with pictures, `out` with one that nobody may see; the current folder is between."""
    colours.save(tmp_path / "in", "red.png", "deep/green.png")
    colours.save(tmp_path / "out", "blue.png")
    colours.save(tmp_path / "in-not", "blue.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(uri, **options):
    (block,) = as_content_blocks([Document("", metadata={"uri": str(uri)})], **options)
    return block


def is_shown(block):
    if block["type"] == "image":
        Image.open(io.BytesIO(base64.b64decode(block["base64"]))).load()
    return block["type"] == "image"


ALLOWED = {
    "a path": lambda at: at / "in/red.png",
    "deep": lambda at: at / "in/deep/green.png",
    "dots that come back": lambda at: f"{at}/in/deep/../red.png",
    "dots through another folder": lambda at: f"{at}/out/../in/red.png",
    "relative": lambda _: "in/red.png",
    "a URI": lambda at: (at / "in/red.png").as_uri(),
    "a URI of localhost": lambda at: (at / "in/red.png").as_uri().replace("///", "//localhost/"),
    "a URI in capitals": lambda at: (at / "in/red.png").as_uri().replace("file:", "FILE:"),
}

REFUSED = {
    "another folder": lambda at: at / "out/blue.png",
    "a folder whose name begins alike": lambda at: at / "in-not/blue.png",
    "the folder above": lambda at: at,
    "the root itself": lambda at: at / "in",
    "dots": lambda at: f"{at}/in/../out/blue.png",
    "relative": lambda _: "out/blue.png",
    "relative dots": lambda _: "in/../out/blue.png",
    "a URI": lambda at: (at / "out/blue.png").as_uri(),
    "a URI with dots": lambda at: f"{(at / 'in').as_uri()}/../out/blue.png",
    "a URI with hidden dots": lambda at: f"{(at / 'in').as_uri()}/%2e%2e/out/blue.png",
    "a URI of another machine": lambda _: "file://server/in/red.png",
    "a malformed URI": lambda _: "file://[x/red.png",
    "nothing there": lambda at: at / "in/lost.png",
    "nothing there, outside": lambda at: at / "out/lost.png",
    "no folder there": lambda at: at / "lost/lost.png",
    "below a file": lambda at: at / "in/red.png/more.png",
    "the system": lambda _: "/etc/passwd",
    "a device": lambda _: "/dev/zero",
    "its own memory": lambda _: "/proc/self/mem",
    "a home": lambda _: "~/a.png",
    "NUL": lambda at: f"{at}/in/red.png\0",
    "a lone surrogate": lambda at: f"{at}/in/\ud800.png",
    "a long name": lambda at: f"{at}/in/{'x' * 5000}.png",
    "Windows": lambda _: r"C:\Windows\win.ini",
    "Windows dots": lambda at: rf"{at}\in\..\out\blue.png",
    "a share": lambda _: r"\\server\share\red.png",
    "a slashed share": lambda _: "//server/share/red.png",
    "a device of Windows": lambda _: r"\\.\PhysicalDrive0",
    "an address": lambda _: "http://127.0.0.1/a.png",
    "another scheme": lambda _: "s3://bucket/a.png",
    "broken data": lambda _: "data:image/png;base64,@@@",
    "data that is no picture": lambda _: "data:,hello",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_files_below_a_root_are_shown(place, name):
    assert is_shown(ask(ALLOWED[name](place), roots=[place / "in"]))
    assert is_shown(ask(ALLOWED[name](place), roots=["lost", "in"]))


@pytest.mark.parametrize("name", REFUSED)
def test_all_else_is_the_same_text(place, name):
    block = ask(REFUSED[name](place), roots=[place / "in"])
    assert block == ask("lost.png")
    assert str(place) not in block["text"]


@pytest.mark.parametrize("name", ALLOWED)
def test_without_roots_no_file_is_opened(place, name, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("opened"))
    for roots in ({}, {"roots": ()}, {"roots": [place / "out"]}):
        assert ask(ALLOWED[name](place), **roots) == ask("lost.png")


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"no picture"),
    lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    lambda path: Image.new("1", (20_000, 20_000)).save(path),
    lambda path: path.write_bytes(bytes(3000)),
    lambda path: path.mkdir(),
    lambda path: (path.write_bytes(b"x"), path.chmod(0)),
    lambda path: path.write_bytes(bytes(128) + b"DICM" + bytes(100)),
])  # fmt: skip
def test_what_is_below_but_cannot_be_shown_is_the_same_text(place, write):
    write(place / "in/bad.png")
    block = ask(place / "in/bad.png", roots=[place / "in"], policy=PicturePolicy(max_bytes=2000))
    assert block == ask(place / "out/blue.png", roots=[place / "in"]) == ask("lost.png")


@links
def test_links_are_followed_before_the_root_is_looked_for(place):
    inside, outside = place / "in", place / "out"
    (inside / "out.png").symlink_to(outside / "blue.png")
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    (inside / "hop.png").symlink_to("out.png")
    (inside / "zero.png").symlink_to("/dev/zero")
    (inside / "itself.png").symlink_to("itself.png")
    (inside / "here.png").symlink_to("deep/green.png")
    (outside / "back.png").symlink_to(inside / "red.png")
    (place / "alias").symlink_to(inside, target_is_directory=True)
    os.mkfifo(inside / "pipe.png")
    for name in ("out.png", "folder/blue.png", "hop.png", "zero.png", "itself.png", "pipe.png"):
        assert ask(inside / name, roots=[inside]) == ask("lost.png")
    for path in (inside / "here.png", outside / "back.png", place / "alias/red.png"):
        assert is_shown(ask(path, roots=[inside]))
        assert is_shown(ask(path, roots=[place / "alias"]))


@links
def test_a_root_is_where_it_led_to_when_it_was_given(place):
    (place / "root").symlink_to(place / "in", target_is_directory=True)
    collection = ImageCollection.open("roots-led", colours.embeddings(), roots=["root"])
    (place / "root").unlink()
    (place / "root").symlink_to(place / "out", target_is_directory=True)
    documents = [Document("", metadata={"uri": str(place / "root/blue.png")})]
    assert collection.as_content_blocks(documents) == [ask("lost.png")]
    collection.store.delete_collection()


def test_a_single_file_or_folder_is_a_root(place):
    red, green = place / "in/red.png", place / "in/deep/green.png"
    assert is_shown(ask(red, roots=red))
    assert is_shown(ask(red, roots=str(red.parent)))
    assert not is_shown(ask(green, roots=[red]))


@pytest.mark.parametrize("roots", ["", [""], b"in", [b"in"], [None], None, 5, [5], ["a\0b"]])
def test_roots_that_are_none(place, roots):
    with pytest.raises(InvalidArgumentError, match="roots"):
        ask(place / "in/red.png", roots=roots)


def test_data_uris_and_addresses_need_no_root(place, monkeypatch):
    data = base64.b64encode((place / "in/red.png").read_bytes()).decode()
    assert is_shown(ask(f"data:image/png;base64,{data}"))

    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(web.socket, "getaddrinfo", refuse)
    policy = PicturePolicy(http=True)
    for uri in ("http://example.org/a.png", "http://127.0.0.1/a.png", "http://[bad/a.png"):
        assert ask(uri, policy=policy) == ask("lost.png")


def test_a_very_long_edge_fits(place):
    Image.new("RGB", (70_000, 2)).save(place / "in/line.png")
    assert is_shown(ask(place / "in/line.png", roots=["in"], max_edge=100_000))


# Of a collection


@pytest.fixture
def collection(place, request):
    name = f"roots-{abs(hash(request.node.nodeid))}"
    made = ImageCollection.open(name, colours.embeddings())
    yield made
    made.store.delete_collection()


def foreign(collection, place, **said):
    """The document of a record that another writer made."""
    collection.store.add_texts(["look"], [{"uri": str(place / "out/blue.png"), **said}], ["other"])
    (found,) = collection.store.get_by_ids(["other"])
    return found


@pytest.mark.parametrize("bring_in", ["sync", "add_folder"])
def test_it_shows_what_is_in_the_folders_that_it_has_read(collection, place, bring_in):
    getattr(collection, bring_in)("in")
    found = collection.search("red", k=5)
    shown = [is_shown(block) for block in collection.as_content_blocks(found)]
    assert shown == [True, True]


@pytest.mark.parametrize("give", [
    lambda path: path, str, lambda path: path.as_uri(), os.path.relpath,
])  # fmt: skip
def test_it_shows_the_files_that_it_has_added_and_not_those_beside_them(collection, place, give):
    collection.add([give(place / "in/red.png")])
    found = collection.search("red", k=5)
    assert [is_shown(block) for block in collection.as_content_blocks(found)] == [True]
    beside = Document("", metadata={"uri": str(place / "in/deep/green.png")})
    assert not is_shown(collection.as_content_blocks([beside])[0])


def test_adding_a_folder_by_mistake_opens_none(collection, place):
    collection.add([place / "in"])
    inside = Document("", metadata={"uri": str(place / "in/red.png")})
    assert not is_shown(collection.as_content_blocks([inside])[0])


def test_a_record_of_another_writer_opens_nothing(collection, place):
    collection.sync("in")
    out = str(place / "out")
    document = foreign(collection, place, root=out, folder=out, kind="image", roots=out)
    text, block = collection.as_content_blocks([document])
    assert text["text"] == "look"
    assert block == ask("lost.png")


def test_a_new_object_has_no_roots_but_those_it_is_given(collection, place):
    collection.sync("in")
    found = collection.search("red", k=1)
    again = ImageCollection(collection.store)
    assert not is_shown(again.as_content_blocks(found)[0])
    assert is_shown(again.as_content_blocks(found, roots=[place / "in"])[0])
    given = ImageCollection(collection.store, roots=[place / "in"])
    assert is_shown(given.as_content_blocks(found)[0])
    assert not is_shown(given.as_content_blocks(found, roots=())[0])


def test_links_out_of_a_synced_folder_bring_nothing_in(collection, place):
    (place / "in/link.png").symlink_to(place / "out/blue.png")
    report = collection.sync("in")
    assert len(report.added) == 2
    assert report.failed == ()
    link = Document("", metadata={"uri": str(place / "in/link.png")})
    assert not is_shown(collection.as_content_blocks([link])[0])


def test_roots_are_paths_for_a_collection_too(collection, place):
    for wrong in ("", [None], 5):
        with pytest.raises(InvalidArgumentError, match="roots"):
            ImageCollection(collection.store, roots=wrong)
