"""Fusing ranked lists into one: pure functions over ids and numbers.

Rules that hold for every fusion here:

* Any number of lists; an id that a list does not hold gets the worst value from it, never the best,
  unless the list cannot know it: then `UNKNOWN` of what the others give it.
* More weight for its best leg, a better score or a better rank never makes a result worse.
* Ties go to the better best rank, then to the smaller id, so that equal input gives equal output.
* Scores are 0..1, higher is better; 1 needs the best value in every list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, repeat
from types import MappingProxyType
from typing import NamedTuple

from langchain_chroma_hybrid.errors import InvalidArgumentError

DEFAULT_C = 60
DEFAULT_FUSION = "adaptive"

HEAD = 20
"""Places that `adaptive` gives by score; what follows is in order of reciprocal ranks."""

UNKNOWN = 0.75
"""What a list is taken to say of records that it cannot know, as a share of what the others say."""

SHARPNESS = 1.25
"""Exponent of `above_background`: > 1 lets the head of a list count for more than its tail."""


@dataclass(frozen=True, slots=True)
class RankedList:
    """What one leg returned: ids best first and their scores, higher is better.

    Attributes:
        weight: >= 0, relative to the other lists.
        floor: the lowest score the leg could ever give, for `theoretical_min_max`;
            None when there is no bound, then the lowest score of the list serves.
        background: the score of a record that has nothing to do with the query, for `adaptive`:
            0 for BM25. None for legs that rank every record; then the lowest score of the list
            serves.
        ceiling: a score that no record exceeds for this query; None when there is no bound. Only
            `core.confidence` reads it.
        unknown: ids that the leg could not have found, such as records without text for BM25.
    """

    ids: Sequence[str]
    scores: Sequence[float]
    weight: float = 1.0
    floor: float | None = None
    background: float | None = None
    ceiling: float | None = None
    unknown: frozenset[str] = frozenset()

    def head(self, depth: int) -> RankedList:
        """The first `depth` entries."""
        if len(self.ids) <= depth:
            return self
        return replace(self, ids=self.ids[:depth], scores=self.scores[:depth])

    @property
    def base(self) -> float:
        """The background, or the lowest score where that is unknown or lower still."""
        lowest = min(self.scores, default=0.0)
        return lowest if self.background is None else min(self.background, lowest)


class Fused(NamedTuple):
    """One id, its fused score (0..1), and its rank (from 1) and normalised score in each list."""

    id: str
    score: float
    ranks: tuple[int | None, ...]
    normalized: tuple[float, ...]


Normalizer = Callable[[RankedList], list[float]]


def reciprocal_rank(ranked: RankedList, c: float = DEFAULT_C) -> list[float]:
    """`1 / (c + rank)`, ranks from 1.

    Cormack, Clarke, Buettcher: Reciprocal Rank Fusion (SIGIR 2009); so does LangChain's
    EnsembleRetriever.
    """
    return [1.0 / (c + rank) for rank in range(1, len(ranked.ids) + 1)]


def min_max(ranked: RankedList) -> list[float]:
    """`(s - min) / (max - min)` over the list; a list of equal scores is all 1."""
    return rescale(ranked.scores, min(ranked.scores, default=0.0), max(ranked.scores, default=0.0))


def three_sigma(ranked: RankedList) -> list[float]:
    """Mean +- 3 standard deviations become 0 and 1; what lies outside is cut off.

    Known as distribution-based score fusion. A list of equal scores is all 1.
    """
    # Rescaled first: squares of very large or very small scores would over- or underflow.
    unit = min_max(ranked)
    if not unit or min(unit) == max(unit):
        return unit
    mean = math.fsum(unit) / len(unit)
    sigma = math.sqrt(math.fsum((u - mean) ** 2 for u in unit) / len(unit))
    return [min(1.0, max(0.0, (u - mean + 3 * sigma) / (6 * sigma))) for u in unit]


def theoretical_min_max(ranked: RankedList) -> list[float]:
    """Min-max with the lowest score that is possible in place of the lowest that was seen.

    Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval (2022),
    arXiv 2210.11934, section 4.
    """
    if ranked.floor is None:
        return min_max(ranked)
    return rescale(ranked.scores, ranked.floor, max(ranked.scores, default=ranked.floor))


def above_background(ranked: RankedList) -> list[float]:
    """`((s - background) / (max - background)) ** SHARPNESS`; the normaliser of `adaptive`."""
    top = max(ranked.scores, default=0.0)
    return [unit**SHARPNESS for unit in rescale(ranked.scores, ranked.base, top)]


NORMALIZERS: Mapping[str, Normalizer] = MappingProxyType(
    {
        "adaptive": above_background,
        "min_max": min_max,
        "three_sigma": three_sigma,
        "theoretical_min_max": theoretical_min_max,
    }
)
FUSIONS = ("rrf", *NORMALIZERS)


def fuse(
    lists: Sequence[RankedList],
    fusion: str,
    *,
    c: float = DEFAULT_C,
    depth: int | None = None,
    deep: Sequence[float] | None = None,
) -> list[Fused]:
    """Fuse `lists` into one, best first.

    `rrf` scores `sum(w / (c + rank))`, scaled so that the first place everywhere is 1; the others
    score `sum(w * normalised) / sum(w)`. `adaptive` is no exception: the weights that suit the
    query come from `core.confidence.weigh`, before; but after the first `HEAD` places it goes on in
    order of reciprocal ranks, with scores below theirs: what a leg has in its hundredth place is
    worth next to nothing by score, and finds what the others do not have.

    Args:
        lists: one per leg, with distinct ids each.
        fusion: one of `FUSIONS`.
        c: the constant of `rrf`.
        depth: fuse the first `depth` of each list only. What lies deeper follows in order of its
            best rank with falling scores, so that asking for more never changes what came before.
        deep: the weights of the lists behind the head of `adaptive`; None means those that they
            have.

    Raises:
        InvalidArgumentError: unknown `fusion`.
    """
    heads = lists if depth is None else [ranked.head(depth) for ranked in lists]
    pool = _fuse_heads(heads, _contributions(heads, fusion, c))
    if fusion == "adaptive" and len(heads) > 1 and len(pool) > HEAD:
        pool = pool[:HEAD] + _by_ranks(heads, pool[HEAD - 1 :], c, deep)
    deeper = depth is not None and any(len(ranked.ids) > depth for ranked in lists)
    return pool + _tail(lists, depth or 0, pool) if deeper else pool


def _contributions(lists: Sequence[RankedList], fusion: str, c: float) -> list[list[float]]:
    """What each entry of each list is worth before weighting, 0..1."""
    if fusion == "rrf":
        return [[value * (c + 1) for value in reciprocal_rank(ranked, c)] for ranked in lists]
    if fusion not in NORMALIZERS:
        raise InvalidArgumentError.of("fusion", fusion, f"one of {', '.join(FUSIONS)}")
    return [NORMALIZERS[fusion](ranked) for ranked in lists]


def _fuse_heads(
    lists: Sequence[RankedList], contributions: Sequence[Sequence[float]]
) -> list[Fused]:
    """Weighted means of `contributions`, best first; ties by best rank in any list, then by id."""
    if not lists:
        return []
    weights = [ranked.weight for ranked in lists]
    total = math.fsum(weights) or 1.0
    # Column by column and with C functions: this runs for every hit of every query.
    ids = list(dict.fromkeys(chain.from_iterable([ranked.ids for ranked in lists])))
    places = [dict(zip(ranked.ids, count(1))) for ranked in lists]
    values = [dict(zip(r.ids, v, strict=True)) for r, v in zip(lists, contributions, strict=True)]
    ranks = list(zip(*[map(place.get, ids) for place in places], strict=True))
    columns = [list(map(value.get, ids, repeat(0.0))) for value in values]
    if any(ranked.unknown for ranked in lists):
        columns = _with_unknown(lists, ids, columns)
    shares = [[w * value for value in column] for w, column in zip(weights, columns, strict=True)]
    minus = [-sum_ / total for sum_ in map(math.fsum, zip(*shares, strict=True))]
    normalized = zip(*columns, strict=True)
    # The best place in any list.
    far = repeat(math.inf)
    best = map(min, far, *[map(place.get, ids, far) for place in places])
    order = sorted(zip(minus, best, ids, ranks, normalized, strict=True))
    return [Fused(id_, -score, where, row) for score, _, id_, where, row in order]


def _with_unknown(
    lists: Sequence[RankedList], ids: Sequence[str], columns: Sequence[Sequence[float]]
) -> list[list[float]]:
    """The columns of values, where a list has no say with `UNKNOWN` of what the others say."""
    filled = [list(column) for column in columns]
    for row, id_ in enumerate(ids):
        knows = [id_ not in ranked.unknown for ranked in lists]
        total = math.fsum(r.weight for r, known in zip(lists, knows, strict=True) if known)
        if all(knows) or not total:
            continue
        said = [r.weight * column[row] for r, column in zip(lists, columns, strict=True)]
        mean = math.fsum(value for value, known in zip(said, knows, strict=True) if known) / total
        for column, known in zip(filled, knows, strict=True):
            if not known:
                column[row] = UNKNOWN * mean
    return filled


def _by_ranks(
    heads: Sequence[RankedList], pool: Sequence[Fused], c: float, deep: Sequence[float] | None
) -> list[Fused]:
    """All but the first of `pool` in order of reciprocal ranks, with scores below the first's."""
    weights = [ranked.weight for ranked in heads] if deep is None else deep
    lists = [replace(ranked, weight=w) for ranked, w in zip(heads, weights, strict=True)]
    by_ranks = _fuse_heads(lists, _contributions(lists, "rrf", c))
    found = {hit.id: hit for hit in pool[1:]}
    floor = pool[0].score
    return [
        found[hit.id]._replace(score=floor * hit.score)
        for hit in by_ranks
        if hit.id in found
    ]


