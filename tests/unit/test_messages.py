"""Everyday mistakes: each message says what was got, what is expected and what to do."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridError, ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import filled, fresh_name, make_store, plain_chroma

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = "red pump"
SECRET = "nobody but us may read this"  # noqa: S105  # a document


def made(**options: Any) -> HybridChroma:
    return HybridChroma(**{"collection_name": fresh_name(), "embedding_function": WordEmbeddings(),
                           **options})  # fmt: skip


def over(store: HybridChroma, **options: Any) -> ChromaHybridRetriever:
    return ChromaHybridRetriever.from_vectorstore(store, **options)


# What somebody does, and the words that the message must hold.
MISTAKES: dict[str, tuple[Callable[[HybridChroma], Any], list[str]]] = {
    # Names of other libraries
    "alpha, made": (lambda s: made(alpha=0.5), ["alpha", "weights=(1 - alpha, alpha)", "mode"]),
    "alpha, search": (lambda s: s.similarity_search(QUERY, alpha=0.5), ["(1 - alpha, alpha)"]),
    "alpha, retriever": (lambda s: over(s, alpha=0.5), ["weights=(1 - alpha, alpha)", "analyzer"]),
    "alpha, call": (lambda s: over(s).invoke(QUERY, alpha=0.5), ["weights=(1 - alpha, alpha)"]),
    "top_k": (lambda s: s.similarity_search(QUERY, top_k=3), ["top_k (write k=)"]),
    "top_k, retriever": (lambda s: over(s, top_k=3), ["top_k (write k=)", "reranker"]),
    "n_results": (lambda s: s.similarity_search(QUERY, n_results=3), ["n_results (write k=)"]),
    "limit": (lambda s: s.as_retriever(search_kwargs={"limit": 3}), ["limit (write k=)"]),
    "where": (lambda s: s.similarity_search(QUERY, where={"a": 1}), ["where (write filter=)"]),
    "where, call": (lambda s: over(s).invoke(QUERY, where={"a": 1}), ["where (write filter=)"]),
    "filters": (lambda s: s.as_retriever(filters={"a": 1}), ["filters (write filter=)"]),
    "filter, delete": (lambda s: s.delete(filter={"a": 1}), ["filter (write where=)"]),
    "filter, get": (lambda s: s.get(filter={"a": 1}), ["filter (write where=)", "include"]),
    "threshold": (lambda s: over(s, threshold=0.5), ["threshold (write score_threshold=)"]),
    "rrf_k": (lambda s: made(rrf_k=60), ["rrf_k (write c=)"]),
    "bm25_weight": (lambda s: made(bm25_weight=0.3), ["weights=(lexical, vector)"]),
    "search_type, search": (
        lambda s: s.similarity_search(QUERY, search_type="hybrid"),
        ["search_type", "the default"],
    ),
    "search_type hybrid": (
        lambda s: s.as_retriever(search_type="hybrid"),
        ["search_type", "similarity, similarity_score_threshold, mmr", "by default", "'hybrid'"],
    ),
    "search by hybrid": (lambda s: s.search(QUERY, "hybrid"), ["search_type", "mmr", "default"]),
    "hybrid=True": (lambda s: made(hybrid=True), ["hybrid is the default"]),
    "language": (lambda s: made(language="german"), ["language (write analyzer=)"]),
    "k1": (lambda s: made(k1=1.2), ["RankBM25Index(k1=..., b=...)"]),
    "embeddings": (lambda s: made(embeddings=WordEmbeddings()), ["write embedding_function="]),
    "embedding_function, texts": (
        lambda s: HybridChroma.from_texts(["a"], embedding_function=WordEmbeddings()),
        ["embedding_function (write embedding=)"],
    ),
    "path": (lambda s: made(path="./db"), ["path (write persist_directory=)"]),
    "name": (lambda s: made(name="docs"), ["name (write collection_name=)"]),
    "rerank": (lambda s: over(s, rerank=True), ["rerank (write reranker=)"]),
    "a typo": (lambda s: made(fusoin="rrf"), ["fusoin (write fusion=)"]),
    "search_kwargs": (lambda s: over(s, search_kwargs={"k": 2}), ["k=, filter="]),
    "add_texts": (lambda s: s.add_texts(["a"], metadata=[{}]), ["metadata (write metadatas=)"]),
    # Values
    "k=0": (lambda s: s.similarity_search(QUERY, k=0), ["k:", ">= 1", "0"]),
    "k as text": (lambda s: over(s, k="4"), ["k:", "'4'"]),
    "mode bm25": (lambda s: made(mode="bm25"), ["mode:", "two_step", "did you mean lexical?"]),
    "mode dense": (lambda s: over(s, mode="dense"), ["mode:", "vector", "'dense'"]),
    "mode per call": (lambda s: s.explain(QUERY, mode="Hybrid"), ["did you mean hybrid?"]),
    "fusion RRF": (lambda s: made(fusion="RRF"), ["fusion:", "did you mean rrf?"]),
    "weights of one": (lambda s: made(weights=[0.5]), ["weights:", "2 numbers (lexical, vector)"]),
    "weights a number": (lambda s: made(weights=0.5), ["weights:", "mapping", "0.5"]),
    "weights by bm25": (lambda s: made(weights={"bm25": 1}), ["bm25", "did you mean lexical?"]),
    "threshold 50": (lambda s: over(s, score_threshold=50), ["score_threshold:", "1", "50"]),
    "no threshold": (
        lambda s: s.as_retriever(search_type="similarity_score_threshold"),
        ["score_threshold", "between 0 and 1", "None"],
    ),
    "analyzer": (lambda s: made(analyzer="klingon"), ["klingon", "english"]),
    "reranker": (lambda s: over(s, reranker="cohere"), ["reranker:", "BaseDocumentCompressor"]),
    "score_key": (lambda s: over(s, score_key="score"), ["score_key", "chroma_hybrid_score"]),
    "relevance_score_fn": (lambda s: made(relevance_score_fn="cosine"), ["relevance_score_fn:"]),
    # Filters, by the name that was written
    "$like": (
        lambda s: s.similarity_search(QUERY, filter={"tenant": {"$like": "a"}}),
        ["filter['tenant']", "$contains", "$like"],
    ),
    "$gt of a text": (
        lambda s: over(s).invoke(QUERY, filter={"year": {"$gt": "2020"}}),
        ["filter['year']['$gt']", "an int or a float", "'2020'"],
    ),
    "a date": (
        lambda s: s.get(where={"day": np.datetime64("2020-01-01")}),
        ["where['day']", "a str, int, float or bool"],
    ),
    "filter None": (lambda s: s.explain(QUERY, filter={"a": None}), ["filter['a']", "None"]),
    "$contians": (
        lambda s: s.similarity_search(QUERY, where_document={"$contians": "x"}),
        ["where_document", "did you mean $contains?"],
    ),
    "base_filter {}": (lambda s: over(s, base_filter={}), ["base_filter", "non-empty dict"]),
    "a base filter later": (
        lambda s: over(s, base_filter={"a": SECRET}).invoke(QUERY, base_filter={"a": SECRET}),
        ["base_filter", "when the retriever was made"],
    ),
    "a wrong base filter": (
        lambda s: over(s, base_filter={"a": {"$in": SECRET}}),
        ["base_filter['a']['$in']", "list", "a str of length"],
    ),
    "a base filter of another type": (lambda s: over(s, base_filter=SECRET), ["base_filter"]),
    "a base pattern": (
        lambda s: over(s, base_where_document={"$regex": f"{SECRET}(["}).invoke(QUERY),
        ["$regex", "unclosed"],
    ),
    # What is searched for and written
    "query None": (lambda s: over(s).search(None), ["query:", "a string", "None"]),  # type: ignore[arg-type]
    "query a dict": (
        lambda s: over(s).search({"question": QUERY}),  # type: ignore[arg-type]
        ["query:", "a string", "question"],
    ),
    "one text": (lambda s: s.add_texts(SECRET), ["texts:", "several strings"]),
    "one document": (lambda s: s.add_documents(Document(SECRET)), ["documents:", "several"]),  # type: ignore[arg-type]
    "texts for documents": (lambda s: s.add_documents([SECRET]), ["documents[0]:", "a Document"]),  # type: ignore[list-item]
    "documents for texts": (lambda s: s.add_texts([Document(SECRET)]), ["texts[0]:", "a string"]),  # type: ignore[list-item]
    "metadata": (
        lambda s: s.add_texts([SECRET], [{"author": {"name": "x"}}]),
        ["metadatas[0]['author']", "filter_complex_metadata"],
    ),
    "ids twice": (lambda s: s.add_texts([SECRET, "b"], ids=["x", "x"]), ["ids:", "every id once"]),
    "too few ids": (lambda s: s.add_texts([SECRET, "b"], ids=["x"]), ["ids:", "one per text"]),
    "delete nothing": (HybridChroma.delete, ["ids:", "`where`"]),
    "delete all": (lambda s: s.delete(where={}), ["ids:", "`where`"]),
    "get the same twice": (lambda s: s.get(ids=["pump", "pump"]), ["get:", "pump", "unique"]),
    "include": (lambda s: s.get(include=["vectors"]), ["get:", "vectors", "embeddings"]),
    # Opening
    "embeddings first": (
        lambda s: HybridChroma(WordEmbeddings()),  # type: ignore[arg-type]
        ["collection_name:", "embedding_function=", "WordEmbeddings"],
    ),
    "a model's name": (
        lambda s: made(embedding_function="all-MiniLM-L6-v2"),
        ["embedding_function:", "SentenceTransformerEmbeddings('all-MiniLM-L6-v2')"],
    ),
    "a bad name": (lambda s: made(collection_name="x"), ["collection_name:", "3-512", "'x'"]),
    "a missing collection": (
        lambda s: made(collection_name="nobody", create_collection_if_not_exists=False),
        ["collection_name", "[nobody] does not exist", "there are", "create_collection_if"],
    ),
    "no server": (lambda s: made(host="127.0.0.1", port=9), ["host:", "127.0.0.1:9", "chroma run"]),
    "a space": (
        lambda s: made(collection_configuration={"hnsw": {"space": "cos"}}),
        ["collection_configuration", "'cos'", "'cosine'"],
    ),
    "a folder and a host": (
        lambda s: made(persist_directory="./db", host="localhost"),
        ["persist_directory", "host", "Only one"],
    ),
    "a number as folder": (lambda s: made(persist_directory=3), ["persist_directory:", "a path"]),
    "a file as folder": (lambda s: made(persist_directory=__file__), ["persist_directory:"]),
    "a store's name": (lambda s: over("docs"), ["vectorstore:", "a HybridChroma", "a str"]),  # type: ignore[arg-type]
    "no store": (lambda s: ChromaHybridRetriever(k=1), ["vectorstore:", "a HybridChroma", "None"]),
    "settings twice": (lambda s: over(s, analyzer="german"), ["where the HybridChroma is made"]),
    "two analyzers": (
        lambda s: (s.similarity_search(QUERY), made(
            collection_name=s._collection_name, analyzer="german").similarity_search(QUERY)),
        ["english stemmer", "german stemmer", "one configuration"],
    ),
    "another dimension": (
        lambda s: s.similarity_search_by_vector([0.5] * 3),
        ["embedding", "64", "3"],
    ),
    "pickle": (pickle.dumps, ["HybridChroma(", "persist_directory", "process"]),
    "pickle a retriever": (lambda s: pickle.dumps(over(s)), ["from_vectorstore(HybridChroma("]),
    "pickle LangChain's": (lambda s: pickle.dumps(s.as_retriever()), [").as_retriever("]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_to_do(store, mistake):
    act, words = MISTAKES[mistake]
    store.add_texts([SECRET], [{"kept": SECRET}], ["secret"])
    with pytest.raises(ChromaHybridError) as caught:
        act(store)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert SECRET not in said
    assert " at 0x" not in said


def test_there_are_sixty_and_more():
    assert len(MISTAKES) >= 60


def test_a_missing_collection_is_chromas_error_too(store):
    with pytest.raises(chromadb.errors.NotFoundError, match=store._collection_name):
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


# Nothing was found, and nothing raised.

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
async def test_what_stands_for_nothing_is_noted(store, case, mode):
    options, words = SILENT[case]
    notes = " ".join(store.explain(QUERY, mode=mode, **options).notes)
    assert [word for word in words if word not in notes] == [], notes
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode)
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
def test_nothing_is_noted_where_the_names_are_right(store, options):
    assert store.explain(QUERY, **options).notes == ()


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
