"""How sure a mean over queries is, and whether a difference is more than luck; numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 10_000
_BLOCK = 1_000_000
_POWER = 1.960 + 0.842  # standard errors, for 5 % and for 80 %


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What one system is better than another on the same queries.

    Attributes:
        mean: mean of the differences per query, and its 95 % bootstrap interval.
        p: two-sided p-value of the paired randomisation test: how often random signs give a mean
            difference at least as large. Smucker, Allan, Carterette, CIKM 2007.
    """

    mean: float
    low: float
    high: float
    p: float


def estimate(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """Mean and percentile bootstrap interval; the same seed gives the same interval.

    Raises:
        InvalidArgumentError: there are no values.
    """
    given = _array("values", values)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            given[random.integers(0, len(given), (size, len(given)))].mean(axis=1)
            for size in _blocks(len(given))
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(given.mean()), float(low), float(high))


def compare(values: Sequence[float], others: Sequence[float], *, seed: int = 0) -> Difference:
    """`values` minus `others`, query by query.

    Raises:
        InvalidArgumentError: there are no values, or not as many on both sides.
    """
    left, right = _array("values", values), _array("others", others)
    if len(left) != len(right):
        raise InvalidArgumentError.of("others", len(right), f"{len(left)} values, one per query")
    deltas = left - right
    random = np.random.default_rng(seed)
    observed = abs(deltas.mean())
    extreme = 0
    for size in _blocks(len(deltas)):
        signs = random.integers(0, 2, (size, len(deltas))) * 2 - 1
        # Sums in another order may differ in the last digit.
        extreme += int((abs((signs * deltas).mean(axis=1)) >= observed - 1e-12).sum())
    interval = estimate(deltas.tolist(), seed=seed)
    p = (extreme + 1) / (RESAMPLES + 1)
    return Difference(interval.mean, interval.low, interval.high, p)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values of several tests, raised so that 5 % holds for all of them together.

    Holm, Scandinavian Journal of Statistics, 1979.
    """
    raised, least = [0.0] * len(ps), 0.0
    for done, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        least = max(least, min(1.0, ps[place] * (len(ps) - done)))
        raised[place] = least
    return raised


def detectable(values: Sequence[float], others: Sequence[float]) -> float:
    """The mean difference that so many queries show four times in five, at 5 % (two-sided).

    By the normal approximation, from the spread of the differences per query.
    """
    deltas = _array("values", values) - _array("others", others)
    if len(deltas) < 2:  # noqa: PLR2004  # one has no spread
        return float("inf")
    return float(_POWER * deltas.std(ddof=1) / np.sqrt(len(deltas)))


def _array(name: str, values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        raise InvalidArgumentError.of(name, values, "at least one value")
    return array


def _blocks(queries: int) -> list[int]:
    """Resamples in portions that fit into memory whatever the number of queries."""
    size = max(1, min(RESAMPLES, _BLOCK // queries))
    whole, rest = divmod(RESAMPLES, size)
    return [size] * whole + ([rest] if rest else [])
