"""What came from the legs as one ranking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.confidence import weigh
from langchain_chroma_hybrid.core.fusion import Fused, RankedList, fuse
from langchain_chroma_hybrid.core.records import LEXICAL, VECTOR, Scored
from langchain_chroma_hybrid.engine.distances import (
    SIMILARITY_CEILING,
    SIMILARITY_FLOOR,
    relevance,
    similarity,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.legs import Outcome, Vector
    from langchain_chroma_hybrid.engine.query_plan import Plan
    from langchain_chroma_hybrid.lexical.base import LexicalIndex


@dataclass(frozen=True, slots=True)
class Ranking:
    """Fused ids, best first; by leg its share in the score and its own scores by id."""

    fused: Sequence[Fused]
    weights: Mapping[str, float]
    raw: Mapping[str, Mapping[str, float]]


def rank(
    plan: Plan, outcomes: Sequence[Outcome], store: ChromaStore, lexical: LexicalIndex
) -> Ranking:
    """Put the legs together."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    embedding = by_name[VECTOR].embedding if VECTOR in by_name else None
    if plan.request.mode == "two_step" and embedding is not None:
        return _two_step(by_name[LEXICAL].hits, plan.depth, embedding, store)
    legs = [by_name[name] for name in plan.weights]
    raw = {leg.name: {hit.id: hit.score for hit in leg.hits} for leg in legs}
    if len(legs) == 1:
        return Ranking(_single(plan, legs[0], store, lexical), plan.weights, raw)
    lists = [_ranked(plan, leg, store) for leg in legs]
    # Weights that were asked for hold for every query.
    if plan.request.fusion == "adaptive" and plan.request.weights is None:
        lists = weigh(_bounded(plan, legs, lists, store, lexical), plan.depth)
    weights = {leg.name: ranked.weight for leg, ranked in zip(legs, lists, strict=True)}
    fused = fuse(lists, plan.request.fusion, c=plan.request.c, depth=plan.depth)
    return Ranking(fused, weights, raw)


def _ranked(plan: Plan, leg: Outcome, store: ChromaStore) -> RankedList:
    ids, weight = [hit.id for hit in leg.hits], plan.weights[leg.name]
    if leg.name == VECTOR:
        scores = [similarity(hit.score, store.space) for hit in leg.hits]
        return RankedList(ids, scores, weight, SIMILARITY_FLOOR[store.space])
    scores = [hit.score for hit in leg.hits]
    # Okapi in RankBM25Index goes below 0.
    return RankedList(ids, scores, weight, min([0.0, *scores]), background=0.0)


def _bounded(
    plan: Plan,
    legs: Sequence[Outcome],
    lists: Sequence[RankedList],
    store: ChromaStore,
    lexical: LexicalIndex,
) -> list[RankedList]:
    """`lists` with the highest score that each leg could have given for this query."""

    def ceiling(leg: Outcome) -> float | None:
        if leg.name == VECTOR:
            return SIMILARITY_CEILING[store.space]
        if leg.name != LEXICAL:
            return None
        request = plan.request
        return lexical.max_score(request.text or "", syntax=request.query_syntax)

    return [
        replace(ranked, ceiling=ceiling(leg)) if leg.hits else ranked
        for leg, ranked in zip(legs, lists, strict=True)
    ]


def _two_step(
    candidates: Sequence[Scored], depth: int, embedding: Vector, store: ChromaStore
) -> Ranking:
    """The first `depth` lexical candidates in order of their exact distance, then the others."""
    ranked = store.rank(embedding, [hit.id for hit in candidates[:depth]])
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


def _single(plan: Plan, leg: Outcome, store: ChromaStore, lexical: LexicalIndex) -> list[Fused]:
    """One leg needs no fusion: its own score, on a scale that does not depend on the other hits."""
    if leg.name == VECTOR:
        scores = [relevance(hit.score, store.space) for hit in leg.hits]
    else:
        request, bound = plan.request, 1.0
        if leg.name == LEXICAL:
            bound = lexical.max_score(request.text or "", syntax=request.query_syntax) or 1.0
        scores = [min(1.0, max(0.0, hit.score / bound)) for hit in leg.hits]
    return [
        Fused(hit.id, score, (place,), (score,))
        for place, (hit, score) in enumerate(zip(leg.hits, scores, strict=True), 1)
    ]