def _tail(lists: Sequence[RankedList], depth: int, pool: Sequence[Fused]) -> list[Fused]:
    """What lies deeper than `depth`, by best rank, with scores below the pool's last."""
    seen = {hit.id for hit in pool}
    best: dict[str, tuple[int, int]] = {}
    for column, ranked in enumerate(lists):
        for rank, id_ in enumerate(ranked.ids[depth:], depth + 1):
            if id_ not in seen:
                best[id_] = min(best.get(id_, (rank, column)), (rank, column))
    floor = pool[-1].score if pool else 0.0
    return [
        Fused(
            id_,
            floor * depth / rank,
            tuple(rank if i == column else None for i in range(len(lists))),
            (0.0,) * len(lists),
        )
        for id_, (rank, column) in sorted(best.items(), key=lambda item: (item[1][0], item[0]))
    ]


def rescale(scores: Sequence[float], low: float, high: float) -> list[float]:
    """`(s - low) / (high - low)`, cut off at 0 and 1; all 1 where there is nothing between."""
    # Halved, so that the span of two huge scores of different sign stays finite.
    start, span = low / 2, high / 2 - low / 2
    if span <= 0:
        return [1.0] * len(scores)
    units = [(score / 2 - start) / span for score in scores]
    # What runs for every hit of every query; the sum is for NaN, of which the others say nothing.
    if min(units, default=0.0) >= 0.0 and max(units, default=1.0) <= 1.0 and sum(units) >= 0.0:
        return units
    return [min(1.0, max(0.0, unit)) for unit in units]
