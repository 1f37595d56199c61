"""How likely it is that a hit answers its query, 0..1, comparable between queries.

Pure functions over numbers. Three things are added up as log-odds (logistic regression):

* *Cosine* in units of the collection, `z = (cosine - mean) / spread` (the Z-norm of speaker
  verification, Reynolds 1997), which speaks against the hit where it is on the side of records that
  have nothing to do with the query, and counts as far as the model knows these records.
* *Share* of the query's weight: BM25 over the highest score that is possible, words that occur
  nowhere counted in.
* *Lead* over what else the query finds: in distance over its `NEAR`th neighbour (the logarithm of
  the relative contrast of He, Kumar, Chang 2012), in share over its `RIVAL`th, as far as shares
  tell records apart here and the cosine is on the right side.

Whole identifiers come on top. The constants were chosen by `benchmarks/no_answer.py`, which also
says how well they do on collections that had no say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.background import Background

THRESHOLD = 0.5
"""What `relevance` is scaled for: below it an application had better say "I don't know"."""

NEAR, RIVAL = 50, 3
"""Ranks, from 1, of the hits of the same query that a hit is compared with."""

_OWN_SIDE = 0.85  # share of the level below which a cosine speaks against the hit
_DISTANCE_PRIOR, _SHARE_PRIOR = 0.03, 0.1
_LACKS, _HAS = 1.05, 0.9  # no record without any of the identifiers gets past 1 / (1 + 1.05)
_LACKS_SOME = 0.45  # of several: a record is about one of them, and another about the next
_ASIDE, _MAIN = 0.3, 0.65  # weight of identifiers that are beside the point, or the point


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one hit of one query; None for what was not asked for.

    Attributes:
        cosine: of the query's and the record's vectors.
        near: the query's `NEAR`th highest cosine; None where there are fewer records.
        share: BM25 score by the highest that is possible for the query; 0 for no common word.
        rival: the query's `RIVAL`th highest share, 0 where fewer records match.
        has, lacks: the shares of the query's weight that lie on whole identifiers which the record
            has, and on those which it lacks.
    """

    cosine: float | None = None
    share: float | None = None
    near: float | None = None
    rival: float = 0.0
    has: float = 0.0
    lacks: float = 0.0


@dataclass(frozen=True, slots=True)
class Constants:
    """Weights >= 0 of the `features`, and what is added to them; `benchmarks/no_answer.py`."""

    weights: tuple[float, float, float, float]
    bias: float


BOTH = Constants((2.719, 2.455, 2.759, 9.739), -1.236)
VECTOR = Constants((3.734, 0.0, 1.776, 0.0), 0.332)
LEXICAL = Constants((0.0, 4.514, 0.0, 6.199), -3.262)


def features(evidence: Evidence, background: Background) -> tuple[float, float, float, float]:
    """What is weighed: wrong subject (<= 0), share, lead in distance, lead in share."""
    subject, nearer, gate = 0.0, 0.0, 1.0
    if evidence.cosine is not None:
        cosine, trust = min(1.0, max(-1.0, evidence.cosine)), background.trust
        side = max(_OWN_SIDE * background.level, 1e-6)
        z = (cosine - background.mean) / background.spread
        gate = 1.0 - trust * (1.0 - min(1.0, max(0.0, z / side)))
        subject = -trust * max(0.0, side - z)
        base = max(background.mean, -1.0 if evidence.near is None else evidence.near)
        spans = (1.0 - min(1.0, base) + _DISTANCE_PRIOR, 1.0 - cosine + _DISTANCE_PRIOR)
        nearer = trust * math.log(spans[0] / spans[1])
    share = min(1.0, max(0.0, evidence.share or 0.0))
    ahead = max(0.0, share - max(0.0, evidence.rival)) / (share + _SHARE_PRIOR)
    return subject, share, nearer, background.distinct * gate * ahead


def relevance(
    evidence: Evidence, background: Background, constants: Constants | None = None
) -> float:
    """How likely the hit answers the query, 0..1; never falls when its cosine or share rises.

    A record that lacks the only whole identifier of the query stays below `THRESHOLD`.

    Args:
        evidence: of both legs, or of one.
        background: of the collection.
        constants: other than the chosen ones, to measure what they are worth.
    """
    constants = constants or _chosen(evidence)
    terms = zip(constants.weights, features(evidence, background), strict=True)
    odds = constants.bias + math.fsum(weight * value for weight, value in terms)
    likely = 1.0 / (1.0 + math.exp(-min(50.0, max(-50.0, odds))))
    has, lacks = (min(1.0, max(0.0, part)) for part in (evidence.has, evidence.lacks))
    if has <= 0.0:
        # What was unlikely anyway stays about as it is, what was likely gets below `THRESHOLD`.
        return likely / (1.0 + _LACKS * likely) if lacks > 0.0 else likely
    meant = min(1.0, max(0.0, (has + lacks - _ASIDE) / (_MAIN - _ASIDE)))
    likely += (1.0 - likely) * _HAS * meant
    return likely * (1.0 - _LACKS_SOME * lacks / (has + lacks))


def _chosen(evidence: Evidence) -> Constants:
    if evidence.cosine is None:
        return LEXICAL
    return VECTOR if evidence.share is None else BOTH
