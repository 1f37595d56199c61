"""What cosines and BM25 shares are like in one collection, before anything is asked.

Short snippets of a sample of its records are asked as if they were questions. What they have in
common with other records is the background. How far their own record stands above it says how well
the model tells these records apart: some 3 to 5 spreads where it knows the language, 1 where it
does not, 0 for fake embeddings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
"""A background of another version is to be estimated again."""

SAMPLE = 96
"""Records that are enough for `estimate`."""

_SNIPPET_WORDS, _SNIPPET_CHARACTERS, _LONGEST_WORDS = 8, 16, 20
_NO_LEVEL, _FULL_LEVEL = 1.0, 3.0  # where cosines begin to count, and where they count in full
_LEAST_DISTINCT = 0.05


@dataclass(frozen=True, slots=True)
class Background:
    """What cosines and shares are like in one collection; the defaults are the prior.

    Attributes:
        mean, spread: of the cosines of snippets with records that they are not from.
        record_mean, record_spread: of the cosines of records with each other.
        level: how many spreads a snippet's own record is above the mean, >= 0.
        distinct: how far the best other record stays behind the own one in share, 0..1.
        count: records in the collection when this was estimated.
        unit: all vectors seen had length 1, so that distances tell cosines.
    """

    mean: float = 0.15
    spread: float = 0.11
    level: float = 3.0
    distinct: float = 0.3
    count: int = 0
    unit: bool = False
    record_mean: float = 0.3
    record_spread: float = 0.11
    version: int = VERSION

    @property
    def trust(self) -> float:
        """How much cosines count, 0..1."""
        known = (self.level - _NO_LEVEL) / (_FULL_LEVEL - _NO_LEVEL)
        return min(1.0, max(0.0, known)) ** 2

    def between_records(self) -> Background:
        """For a query that is a vector, perhaps of a picture: it is as near as records are."""
        full = Background().level
        return replace(self, mean=self.record_mean, spread=self.record_spread, level=full)

    def fits(self, count: int) -> bool:
        """Whether it still holds for `count` records: up to twice, down to half as many."""
        return self.version == VERSION and self.count / 2 <= count <= self.count * 2


def snippet(text: str) -> str:
    """A piece from the middle of a record, about as long as a question, for `estimate`."""
    text, words = text.strip(), text.split()
    if len(words) * _LONGEST_WORDS < len(text):  # written without spaces
        start = max(0, (len(text) - _SNIPPET_CHARACTERS) // 2)
        return text[start : start + _SNIPPET_CHARACTERS]
    length = min(_SNIPPET_WORDS, max(1, len(words) // 2))
    start = (len(words) - length) // 2
    return " ".join(words[start : start + length])


def estimate(
    own: Sequence[float],
    others: Sequence[Sequence[float]],
    own_shares: Sequence[float],
    rival_shares: Sequence[float],
    count: int,
    *,
    between: Sequence[float] = (),
    unit: bool = False,
) -> Background:
    """The background of a collection, the closer to the prior the fewer numbers there are.

    Args:
        own: the cosine of each snippet with the record that it is from.
        others: its cosines with other records of the sample.
        own_shares: BM25 shares of the snippets in their own records.
        rival_shares: the highest share of each in any other record.
        count: records in the collection.
        between: cosines of records of the sample with each other.
        unit: whether all vectors seen had length 1.
    """
    prior = Background()
    mean, spread = _moments(list(chain.from_iterable(others)), prior.mean, prior.spread)
    records = _moments(between, prior.record_mean, prior.record_spread)
    level = _shrunk([(cosine - mean) / spread for cosine in own], prior.level, 2)
    pairs = [
        (share, rival)
        for share, rival in zip(own_shares, rival_shares, strict=True)
        if math.isfinite(share + rival) and share > 0.0
    ]
    ratio = math.fsum(rival for _, rival in pairs) / (math.fsum(s for s, _ in pairs) or 1.0)
    distinct = min(1.0, max(_LEAST_DISTINCT, 1.0 - ratio))
    distinct = _shrunk([distinct] * len(pairs), prior.distinct, 8)
    return Background(mean, spread, max(0.0, level), distinct, count, unit, *records)


def _moments(cosines: Sequence[float], mean: float, spread: float) -> tuple[float, float]:
    """Mean and standard deviation, the closer to the given ones the fewer numbers there are."""
    mean = _shrunk(cosines, mean, 8)
    return mean, math.sqrt(_shrunk([(cosine - mean) ** 2 for cosine in cosines], spread**2, 8))


def _shrunk(values: Sequence[float], prior: float, weight: float) -> float:
    """The mean of `values` with `weight` more that are `prior`; of numbers only."""
    known = [value for value in values if math.isfinite(value)]
    return (math.fsum(known) + weight * prior) / (len(known) + weight)
