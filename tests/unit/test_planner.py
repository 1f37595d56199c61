"""Whatever way a filtered vector leg goes, the results are those of Chroma's own filter."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.query import filter_plan, filtered_search
from langchain_chroma_hybrid.engine.query.cost import Cost
from tests.helpers import COSINE, fresh_name

N, DIMENSION = 1200, 16
FILTERS = {
    "one in 120": {"bucket": 7},
    "one in 12": {"dozen": 3},
    "half": {"half": True},
    "all": {"half": {"$ne": 5}},
    "far": {"far": True},
    "none": {"bucket": -1},
}


class Points:
    """Unit vectors in clusters, and queries near some of them."""

    def __init__(self) -> None:
        random = np.random.default_rng(3)
        centers = random.normal(size=(20, DIMENSION))
        points = centers[np.arange(N) % 20] + random.normal(0, 0.3, (N, DIMENSION))
        self.vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
        self.queries = self.vectors[:5] + random.normal(0, 0.05, (5, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def points():
    return Points()


@pytest.fixture(scope="module")
def index(points):
    store = HybridChroma(fresh_name(), collection_configuration=COSINE)
    far = set(np.argsort(points.vectors @ points.queries[0])[: N // 3].tolist())
    store._collection.add(
        ids=[f"p{i}" for i in range(N)],
        embeddings=points.vectors,
        metadatas=[
            {"bucket": i % 120, "dozen": i % 12, "half": i % 2 == 0, "far": i in far}
            for i in range(N)
        ],
    )
    store.sync()
    return store._index


def search(index, query, where, **options):
    """Hits as pairs of id and distance, and the way that the filter went."""
    request = SearchRequest(
        None, embedding=query.tolist(), k=10, fetch_k=10, mode="vector", where=where
    )
    result = index.search(request, **options)
    return [(hit.id, hit.distance) for hit in result.hits], result.legs[0].filtered_by


@pytest.fixture(params=["as estimated", "exact", "overfetch", "ids", "chroma"])
def favoured(request, monkeypatch):
    """Make one way look cheap and the others dear."""
    free, dear = staticmethod(lambda *_, **__: 0.001), staticmethod(lambda *_, **__: 1e6)
    if request.param == "exact":
        monkeypatch.setattr(Cost, "neighbours", dear)
    elif request.param == "overfetch":
        monkeypatch.setattr(Cost, "exact", dear)
        monkeypatch.setattr(Cost, "neighbours", free)
    elif request.param in ("ids", "chroma"):
        monkeypatch.setattr(Cost, "exact", dear)
        monkeypatch.setattr(Cost, request.param, free)
        monkeypatch.setattr(filter_plan, "MOST_IDS", 10**6 if request.param == "ids" else 0)
        monkeypatch.setattr(Cost, "neighbours", dear)
    return request.param


@pytest.mark.parametrize("name", FILTERS)
def test_every_way_finds_the_nearest_that_pass(index, points, favoured, name):
    passing = set(index.match(parse(FILTERS[name])))
    for query in points.queries:
        exact = {hit.id for hit in index.store.rank_exactly(query, passing)[:10]}
        hits, way = search(index, query, FILTERS[name])
        assert {id_ for id_, _ in hits} <= passing
        assert len(hits) <= 10
        assert len({id_ for id_, _ in hits} & exact) >= 0.8 * len(exact)
        distances = [distance for _, distance in hits]
        assert distances == sorted(distances)
        if name == "none":
            assert way == "lexical"
        elif favoured in ("ids", "chroma") and len(passing) > 10:
            assert way == favoured
        elif favoured == "overfetch" and len(passing) > 10:
            assert way in (favoured, "ids")


def test_overfetching_reaches_filters_that_pass_often(index, points, monkeypatch):
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    monkeypatch.setattr(Cost, "chroma", staticmethod(lambda *_, **__: 200.0))
    monkeypatch.setattr(Cost, "ids", staticmethod(lambda *_, **__: 200.0))
    _, way = search(index, points.queries[0], FILTERS["half"])
    assert way == "overfetch"


def test_overfetching_gives_up_within_half_of_chromas_own_cost(index, points, monkeypatch):
    monkeypatch.setattr(filtered_search, "_LOOK", 20)
    monkeypatch.setattr(filter_plan, "MOST_IDS", 0)
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    monkeypatch.setattr(Cost, "ids", staticmethod(lambda *_, **__: math.inf))
    monkeypatch.setattr(Cost, "chroma", staticmethod(lambda *_, **__: 30.0))
    monkeypatch.setattr(Cost, "neighbours", staticmethod(lambda n: 0.1 * n))
    asked = []
    query = index.store.query
    monkeypatch.setattr(
        index.store, "query", lambda e, n, where: asked.append((n, where)) or query(e, n, where)
    )
    hits, way = search(index, points.queries[0], FILTERS["far"])
    assert way == "chroma"
    assert len(hits) == 10
    assert sum(0.1 * n for n, where in asked if where is None) <= 15.0
    assert asked[-1][1] is not None


def test_chromas_route_is_taken_when_forced(index, points):
    hits, way = search(index, points.queries[0], {"bucket": 7}, route="chroma")
    assert way == "chroma"
    assert len(hits) == 10


def test_a_lexical_index_that_lags_behind_leaves_it_to_chroma(points, monkeypatch):
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    monkeypatch.setattr(Cost, "neighbours", staticmethod(lambda *_, **__: 1e6))
    store = HybridChroma(fresh_name(), collection_configuration=COSINE, sync="manual")
    ids = [f"p{i}" for i in range(50)]
    store._collection.add(ids=ids, embeddings=points.vectors[:50], metadatas=[{"n": 1}] * 50)
    store.sync()
    assert search(store._index, points.queries[0], {"n": 1})[1] == "ids"
    store._client.get_collection(store._collection.name).delete(ids=["p0"])
    hits, way = search(store._index, points.queries[0], {"n": 1})
    assert way == "chroma"
    assert len(hits) == 10
    assert "p0" not in {id_ for id_, _ in hits}


def test_among_equals_the_smaller_id_comes_first(tmp_path):
    store = HybridChroma("equals", None, str(tmp_path), collection_configuration=COSINE)
    ids = list("dbeca")
    store._collection.add(ids=ids, embeddings=[[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    rank, east = store._index.store.rank_exactly, np.array([1.0, 0.0], dtype=np.float32)
    assert [hit.id for hit in rank(east, ids, 2)] == ["b", "c"]
    assert [hit.id for hit in rank(east, ids)] == ["b", "c", "d", "e", "a"]
    assert [hit.id for hit in rank(east, [*ids, "gone"], 9)] == ["b", "c", "d", "e", "a"]


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_a_tie_at_the_end_of_the_list_is_broken_by_id(place, tmp_path):
    where = str(tmp_path) if place == "disk" else None
    store = HybridChroma(fresh_name(), None, where, collection_configuration=COSINE)
    ids = [f"{n * 7 % 40:02}" for n in range(40)]
    store._collection.add(ids=ids, embeddings=[[1.0, 0.0]] * 40)
    for _ in range(2):
        for k in (1, 2, 3, 20, 39, 40, 50):
            found = store.similarity_search_by_vector([1.0, 0.0], k=k)
            assert [document.id for document in found] == sorted(ids)[:k]
        time.sleep(0.1)  # longer than a tick: from here on what was seen is trusted


def test_a_vector_query_is_one_call_once_chromas_index_is_known(tmp_path, points, monkeypatch):
    store = HybridChroma("points", None, str(tmp_path), collection_configuration=COSINE)
    ids = [f"p{i}" for i in range(500)]
    store._collection.add(ids=ids, embeddings=points.vectors[:500], documents=ids)
    store.sync()
    time.sleep(0.1)
    query = points.queries[0].tolist()
    before = {k: store.similarity_search_by_vector(query, k=k) for k in (3, 10, 98)}
    calls, collection = [], store._index.store._collection
    for name in ("get", "query", "count"):
        method = getattr(collection, name)
        monkeypatch.setattr(
            collection, name, lambda *a, n=name, m=method, **o: calls.append(n) or m(*a, **o),
            raising=False,
        )  # fmt: skip
    for k, found in before.items():
        assert store.similarity_search_by_vector(query, k=k) == found
    assert calls == ["query"] * len(before)


@pytest.mark.parametrize("filter", [None, {"even": True}])
def test_records_that_chroma_has_lost_sight_of_are_found(filter):
    """Two links a record leave islands in Chroma's graph, which no search reaches."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(6, 8))
    vectors = centers[np.arange(60) % 6] + random.normal(0, 0.01, (60, 8))
    few = {"hnsw": {"space": "cosine", "max_neighbors": 2, "ef_construction": 2}}
    store = HybridChroma(fresh_name(), collection_configuration=few)
    for start in range(0, 60, 10):
        store._collection.add(
            ids=[f"p{n}" for n in range(start, start + 10)],
            embeddings=vectors[start : start + 10],
            metadatas=[{"even": n % 2 == 0} for n in range(start, start + 10)],
        )
    store.sync()
    there = {f"p{n}" for n in range(60) if filter is None or n % 2 == 0}
    lost = 0
    for center in centers:
        shown = store._collection.query(center, n_results=60, where=filter)["ids"][0]
        lost += len(there) - len(shown)
        found = store.similarity_search_by_vector(center.tolist(), k=60, filter=filter)
        assert {document.id for document in found} == there
    assert lost > 0


@pytest.mark.parametrize("searched", [10, 100, 300])
@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_the_best_are_the_beginning_of_more_of_them(space, searched, tmp_path):
    random = np.random.default_rng(1)
    settings = {"hnsw": {"space": space, "ef_search": searched}}
    store = HybridChroma("points", None, str(tmp_path), collection_configuration=settings)
    vectors = random.normal(size=(600, 16))
    vectors[300:340] = vectors[0]
    ids = [f"p{n:03}" for n in range(600)]
    store._collection.add(ids=ids, embeddings=vectors, documents=ids)
    store.sync()
    time.sleep(0.1)  # longer than a tick
    for query in (vectors[0].tolist(), random.normal(size=16).tolist()):
        store.similarity_search_by_vector(query, k=1)
        whole = store.similarity_search_by_vector(query, k=250)
        for k in (1, 10, 24, 25, 41, 99, 100, 249):
            assert store.similarity_search_by_vector(query, k=k) == whole[:k]
