"""The stages of one query: plan, legs, fusion. `hybrid` runs them, `hydrate` reads the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.confidence import weigh
from langchain_chroma_hybrid.core.filters import Ids, all_of
from langchain_chroma_hybrid.core.fusion import Fused, RankedList, fuse
from langchain_chroma_hybrid.core.records import (
    LEXICAL,
    VECTOR,
    LegReport,
    Scored,
    SearchRequest,
)
from langchain_chroma_hybrid.core.requests import check, leg_names, shares
from langchain_chroma_hybrid.engine.distances import (
    SIMILARITY_CEILING,
    SIMILARITY_FLOOR,
    relevance,
    similarity,
)
from langchain_chroma_hybrid.engine.planner import (
    FilterPlan,
    Route,
    Way,
    combined,
    nearest,
    plan_filter,
)
from langchain_chroma_hybrid.engine.rows import query_vector
from langchain_chroma_hybrid.errors import InvalidArgumentError, SearchError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Embed: TypeAlias = Callable[[str], Sequence[float]]
Vector: TypeAlias = Sequence[float]

# Depth of each leg: below 100 recall falls, above it the order of the first ten hardly moves.
DEFAULT_DEPTH = 100
# A leg alone is not fused: nothing below the results changes their order.
DEPTH_ALONE = 32
# Where looking for enough different groups ends.
_DEEPEST = 10_000
# Results beyond `k`, for those that Chroma no longer has or that no longer pass the filter.
_SPARE = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked query: what to run and how deep.

    Attributes:
        weights: share of each leg whose ranking counts; they add up to 1.
        embed_only: the vector step has to bring the query's vector, not a ranking.
        depth: how deep legs are fused; `fetch` how deep they are asked, never less.
    """

    request: SearchRequest
    filter: FilterPlan
    weights: Mapping[str, float]
    embed_only: bool
    depth: int
    fetch: int

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of what has to run before the legs can be put together."""
        needs = {*self.weights, *((VECTOR,) if self.embed_only else ())}
        return tuple(name for name in leg_names(self.request) if name in needs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one leg returned, in its own scores, best first."""

    name: str
    hits: Sequence[Scored] = ()
    embedding: Vector | None = None
    filtered_by: str = "none"
    took_ms: float = 0.0
    error: Exception | None = None

    def report(self) -> LegReport:
        """The part that users see."""
        error = f"{type(self.error).__name__}: {self.error}" if self.error else None
        return LegReport(self.name, len(self.hits), self.took_ms, self.filtered_by, error)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Fused ids, best first; by leg its share in the score and its own scores by id."""

    fused: Sequence[Fused]
    weights: Mapping[str, float]
    raw: Mapping[str, Mapping[str, float]]


def make_plan(
    request: SearchRequest,
    store: ChromaStore,
    lexical: LexicalIndex,
    *,
    route: Route = "auto",
) -> Plan:
    """Check `request`, decide the legs, resolve the filter.

    Raises:
        InvalidArgumentError: a value of the request cannot be used (filters included).
    """
    check(request)
    if request.query_syntax != "plain" and not lexical.capabilities.syntax:
        expected = f"plain: {type(lexical).__name__} knows no other"
        raise InvalidArgumentError.of("query_syntax", request.query_syntax, expected)
    asked = combined(request)
    weights = _weights(request)
    whole = request.dedupe_key is None and request.group_by is None
    alone = len(weights) == 1 and request.mode != "two_step" and whole
    depth = request.fetch_k or (DEPTH_ALONE if alone else DEFAULT_DEPTH)
    filters = plan_filter(asked, store, lexical, fetch=depth, route=route)
    wanted = request.mode == "two_step" or request.with_distance
    embed_only = wanted and VECTOR not in weights and not _asks_nothing(request)
    return Plan(request, filters, weights, embed_only, depth, max(depth, request.k + _SPARE))


def _weights(request: SearchRequest) -> dict[str, float]:
    """The share of each leg that runs: weight 0 means that the leg is not run."""
    if _asks_nothing(request):
        return {LEXICAL: 1.0}
    if request.mode == "vector" or request.text is None:
        return {VECTOR: 1.0}
    if request.mode in ("lexical", "two_step"):
        return {LEXICAL: 1.0}
    given = shares({} if request.weights is None else request.weights, leg_names(request))
    return {name: weight for name, weight in given.items() if weight > 0}


def _asks_nothing(request: SearchRequest) -> bool:
    """A blank text has no neighbours worth the name, and many models refuse it."""
    return request.embedding is None and request.text is not None and not request.text.strip()


def run_lexical(plan: Plan, lexical: LexicalIndex) -> Outcome:
    """The BM25 leg."""
    request, filters = plan.request, plan.filter
    if filters.empty or not request.text:
        hits: list[Scored] = []
    else:
        hits = lexical.search(
            request.text, plan.fetch, where=filters.resolved, syntax=request.query_syntax
        )
    return Outcome(LEXICAL, hits, filtered_by="none" if filters.asked is None else "lexical")


def run_vector(plan: Plan, store: ChromaStore, lexical: LexicalIndex, embedding: Vector) -> Outcome:
    """The vector leg, or only the query's vector where the plan needs no more."""
    embedding = query_vector(embedding).tolist()
    if plan.embed_only:
        return Outcome(VECTOR, embedding=embedding)
    hits, way = _nearest(plan, store, lexical, embedding)
    return Outcome(VECTOR, hits, embedding, filtered_by=way)


