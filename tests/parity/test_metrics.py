"""nDCG, MRR and recall against formulas written down again."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed")

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation import per_query

NAMES = ("nDCG@10", "MRR@10", "recall@5", "recall@100", "nDCG@3")


def ndcg(ids: list[str], grades: dict[str, int], k: int) -> float:
    gains = [max(grades.get(id_, 0), 0) for id_ in ids[:k]]
    ideal = sorted((max(g, 0) for g in grades.values()), reverse=True)[:k]
    discounted = [sum(g / math.log2(n + 2) for n, g in enumerate(x)) for x in (gains, ideal)]
    return discounted[0] / discounted[1]


def mrr(ids: list[str], grades: dict[str, int], k: int) -> float:
    return next((1 / n for n, id_ in enumerate(ids[:k], 1) if grades.get(id_, 0) > 0), 0.0)


def recall(ids: list[str], grades: dict[str, int], k: int) -> float:
    relevant = {id_ for id_, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ids[:k])) / len(relevant)


@pytest.mark.parametrize("seed", range(6))
def test_every_measure_is_its_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    docs = [f"doc {n}" for n in range(60)]
    qrels, runs = {}, {}
    for query in ("q 1", "q2", "ü", "never found"):
        judged = rng.permutation(docs)[:12]
        qrels[query] = {str(d): int(rng.integers(-1, 4)) for d in judged} | {str(judged[0]): 2}
        if query != "never found":
            runs[query] = [str(d) for d in rng.permutation(docs)[: rng.integers(1, 50)]]
    values = per_query(qrels, runs, NAMES)
    formulas = {"nDCG": ndcg, "MRR": mrr, "recall": recall}
    for name in NAMES:
        kind, k = name.split("@")
        expected = {q: formulas[kind](runs.get(q, []), qrels[q], int(k)) for q in qrels}
        assert values[name] == pytest.approx(expected)


def test_queries_without_a_relevant_record_are_left_out() -> None:
    qrels = {"a": {"x": 1}, "b": {"x": 0}, "c": {}}
    assert per_query(qrels, {"a": ["x"], "b": ["x"]}, ["MRR@10"]) == {"MRR@10": {"a": 1.0}}
    with pytest.raises(InvalidArgumentError, match="at least one query with a relevant record"):
        per_query({"b": {"x": 0}}, {}, ["MRR@10"])


@pytest.mark.parametrize("name", ["map", "nDCG", "nDCG@0", "recall@x", "P@10"])
def test_unknown_measures_are_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"measure: expected .* got '{name}'"):
        per_query({"a": {"x": 1}}, {}, [name])
