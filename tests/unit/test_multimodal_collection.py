"""ImageCollection: what goes in, what is passed over, what comes out."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import ImageCollection
from langchain_chroma_hybrid.multimodal.collection import LEXICAL_FIELDS
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.unit import colours

NAMES = ("red.png", "green.png", "sub/blue.jpg", "sub/yellow.png")
CAPTIONS = {"red.png": "A tomato", "sub/blue.jpg": "The sea", "yellow.png": "A lemon"}


class Counting:
    """The colour pair, with the number of pictures that it was asked for."""

    def __init__(self):
        self.count = 0

    def __call__(self, images):
        self.count += len(images)
        return colours.images(images)


@pytest.fixture
def count():
    return Counting()


@pytest.fixture
def folder(tmp_path):
    colours.save(tmp_path / "pictures", *NAMES)
    return tmp_path / "pictures"


@pytest.fixture
def collection(count, tmp_path):
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    pair = MultimodalEmbeddings(text_fn=colours.texts, image_fn=count, batch_size=3)
    return ImageCollection.open("pictures", pair, tmp_path / "db")


def captions_of(documents):
    return [document.page_content for document in documents]


def files_of(documents):
    return [document.metadata["file_name"] for document in documents]


def stored(collection):
    found = collection.store.get(include=["metadatas", "documents", "uris"])
    return {
        (meta or {}).get("file_name", id_): (text, uri, meta)
        for id_, text, uri, meta in zip(
            found["ids"], found["documents"], found["uris"], found["metadatas"], strict=True
        )
    }


def test_a_folder_goes_in_with_captions_uris_and_facts(collection, folder):
    seen = []
    report = collection.sync(
        folder, captions=CAPTIONS, tags={"red.png": ["fruit", "round"]},
        metadata=lambda path: {"suffix": path.suffix}, progress=lambda *at: seen.append(at),
    )  # fmt: skip
    assert (len(report.added), report.failed) == (4, ())
    assert seen == [(3, 4), (4, 4)]
    text, uri, facts = stored(collection)["red.png"]
    assert (text, uri) == ("A tomato", str(folder / "red.png"))
    assert facts["uri"] == uri
    assert (facts["kind"], facts["format"], facts["width"], facts["height"]) == (
        "image",
        "PNG",
        16,
        12,
    )
    assert (facts["tags"], facts["suffix"]) == (["fruit", "round"], ".png")
    assert facts["size"] == (folder / "red.png").stat().st_size
    assert len(facts["sha256"]) == 64
    # No text is made up, and no picture is stored as one.
    assert stored(collection)["green.png"][0] == ""


def test_words_find_captions_file_names_and_tags_and_colours_find_pictures(collection, folder):
    collection.sync(folder, captions=CAPTIONS, tags={"green.png": ["meadow"]})
    assert files_of(collection.search("tomato", mode="lexical")) == ["red.png"]
    assert files_of(collection.search("meadow", mode="lexical")) == ["green.png"]
    assert files_of(collection.search("yellow.png", mode="lexical"))[0] == "yellow.png"
    assert files_of(collection.search("blue", mode="vector", k=1)) == ["blue.jpg"]
    assert files_of(collection.search("lemon", k=1)) == ["yellow.png"]


@pytest.mark.parametrize("give", [
    lambda path: path, str, lambda path: path.read_bytes(), Image.open,
    lambda path: np.asarray(Image.open(path)), lambda path: path.as_uri(),
])  # fmt: skip
def test_a_picture_finds_its_like(collection, folder, tmp_path, give):
    collection.sync(folder, captions=CAPTIONS)
    colours.picture("red", (90, 80)).save(tmp_path / "query.png")
    found = collection.search(image=give(tmp_path / "query.png"), k=2)
    assert files_of(found)[0] == "red.png"
    best = collection.explain(image=give(tmp_path / "query.png"), k=2).hits[0]
    assert (best.id, best.score <= 1) == (found[0].id, True)


def test_what_a_retriever_noted_is_neither_stored_nor_a_change(collection, folder):
    def said(score):
        return lambda path: {"chroma_hybrid_score": score, "relevance_score": 0.5}

    collection.sync(folder, metadata=said(0.25))
    assert collection.sync(folder, metadata=said(0.75)).described == ()
    collection.add([colours.picture("red")], metadatas=[said(1.0)(None)], ids=["noted"])
    stored = collection.store.get()["metadatas"]
    assert all("chroma_hybrid_score" not in metadata for metadata in stored)
    assert {metadata["relevance_score"] for metadata in stored} == {0.5}


def test_both_with_weights(collection, folder):
    collection.sync(folder)
    image = colours.picture("blue")
    ask = {"image": image, "mode": "vector", "k": 1}
    assert files_of(collection.search("red", image_weight=0.9, **ask)) == ["blue.jpg"]
    assert files_of(collection.search("red", image_weight=0.1, **ask)) == ["red.png"]
    assert files_of(collection.search("red", image_weight=0, **ask)) == ["red.png"]
    near = collection.explain("red", image=image, image_weight=1, k=1)
    assert {leg.name for leg in near.legs} == {"lexical", "vector"}


def test_arithmetic(collection, folder):
    collection.sync(folder)
    # Yellow light without red is green.
    found = collection.query(["yellow"], [colours.picture("red")], k=1)
    assert files_of(found) == ["green.png"]
    found = collection.query([colours.picture("red"), "green"], k=1)
    assert files_of(found) == ["yellow.png"]
    weighted = collection.query(["red", "blue"], weights=[1, 3], k=1)
    assert files_of(weighted) == ["blue.jpg"]


@pytest.mark.parametrize("given", [
    {"add": []},
    {"add": "red"},
    {"add": ["red"], "subtract": "blue"},
    {"add": ["red"], "weights": [1, 2]},
    {"add": ["red"], "weights": [0]},
    {"add": ["red"], "weights": ["x"]},
    {"add": ["red"], "subtract": ["red"]},
    {"add": [3]},
    {"add": ["red"], "k": 0},
])  # fmt: skip
def test_arithmetic_that_means_nothing(collection, folder, given):
    collection.sync(folder)
    with pytest.raises(InvalidArgumentError):
        collection.query(**given)


def test_a_string_in_a_sum_is_never_a_path(collection, folder, count):
    collection.sync(folder)
    before = count.count
    collection.query([str(folder / "red.png")])
    collection.search(str(folder / "red.png"))
    assert count.count == before


def test_filters_and_base_filters_hold(collection, folder):
    collection.sync(folder, metadata=lambda path: {"tenant": "a" if "sub" in path.parts else "b"})
    found = collection.search("red", filter={"tenant": "a"}, k=4)
    assert sorted(files_of(found)) == ["blue.jpg", "yellow.png"]
    retriever = collection.as_retriever(base_filter={"tenant": "a"}, k=4)
    for ask in ({"image": colours.picture("red")}, {"filter": {"tenant": "b"}}, {}):
        assert not {"red.png", "green.png"} & set(files_of(retriever.invoke("red", **ask)))
    result = retriever.query(["red"], filter={"tenant": "b"}, k=4)
    assert result.hits == ()


# Incremental


def test_unchanged_files_are_not_opened(collection, folder, count, monkeypatch):
    first = collection.sync(folder, captions=CAPTIONS)
    monkeypatch.setattr(Image, "open", None)
    second = collection.sync(folder, captions=CAPTIONS)
    assert second.unchanged == second.ids
    assert sorted(second.unchanged) == sorted(first.added)
    assert count.count == 4


def test_changed_files_are_embedded_again_and_deleted_ones_are_gone(collection, folder, count):
    collection.sync(folder, captions=CAPTIONS)
    colours.picture("magenta", (20, 20)).save(folder / "red.png")
    (folder / "green.png").unlink()
    colours.save(folder, "new/cyan.png")
    report = collection.sync(folder, captions=CAPTIONS)
    counts = [
        len(part) for part in (report.added, report.updated, report.unchanged, report.deleted)
    ]
    assert counts == [1, 1, 2, 1]
    assert count.count == 6
    assert set(stored(collection)) == {"red.png", "blue.jpg", "yellow.png", "cyan.png"}
    assert files_of(collection.search("magenta", mode="vector", k=1)) == ["red.png"]
    assert collection.store.verify().ok


def test_a_touched_file_and_a_new_caption_keep_the_vector(collection, folder, count):
    collection.sync(folder, captions=CAPTIONS, metadata={"red.png": {"shelf": 1}})
    os.utime(folder / "green.png", (1_000_000, 1_000_000))
    report = collection.sync(folder, captions={**CAPTIONS, "red.png": "A cherry"})
    assert (len(report.described), len(report.unchanged)) == (2, 2)
    assert count.count == 4
    assert captions_of(collection.search("cherry", mode="lexical")) == ["A cherry"]
    assert collection.search("tomato", mode="lexical") == []
    assert stored(collection)["green.png"][2]["mtime"] == 1_000_000
    assert files_of(collection.search("red", mode="vector", k=1)) == ["red.png"]


def test_add_folder_deletes_nothing_and_sync_only_what_is_its_own(collection, folder, tmp_path):
    collection.add([colours.picture("cyan")], captions=["Not a file"])
    colours.save(tmp_path / "other", "magenta.png")
    collection.add_folder(tmp_path / "other")
    collection.sync(folder)
    (folder / "red.png").unlink()
    assert collection.add_folder(folder).deleted == ()
    assert "red.png" in stored(collection)
    assert len(collection.sync(folder).deleted) == 1
    assert len(stored(collection)) == 5


def test_force_embeds_everything_anew(collection, folder, count):
    collection.sync(folder)
    report = collection.sync(folder, force=True)
    assert len(report.updated) == 4
    assert count.count == 8


def test_a_reopened_collection_goes_on(count, folder, tmp_path):
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    for expected in (4, 4):
        pair = MultimodalEmbeddings(text_fn=colours.texts, image_fn=count)
        opened = ImageCollection.open("again", pair, tmp_path / "db2")
        opened.sync(folder, captions=CAPTIONS)
        assert count.count == expected
        assert files_of(opened.search("tomato", k=1)) == ["red.png"]


# What cannot be read


def test_damaged_files_are_reported_and_stop_nothing(collection, folder):
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"no picture")
    whole = (folder / "sub/blue.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (20_000, 20_000)).save(folder / "bomb.png")
    report = collection.sync(folder)
    assert len(report.added) == 4
    names = sorted(Path(failure.name).name for failure in report.failed)
    assert names == ["bomb.png", "cut.jpg", "empty.png", "text.jpg"]
    assert all(failure.reason for failure in report.failed)
    again = collection.sync(folder)
    assert (len(again.failed), len(again.unchanged), again.added) == (4, 4, ())


def test_a_picture_that_became_unreadable_stays_as_it_was(collection, folder):
    collection.sync(folder)
    (folder / "red.png").write_bytes(b"")
    report = collection.sync(folder)
    assert [Path(failure.name).name for failure in report.failed] == ["red.png"]
    assert report.deleted == ()
    assert "red.png" in stored(collection)


def test_folders_without_pictures(collection, folder, tmp_path):
    (tmp_path / "none").mkdir()
    for wrong, reason in ((tmp_path / "none", "pictures in it"), (tmp_path / "lost", "existing")):
        with pytest.raises(InvalidArgumentError, match=reason):
            collection.sync(wrong)
    # One that had some is another matter: everything was deleted.
    collection.sync(folder)
    for path in folder.rglob("*.*"):
        path.unlink()
    assert len(collection.sync(folder).deleted) == 4


# Pictures that are no files


def test_pictures_of_every_kind_are_added(collection, folder):
    given = [
        folder / "red.png",
        str(folder / "green.png"),
        (folder / "sub/yellow.png").as_uri(),
        (folder / "sub/blue.jpg").read_bytes(),
        colours.picture("cyan"),
        np.asarray(colours.picture("magenta")),
    ]
    report = collection.add(given, captions=list("abcdef"))
    assert (len(report.added), report.failed) == (6, ())
    for caption, name in zip(
        "abcdef", ["red", "green", "yellow", "blue", "cyan", "magenta"], strict=True
    ):
        assert captions_of(collection.search(name, mode="vector", k=1)) == [caption]


def test_the_same_picture_twice_is_one_record(collection):
    collection.add([colours.picture("red"), colours.picture("red")])
    report = collection.add([colours.picture("red")], captions=["now with words"])
    assert len(report.described) == 1
    assert len(stored(collection)) == 1
    assert captions_of(collection.search("red", k=1)) == ["now with words"]


def test_own_ids_replace(collection):
    collection.add([colours.picture("red")], ids=["one"])
    report = collection.add([colours.picture("blue")], ids=["one"])
    assert report.updated == ("one",)
    assert collection.search("blue", k=1)[0].id == "one"
    collection.delete(["one"])
    assert stored(collection) == {}


@pytest.mark.parametrize("given", [
    {"pictures": []},
    {"pictures": [7]},
    {"pictures": [None]},
    {"pictures": ["a.png"], "captions": ["one", "two"]},
    {"pictures": ["a.png"], "captions": "a"},
    {"pictures": ["a.png"], "captions": [5]},
    {"pictures": ["a.png"], "tags": ["red"]},
    {"pictures": ["a.png"], "tags": [[""]]},
    {"pictures": ["a.png"], "metadatas": [{"when": object()}]},
    {"pictures": ["a.png"], "metadatas": [{"sha256": "mine"}]},
    {"pictures": ["a.png", "b.png"], "ids": ["x", "x"]},
    {"pictures": ["a.png"], "ids": [""]},
])  # fmt: skip
def test_what_cannot_be_stored_is_said_before_anything_is_written(collection, given):
    with pytest.raises(InvalidArgumentError):
        collection.add(**given)
    assert stored(collection) == {}


def test_addresses_are_refused_and_reported(collection, folder):
    report = collection.add(
        ["http://localhost/a.png", "s3://x/a.png", str(folder / "lost.png"), folder / "red.png"]
    )
    assert len(report.added) == 1
    assert [failure.name for failure in report.failed][:2] == [
        "http://localhost/a.png",
        "s3://x/a.png",
    ]


@pytest.mark.parametrize(
    "given",
    [{"captions": 3}, {"tags": {"red.png": "fruit"}}, {"metadata": {"red.png": {"a": {}}}}],
)
def test_descriptions_of_a_folder_that_cannot_be_used(collection, folder, given):
    with pytest.raises(InvalidArgumentError):
        collection.sync(folder, **given)
    assert stored(collection) == {}


def test_queries_of_the_wrong_type(collection, folder):
    collection.sync(folder)
    for ask in (
        {"text": 5}, {"text": b"red"}, {"image": 5}, {"image": {}},
        {"image": colours.picture("red"), "image_weight": 2},
        {"image": colours.picture("red"), "image_weight": "x"}, {"image": "lost.png"},
        {"image": "http://localhost/a.png"}, {"text": "red", "mode": "sideways"},
        {"image": colours.picture("red"), "mode": "lexical"},
    ):  # fmt: skip
        with pytest.raises(InvalidArgumentError):
            collection.search(**ask)


def test_a_store_for_texts_alone():
    store = HybridChroma("texts-alone", WordEmbeddings())
    with pytest.raises(InvalidArgumentError, match="MultimodalEmbeddings"):
        ImageCollection(store)
    for wrong in (None, "db", WordEmbeddings()):
        with pytest.raises(InvalidArgumentError, match="HybridChroma"):
            ImageCollection(wrong)


# Texts in pictures, texts beside pictures


def test_ocr_text_is_searched_and_read(count, folder):
    def read(image):
        return "Best before 2031\ud800 " if image.getpixel((0, 0))[0] > 200 else None

    shelf = ImageCollection.open("with-ocr", colours.embeddings(), ocr=read)
    shelf.sync(folder, captions=CAPTIONS)
    found = shelf.search("2031", mode="lexical")
    assert sorted(files_of(found)) == ["red.png", "yellow.png"]
    assert "A tomato\nBest before 2031?" in captions_of(found)
    shelf.store.delete_collection()


def test_an_ocr_function_that_gives_something_else(folder):
    shelf = ImageCollection.open("bad-ocr", colours.embeddings(), ocr=lambda image: 5)
    with pytest.raises(InvalidArgumentError, match="ocr"):
        shelf.sync(folder)
    shelf.store.delete_collection()
    with pytest.raises(InvalidArgumentError, match="ocr"):
        ImageCollection.open("bad-ocr", colours.embeddings(), ocr=5)


def test_texts_and_pictures_in_one_collection_answer_a_picture(collection, folder):
    collection.sync(folder)
    collection.store.add_texts(["All about red things", "All about blue things"])
    found = collection.search(image=colours.picture("red"), k=2)
    assert {document.page_content for document in found} == {"", "All about red things"}
    only = collection.search(image=colours.picture("red"), k=4, filter={"kind": "image"})
    assert len(only) == 4


def test_the_lexical_leg_reads_captions_names_and_tags(collection):
    assert collection.store.lexical_config.lexical_fields == LEXICAL_FIELDS


def test_where_and_when_are_filters(collection, folder):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 3.0)})
    colours.picture("cyan").save(folder / "cyan.jpg", exif=exif)
    collection.sync(folder)
    may = {"$and": [{"taken_at": {"$gte": 1714500000}}, {"taken_at": {"$lt": 1714600000}}]}
    assert files_of(collection.search("red", filter=may)) == ["cyan.jpg"]
    assert files_of(collection.search("red", filter={"latitude": {"$gt": 40}})) == ["cyan.jpg"]


@pytest.mark.parametrize("call", ["sync", "add_folder", "add"])
def test_pictures_follow_a_collection_that_is_made_anew(collection, folder, call):
    collection.sync(folder)
    assert collection.search("red")
    store = collection.store
    store._client.delete_collection(store._collection.name)
    store._client.create_collection(store._collection.name, embedding_function=None)
    if call == "add":
        report = collection.add([folder / "red.png"], ids=["red"])
    else:
        report = getattr(collection, call)(folder)
    assert report.added
    assert set(collection.store.get()["ids"]) == set(report.added)
    assert collection.search("red")


def test_every_search_shows_the_context_that_is_asked_for():
    shelf = ImageCollection.open("with-context", colours.embeddings())
    texts = ["red soup", "green tree", "blue sea"]
    places = [{"source": "s", "start_index": n} for n in range(3)]
    shelf.store.add_texts(texts, places, ["0", "1", "2"])
    options = {"k": 1, "expand": "neighbours"}
    for found in (shelf.search("green", **options), shelf.query(["green"], **options)):
        assert [document.page_content for document in found] == ["\n".join(texts)]
        assert found[0].metadata["chroma_hybrid_context"] == ["0", "1", "2"]
    shelf.store.delete_collection()
