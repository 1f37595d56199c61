"""Everyday mistakes: each message says what was got, what is expected and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import ChromaHybridError, HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import filled
from tests.unit.everyday_mistakes import MISTAKES, PASSWORD, QUERY, SECRET, made

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[HybridChroma]:
    """A store to which nobody writes, with a text that nobody may see."""
    store = filled()
    store.add_texts([SECRET], [{"kept": SECRET}], ["secret"])
    before = store.get()
    yield store
    assert store.get() == before
    store.delete_collection()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_to_do(shared, mistake):
    act, words = MISTAKES[mistake]
    with pytest.raises(ChromaHybridError) as caught:
        act(shared)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert SECRET not in said
    assert PASSWORD not in said
    assert " at 0x" not in said


def test_a_missing_collection_is_chromas_error_too(shared):
    with pytest.raises(chromadb.errors.NotFoundError, match=shared._collection_name):
        made(collection_name="nobody", create_collection_if_not_exists=False)


def test_an_index_on_disk_with_another_analyzer_is_described(tmp_path):
    store = filled(tmp_path)
    store.similarity_search(QUERY)
    store.close()
    other = HybridChroma(store._collection_name, WordEmbeddings(), str(tmp_path), analyzer=None)
    with pytest.raises(ChromaHybridError) as caught:
        other.similarity_search(QUERY)
    assert "the english stemmer" in str(caught.value)
    assert "no stemmer and no stop words" in str(caught.value)
    assert "Format(" not in str(caught.value)


LLAMA_MISTAKES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    **{
        f"{name}, {face}": (face, {name: 3}, [f"{face} got unknown", *words])
        for face in ("ChromaHybridVectorStore", "ChromaHybridRetriever")
        for name, words in {
            "analyser": ["analyser (write analyzer=)", "lexical_fields", "weights"],
            "embedding_function": ["embedding_function (write embed_model=)"],
            "lang": ["lang (write analyzer=)"],
        }.items()
    },
    "k": ("ChromaHybridRetriever", {"k": 3}, ["k (write similarity_top_k=)"]),
    "filter": ("ChromaHybridRetriever", {"filter": {}}, ["filter (write filters=)"]),
    "a folder": ("ChromaHybridVectorStore", {"persist_directory": "x"}, ["(write persist_dir=)"]),
    **{
        f"base filter {base}": ("ChromaHybridRetriever", {name: base}, [f"{name}"])
        for name in ("base_filter", "base_where_document")
        for base in ({}, SECRET, [SECRET], {"$contains": [SECRET]}, {"$or": SECRET})
    },
}  # fmt: skip


@pytest.mark.parametrize("mistake", LLAMA_MISTAKES)
def test_llama_index_is_told_what_to_do(shared, mistake):
    llama_index = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    face, given, words = LLAMA_MISTAKES[mistake]
    with pytest.raises(ChromaHybridError) as caught:
        getattr(llama_index, face)(shared._collection, **given)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([], "without any"),
        ([{"key": "a", "operator": "in", "value": 5}], "suit their operators"),
        ([{"key": "a", "operator": "text_match", "value": [SECRET]}], "suit their operators"),
    ],
)
def test_base_filters_of_llama_index_restrict_and_stay_unsaid(shared, filters, words):
    llama_index = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    kinds = pytest.importorskip("llama_index.core.vector_stores")
    base = kinds.MetadataFilters(filters=[kinds.MetadataFilter(**each) for each in filters])
    with pytest.raises(ChromaHybridError, match=f"base_filter.*{words}") as caught:
        llama_index.ChromaHybridRetriever(shared._collection, base_filter=base)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"persist_dir": f"{__file__}/db"}, ["persist_dir:", "a folder that Chroma can open"]),
        ({"host": "127.0.0.1", "port": 9}, ["host:", "127.0.0.1:9", "chroma run"]),
        ({"host": "127.0.0.1", "port": "http"}, ["port:", "8000", "'http'"]),
    ],
)
def test_a_place_of_llama_index_where_no_chroma_is(place, words):
    llama_index = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    with pytest.raises(ChromaHybridError) as caught:
        llama_index.ChromaHybridVectorStore.from_params("somewhere", **place)
    assert [word for word in words if word not in str(caught.value)] == [], caught.value


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda store, _: store.query("red"), ["query:", "VectorStoreQuery", "a str of length"]),
        (lambda store, _: store.query(None), ["query:", "VectorStoreQuery", "None"]),
        (lambda store, _: store.add([SECRET]), ["nodes[0]:", "a LlamaIndex node", "a str of"]),
        (lambda store, query: store.query(query, where="a"), ["where:", "dict", "'a'"]),
        (
            lambda store, query: store.query(query, where={"a": {"==": 1}}),
            ["where['a']", "did you mean $eq?"],
        ),
    ],
)
def test_calls_of_a_llama_index_store_name_what_was_written(shared, call, words):
    llama_index = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    kinds = pytest.importorskip("llama_index.core.vector_stores")
    store = llama_index.ChromaHybridVectorStore(shared._collection)
    with pytest.raises(ChromaHybridError) as caught:
        call(store, kinds.VectorStoreQuery(query_str="red", query_embedding=[0.1] * 64))
    assert [word for word in words if word not in str(caught.value)] == [], caught.value
    assert SECRET not in str(caught.value)
