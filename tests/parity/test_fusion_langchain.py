"""The same order and the same scores as LangChain's EnsembleRetriever; the rest against numpy."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from langchain_classic.retrievers import ensemble
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from langchain_chroma_hybrid.core.fusion import RankedList, fuse


def shuffled(seed: int, lists: int, size: int = 30) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [
        [f"d{n:02}" for n in rng.permutation(40)[: rng.integers(1, size)]] for _ in range(lists)
    ]


def langchains(
    lists: list[list[str]], weights: list[float], c: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], dict[str, float]]:
    """Order and scores; the retriever keeps its scores to itself, so its dict is watched."""
    made: list[defaultdict[str, float]] = []

    def watched(factory: Any) -> defaultdict[str, float]:
        made.append(defaultdict(factory))
        return made[-1]

    monkeypatch.setattr(ensemble, "defaultdict", watched)
    documents = [[Document(id_) for id_ in ids] for ids in lists]
    silent = [RunnableLambda(lambda _, found=found: found) for found in documents]
    retriever = ensemble.EnsembleRetriever(retrievers=silent, weights=weights, c=c)
    order = [document.page_content for document in retriever.invoke("anything")]
    assert len(made) == 1
    return order, dict(made[0])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("weights", "c"),
    [([0.5, 0.5], 60), ([0.7, 0.3], 60), ([0.2, 0.8], 10), ([0.5, 0.3, 0.2], 1), ([1.0], 60)],
)
def test_rrf(seed: int, weights: list[float], c: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = shuffled(seed, len(weights))
    order, scores = langchains(lists, weights, c, monkeypatch)
    ranked = [
        RankedList(ids, [0.0] * len(ids), weight)
        for ids, weight in zip(lists, weights, strict=True)
    ]
    fused = fuse(ranked, "rrf", c=c)
    scale = (c + 1) / sum(weights)
    assert {hit.id: hit.score for hit in fused} == pytest.approx(
        {id_: score * scale for id_, score in scores.items()}
    )
    # LangChain leaves ties in the order in which it met them, so the groups are compared.
    level = {id_: round(score, 12) for id_, score in scores.items()}
    theirs = [sorted(group) for _, group in groupby(order, level.__getitem__)]
    ours = [sorted(group) for _, group in groupby((h.id for h in fused), level.__getitem__)]
    assert ours == theirs


def min_max(scores: np.ndarray, _: float) -> np.ndarray:
    return (scores - scores.min()) / np.ptp(scores)


def three_sigma(scores: np.ndarray, _: float) -> np.ndarray:
    low, high = scores.mean() - 3 * scores.std(), scores.mean() + 3 * scores.std()
    return np.clip((scores - low) / (high - low), 0, 1)


def theoretical_min_max(scores: np.ndarray, floor: float) -> np.ndarray:
    return (scores - floor) / (scores.max() - floor)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("normalize", [min_max, three_sigma, theoretical_min_max])
@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.7, 0.3], [0.2, 0.5, 0.3]])
def test_weighted_sums(seed: int, normalize: Any, weights: list[float]) -> None:
    rng = np.random.default_rng(seed)
    lists, expected = [], np.zeros(40)
    for weight in weights:
        rows = rng.permutation(40)[: rng.integers(2, 40)]
        scores = np.sort(rng.normal(5, 2, len(rows)))[::-1]
        floor = float(scores.min() - rng.random())
        lists.append(RankedList([f"d{n:02}" for n in rows], scores.tolist(), weight, floor))
        expected[rows] += weight / sum(weights) * normalize(scores, floor)
    for hit in fuse(lists, normalize.__name__):
        assert hit.score == pytest.approx(expected[int(hit.id[1:])], abs=1e-12)


def test_llama_index_relative_score() -> None:
    """QueryFusionRetriever: `w * (s - min) / (max - min) / n`; the same up to the constant n."""
    one, two = RankedList(["a", "b", "c"], [3.0, 2.0, 1.0]), RankedList(["c", "a"], [0.9, 0.1])
    theirs = {"a": (1.0 + 0.0) / 2, "b": 0.5 / 2, "c": (0.0 + 1.0) / 2}
    assert {hit.id: hit.score for hit in fuse([one, two], "min_max")} == pytest.approx(theirs)


def test_haystack_reciprocal_rank() -> None:
    """DocumentJoiner: `w * n / (61 + rank from 0)`, divided by `n / 61`: ours with `c=60`."""
    lists = [["a", "b"], ["b", "c", "a"]]
    theirs = {
        id_: sum(0.5 * 61 / (61 + ids.index(id_)) for ids in lists if id_ in ids) for id_ in "abc"
    }
    fused = fuse([RankedList(ids, [0.0] * len(ids)) for ids in lists], "rrf", c=60)
    assert {hit.id: hit.score for hit in fused} == pytest.approx(theirs)
