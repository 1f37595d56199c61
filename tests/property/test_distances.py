"""Distances of remembered vectors, whatever is asked of which block, against plain float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_chroma_hybrid.engine.chroma.distances import DISTANCES, Space, distances
from langchain_chroma_hybrid.engine.chroma.vectors import Vectors, VectorTable

D, TOKEN = 6, (1, 0, 0)


def naive(query: np.ndarray, row: np.ndarray, space: Space) -> float:
    q, v = query.astype(np.float64), row.astype(np.float64)
    if space == "l2":
        return float(((q - v) ** 2).sum())
    length = np.linalg.norm(q) * np.linalg.norm(v) if space == "cosine" else 1.0
    return float(1.0 - q @ v / length) if length else 1.0


@pytest.mark.parametrize("space", sorted(DISTANCES))
@given(seed=st.integers(0, 999), asked=st.integers(1, 3000), n=st.integers(1, 3000))
def test_of_some_rows_of_a_block(space, seed, asked, n):
    random = np.random.default_rng(seed)
    block = random.normal(size=(n, D)).astype(np.float32)
    block[:: 1 + seed % 7] = 0.0
    every = Vectors.of([f"r{i}" for i in range(n)], block)
    rows = random.permutation(n)[: min(asked, n)]
    some = every._replace(ids=[every.ids[row] for row in rows], rows=rows)
    query = random.normal(size=D).astype(np.float32)
    found = distances(query, some, space)
    assert found == pytest.approx([naive(query, block[row], space) for row in rows], abs=1e-4)


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, unique=True), min_size=1, max_size=12))
def test_a_cache_answers_what_it_was_given(questions):
    truth = np.random.default_rng(1).normal(size=(41, D)).astype(np.float32)
    cache = VectorTable(30 * (4 * D + 200))
    read: set[int] = set()
    for question in questions * 2:
        ids = tuple(f"r{i}" for i in question)
        found = cache.known(TOKEN, ids)
        assert set(found.ids) <= set(ids)
        assert len(set(found.ids)) == len(found.ids) == len(ids) - cache.unknown(TOKEN, ids)
        for id_, vector in found.by_id().items():
            assert int(id_[1:]) in read
            assert np.array_equal(vector, truth[int(id_[1:])])
        if found.ids:
            here = [truth[int(id_[1:])] for id_ in found.ids]
            assert distances(truth[0], found, "cosine") == pytest.approx(
                [naive(truth[0], row, "cosine") for row in here], abs=1e-5
            )
        cache.keep(TOKEN, Vectors.of(ids, truth[question]))
        read.update(question)
        # The same under another token: nothing is known of it.
        assert cache.unknown((2, 0, 0), ids) == len(ids)
        assert not cache.known((2, 0, 0), ids).ids