def _nearest(
    plan: Plan, store: ChromaStore, lexical: LexicalIndex, embedding: Vector
) -> tuple[list[Scored], Way]:
    """At least `fetch` hits of Chroma's index, found in steps that do not depend on `k`.

    Asked for more, an approximate index may put others among the first ones, and equal distances
    in another order: then the best `k` would not be the beginning of the best `2 k`.
    """
    found: dict[str, Scored] = {}
    n = plan.depth if plan.filter.ids is None else plan.fetch  # exact: one step serves all
    while True:
        step, way = nearest(plan.filter, embedding, n, store, lexical)
        for hit in sorted(step, key=lambda hit: (hit.score, hit.id)):
            found.setdefault(hit.id, hit)
        if len(step) < n or n >= plan.fetch:
            return list(found.values())[: plan.fetch], way
        n *= 2


def further_outcome(name: str, ids: Sequence[str], plan: Plan, lexical: LexicalIndex) -> Outcome:
    """What a further leg returned: only its order counts, on a scale that falls evenly to 0.

    What the collection does not hold or the filter hides has no place in it, not even a rank.
    """
    known = set(lexical.match(all_of(plan.filter.resolved, Ids(frozenset(ids)))))
    unique = [id_ for id_ in dict.fromkeys(ids) if id_ in known][: plan.fetch]
    hits = [Scored(id_, 1.0 - place / len(unique)) for place, id_ in enumerate(unique)]
    return Outcome(name, hits, filtered_by="none" if plan.filter.asked is None else "lexical")


def timed(name: str, run: Callable[[], Outcome]) -> Outcome:
    """Run a leg; a failure becomes part of the outcome, cancellation and interrupts pass."""
    start = time.perf_counter()
    try:
        outcome = run()
    except Exception as error:  # noqa: BLE001  # what a leg may raise is its own; decided in `settle`
        outcome = Outcome(name, error=error)
    return replace(outcome, took_ms=(time.perf_counter() - start) * 1e3)


def settle(plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """Let failures pass or raise, as `on_leg_error` says.

    Raises:
        SearchError: with `degrade`, no leg whose ranking counts has answered.
        Exception: with `raise`, the first failure as it was.
    """
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not failed:
        return
    if plan.request.on_leg_error == "raise":
        raise failed[0]
    if not any(outcome.error is None and outcome.name in plan.weights for outcome in outcomes):
        causes = "; ".join(f"{type(error).__name__}: {error}" for error in failed)
        message = f"no leg of the query answered: {causes}"
        raise SearchError(message) from failed[0]


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


def deeper(plan: Plan, outcomes: Sequence[Outcome], ranking: Ranking, found: int) -> Plan | None:
    """The same query over deeper legs, where duplicates or groups have used these up; else None."""
    request = plan.request
    grouped = request.dedupe_key is not None or request.group_by is not None
    full = any(len(outcome.hits) >= plan.fetch for outcome in outcomes)
    if not grouped or found >= request.k or not full or plan.fetch >= _DEEPEST:
        return None
    if request.score_threshold is not None and ranking.fused[-1].score < request.score_threshold:
        return None
    embedding = next((o.embedding for o in outcomes if o.embedding is not None), request.embedding)
    return replace(plan, request=replace(request, embedding=embedding), fetch=plan.fetch * 4)


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
