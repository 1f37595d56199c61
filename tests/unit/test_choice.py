"""Rerankers, diversity and groups over the fused results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from langchain_core.documents import BaseDocumentCompressor, Document

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import InvalidArgumentError, UnknownArgumentError
from tests.helpers import make_store

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTS = [
    ("a1", "the pump is blocked", "a"),
    ("a2", "the pump is blocked now", "a"),
    ("a3", "the pump is blocked again", "a"),
    ("b1", "a valve beside the pump leaks", "b"),
    ("c1", "read the manual of the pump", "c"),
]


class Shortest:
    """Scores like a CrossEncoder: the shorter, the better."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict(self, pairs: list[tuple[str, str]]) -> np.ndarray:
        self.seen.append(len(pairs))
        return np.array([1 / len(text) for _, text in pairs])


class Reverse(BaseDocumentCompressor):
    def compress_documents(self, documents: Sequence[Document], query, callbacks=None):
        scored = {"metadata": {"relevance_score": 9.0}}
        return [document.model_copy(update=scored) for document in reversed(documents)]


@pytest.fixture(scope="module")
def store():
    store = make_store()
    metadatas = [{"source": source} for _, _, source in TEXTS]
    store.add_texts([t for _, t, _ in TEXTS], metadatas, ids=[i for i, _, _ in TEXTS])
    return store


def ids(documents):
    return [document.id for document in documents]


async def test_a_cross_encoder_orders_the_candidates(store):
    reranker = Shortest()
    options = {"reranker": reranker, "candidates": 4, "score_key": "chroma_hybrid_score"}
    retriever = ChromaHybridRetriever(vectorstore=store, k=2, **options)
    found = retriever.invoke("blocked pump")
    assert reranker.seen == [4]
    assert ids(found)[0] == "a1"
    score = pytest.approx(1 / len("the pump is blocked"))
    assert found[0].metadata == {"source": "a", "chroma_hybrid_score": score}
    assert ids(await retriever.ainvoke("blocked pump")) == ids(found)
    fused = retriever.invoke("blocked pump", reranker=None)[0].metadata
    assert fused["chroma_hybrid_score"] <= 1


async def test_a_compressor_orders_the_candidates(store):
    plain = ChromaHybridRetriever(vectorstore=store, k=5)
    retriever = ChromaHybridRetriever(vectorstore=store, k=2, reranker=Reverse())
    expected = ids(plain.invoke("blocked pump"))[::-1][:2]
    assert ids(retriever.invoke("blocked pump")) == expected
    assert ids(await retriever.ainvoke("blocked pump")) == expected
    assert retriever.invoke("blocked pump")[0].metadata["relevance_score"] == 9.0


class Last:
    """Reranks like LangChain's compressors, but only synchronously."""

    def compress_documents(self, documents: Sequence[Document], query, callbacks=None):
        return list(documents)[-1:]


async def test_a_compressor_without_an_asynchronous_half(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=5, reranker=Last())
    expected = ids(ChromaHybridRetriever(vectorstore=store, k=5).invoke("blocked pump"))[-1:]
    assert ids(retriever.invoke("blocked pump")) == expected
    assert ids(await retriever.ainvoke("blocked pump")) == expected


async def test_search_shows_what_there_is_to_choose_from(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=3, lambda_mult=0.1, reranker=Reverse())
    plain = ChromaHybridRetriever(vectorstore=store, k=3)
    hits = retriever.search("pump blocked", k=2).hits
    assert [hit.id for hit in hits] == ids(plain.invoke("pump blocked", k=2))
    assert (await retriever.asearch("pump blocked", k=2)).hits == hits
    assert all(hit.legs for hit in hits)
    for name, value in (("lambda_mult", 0.5), ("reranker", Reverse()), ("candidates", 9)):
        with pytest.raises(UnknownArgumentError, match=f"{name}.*before"):
            retriever.search("pump", **{name: value})
        with pytest.raises(UnknownArgumentError, match=f"{name}.*before"):
            await retriever.asearch("pump", **{name: value})


def test_k_is_checked_before_there_is_anything_to_choose(store):
    for k in (0, "3"):
        with pytest.raises(InvalidArgumentError, match=r"^k"):
            ChromaHybridRetriever(vectorstore=store, lambda_mult=0.5).invoke("pump", k=k)


def test_a_users_own_score_is_not_written_over():
    store = make_store()
    store.add_texts(["a pump"], [{"relevance_score": "mine"}])
    for options in ({}, {"score_key": "chroma_hybrid_score"}):
        retriever = ChromaHybridRetriever(vectorstore=store, reranker=Shortest(), **options)
        assert retriever.invoke("pump")[0].metadata["relevance_score"] == "mine"


