"""Relevance of hits: the same whatever finds them, and what thresholds are held against."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.core.background import Background
from langchain_chroma_hybrid.core.relevance import Evidence, relevance
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, MODES, CountingEmbeddings, filled, fresh_name, ids_of, make_store

QUERY = "red pump water"
WORDS = ["red", "green", "pump", "valve", "water", "leaf", "river", "cat", "tree", "bank"]


class Long(WordEmbeddings):
    """Vectors of many lengths."""

    def embed_documents(self, texts):
        vectors = super().embed_documents(texts)
        return [[x * (1 + n % 3) for x in v] for n, v in enumerate(vectors)]


@pytest.fixture(scope="module")
def many():
    store = make_store()
    random = np.random.default_rng(3)
    texts = [" ".join(random.choice(WORDS, 5)) + f" part{n}" for n in range(300)]
    store.add_texts(texts, ids=[f"{n:03}" for n in range(300)])
    yield store
    store.delete_collection()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fusion", ["adaptive", "rrf", "min_max"])
@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.1, 0.3, 0.9])
def test_the_best_k_that_pass_a_threshold_are_the_beginning_of_the_best_2_k(
    many, mode, fusion, threshold
):
    given = {"mode": mode, "fusion": fusion}
    every = many.explain(QUERY, k=300, **given).hits
    passing = [hit.id for hit in every if hit.relevance >= threshold]
    for k in (1, 8, 50):
        result = many.explain(QUERY, k=k, score_threshold=threshold, **given)
        assert [hit.id for hit in result.hits] == passing[:k]
        assert all(hit.relevance >= threshold for hit in result.hits)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "two_step"])
def test_it_depends_neither_on_k_nor_on_what_found_the_record(many, mode):
    known = {hit.id: hit.relevance for hit in many.explain(QUERY, k=300).hits}
    for k in (1, 7, 60):
        for hit in many.explain(QUERY, k=k, mode=mode).hits:
            assert hit.relevance == pytest.approx(known[hit.id], abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), k=st.integers(1, 20))
def test_every_way_to_ask_says_the_same(many, words, k):
    query = " ".join(words)
    hits = many.explain(query, k=k).hits
    pairs = many.similarity_search_with_relevance_scores(query, k=k)
    assert [(d.id, s) for d, s in pairs] == [(h.id, h.relevance) for h in hits]
    retriever = ChromaHybridRetriever(vectorstore=many, k=k, score_key="chroma_hybrid_score")
    found = retriever.invoke(query)
    assert [(d.id, d.metadata["chroma_hybrid_score"]) for d in found] == [
        (d.id, s) for d, s in pairs
    ]
    assert pairs == asyncio.run(many.asimilarity_search_with_relevance_scores(query, k=k))


@pytest.mark.parametrize("kind", ["unit", "long"])
@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_cosines_are_cosines_in_every_space(space, kind):
    embeddings = WordEmbeddings() if kind == "unit" else Long()
    configuration = {"hnsw": {"space": space}}
    store = filled(embedding_function=embeddings, collection_configuration=configuration)
    index = store.lexical_config.analyzer
    assert index is not None
    found = {h.id: h.relevance for h in store.explain(QUERY, k=8, mode="vector").hits}
    data = store.get(include=["embeddings"])
    rows = np.array(data["embeddings"])
    query = np.array(embeddings.embed_query(QUERY))
    cosines = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    by_cosine = [i for _, i in sorted(zip(-cosines, data["ids"], strict=True))]
    plain = filled(embedding_function=embeddings)
    expected = {h.id: h.relevance for h in plain.explain(QUERY, k=8, mode="vector").hits}
    assert found.keys() == expected.keys() == set(by_cosine)
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("search_type", ["similarity_score_threshold"])
@pytest.mark.parametrize("mode", MODES)
def test_thresholds_of_langchain_mean_relevance(many, mode, search_type):
    scores = [hit.relevance for hit in many.explain(QUERY, k=20, mode=mode).hits]
    least = sorted(scores)[len(scores) // 2]
    kwargs = {"k": 5, "score_threshold": least, "mode": mode}
    found = many.as_retriever(search_type=search_type, search_kwargs=kwargs).invoke(QUERY)
    own = ChromaHybridRetriever(vectorstore=many, k=5, mode=mode, score_threshold=least)
    assert found == own.invoke(QUERY) == asyncio.run(own.ainvoke(QUERY))
    assert found == many.similarity_search(QUERY, **kwargs)
    assert len(found) == 5


def test_a_function_of_ones_own_keeps_its_threshold():
    store = filled(relevance_score_fn=lambda distance: 1.0 - distance / 2)
    every = store.similarity_search_with_relevance_scores(QUERY, k=8, mode="vector")
    some = store.similarity_search_with_relevance_scores(
        QUERY, k=8, mode="vector", score_threshold=every[2][1]
    )
    assert some == every[:3]
    for search in (
        store.similarity_search_with_relevance_scores,
        lambda *a, **o: asyncio.run(store.asimilarity_search_with_relevance_scores(*a, **o)),
    ):
        for mode in MODES:
            with pytest.raises(InvalidArgumentError, match="score_threshold"):
                search(QUERY, k=8, mode=mode, score_threshold=1.5)


def test_a_blank_query_is_no_matter_of_relevance(many):
    for mode in MODES:
        result = many.explain(" ", k=3, mode=mode, score_threshold=0.99)
        assert [hit.relevance for hit in result.hits] == [1.0] * 3
        assert result.unmatched == ()


def test_it_is_only_looked_for_where_it_is_shown():
    embeddings = CountingEmbeddings()
    store = filled(embedding_function=embeddings)
    embeddings.texts.clear()
    store.similarity_search(QUERY)
    store.similarity_search_with_score(QUERY)
    store.max_marginal_relevance_search(QUERY)
    ChromaHybridRetriever(vectorstore=store).invoke(QUERY)
    assert embeddings.texts == []
    store.explain(QUERY, mode="lexical")
    assert embeddings.texts == []
    store.explain(QUERY)
    assert len(embeddings.texts) == len(CORPUS)


def test_the_background_is_kept_until_the_collection_has_doubled(tmp_path):
    embeddings = CountingEmbeddings()
    name = fresh_name()

    def opened():
        return HybridChroma(name, embeddings, persist_directory=str(tmp_path / "db"))

    store = opened()
    store.add_texts(["red pump", "green valve", "river bank", "water"])
    first = store.explain("red pump", k=1).hits[0].relevance
    store.close()
    embeddings.texts.clear()
    store = opened()
    assert store.explain("red pump", k=1).hits[0].relevance == pytest.approx(first, abs=1e-6)
    store.add_texts(["a tree", "a cat", "a dog", "a leaf"], ids=list("abcd"))
    embeddings.texts.clear()
    store.explain("red pump", k=1)
    assert embeddings.texts == []
    store.add_texts(["one more"])
    embeddings.texts.clear()
    store.explain("red pump", k=1)
    assert len(embeddings.texts) == 9
    store.close()


VALUES = {"mean": 0.1, "spread": 0.0, "level": 3.0, "distinct": 1e300, "count": 10**400}


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"whole": {"mean": NaN}}', "\x00", json.dumps({"whole": VALUES}), "[" * 9999],
)
def test_a_damaged_background_is_estimated_again(tmp_path, content):
    store = filled(tmp_path / "db")
    name = store._collection_name
    first = [hit.relevance for hit in store.explain(QUERY).hits]
    store.close()
    (note,) = tmp_path.glob("db/lexical/*/journal/background.json")
    note.write_text(content)
    store = HybridChroma(name, WordEmbeddings(), persist_directory=str(tmp_path / "db"))
    assert [h.relevance for h in store.explain(QUERY).hits] == pytest.approx(first, abs=1e-6)


class Broken(WordEmbeddings):
    """Embeds what is written, and no sample."""

    writing = True

    def embed_documents(self, texts):
        if not self.writing:
            raise ConnectionError("out of quota")
        return [super(Broken, self).embed_query(text) for text in texts]


def test_a_model_that_fails_on_samples_still_answers():
    embeddings = Broken()
    store = filled(embedding_function=embeddings)
    embeddings.writing = False
    hits = store.explain(QUERY, k=8).hits
    assert len(hits) == 8
    assert all(0.0 <= hit.relevance <= 1.0 for hit in hits)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_tiny_collections_are_judged(size):
    store = make_store()
    store.add_texts(["red pump", "blue door"][:size]) if size else None
    result = store.explain("red pump")
    assert len(result.hits) == size
    if size == 2:
        best, other = result.hits
        assert best.relevance > 0.5 > other.relevance


def test_texts_that_are_missing_do_not_count():
    store = make_store()
    vectors = WordEmbeddings().embed_documents(["red pump", "blue door"])
    store._collection.add(["a", "b"], embeddings=vectors)
    assert [hit.id for hit in store.explain("red pump").hits] == ["a", "b"]


@pytest.mark.parametrize("given", [-0.1, 1.1, float("nan"), "high", True])
def test_a_threshold_outside_0_to_1_is_refused(many, given):
    with pytest.raises(InvalidArgumentError, match="score_threshold"):
        many.similarity_search(QUERY, score_threshold=given)


def test_the_hits_evidence_is_what_relevance_is_made_of():
    """Parity: cosines and shares from scratch, over a collection of too few for an `near`."""
    store = filled()
    hits = store.explain(QUERY, k=8).hits
    index = store._chroma_collection and ChromaHybridRetriever(vectorstore=store)
    assert index is not None
    lexical = index._handle.run(lambda engine: engine.lexical)
    background = index._handle.run(
        lambda engine: engine.half.background.get(engine.store, engine.lexical)
    )
    assert isinstance(background, Background)
    most = lexical.max_score(QUERY)
    scores = {hit.id: hit.score / most for hit in lexical.search(QUERY, 8)}
    rival = sorted(scores.values(), reverse=True)[2]
    for hit in hits:
        evidence = Evidence(1.0 - hit.distance, scores.get(hit.id, 0.0), None, rival)
        assert hit.relevance == pytest.approx(relevance(evidence, background), abs=1e-4)


def test_documents_come_as_they_are_stored(many):
    assert ids_of(many.similarity_search(QUERY, k=3)) == [
        hit.id for hit in many.explain(QUERY, k=3).hits
    ]


class Deaf(WordEmbeddings):
    """Makes zeros of every query, as bags of words do of words that they do not know."""

    def embed_query(self, text):
        return [0.0] * len(super().embed_query(text))

    def embed_documents(self, texts):
        return [super(Deaf, self).embed_query(text) for text in texts]


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
@pytest.mark.parametrize("mode", ["hybrid", "vector", "two_step"])
def test_a_query_that_the_model_knows_nothing_of_is_near_to_nothing(space, mode):
    configuration = {"hnsw": {"space": space}}
    store = filled(embedding_function=Deaf(), collection_configuration=configuration)
    hits = store.explain("Roman empire emperors", k=8, mode=mode).hits
    assert all(hit.relevance < 0.5 for hit in hits)


def test_a_model_that_fails_once_is_said_to_and_asked_again(monkeypatch):
    from langchain_chroma_hybrid.engine.query import background

    embeddings = Broken()
    store = filled(embedding_function=embeddings)
    embeddings.writing = False
    failed = store.explain(QUERY)
    assert any("out of quota" in note for note in failed.notes)
    embeddings.writing = True
    monkeypatch.setattr(background.time, "monotonic", lambda: 1e12)
    fine = store.explain(QUERY)
    assert fine.notes == ()
    assert [h.relevance for h in fine.hits] != [h.relevance for h in failed.hits]


def test_a_lexical_query_waits_for_no_model():
    import threading

    class Slow(Broken):
        asked, go = threading.Event(), threading.Event()

        def embed_documents(self, texts):
            if not self.writing:
                self.asked.set()
                self.go.wait(30)
            return [WordEmbeddings.embed_query(self, text) for text in texts]

    embeddings = Slow()
    store = filled(embedding_function=embeddings)
    embeddings.writing = False
    waiting = threading.Thread(target=store.explain, args=[QUERY])
    waiting.start()
    assert embeddings.asked.wait(30)
    assert store.explain(QUERY, mode="lexical").hits
    assert waiting.is_alive()
    embeddings.go.set()
    waiting.join()


def test_what_words_tell_is_kept_too(tmp_path):
    name, place = fresh_name(), str(tmp_path / "db")
    store = HybridChroma(name, WordEmbeddings(), persist_directory=place)
    store.add_texts([f"red pump of line {n}" for n in range(60)])
    query = {"query": "red line 7", "mode": "lexical", "k": 1}
    store.explain(**query)
    store.add_texts([f"green valve number {n}" for n in range(50)])
    before = store.explain(**query).hits[0].relevance
    store.close()
    store = HybridChroma(name, WordEmbeddings(), persist_directory=place)
    assert store.explain(**query).hits[0].relevance == pytest.approx(before, abs=1e-9)
    store.close()
