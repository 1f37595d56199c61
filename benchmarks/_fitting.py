"""The model behind relevance, fitted to questions that are asked with and without their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from langchain_chroma_hybrid.core.relevance import Constants, Evidence, features, relevance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _evidence import Embed, Questions

    from langchain_chroma_hybrid.core.background import Background

FAR_QUESTIONS, ROUNDS = 100, 1000
LEGS = {"both": (0, 1, 2, 3), "vector": (0, 2), "lexical": (1, 3)}
FAR_WEIGHT, PENALTY, ODDS = 24.0, 0.02, 0.2
"""How much far questions count in fitting, and the likelihood that `THRESHOLD` stands for."""


class Pools:
    """Evidence of many questions, as features: lines of one question follow each other."""

    def __init__(self, pools: Sequence[list[Evidence]], background: Background) -> None:
        self.pools = [pool or [Evidence(-1.0, 0.0)] for pool in pools]
        self.background = background
        self.starts = np.cumsum([0, *map(len, self.pools)])
        flat = [evidence for pool in self.pools for evidence in pool]
        self.both = np.array([features(e, background) for e in flat])
        words = [features(Evidence(None, e.share, None, e.rival), background) for e in flat]
        self.lexical = np.array(words)
        self.cosine = self._best(np.array([e.cosine for e in flat]))
        self.share = self._best(np.array([e.share for e in flat]))

    def table(self, leg: str) -> np.ndarray:
        """The features that a leg has, or both."""
        return (self.lexical if leg == "lexical" else self.both)[:, LEGS[leg]]

    def best(self, leg: str, weights: np.ndarray) -> np.ndarray:
        """Of each question the log-odds of its best hit, but for the bias."""
        return self._best(self.table(leg) @ weights)

    def picked(self, leg: str, weights: np.ndarray) -> np.ndarray:
        """The features of the best hits."""
        table = self.table(leg)
        scores = table @ weights
        spans = zip(self.starts[:-1], self.starts[1:], strict=True)
        return table[[a + int(scores[a:b].argmax()) for a, b in spans]]

    def relevances(self, constants: Constants) -> np.ndarray:
        """The best of each question by the product's own function, identifiers and all."""
        return np.array(
            [max(relevance(e, self.background, constants) for e in pool) for pool in self.pools]
        )

    def _best(self, scores: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(scores, self.starts[:-1])


class Measured:
    """One collection: its questions with and without their answers, and other collections'."""

    def __init__(self, own: Questions, others: Sequence[Questions], embed: Embed) -> None:
        self.name = own.name
        self.searched = own.searched
        self.background = own.searched.background(embed)
        asked = [(q, own.queries[q], vector) for q, vector in own.vectors.items()]
        self.answered = self._pools([own.searched.evidence(t, v) for _, t, v in asked])
        self.hidden = self._pools(
            [own.searched.evidence(t, v, own.relevant[q]) for q, t, v in asked]
        )
        self.foreign = {other.name: self._asked(other) for other in others if other is not own}

    def _asked(self, other: Questions) -> Pools:
        random = np.random.default_rng(0)
        names = random.permutation(list(other.vectors))[:FAR_QUESTIONS]
        return self._pools(
            [self.searched.evidence(other.queries[q], other.vectors[q]) for q in names]
        )

    def _pools(self, pools: list[list[Evidence]]) -> Pools:
        return Pools(pools, self.background)


def auc(answered: np.ndarray, others: np.ndarray) -> float:
    """The chance that an answered question is above another, ties half."""
    others = np.sort(others)
    below = np.searchsorted(others, answered, "left") + np.searchsorted(others, answered, "right")
    return float(below.mean() / 2 / len(others))


def fit(train: Sequence[Measured], leg: str, far: Callable[[str, str], bool]) -> Constants:
    """Logistic regression on best hits, which are chosen anew as the weights change."""
    columns = list(LEGS[leg])
    scale = np.mean([m.answered.table(leg).std(axis=0) for m in train], axis=0)
    theta = np.append(np.ones(len(columns)), 0.0)
    for _ in range(4):
        weights = theta[:-1] / scale
        parts = []
        for m in train:
            parts.append((m.answered.picked(leg, weights), 1.0, 1.0))
            parts.append((m.hidden.picked(leg, weights), -1.0, 1.0))
            names = [o.name for o in train if far(m.name, o.name)]
            for name in names:
                share = FAR_WEIGHT / len(names)
                parts.append((m.foreign[name].picked(leg, weights), -1.0, share))
        x = np.concatenate([p for p, _, _ in parts]) / scale
        x = np.column_stack([x, np.ones(len(x))])
        side = np.concatenate([np.full(len(p), s) for p, s, _ in parts])
        mass = np.concatenate([np.full(len(p), w / len(p)) for p, _, w in parts])

        def loss(
            t: np.ndarray, x: np.ndarray = x, side: np.ndarray = side, mass: np.ndarray = mass
        ) -> tuple[float, np.ndarray]:
            margin = side * (x @ t)
            pull = np.append(t[:-1], 0.0)
            slope = -side * mass / (1.0 + np.exp(np.clip(margin, -50, 50)))
            value = mass @ np.logaddexp(0.0, -margin) + PENALTY * pull @ pull
            return float(value), x.T @ slope + 2 * PENALTY * pull

        bounds = [(0.0, None)] * len(columns) + [(None, None)]
        theta = minimize(loss, theta, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = np.zeros(4)
    weights[columns] = theta[:-1] / scale
    return Constants(tuple(weights.tolist()), float(theta[-1]) - float(np.log(ODDS / (1 - ODDS))))


def interval(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> str:
    """Of the difference in area, over questions drawn with replacement."""
    random = np.random.default_rng(0)
    gains = []
    for _ in range(ROUNDS):
        rows = random.integers(0, len(ours[0]), len(ours[0]))
        gains.append(auc(*(v[rows] for v in ours)) - auc(*(v[rows] for v in theirs)))
    low, high = np.percentile(gains, [2.5, 97.5])
    return f"{low:+.3f} .. {high:+.3f}"
