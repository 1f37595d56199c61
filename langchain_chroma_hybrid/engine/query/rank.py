"""What came from the legs as one ranking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.confidence import weigh
from langchain_chroma_hybrid.core.fusion import Fused, RankedList, fuse
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.chroma.distances import (
    SIMILARITY_CEILING,
    SIMILARITY_FLOOR,
    relevance,
    similarities,
)
from langchain_chroma_hybrid.engine.query.values import Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Scored
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.values import Outcome, Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# Where an engine knows no highest score: what counts as half of everything, a usual score of BM25.
_HALF = 10.0


def rank(
    plan: Plan, outcomes: Sequence[Outcome], store: ChromaStore, lexical: LexicalIndex | None
) -> Ranking:
    """Put the legs together."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    embedding = by_name[VECTOR].embedding if VECTOR in by_name else None
    if plan.request.mode == "two_step" and embedding is not None and LEXICAL in by_name:
        return _two_step(plan, by_name[LEXICAL].hits, embedding, store)
    legs = [by_name[name] for name in plan.weights]
    raw = {leg.name: {hit.id: hit.score for hit in leg.hits} for leg in legs}
    if len(legs) == 1:
        return Ranking(_single(legs[0], store), plan.weights, raw)
    lists = [_ranked(plan, leg, store, lexical, raw) for leg in legs]
    # Weights that were asked for hold for every query.
    if plan.request.fusion == "adaptive" and plan.request.weights is None:
        lists = weigh(lists, plan.depth)
    weights = {leg.name: ranked.weight for leg, ranked in zip(legs, lists, strict=True)}
    # What suits a query is told by the best hits, and says little on those far behind them.
    deep = list(plan.weights.values())
    fused = fuse(lists, plan.request.fusion, c=plan.request.c, depth=plan.depth, deep=deep)
    return Ranking(fused, weights, raw)


def _ranked(
    plan: Plan,
    leg: Outcome,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    raw: Mapping[str, Mapping[str, float]],
) -> RankedList:
    """A leg as fusions take it, with the highest score that it could have given for this query.

    `raw`: what each leg has found, of which the lexical one may know nothing.
    """
    ids, scores = [hit.id for hit in leg.hits], [hit.score for hit in leg.hits]
    weight = plan.weights[leg.name]
    if leg.name == VECTOR:
        floor, ceiling = SIMILARITY_FLOOR[store.space], SIMILARITY_CEILING[store.space]
        return RankedList(ids, similarities(scores, store.space), weight, floor, None, ceiling)
    # Okapi in RankBM25Index goes below 0.
    ranked = RankedList(ids, scores, weight, min([0.0, *scores]), 0.0)
    if leg.name != LEXICAL or lexical is None:
        return ranked
    found = frozenset().union(*raw.values()) - raw[LEXICAL].keys()
    unknown = lexical.without_text(found) if found else frozenset()
    return replace(ranked, ceiling=leg.ceiling if leg.hits else None, unknown=unknown)


def _two_step(
    plan: Plan, candidates: Sequence[Scored], embedding: Vector, store: ChromaStore
) -> Ranking:
    """The first `depth` lexical candidates in order of their exact distance, then the others."""
    depth = plan.depth
    ranked = store.rank_exactly(embedding, [hit.id for hit in candidates[:depth]], None, plan.token)
    places = {hit.id: place for place, hit in enumerate(candidates, 1)}
    fused = []
    for place, hit in enumerate(ranked, 1):
        score = relevance(hit.score, store.space)
        fused.append(Fused(hit.id, score, (places[hit.id], place), (0.0, score)))
    floor = fused[-1].score if fused else 0.0
    for place, hit in enumerate(candidates[depth:], depth + 1):
        fused.append(Fused(hit.id, floor * depth / place, (place, None), (0.0, 0.0)))
    raw = {
        LEXICAL: {hit.id: hit.score for hit in candidates},
        VECTOR: {hit.id: hit.score for hit in ranked},
    }
    return Ranking(fused, {LEXICAL: 0.0, VECTOR: 1.0}, raw)


def _single(leg: Outcome, store: ChromaStore) -> list[Fused]:
    """One leg needs no fusion: its own score, on a scale that does not depend on the other hits."""
    if leg.name == VECTOR:
        scores = [relevance(hit.score, store.space) for hit in leg.hits]
    else:
        most = leg.ceiling if leg.name == LEXICAL else 1.0
        scores = [share_of(hit.score, most) for hit in leg.hits]
    return [
        Fused(hit.id, score, (place,), (score,))
        for place, (hit, score) in enumerate(zip(leg.hits, scores, strict=True), 1)
    ]


def share_of(score: float, most: float | None) -> float:
    """A score as a share, 0..1, of the highest possible; if nobody knows that, on a bent scale."""
    score = max(0.0, score)
    if most is None:
        return score / (score + _HALF)
    return min(1.0, score / most) if most > 0.0 else 0.0
