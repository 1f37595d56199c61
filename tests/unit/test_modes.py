"""The four modes, through every door that leads to them."""

from __future__ import annotations

import random

import chromadb
import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from tests.helpers import (
    COSINE,
    MODES,
    CountingEmbeddings,
    FailingEmbeddings,
    filled,
    fresh_name,
    ids_of,
    make_store,
)

QUERY = "red pump R123-78"
NONSENSE = "zyxwv qqqfoo"


@pytest.fixture(scope="module")
def many():
    """150 documents of ten words out of thirty, so that both legs are full of near ties."""
    draw = random.Random(7)  # noqa: S311  # reproducible texts, no secrets
    words = [f"word{i}" for i in range(30)]
    store = make_store()
    texts = [" ".join(draw.choices(words, k=10)) for _ in range(150)]
    texts[100:] = texts[:50]
    store.add_texts(texts, [{"group": i % 4} for i in range(150)], [f"id{i}" for i in range(150)])
    return store


# The doors.


@pytest.mark.parametrize("mode", MODES)
def test_the_constructor_and_the_call_mean_the_same(store, mode):
    made_so = filled(mode=mode)
    expected = ids_of(store.similarity_search(QUERY, mode=mode))
    assert expected
    assert ids_of(made_so.similarity_search(QUERY)) == expected
    assert ids_of(ChromaHybridRetriever(vectorstore=store, mode=mode).invoke(QUERY)) == expected
    assert ids_of(ChromaHybridRetriever(vectorstore=store).invoke(QUERY, mode=mode)) == expected


def test_the_modes_differ(store):
    found = {mode: tuple(ids_of(store.similarity_search(QUERY, k=8, mode=mode))) for mode in MODES}
    assert set(found["lexical"]) == set(found["two_step"])
    assert len(found["lexical"]) < len(found["vector"]) == 8
    assert found["lexical"] != found["two_step"]
    assert found["vector"] != found["hybrid"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("search_type", "options"),
    [
        ("similarity", {}),
        ("similarity_score_threshold", {"score_threshold": 0.05}),
        ("mmr", {"fetch_k": 8, "lambda_mult": 1.0}),
    ],
)
async def test_as_retriever_with_every_search_type(store, mode, search_type, options):
    settings = {"k": 3, "mode": mode, "filter": {"tenant": "a"}, **options}
    retriever = store.as_retriever(search_type=search_type, search_kwargs=settings)
    found = retriever.invoke(QUERY)
    assert found
    assert {document.metadata["tenant"] for document in found} == {"a"}
    assert await retriever.ainvoke(QUERY) == found
    if mode in ("lexical", "two_step"):
        lexical = store.similarity_search(QUERY, k=8, mode="lexical")
        assert set(ids_of(found)) <= set(ids_of(lexical))
    if search_type == "similarity":
        assert ids_of(found) == ids_of(
            store.similarity_search(QUERY, k=3, mode=mode, filter={"tenant": "a"})
        )


# Which legs run.


@pytest.mark.parametrize(
    ("options", "legs", "embedded"),
    [
        ({}, ("lexical", "vector"), 1),
        ({"weights": (1, 0)}, ("lexical",), 0),
        ({"weights": (0, 1)}, ("vector",), 1),
        ({"weights": {"vector": 0}}, ("lexical",), 0),
        ({"weights": {"lexical": 0}}, ("vector",), 1),
        ({"mode": "lexical"}, ("lexical",), 0),
        ({"mode": "vector"}, ("vector",), 1),
        ({"mode": "two_step"}, ("lexical", "vector"), 1),
    ],
)
def test_a_leg_of_weight_0_is_not_run(options, legs, embedded):
    store = filled(embedding_function=CountingEmbeddings())
    retriever = ChromaHybridRetriever(vectorstore=store)
    result = retriever.search(QUERY, **options)
    assert tuple(leg.name for leg in result.legs) == legs
    assert store.embeddings.queries == [QUERY] * embedded
    assert {leg.name for hit in result.hits for leg in hit.legs} == set(legs)


