"""Scores, distances and explanations say what they are said to say."""

from __future__ import annotations

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.core.fusion import RankedList, fuse
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import MODES, filled, ids_of

QUERY = "red pump R123-78"


def by_hand(space, query, vectors):
    q, rows = np.array(query), np.array(vectors)
    if space == "l2":
        return ((rows - q) ** 2).sum(axis=1)
    if space == "ip":
        return 1 - rows @ q
    return 1 - rows @ q / np.linalg.norm(rows, axis=1) / np.linalg.norm(q)


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
@pytest.mark.parametrize("mode", MODES)
def test_with_score_gives_chromas_distance_in_fused_order(space, mode):
    configuration = {"hnsw": {"space": space}}
    store = filled(collection_configuration=configuration)
    plain = Chroma(store._collection_name, WordEmbeddings(), collection_configuration=configuration)
    distances = {d.id: score for d, score in plain.similarity_search_with_score(QUERY, k=8)}
    # A filter sends the vector leg another way; the distances stay.
    for where in (None, {"tenant": {"$ne": "c"}}):
        for fetch_k in (1, None):
            options = {"k": 8, "mode": mode, "filter": where, "fetch_k": fetch_k}
            found = store.similarity_search_with_score(QUERY, **options)
            assert ids_of(found) == ids_of(store.similarity_search(QUERY, **options))
            for document, distance in found:
                assert distance == pytest.approx(distances[document.id], abs=1e-5)
                assert type(distance) is float
    vectors = store.get(include=["embeddings"])
    expected = by_hand(space, WordEmbeddings().embed_query(QUERY), vectors["embeddings"])
    assert distances == pytest.approx(dict(zip(vectors["ids"], expected, strict=True)), abs=1e-5)


class OffTopic(WordEmbeddings):
    """Takes every query for one about the river."""

    def embed_query(self, text):
        return super().embed_query("The bank of the river is steep")

    def embed_documents(self, texts):
        return [WordEmbeddings().embed_query(text) for text in texts]


def test_a_hit_of_the_lexical_leg_alone_has_its_distance():
    store = filled(embedding_function=OffTopic())
    everything = store.similarity_search_with_score("maple", k=8, mode="vector")
    distances = {document.id: distance for document, distance in everything}
    hits = store.explain("maple", k=4, fetch_k=2).hits
    alone = {hit.id for hit in hits for leg in hit.legs if leg.name == "vector" and not leg.rank}
    assert alone == {"leaves", "cat"}
    assert {hit.id: hit.distance for hit in hits} == pytest.approx(
        {hit.id: distances[hit.id] for hit in hits}, abs=1e-5
    )


@pytest.mark.parametrize("mode", MODES)
async def test_a_relevance_score_function_of_ones_own(mode):
    store = filled(relevance_score_fn=lambda distance: 1 / (4 + distance))
    options = {"k": 4, "mode": mode, "filter": {"tenant": {"$ne": "c"}}}
    found = store.similarity_search_with_relevance_scores(QUERY, **options)
    if mode in ("vector", "two_step"):
        distances = store.similarity_search_with_score(QUERY, **options)
        assert found == [(document, 1 / (4 + distance)) for document, distance in distances]
    else:
        hits = store.explain(QUERY, **options).hits
        assert [score for _, score in found] == [hit.relevance for hit in hits]
    assert found
    assert await store.asimilarity_search_with_relevance_scores(QUERY, **options) == found


async def test_the_same_distances_asynchronously(store):
    for mode in MODES:
        sync = store.similarity_search_with_score(QUERY, k=8, mode=mode)
        assert await store.asimilarity_search_with_score(QUERY, k=8, mode=mode) == sync


