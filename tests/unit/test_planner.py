"""Whatever way a filtered vector leg goes, the results are those of Chroma's own filter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.engine.query import filtered_search
from langchain_chroma_hybrid.engine.query.cost import Cost
from langchain_chroma_hybrid.engine.query.filtered_search import nearest, plan_filter
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
        monkeypatch.setattr(filtered_search, "MOST_IDS", 10**6 if request.param == "ids" else 0)
        monkeypatch.setattr(Cost, "neighbours", dear)
    return request.param


@pytest.mark.parametrize("name", FILTERS)
def test_every_way_finds_the_nearest_that_pass(index, points, favoured, name):
    asked = parse(FILTERS[name])
    passing = set(index.store.match(asked))
    for query in points.queries:
        exact = {hit.id for hit in index.store.rank(query.tolist(), passing)[:10]}
        plan = plan_filter(asked, index.store, index.lexical, fetch=10)
        hits, way = nearest(plan, query.tolist(), 10, index.store, index.lexical)
        assert {hit.id for hit in hits} <= passing
        assert len(hits) <= 10
        assert len({hit.id for hit in hits[:10]} & exact) >= 0.8 * len(exact)
        assert [hit.score for hit in hits] == sorted(hit.score for hit in hits)
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
    plan = plan_filter(parse(FILTERS["half"]), index.store, index.lexical, fetch=10)
    _, way = nearest(plan, points.queries[0].tolist(), 10, index.store, index.lexical)
    assert way == "overfetch"


def test_overfetching_gives_up_within_half_of_chromas_own_cost(index, points, monkeypatch):
    monkeypatch.setattr(filtered_search, "_LOOK", 20)
    monkeypatch.setattr(filtered_search, "MOST_IDS", 0)
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    monkeypatch.setattr(Cost, "ids", staticmethod(lambda *_, **__: math.inf))
    monkeypatch.setattr(Cost, "chroma", staticmethod(lambda *_, **__: 30.0))
    monkeypatch.setattr(Cost, "neighbours", staticmethod(lambda n: 0.1 * n))
    asked = []
    query = index.store.query
    monkeypatch.setattr(
        index.store, "query", lambda e, n, where: asked.append((n, where)) or query(e, n, where)
    )
    plan = plan_filter(parse(FILTERS["far"]), index.store, index.lexical, fetch=10)
    hits, way = nearest(plan, points.queries[0].tolist(), 10, index.store, index.lexical)
    assert way == "chroma"
    assert len(hits) == 10
    assert sum(0.1 * n for n, where in asked if where is None) <= 15.0
    assert asked[-1][1] is not None


def test_chromas_route_is_taken_when_forced(index, points):
    plan = plan_filter(parse({"bucket": 7}), index.store, index.lexical, fetch=10, route="chroma")
    hits, way = nearest(plan, points.queries[0].tolist(), 10, index.store, index.lexical)
    assert way == "chroma"
    assert len(hits) == 10


def test_a_lexical_index_that_lags_behind_leaves_it_to_chroma(points, monkeypatch):
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    monkeypatch.setattr(Cost, "neighbours", staticmethod(lambda *_, **__: 1e6))
    store = HybridChroma(fresh_name(), collection_configuration=COSINE, sync="manual")
    ids = [f"p{i}" for i in range(50)]
    store._collection.add(ids=ids, embeddings=points.vectors[:50], metadatas=[{"n": 1}] * 50)
    store.sync()
    index, asked, query = store._index, parse({"n": 1}), points.queries[0].tolist()
    plan = plan_filter(asked, index.store, index.lexical, fetch=10)
    assert nearest(plan, query, 10, index.store, index.lexical)[1] == "ids"
    store._client.get_collection(store._collection.name).delete(ids=["p0"])
    hits, way = nearest(plan, query, 10, index.store, index.lexical)
    assert way == "chroma"
    assert len(hits) == 10
    assert "p0" not in {hit.id for hit in hits}


def test_among_equals_the_smaller_id_comes_first(tmp_path):
    store = HybridChroma("equals", None, str(tmp_path), collection_configuration=COSINE)
    ids = list("dbeca")
    store._collection.add(ids=ids, embeddings=[[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    rank = store._index.store.rank
    assert [hit.id for hit in rank([1.0, 0.0], ids, 2)] == ["b", "c"]
    assert [hit.id for hit in rank([1.0, 0.0], ids)] == ["b", "c", "d", "e", "a"]
    assert [hit.id for hit in rank([1.0, 0.0], [*ids, "gone"], 9)] == ["b", "c", "d", "e", "a"]


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
