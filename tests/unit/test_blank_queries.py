"""A blank query asks for nothing but what passes the filter: SelfQueryRetriever sends such ones."""

from __future__ import annotations

import math

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever
from tests.helpers import CORPUS, MODES, CountingEmbeddings, filled, ids_of

BLANKS = ["", " ", "\n\t", "\u3000", "\u00a0 "]
ALL = [id_ for id_, _, _ in CORPUS]
OF_A = [id_ for id_, _, metadata in CORPUS if metadata["tenant"] == "a"]
FILTER = {"tenant": "a"}


@pytest.fixture(scope="module", params=["disk", "memory"])
def store(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank") if request.param == "disk" else None
    return filled(folder, embedding_function=CountingEmbeddings())


@pytest.fixture(autouse=True)
def nothing_embedded(store):
    store.embeddings.queries.clear()
    yield
    assert not store.embeddings.queries


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("blank", BLANKS)
def test_what_passes_the_filter_comes_in_the_order_of_the_collection(store, mode, blank):
    for k in (1, 2, 4, 50):
        assert ids_of(store.similarity_search(blank, k=k, mode=mode)) == ALL[:k]
        assert ids_of(store.similarity_search(blank, k=k, mode=mode, filter=FILTER)) == OF_A[:k]
    pump = {"$contains": "pump"}
    found = store.similarity_search(blank, k=9, mode=mode, where_document=pump, filter=FILTER)
    assert ids_of(found) == ["pump", "manual"]
    assert store.similarity_search(blank, mode=mode, filter={"tenant": "nobody"}) == []


@pytest.mark.parametrize("blank", BLANKS)
def test_every_method_without_a_distance(store, blank):
    scored = store.similarity_search_with_relevance_scores(
        blank, k=9, filter=FILTER, score_threshold=0.99
    )
    assert [(document.id, score) for document, score in scored] == [(id_, 1.0) for id_ in OF_A]
    assert ids_of(store.max_marginal_relevance_search(blank, k=3, filter=FILTER)) == OF_A[:3]
    with_vectors = store.similarity_search_with_vectors(blank, k=3, filter=FILTER)
    assert [document.id for document, _ in with_vectors] == OF_A[:3]
    assert all(len(vector) == 64 for _, vector in with_vectors)
    result = store.explain(blank, filter=FILTER)
    assert [hit.id for hit in result.hits] == OF_A
    assert any("blank" in note for note in result.notes)
    thresholds = store.similarity_search(blank, k=9, filter=FILTER, score_threshold=1.0)
    assert ids_of(thresholds) == OF_A


@pytest.mark.parametrize("blank", BLANKS)
async def test_the_retriever(store, blank):
    retriever = ChromaHybridRetriever(vectorstore=store, k=9, base_filter=FILTER)
    assert ids_of(retriever.invoke(blank)) == ids_of(await retriever.ainvoke(blank)) == OF_A
    young = {"year": {"$gte": 2023}}
    assert ids_of(retriever.invoke(blank, filter=young)) == ["cat", "manual"]
    assert ids_of(retriever.invoke(blank, filter={"tenant": "b"})) == []
    assert ids_of(retriever.invoke(blank, lambda_mult=0.5)) == OF_A
    assert ids_of(retriever.invoke(blank, group_by="year")) == ["leaves", "pump", "cat", "manual"]
    assert ids_of(retriever.invoke(blank, k=2, dedupe_key="tenant")) == ["leaves"]

    class NoReranker:
        def predict(self, pairs):
            raise AssertionError(pairs)

    assert ids_of(retriever.invoke(blank, reranker=NoReranker())) == OF_A


@pytest.mark.parametrize("mode", MODES)
def test_distances_are_those_of_the_embedded_blank_as_in_chroma(store, mode):
    found = store.similarity_search_with_score(" ", k=9, filter=FILTER, mode=mode)
    assert store.embeddings.queries == [" "]
    store.embeddings.queries.clear()
    assert [document.id for document, _ in found] == OF_A
    assert not any(math.isnan(distance) for _, distance in found)


def test_more_groups_than_the_first_records_have(tmp_path):
    many = filled(tmp_path)
    many.add_texts([f"text {n}" for n in range(300)], [{"kind": n // 100} for n in range(300)])
    found = many.similarity_search("", k=3, group_by="kind", filter={"kind": {"$gte": 0}})
    assert [document.metadata["kind"] for document in found] == [0, 1, 2]


def test_a_filter_that_chroma_does_not_take(store):
    words = [f"x{n}" for n in range(40_000)]
    found = store.similarity_search("", k=9, filter={"tenant": {"$in": [*words, "a"]}})
    assert sorted(ids_of(found)) == sorted(OF_A)