@pytest.mark.parametrize("mode", MODES)
def test_score_threshold_cuts_at_the_relevance(store, mode):
    found = store.similarity_search_with_relevance_scores(QUERY, k=8, mode=mode)
    scores = sorted({score for _, score in found}, reverse=True)
    assert len(scores) > 1
    threshold = scores[1]
    expected = [document.id for document, score in found if score >= threshold]
    assert 0 < len(expected) < len(found)
    options = {"k": 8, "mode": mode, "score_threshold": threshold}
    assert ids_of(store.similarity_search_with_relevance_scores(QUERY, **options)) == expected
    assert ids_of(store.similarity_search(QUERY, **options)) == expected
    # Distances come with the same cut: the threshold is on relevance.
    assert ids_of(store.similarity_search_with_score(QUERY, **options)) == expected
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode, k=8)
    assert ids_of(retriever.invoke(QUERY, score_threshold=threshold)) == expected
    inherited = store.as_retriever(search_type="similarity_score_threshold", search_kwargs=options)
    assert ids_of(inherited.invoke(QUERY)) == expected


def test_the_relevance_score_is_the_retrievers_and_explains(store):
    scored = store.similarity_search_with_relevance_scores(QUERY, k=5)
    explained = store.explain(QUERY, k=5).hits
    retriever = ChromaHybridRetriever(vectorstore=store, k=5, score_key="chroma_hybrid_score")
    assert [(hit.id, hit.relevance) for hit in retriever.search(QUERY).hits] == [
        (d.id, s) for d, s in scored
    ]
    retrieved = retriever.invoke(QUERY)
    assert [(d.id, s) for d, s in scored] == [(hit.id, hit.relevance) for hit in explained]
    assert [(d.id, d.metadata["chroma_hybrid_score"]) for d in retrieved] == [
        (d.id, s) for d, s in scored
    ]


@pytest.mark.parametrize("fusion", ["rrf", "min_max", "three_sigma", "theoretical_min_max"])
def test_the_fused_score_is_made_of_what_explain_shows(store, fusion):
    result = store.explain(QUERY, k=8, fusion=fusion, weights=(3, 1))
    assert [leg.name for leg in result.legs] == ["lexical", "vector"]
    for hit in result.hits:
        lexical, vector = hit.legs
        assert (lexical.weight, vector.weight) == (0.75, 0.25)
        total = sum(leg.weight * leg.normalized for leg in hit.legs)
        assert hit.score == pytest.approx(total)
        if lexical.rank is None:
            assert (lexical.score, lexical.normalized, lexical.terms) == (None, 0.0, ())
        assert vector.score == hit.distance


def test_the_ranks_and_raw_scores_of_a_leg_are_those_of_its_own_mode(store):
    both = store.explain(QUERY, k=8).hits
    for mode, place in (("lexical", 0), ("vector", 1)):
        alone = store.explain(QUERY, k=8, mode=mode).hits
        expected = {hit.id: (hit.legs[0].rank, hit.legs[0].score) for hit in alone}
        found = {
            hit.id: (hit.legs[place].rank, hit.legs[place].score)
            for hit in both
            if hit.legs[place].rank
        }
        assert found == expected
        assert [rank for rank, _ in expected.values()] == list(range(1, len(expected) + 1))


def test_the_default_fusion_is_what_core_fusion_computes(store):
    lexical = store.explain(QUERY, k=8, mode="lexical").hits
    vector = store.explain(QUERY, k=8, mode="vector").hits
    lists = [
        RankedList([h.id for h in lexical], [h.legs[0].score for h in lexical], 0.5, 0.0),
        RankedList([h.id for h in vector], [1 - h.legs[0].score for h in vector], 0.5, -1.0),
    ]
    for fusion in ("min_max", "rrf", "three_sigma", "theoretical_min_max"):
        found = store.explain(QUERY, k=8, fusion=fusion).hits
        expected = fuse(lists, fusion)
        assert [hit.id for hit in found] == [hit.id for hit in expected]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected])


def test_terms_are_the_words_of_the_query_that_the_record_has(store):
    hits = {hit.id: hit for hit in store.explain("the red pumps", k=8).hits}
    assert "pump" in hits["manual"].legs[0].terms
    assert "red" in hits["cat"].legs[0].terms
    assert "pump" not in hits["cat"].legs[0].terms
    assert hits["pump"].legs[1].terms == ()