def test_two_step_ranks_fetched_vectors_and_asks_no_query(many, monkeypatch):
    asked = []
    original = chromadb.Collection.query
    monkeypatch.setattr(
        chromadb.Collection, "query", lambda *a, **kw: asked.append(kw) or original(*a, **kw)
    )
    found = many.similarity_search_with_score("word1 word2", k=10, mode="two_step", fetch_k=20)
    assert asked == []
    distances = [distance for _, distance in found]
    assert distances == sorted(distances)
    candidates = many.similarity_search("word1 word2", k=20, mode="lexical")
    assert set(ids_of(found)) <= set(ids_of(candidates))


@pytest.mark.parametrize("mode", MODES)
def test_no_mode_hands_ids_to_chromas_query(store, mode, monkeypatch):
    asked = []
    original = chromadb.Collection.query
    monkeypatch.setattr(
        chromadb.Collection, "query", lambda *a, **kw: asked.append(kw) or original(*a, **kw)
    )
    store.similarity_search(QUERY, mode=mode, filter={"tenant": "a"})
    store.similarity_search_with_score(QUERY, mode=mode)
    assert all(kw.get("ids") is None for kw in asked)


# Order.


@pytest.mark.parametrize("fusion", ["rrf", "min_max", "three_sigma", "theoretical_min_max"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", [None, {"group": {"$ne": 2}}])
def test_the_best_k_begin_the_best_2k_and_scores_do_not_depend_on_k(many, mode, fusion, where):
    options = {"mode": mode, "fusion": fusion, "filter": where, "fetch_k": 20}
    query = "word1 word2 word3"
    longest = many.similarity_search_with_relevance_scores(query, k=64, **options)
    scores = [score for _, score in longest]
    assert len(set(ids_of(longest))) == len(longest) > 20
    fused = [hit.fused for hit in many.explain(query, k=64, **options).hits]
    assert fused == sorted(fused, reverse=True)
    for k in (1, 4, 16, 28, 44):
        found = many.similarity_search_with_relevance_scores(query, k=k, **options)
        assert ids_of(found) == ids_of(longest)[:k]
        assert [score for _, score in found] == pytest.approx(scores[:k], abs=1e-5)
        assert [hit.fused for hit in many.explain(query, k=k, **options).hits] == fused[:k]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_query_gives_the_same_list(many, mode):
    def ask():
        return many.similarity_search_with_relevance_scores("word4 word9", k=40, mode=mode)

    assert ask() == ask() == ask()


def test_lexical_ties_are_in_the_order_of_ids_whatever_came_first():
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        store = make_store()
        store.add_texts(["the same text"] * 4, ids=[f"id{i}" for i in order])
        found = ids_of(store.similarity_search("same", mode="lexical"))
        assert found == ["id0", "id1", "id2", "id3"]


# Identity.


@pytest.mark.parametrize("mode", MODES)
def test_equal_text_under_two_ids_is_two_results_unless_deduplicated(empty, mode):
    texts = ["red pump one", "red pump one", "red pump two", "red pump of no source"]
    metadatas = [{"source": "x"}, {"source": "x"}, {"source": "y"}]
    empty.add_texts(texts, metadatas, ["1", "2", "3", "4"])
    found = empty.similarity_search("red pump one", k=4, mode=mode)
    assert set(ids_of(found)) == {"1", "2", "3", "4"}
    found = empty.similarity_search("red pump one", k=3, mode=mode, dedupe_key="source")
    assert {document.metadata.get("source") for document in found} == {"x", "y", None}
    assert len(found) == 3
    retriever = ChromaHybridRetriever(vectorstore=empty, mode=mode, dedupe_key="source", k=2)
    best, second = retriever.invoke("red pump one")
    assert best.metadata["source"] == "x"
    assert second.metadata.get("source") != "x"


# What matches nothing.


@pytest.mark.parametrize("mode", ["lexical", "two_step"])
def test_nonsense_has_no_lexical_hit(store, mode):
    assert store.similarity_search(NONSENSE, mode=mode) == []
    assert store.similarity_search_with_score(NONSENSE, mode=mode) == []
    assert store.max_marginal_relevance_search(NONSENSE, mode=mode) == []


@pytest.mark.parametrize("fusion", ["rrf", "min_max", "three_sigma", "theoretical_min_max"])
@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_the_best_hit_of_nonsense_does_not_score_1(fusion, space):
    store = filled(collection_configuration={"hnsw": {"space": space}}, fusion=fusion)
    for mode in MODES:
        found = store.explain(NONSENSE, mode=mode).hits
        assert all(hit.score < 1.0 for hit in found)
        assert all(leg.rank is None for h in found for leg in h.legs if leg.name == "lexical")


# Diversity.


def test_mmr_chooses_among_the_fused_results(store):
    store.add_documents([Document("Error R123-78 means that the pump is blocked", id="copy")])
    relevant = store.max_marginal_relevance_search("pump is blocked", k=2, lambda_mult=1.0)
    assert set(ids_of(relevant)) == {"pump", "copy"}
    diverse = store.max_marginal_relevance_search("pump is blocked", k=3, lambda_mult=0.2)
    assert not {"pump", "copy"} <= set(ids_of(diverse))
    lexical = store.max_marginal_relevance_search("maple", k=8, mode="lexical")
    assert set(ids_of(lexical)) == {"leaves", "cat"}
    few = store.max_marginal_relevance_search("R123-78", k=1, fetch_k=1, lambda_mult=0.0)
    assert ids_of(few)[0] in {"pump", "copy"}


def test_mmr_embeds_the_query_once():
    store = filled(embedding_function=CountingEmbeddings())
    for mode in MODES:
        store.embeddings.queries.clear()
        store.max_marginal_relevance_search("red pump", mode=mode)
        assert store.embeddings.queries == ["red pump"]


def test_mmr_gives_the_documents_in_the_order_in_which_it_selects_them(store):
    store.add_documents([Document("Error R123-78 means that the pump is blocked", id="copy")])
    options = {"k": 3, "lambda_mult": 0.2}
    found = store.max_marginal_relevance_search("pump is blocked", **options)
    chosen = ChromaHybridRetriever(vectorstore=store, **options).invoke("pump is blocked")
    assert ids_of(found) == ids_of(chosen)
    one_more = store.max_marginal_relevance_search("pump is blocked", k=4, lambda_mult=0.2)
    assert ids_of(one_more)[:3] == ids_of(found)


def test_mmr_degrades_to_the_fused_results():
    store = filled(embedding_function=FailingEmbeddings(), on_leg_error="degrade")
    found = store.max_marginal_relevance_search("maple", k=2)
    assert found == store.similarity_search("maple", k=2)
    assert found
    with pytest.raises(ConnectionError):
        store.max_marginal_relevance_search("maple", on_leg_error="raise")


def test_what_is_deleted_while_a_query_runs_has_no_vector(store, monkeypatch):
    read = ChromaStore.vectors

    def vectors(self, ids, token):
        store._collection.delete(ids=["pump"])
        return read(self, ids, token)

    retriever = ChromaHybridRetriever(vectorstore=store, lambda_mult=0.5)
    searches = [
        store.max_marginal_relevance_search,
        retriever.invoke,
        lambda query: [document for document, _ in store.similarity_search_with_vectors(query)],
    ]
    for search in searches:
        store.add_documents([Document("Error R123-78 means that the pump is blocked", id="pump")])
        with monkeypatch.context() as patch:
            patch.setattr(ChromaStore, "vectors", vectors)
            found = ids_of(search("pump blocked error"))
        assert found
        assert "pump" not in found


# Without an embedding function of ours.


def test_lexical_mode_needs_no_embedding_function():
    from langchain_chroma_hybrid import HybridChroma

    name = fresh_name()
    filled(collection_configuration=COSINE)._client.create_collection(name, embedding_function=None)
    store = HybridChroma(name, None, mode="lexical")
    vectors = [CountingEmbeddings().embed_query(text) for text in ("red fox", "grey whale")]
    store._collection.add(ids=["x", "y"], embeddings=vectors, documents=["red fox", "grey whale"])
    assert ids_of(store.similarity_search("whale")) == ["y"]
