"""Weights per query, through the store: shown in explain, switched off by weights."""

from __future__ import annotations

import pytest

from tests.helpers import COSINE, filled, ids_of

EXACT, VAGUE = "R123-78", "water river maple"


def shares(store, query, **options):
    return {leg.name: leg.weight for leg in store.explain(query, k=8, **options).hits[0].legs}


@pytest.fixture(scope="module")
def store():
    return filled()


def test_the_default_weighs_each_query(store):
    exact, vague = shares(store, EXACT), shares(store, VAGUE)
    assert exact["lexical"] > vague["lexical"]
    for found in (exact, vague):
        assert sum(found.values()) == pytest.approx(1.0)


def test_the_fused_score_is_made_of_the_weights_that_explain_shows(store):
    for query in (EXACT, VAGUE, "the pump is blocked"):
        for hit in store.explain(query, k=8).hits:
            assert hit.score == pytest.approx(sum(x.weight * x.normalized for x in hit.legs))


@pytest.mark.parametrize("fusion", ["adaptive", "min_max", "rrf"])
def test_weights_that_are_given_hold_for_every_query(store, fusion):
    for query in (EXACT, VAGUE):
        found = shares(store, query, weights=(3, 1), fusion=fusion)
        assert found == {"lexical": 0.75, "vector": 0.25}


def test_other_fusions_keep_halves(store):
    for fusion in ("rrf", "min_max", "three_sigma", "theoretical_min_max"):
        assert shares(store, EXACT, fusion=fusion) == {"lexical": 0.5, "vector": 0.5}


def test_nonsense_scores_one_half_at_most(store):
    found = store.explain("xyzzy", k=8)
    assert found.hits
    assert max(hit.score for hit in found.hits) == pytest.approx(0.5)
    assert shares(store, "xyzzy") == {"lexical": 0.5, "vector": 0.5}


def test_scores_and_order_do_not_depend_on_k(store):
    longest = store.similarity_search_with_relevance_scores(VAGUE, k=8)
    for k in range(1, 8):
        found = store.similarity_search_with_relevance_scores(VAGUE, k=k)
        assert [(d.id, s) for d, s in found] == [(d.id, s) for d, s in longest[:k]]


def test_cosine_and_squared_l2_of_unit_vectors_agree():
    by_space = {}
    for space in ("cosine", "l2"):
        other = filled(collection_configuration={"hnsw": {"space": space}})
        by_space[space] = shares(other, VAGUE), ids_of(other.similarity_search(VAGUE, k=8))
    assert by_space["l2"][0] == pytest.approx(by_space["cosine"][0], abs=1e-4)
    assert by_space["l2"][1] == by_space["cosine"][1]


def test_inner_products_have_no_highest_and_keep_halves():
    store = filled(collection_configuration={"hnsw": {"space": "ip"}})
    assert COSINE["hnsw"]["space"] == "cosine"
    assert shares(store, EXACT) == {"lexical": 0.5, "vector": 0.5}
