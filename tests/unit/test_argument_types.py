"""Arguments of the wrong type give one error that names them; odd ones of the right type work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, RankBM25Index
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import MODES, filled, fresh_name, ids_of, make_store, plain_chroma

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Scored


class Unshowable:
    """Its `repr` raises."""

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda s: s.add_documents([None]), r"documents\[0\]"),
        (lambda s: s.add_documents([Document("a"), "b"]), r"documents\[1\]"),
        (lambda s: s.add_documents(None), "documents"),
        (lambda s: s.add_documents(Document("a")), "documents"),
        (lambda s: s.add_documents("words"), "documents"),
        (lambda s: s.add_documents([{"page_content": "a"}]), r"documents\[0\]"),
        (lambda s: s.add_documents([Unshowable()]), r"documents\[0\]"),
        (lambda s: s.update_documents(["a"], [None]), r"documents\[0\]"),
        (lambda s: s.update_documents("a", [Document("a")]), "ids"),
        (lambda s: s.add_texts(None), "texts"),
        (lambda s: s.add_texts(3), "texts"),
        (lambda s: s.add_texts("words"), "texts"),
        (lambda s: s.add_texts(b"words"), "texts"),
        (lambda s: s.add_texts([None]), r"texts\[0\]"),
        (lambda s: s.add_texts([b"words"]), r"texts\[0\]"),
        (lambda s: s.add_texts([Unshowable()]), r"texts\[0\]"),
        (lambda s: s.add_texts(["a"], metadatas={"k": 1}), "metadatas"),
        (lambda s: s.add_texts(["a"], metadatas=3), "metadatas"),
        (lambda s: s.add_texts(["a"], metadatas=["k"]), r"metadatas\[0\]"),
        (lambda s: s.add_texts(["a"], metadatas=[{}, {}]), "metadatas"),
        (lambda s: s.add_texts(["a"], metadatas=[{"k": Unshowable()}]), r"metadatas\[0\]"),
        (lambda s: s.add_texts(["a"], ids=3), "ids"),
        (lambda s: s.add_texts(["a"], ids="a"), "ids"),
        (lambda s: s.get_by_ids([0]), r"ids\[0\]"),
        (lambda s: s.get_by_ids(np.array("a")), "ids"),
        (lambda s: s.delete(np.array("a")), "ids"),
        (lambda s: s.add_texts(np.array("a")), "texts"),
        (lambda s: s.add_documents(np.array(None)), "documents"),
        (lambda s: s.add_texts(["a"], np.array(None)), "metadatas"),
        (lambda s: s.sync(progress=3), "progress"),
        (lambda s: s.rebuild(3), "progress"),
        (lambda s: s.highlight(None, Document("a")), "query"),
        (lambda s: s.highlight("a", 3), "document"),
        (lambda s: s.similarity_search_by_vector(10**400), "embedding"),
        (lambda s: s.get_by_ids(3), "ids"),
        (lambda s: s.get_by_ids([Unshowable()]), r"ids\[0\]"),
        (lambda s: s.similarity_search("pump", k="3"), "k"),
        (lambda s: s.similarity_search("pump", k=1.0), "k"),
        (lambda s: s.similarity_search("pump", k=True), "k"),
        (lambda s: s.similarity_search("pump", k=Unshowable()), "k"),
        (lambda s: s.similarity_search("pump", k=np.float64(1)), "k"),
        (lambda s: s.similarity_search(3), "query"),
        (lambda s: s.similarity_search(Unshowable()), "query"),
        (lambda s: s.similarity_search("pump", filter={"a": Unshowable()}), "filter|where"),
    ],
)  # fmt: skip
def test_calls(call: Any, name: str):
    store = filled()
    before = store.get()
    with pytest.raises(InvalidArgumentError, match=name):
        call(store)
    assert store.get() == before


async def test_asynchronous_calls():
    store = filled()
    with pytest.raises(InvalidArgumentError, match=r"documents\[0\]"):
        await store.aadd_documents([None])
    with pytest.raises(InvalidArgumentError, match="texts"):
        await store.aadd_texts(None)


@pytest.mark.parametrize(
    "bad",
    [
        {"lexical": object()}, {"lexical": "bm25"}, {"lexical": RankBM25Index},
        {"lexical_fields": ["page_content"]}, {"lexical_fields": "page_content"},
        {"lexical_fields": {"page_content": "2"}}, {"lexical_fields": {1: 1.0}},
        {"lexical_fields": {"page_content": True}}, {"lexical_fields": {}},
        {"lexical_directory": 3}, {"lexical_directory": b"folder"},
        {"max_age": "x"}, {"max_age": True}, {"lock_timeout": "x"}, {"lock_timeout": -1},
        {"analyzer": 3}, {"analyzer": Unshowable()}, {"sync": 1}, {"sync": Unshowable()},
        {"backfill": None}, {"progress": "bar"}, {"check_rate": None},
        {"analyzer": np.array([1, 2])}, {"max_age": np.array([1, 2])}, {"sync": np.array([1, 2])},
    ],
    ids=lambda bad: f"{next(iter(bad))}={type(next(iter(bad.values()))).__name__}",
)  # fmt: skip
def test_settings(bad: dict[str, Any]):
    name = next(iter(bad))
    with pytest.raises(InvalidArgumentError, match=f"^{name}: expected"):
        HybridChroma(fresh_name(), WordEmbeddings(), **bad)
    with pytest.raises(InvalidArgumentError, match=f"^{name}: expected"):
        ChromaHybridRetriever.from_vectorstore(plain_chroma(), **bad)


@pytest.mark.parametrize("client", [3, "http://localhost:8000", object()])
def test_what_is_no_client(client: Any):
    with pytest.raises(InvalidArgumentError, match="client: expected a Chroma client"):
        HybridChroma(fresh_name(), WordEmbeddings(), client=client)


class Chromas(EmbeddingFunction[Documents]):
    def __init__(self) -> None:
        pass

    def __call__(self, input: Documents) -> Embeddings:  # Chroma's name
        return [np.ones(3, dtype=np.float32) for _ in input]


@pytest.mark.parametrize(
    ("bad", "way"),
    [
        (lambda texts: texts, "FunctionEmbeddings"),
        ("all-MiniLM-L6-v2", r"SentenceTransformerEmbeddings\('all-MiniLM-L6-v2'\)"),
        (Chromas(), "from_chroma"),
        (3, "LangChain Embeddings"),
        (Unshowable(), "LangChain Embeddings"),
        (WordEmbeddings, r"an object, WordEmbeddings\("),
    ],
    ids=["lambda", "string", "chromadb", "number", "unshowable", "class"],
)
def test_what_is_no_embeddings_says_what_makes_some(bad: Any, way: str):
    for name, make in (
        ("embedding_function", lambda: HybridChroma(fresh_name(), bad)),
        ("embedding", lambda: HybridChroma.from_texts(["words"], bad)),
        ("embedding", lambda: HybridChroma.from_documents([Document("words")], bad)),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^{name}: .*{way}"):
            make()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_whole_numbers_of_numpy(folder: Any, kind: Any):
    store = filled(folder)
    for mode in MODES:
        options = {"mode": mode, "fetch_k": kind(20), "group_limit": kind(2)}
        found = store.similarity_search("Error R123-78", k=kind(2), **options)
        assert ids_of(found) == ids_of(store.similarity_search("Error R123-78", k=2, mode=mode))
    retriever = ChromaHybridRetriever(vectorstore=store)
    assert len(retriever.invoke("pump", k=kind(2), lambda_mult=np.float32(0.5))) == 2
    assert len(store.max_marginal_relevance_search("pump", k=kind(2), fetch_k=kind(5))) == 2


@pytest.mark.parametrize(
    "metadatas",
    [
        lambda: ({"n": n} for n in range(2)),
        lambda: np.array([{"n": 0}, {"n": 1}]),
        lambda: ({"n": 0}, {"n": 1}),
        lambda: iter([{"n": 0}, {"n": 1}]),
    ],
    ids=["generator", "array", "tuple", "iterator"],
)
def test_columns_of_any_kind(metadatas: Any):
    store = make_store()
    ids = np.array(["a", "b"])
    assert store.add_texts((text for text in ["one", "two"]), metadatas(), ids) == ["a", "b"]
    assert store.get()["metadatas"] == [{"n": 0}, {"n": 1}]
    assert ids_of(store.similarity_search("two", k=1, filter={"n": 1})) == ["b"]


async def test_columns_of_any_kind_asynchronously():
    store = make_store()
    await store.aadd_texts(iter(["one", "two"]), ({"n": n} for n in range(2)), ids=("a", "b"))
    assert store.get()["metadatas"] == [{"n": 0}, {"n": 1}]


def test_a_field_that_no_record_has_is_noted(folder: Any):
    fields = {"page_content": 1.0, "tenant": 1.0, "titel": 2.0, "autor": 1.0}
    store = filled(folder, lexical_fields=fields)
    assert store.explain("pump").notes == ("lexical_fields: no record has 'titel', 'autor'",)
    assert store.explain("pump", mode="vector").notes == ()
    store.add_texts(["words"], [{"titel": "A pump"}], ["book"])
    assert store.explain("pump").notes == ("lexical_fields: no record has 'autor'",)
    assert "lexical_fields" not in str(make_store(lexical_fields=fields).explain("pump").notes)


class Unbounded(RankBM25Index):
    """An engine that knows no highest score."""

    def max_score(self, query: str, **_: Any) -> None:
        return None


class Bounded(RankBM25Index):
    def search(self, query: str, k: int, **options: Any) -> list[Scored]:
        return super().search(query, k, **options)


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_without_a_highest_score_hits_are_still_told_apart(mode: str):
    store = filled(lexical=Unbounded("plus"))
    found = store.similarity_search_with_relevance_scores("Error R123-78 pump", k=5, mode=mode)
    scores = [score for _, score in found]
    assert ids_of(found)[0] == "pump"
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 < score < 1.0 for score in scores) or mode == "hybrid"
    assert len(set(scores)) > 2
    fewer = store.similarity_search_with_relevance_scores("Error R123-78 pump", k=2, mode=mode)
    assert fewer == found[:2]
    expected = filled(lexical=Bounded("plus"))
    same = expected.similarity_search("Error R123-78 pump", k=5, mode="lexical")
    assert mode == "hybrid" or ids_of(same) == ids_of(found)
