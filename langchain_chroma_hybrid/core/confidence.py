"""Weights for one query, from nothing but the scores that the legs came back with.

No fixed weight suits every collection: a model number wants the lexical leg, a paraphrase the
vectors, and a model that does not know the language is noise. How sure a leg is can be read off its
scores, as query performance prediction does (Shtok et al. 2012, Cummins 2014; for the weights of
hybrid search Bruch, Gai, Ingber 2022, arXiv 2210.11934, calls for it):

* *level*: how far its best score has got from the background to the highest that is possible.
  For BM25 that is the share of the query's weight that the best record covers, for vectors the
  relative contrast `1 - nearest / farthest distance`.
* *lead*: how far its best is ahead of its fifth, as a share of the way to the background.
* *support*, for legs that rank every record, relevant or not: whether the others know its best.

`confidence = (level + 0.02) ** 1.5 * (lead + 0.1) ** 0.5 * (0.35 + 0.65 * support)`; the last
factor is 1 for legs that return nothing but matches.

The constants were chosen together on collections of several kinds, with lexical and with vector
legs that are good, middling and noise; `docs/scores.md` says how well they do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.fusion import RankedList, rescale

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = 5
LEVEL_PRIOR, LEAD_PRIOR = 0.02, 0.1
LEAST_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Constants:
    """What was chosen by measuring.

    Attributes:
        level_power, lead_power: exponents of level and lead.
        alone: what is left of a leg's confidence when no other leg knows its best hit.
    """

    level_power: float = 1.5
    lead_power: float = 0.5
    alone: float = 0.35


CHOSEN = Constants()


def weigh(
    lists: Sequence[RankedList], depth: int | None = None, constants: Constants = CHOSEN
) -> list[RankedList]:
    """`lists` with weights that suit the query; what they add up to stays the same.

    Lists without hits or without a ceiling keep their weight: nothing is known about them. The
    others share theirs in proportion to weight times confidence, where none gets less than
    `LEAST_SHARE` of it.

    Args:
        lists: one per leg, as for `fuse`.
        depth: how deep they will be fused; what lies deeper does not count.
        constants: other than the chosen ones, to measure what they are worth.
    """
    heads = [ranked if depth is None else ranked.head(depth) for ranked in lists]
    known = [
        n
        for n, head in enumerate(heads)
        if head.ids and head.weight > 0 and head.ceiling is not None
    ]
    claims = [heads[n].weight * confidence(heads, n, constants) for n in known]
    pooled = math.fsum(heads[n].weight for n in known)
    total = math.fsum(claims)
    if total <= 0.0:
        return list(lists)
    weights = [ranked.weight for ranked in lists]
    least = min(LEAST_SHARE, 0.5 / len(known))
    for n, claim in zip(known, claims, strict=True):
        weights[n] = pooled * (least + (1.0 - least * len(known)) * claim / total)
    return [replace(ranked, weight=w) for ranked, w in zip(lists, weights, strict=True)]


def confidence(lists: Sequence[RankedList], column: int, constants: Constants = CHOSEN) -> float:
    """How sure the leg `column` is of its best hit, >= 0; see the module."""
    ranked = lists[column]
    fifth = _unit(ranked, HEAD - 1) if len(ranked.ids) >= HEAD else 0.0
    level = (_level(ranked) + LEVEL_PRIOR) ** constants.level_power
    sure = float(level * (1.0 - fifth + LEAD_PRIOR) ** constants.lead_power)
    if ranked.background is not None:
        return sure
    return sure * (constants.alone + (1.0 - constants.alone) * _support(lists, column))


def _level(ranked: RankedList) -> float:
    """The best score on the way from background (0) to ceiling (1)."""
    top = max(ranked.scores)
    ceiling = top if ranked.ceiling is None else ranked.ceiling
    return rescale([top], ranked.base, ceiling)[0] if ceiling > ranked.base else 0.0


def _support(lists: Sequence[RankedList], column: int) -> float:
    """Where the best hit of `column` stands in the other lists, 0..1, on average."""
    best = lists[column].ids[0]
    others = [ranked for n, ranked in enumerate(lists) if n != column]
    found = [_unit(o, list(o.ids).index(best)) if best in o.ids else 0.0 for o in others]
    return math.fsum(found) / len(found) if found else 0.0


def _unit(ranked: RankedList, place: int) -> float:
    """Where the score at `place`, from 0, lies between background (0) and the best (1)."""
    return rescale([ranked.scores[place]], ranked.base, max(ranked.scores))[0]