def test_highlight_marks_the_words_of_the_query(store):
    (document,) = store.similarity_search("blocked pumps", k=1, mode="lexical")
    text = document.page_content
    spans = store.highlight("blocked pumps", document)
    assert [text[start:end] for start, end in spans] == ["pump", "blocked"]


@pytest.mark.parametrize(
    ("where", "where_document", "lexical", "vector"),
    [
        (None, None, "none", "none"),
        ({"tenant": "a"}, None, "lexical", "exact"),
        ({"tenant": "nobody"}, None, "lexical", "lexical"),
        (None, {"$contains": "pump"}, "lexical", "exact"),
        (None, {"$regex": "^The"}, "lexical", "exact"),
    ],
)
def test_explain_says_which_way_a_filter_went(store, where, where_document, lexical, vector):
    result = store.explain("pump", filter=where, where_document=where_document)
    assert {leg.name: leg.filtered_by for leg in result.legs} == {
        "lexical": lexical,
        "vector": vector,
    }
    assert all(leg.took_ms >= 0 for leg in result.legs)
    assert result.took_ms > 0


def test_explain_in_the_documents_of_a_retriever(store):
    retriever = ChromaHybridRetriever(vectorstore=store, explain=True, k=1)
    (document,) = retriever.invoke(QUERY, filter={"tenant": "a"})
    view = document.metadata["chroma_hybrid_explanation"]
    assert view["lexical"].keys() == view["vector"].keys() == {
        "rank", "score", "normalized", "weight", "terms", "filtered_by",
    }  # fmt: skip
    assert view["vector"]["filtered_by"] == "exact"
    assert retriever.invoke(QUERY, explain=False)[0].metadata == {"tenant": "a", "year": 2022}


def test_notes_go_into_a_copy_beside_all_keys_of_the_user(store):
    mine = {"relevance_score": 0.25, "retrieval": "mine", "score": 7, "tenant": "a"}
    store.add_documents([Document("R123-78 R123-78", id="own", metadata=mine)])
    options = {"explain": True, "score_key": "chroma_hybrid_score", "k": 9}
    retriever = ChromaHybridRetriever(vectorstore=store, **options)
    found = {document.id: document for document in retriever.invoke("R123-78")}
    notes = {"chroma_hybrid_score", "chroma_hybrid_explanation"}
    assert {k: v for k, v in found["own"].metadata.items() if k not in notes} == mine
    assert all(notes <= document.metadata.keys() for document in found.values())
    found["pump"].metadata["tenant"] = "changed"
    (kept,) = store.get_by_ids(["pump"])
    assert kept.metadata == {"tenant": "a", "year": 2022}
    assert retriever.invoke("R123-78")[0].metadata["tenant"] == "a"
    assert all(not notes & (metadata or {}).keys() for metadata in store.get()["metadatas"])


@pytest.mark.parametrize("options", [{}, {"score_key": None}])
def test_documents_are_as_they_are_stored_unless_a_key_is_given(store, options):
    for mode in MODES:
        found = ChromaHybridRetriever(vectorstore=store, k=8, mode=mode, **options).invoke(QUERY)
        assert found == store.get_by_ids(ids_of(found))


@pytest.mark.parametrize("key", ["relevance_score", "score", "", "Chroma_hybrid_score"])
def test_a_score_key_is_one_of_our_own(store, key):
    expected = r"^score_key: .*chroma_hybrid_"
    with pytest.raises(InvalidArgumentError, match=expected):
        ChromaHybridRetriever(vectorstore=store, score_key=key)
    with pytest.raises(InvalidArgumentError, match=expected):
        ChromaHybridRetriever(vectorstore=store).model_copy(update={"score_key": key})
    for value in (5, b"chroma_hybrid_score", True):
        with pytest.raises(InvalidArgumentError, match=r"^score_key: .*string"):
            ChromaHybridRetriever(vectorstore=store, score_key=value)
