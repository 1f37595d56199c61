"""Nothing was found, and nothing raised: notes on what may not have been meant."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever
from tests.helpers import filled, make_store, plain_chroma

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid import HybridChroma

QUERY = "red pump"
SECRET = "nobody but us may read this"  # noqa: S105  # a document


@pytest.fixture(scope="module")
def shared() -> Iterator[HybridChroma]:
    """A store to which nobody writes."""
    store = filled()
    yield store
    store.delete_collection()


SILENT = {
    "a key": ({"filter": {"yaer": 2022}}, ["filter", "'yaer'", "did you mean 'year'?"]),
    "a key that is denied": ({"filter": {"yaer": {"$ne": 1}}}, ["'yaer'", "'year'"]),
    "a key in an OR": ({"filter": {"$or": [{"yaer": 1}, {"x": 2}]}}, ["'yaer'", "'x'"]),
    "a text for a number": ({"filter": {"year": "2022"}}, ["'year' holds numbers", "texts"]),
    "a number for a text": ({"filter": {"tenant": 1}}, ["'tenant' holds texts", "numbers"]),
    "a boolean": ({"filter": {"year": True}}, ["'year' holds numbers", "booleans"]),
    "texts among": ({"filter": {"year": {"$in": ["2022"]}}}, ["'year' holds numbers", "texts"]),
    "a range of texts": ({"filter": {"tenant": {"$gt": 1}}}, ["'tenant' holds texts"]),
    "an element": ({"filter": {"tenant": {"$contains": "a"}}}, ["'tenant'", "a list"]),
    "group_by": ({"group_by": "tennant"}, ["group_by", "'tennant'", "'tenant'"]),
    "dedupe_key": ({"dedupe_key": "source"}, ["dedupe_key", "'source'"]),
}


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
@pytest.mark.parametrize("case", SILENT)
async def test_what_stands_for_nothing_is_noted(shared, case, mode):
    options, words = SILENT[case]
    notes = " ".join(shared.explain(QUERY, mode=mode, **options).notes)
    assert [word for word in words if word not in notes] == [], notes
    retriever = ChromaHybridRetriever(vectorstore=shared, mode=mode)
    assert " ".join((await retriever.asearch(QUERY, **options)).notes) == notes


def test_lists_are_noted_too(store):
    store.add_texts(["a red pump"], [{"tags": ["a", "b"]}])
    (note,) = store.explain(QUERY, filter={"tags": "a"}).notes
    assert "'tags' holds lists" in note
    assert "$contains" in note


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filter": {"tenant": "nobody"}},
        {"filter": {"year": {"$gt": 9999}}},
        {"filter": {"year": 2022.0}},
        {"filter": {"tenant": {"$ne": "a"}}},
        {"where_document": {"$contains": "nowhere"}},
        {"group_by": "tenant", "dedupe_key": "year"},
    ],
)
def test_nothing_is_noted_where_the_names_are_right(shared, options):
    assert shared.explain(QUERY, **options).notes == ()


def test_an_empty_collection_names_the_others(tmp_path, caplog):
    other = filled(tmp_path)
    bare = make_store(tmp_path)
    make_store(tmp_path)
    with caplog.at_level(logging.WARNING, logger="langchain_chroma_hybrid"):
        for _ in range(3):
            (note,) = bare.explain(QUERY).notes
    assert note == (
        f"the collection {bare._collection_name!r} is empty; others here that are not: "
        f"{other._collection_name!r}"
    )
    assert [record.getMessage() for record in caplog.records].count(
        f"{bare._collection_name}: {note}"
    ) == 1


def test_a_base_filter_is_not_spoken_of(store):
    store.add_texts([SECRET], [{"hidden": SECRET}], ["secret"])
    base = {"tenant": "a"}
    retriever = ChromaHybridRetriever(vectorstore=store, base_filter=base)
    notes = str(retriever.search(QUERY, filter={"hiden": 1}).notes)
    assert "no record has the key 'hiden'" in notes
    assert "'hidden'" not in notes
    nobody = retriever.model_copy(update={"k": 3})
    assert nobody.search(QUERY).notes == ()
    wrong = ChromaHybridRetriever(vectorstore=store, base_filter={"tennant": "a"})
    assert wrong.search(QUERY).notes == ()


def test_a_query_that_finds_something_reads_nothing_more(store, monkeypatch):
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore

    def fail(*_: Any) -> None:
        raise AssertionError("nobody asked for that")

    for name in ("first", "filled_siblings", "metadata_keys"):
        monkeypatch.setattr(ChromaStore, name, fail)
    found = store.similarity_search(QUERY, filter={"tenant": {"$ne": "z"}}, group_by="year")
    assert found
    assert ChromaHybridRetriever(vectorstore=plain_chroma()).invoke(QUERY, filter={"tenant": "a"})


def test_known_keys_are_read_once_until_something_changes(store, monkeypatch):
    fetched: list[int] = []
    lexical = store._handle.index().lexical
    sample = type(lexical).sample
    monkeypatch.setattr(
        type(lexical), "sample", lambda self, n: fetched.append(n) or sample(self, n)
    )
    for _ in range(5):
        assert "deleted" in str(store.explain(QUERY, filter={"deleted": {"$ne": True}}).notes)
    assert fetched.count(500) == 1  # the others are of what relevance is measured against
    store.update_document("pump", Document("a pump", metadata={"deleted": False}))
    store.delete(["unknown"])
    assert store.explain(QUERY, k=1, filter={"deleted": {"$ne": True}}).notes == ()