async def test_a_reranker_notes_nothing_unless_a_key_is_given(store):
    for choice in ({"reranker": Shortest()}, {"reranker": Last()}, {"lambda_mult": 0.3}):
        retriever = ChromaHybridRetriever(vectorstore=store, k=3, **choice)
        found = retriever.invoke("blocked pump")
        assert found == store.get_by_ids(ids(found)) != []
        assert await retriever.ainvoke("blocked pump") == found


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_diversity_takes_what_differs(store, mode):
    retriever = ChromaHybridRetriever(vectorstore=store, k=3, mode=mode)
    same = ids(retriever.invoke("pump blocked", lambda_mult=1.0))
    assert {id_[0] for id_ in same} == {"a"}
    different = ids(retriever.invoke("pump blocked", lambda_mult=0.1))
    assert different[0] == same[0]
    assert len({id_[0] for id_ in different}) == 3


async def test_diversity_without_blocking(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=3, lambda_mult=0.1)
    assert ids(await retriever.ainvoke("pump blocked")) == ids(retriever.invoke("pump blocked"))


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_groups_are_limited(store, mode):
    found = store.similarity_search("blocked pump", k=5, group_by="source", mode=mode)
    assert sorted(document.metadata["source"] for document in found) == ["a", "b", "c"]
    retriever = ChromaHybridRetriever(
        vectorstore=store, k=5, mode=mode, group_by="source", group_limit=2
    )
    assert len([d for d in retriever.invoke("blocked pump") if d.metadata["source"] == "a"]) == 2
    one = store.similarity_search("blocked pump", k=5, dedupe_key="source", mode=mode)
    assert ids(one) == ids(found)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_duplicates_and_groups_together_take_room_only_for_what_is_let_in(mode):
    store = make_store()
    texts = ["pump pump pump", "pump pump x", "pump x y", "pump a b c d"]
    keys = [{"g": 1, "v": "x"}, {"g": 2, "v": "x"}, {"g": 2, "v": "y"}, {"g": 3, "v": "z"}]
    store.add_texts(texts, keys, ids=list("ABCD"))
    options = {"dedupe_key": "g", "group_by": "v", "mode": mode}
    for k in range(1, 6):
        found = ids(store.similarity_search("pump", k=k, **options))
        assert found == ["A", "C", "D"][:k]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reranker", object()),
        ("lambda_mult", 1.5),
        ("candidates", 0),
        ("group_limit", 0),
        ("group_limit", True),
    ],
)
def test_bad_values_say_their_name(store, name, value):
    with pytest.raises(ValueError, match=name):
        ChromaHybridRetriever(vectorstore=store, **{name: value})
    with pytest.raises(InvalidArgumentError, match=name):
        ChromaHybridRetriever(vectorstore=store).invoke("pump", **{name: value})


def test_scores_of_the_wrong_shape_say_so(store):
    class Pairs:
        def predict(self, pairs):
            return np.zeros((len(pairs), 2))

    with pytest.raises(InvalidArgumentError, match="reranker"):
        ChromaHybridRetriever(vectorstore=store, reranker=Pairs()).invoke("pump")


@pytest.mark.parametrize("option", [{"analyzer": "german"}, {"sync": "manual"}, {"max_age": 3.0}])
def test_a_hybrid_store_has_its_own_lexical_settings(store, option):
    with pytest.raises(InvalidArgumentError, match="HybridChroma"):
        ChromaHybridRetriever.from_vectorstore(store, **option)
    assert ids(ChromaHybridRetriever.from_vectorstore(store, k=1).invoke("manual")) == ["c1"]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
@pytest.mark.parametrize("option", [{"dedupe_key": "source"}, {"group_by": "source"}])
async def test_one_big_group_does_not_use_up_the_results(mode, option):
    store = make_store()
    chunks = [(f"the pump is blocked and blocked again {i}", "big") for i in range(150)]
    others = [(f"a pump of model {i}", f"other {i}") for i in range(5)]
    texts, sources = zip(*[*chunks, *others], strict=True)
    store.add_texts(texts, [{"source": source} for source in sources])
    found = store.similarity_search("blocked pump", k=4, mode=mode, **option)
    assert len({document.metadata["source"] for document in found}) == 4
    assert await store.asimilarity_search("blocked pump", k=4, mode=mode, **option) == found
    longer = store.similarity_search("blocked pump", k=6, mode=mode, **option)
    assert longer[:4] == found
    assert len(longer) == 6


def test_groups_tell_types_apart():
    store = make_store()
    values = [1, True, 1.5, "1"]
    store.add_texts(["a pump"] * 4, [{"v": value} for value in values])
    found = store.similarity_search("pump", k=4, dedupe_key="v")
    assert sorted(repr(document.metadata["v"]) for document in found) == sorted(map(repr, values))
