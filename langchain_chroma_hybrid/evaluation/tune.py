"""Fusion, weights and depth from labelled queries, and only if they really are better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.metrics import Qrels, depth_of, per_query
from langchain_chroma_hybrid.evaluation.runs import Runner, judged
from langchain_chroma_hybrid.evaluation.settings import Settings
from langchain_chroma_hybrid.evaluation.statistics import Difference, Estimate, compare, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
FUSIONS = ("rrf", "min_max", "adaptive")
DEPTHS = (20, 200)
LEAST_QUERIES = 20


@known_keywords
def candidates() -> list[dict[str, Any]]:
    """What `tune` tries by default: weights under three fusions, and other depths."""
    weighted = [
        {"fusion": fusion, "weights": (share, round(1 - share, 3))}
        for fusion in FUSIONS
        for share in SHARES
    ]
    return [*weighted, *({"fetch_k": depth} for depth in DEPTHS)]


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate and its value for every query."""

    options: Mapping[str, Any]
    values: tuple[float, ...]

    def mean(self) -> float:
        """The mean over queries."""
        return float(np.mean(self.values))

    def estimate(self) -> Estimate:
        """The mean over queries and its 95 % bootstrap interval."""
        return estimate(self.values)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found.

    Attributes:
        settings: the chosen options, with those that the retriever had; empty when nothing was
            significantly better.
        accepted: whether `settings` differ from what the retriever had before.
        gain: held-out gain over the retriever as it was: each query was measured under the options
            that the other folds chose.
        baseline: the retriever as it was.
        trials: all candidates, on all queries.
    """

    settings: Settings
    accepted: bool
    gain: Difference
    baseline: Trial
    trials: tuple[Trial, ...]
    measure: str

    def plot(self, path: str | Path) -> None:
        """Draw the measure against the lexical weight, one line per fusion.

        Raises:
            MissingDependencyError: the extra `plot` is not installed.
        """
        from langchain_chroma_hybrid.evaluation.plot import draw  # noqa: PLC0415  # needs an extra

        draw(self._curves(), self.baseline.estimate(), self.measure, path)

    def _curves(self) -> dict[str, list[tuple[float, float]]]:
        """By fusion: share of the lexical leg and mean."""
        curves: dict[str, list[tuple[float, float]]] = {}
        for trial in self.trials:
            weights = trial.options.get("weights")
            if isinstance(weights, tuple | list):
                share = weights[0] / sum(weights)
                name = str(trial.options.get("fusion", "default"))
                curves.setdefault(name, []).append((share, trial.mean()))
        return curves


@known_keywords
def tune(
    target: ChromaHybridRetriever | Chroma,
    queries: Mapping[str, str],
    qrels: Qrels,
    *,
    measure: str = "nDCG@10",
    tried: Sequence[Mapping[str, Any]] | None = None,
    folds: int = 5,
    alpha: float = 0.05,
    seed: int = 0,
) -> Tuned:
    """Choose options by cross-validation; refuse them unless the gain is significant.

    Every query is embedded once and searched once per candidate. The last choice, from all queries,
    is accepted only if choices made without a fold were better on that fold, all folds together,
    by a paired randomisation test.

    Args:
        target: whose options are to be beaten; its filters hold.
        queries: text by query id; those without a relevant record are left out.
        qrels: grade by record id by query id; above 0 means relevant.
        measure: `nDCG@k`, `MRR@k` or `recall@k`.
        tried: options of `ChromaHybridRetriever` among fusion, weights, fetch_k and c;
            `candidates()` by default.
        folds: parts of the queries, >= 2.
        alpha: highest p-value that counts as significant, 0..1.
        seed: of the folds and the test.

    Raises:
        InvalidArgumentError: fewer than 20 judged queries, or a value that cannot be used.
        MissingDependencyError: the extra `eval` is not installed.
    """
    kept, k = judged(queries, qrels), depth_of(measure)
    runner, grades = Runner(target, kept), {query: qrels[query] for query in kept}
    wanted = candidates() if tried is None else tried
    options = [{**runner.options, **Settings(given).options} for given in wanted]
    _check(len(kept), options, folds, alpha)

    def trial(given: Mapping[str, Any]) -> Trial:
        found = per_query(grades, runner.run(k, **given), [measure])[measure]
        return Trial(given, tuple(found[query] for query in kept))

    baseline, trials = trial(runner.options), tuple(map(trial, options))
    gain = compare(_held_out([baseline, *trials], folds, seed), baseline.values, seed=seed)
    best = max(trials, key=Trial.mean)
    accepted = best.mean() > baseline.mean() and gain.mean > 0 and gain.p <= alpha
    measured = {
        "measure": measure, "queries": len(kept), "before": baseline.mean(), "after": best.mean(),
        "held_out_gain": gain.mean, "p": gain.p,
    }  # fmt: skip
    settings = Settings(best.options if accepted else {}, measured)
    return Tuned(settings, accepted, gain, baseline, trials, measure)


def _held_out(trials: Sequence[Trial], folds: int, seed: int) -> list[float]:
    """Each query's value under the trial that is best on the other folds."""
    values = np.array([trial.values for trial in trials])
    order = np.random.default_rng(seed).permutation(values.shape[1])
    held_out = np.zeros(values.shape[1])
    for part in np.array_split(order, folds):
        rest = np.setdiff1d(order, part)
        held_out[part] = values[values[:, rest].mean(axis=1).argmax(), part]
    return [float(value) for value in held_out]


def _check(queries: int, options: Sequence[object], folds: int, alpha: float) -> None:
    """Refuse what cannot show a gain: few queries, no candidates, odd `folds` or `alpha`."""
    if queries < LEAST_QUERIES:
        raise InvalidArgumentError.of(
            "queries", queries, f"at least {LEAST_QUERIES} judged queries"
        )
    if not options:
        raise InvalidArgumentError.of("tried", options, "at least one candidate")
    if not 2 <= folds <= queries:  # noqa: PLR2004  # one fold holds nothing out
        raise InvalidArgumentError.of("folds", folds, f"a whole number from 2 to {queries}")
    if not 0.0 < alpha < 1.0:
        raise InvalidArgumentError.of("alpha", alpha, "a number between 0 and 1")
