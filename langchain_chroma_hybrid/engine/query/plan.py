"""What one query asks of the legs: which ones run, how deep, and with which filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_chroma_hybrid.core.filters import QueryMatch, all_of, parse
from langchain_chroma_hybrid.core.relevance import NEAR
from langchain_chroma_hybrid.core.validate import check, depths, leg_names, shares
from langchain_chroma_hybrid.core.values import FUSED, LEXICAL, LISTING, VECTOR
from langchain_chroma_hybrid.engine.query.filter_plan import plan_filter
from langchain_chroma_hybrid.engine.query.values import Plan
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.protocol import TypoTolerant
from langchain_chroma_hybrid.lexical.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.engine.chroma.change_token import Token
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.values import FilterPlan, Outcome, Route
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

Words: TypeAlias = "tuple[Analyzer, Iterable[str]]"

# Depth of each leg: below 100 recall falls, above it the order of the first ten hardly moves.
DEFAULT_DEPTH = 100
# A leg alone is not fused: nothing below the results changes their order.
DEPTH_ALONE = 32
# Share of what a leg was asked for from which on there may be more.
_NEARLY = 0.9
# Results beyond `k`, for those that Chroma no longer has or that no longer pass the filter.
_SPARE = 8


def make_plan(
    request: SearchRequest,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    token: Token | None = None,
    *,
    words: Words,
    route: Route = "auto",
) -> Plan:
    """Check `request`, decide the legs, resolve the filter; `lexical` None leaves vectors alone.

    `words`: the analyzer, and the fields that are searched.

    Raises:
        InvalidArgumentError: a value of the request cannot be used (filters included).
    """
    check(request)
    if request.query_syntax != "plain" and lexical and not lexical.capabilities.syntax:
        expected = f"plain: {type(lexical).__name__} knows no other"
        raise InvalidArgumentError.of("query_syntax", request.query_syntax, expected)
    # Whole numbers of any kind, such as numpy's, as the kind that tantivy and Chroma take.
    k = int(request.k)
    if type(request.k) is not int:
        request = replace(request, k=k)
    native = lexical is not None and lexical.capabilities.fuses
    if native and request.fusion == "adaptive":  # by scores, which stay on the server
        request = replace(request, fusion="rrf")
    weights = _weights(request)
    two_step = request.mode == "two_step"
    whole = request.dedupe_key is None and request.group_by is None
    alone = len(weights) == 1 and whole and not two_step
    usual, given = DEPTH_ALONE if alone else DEFAULT_DEPTH, depths(request)
    depth = max(given.get(name, usual) for name in weights)
    by_name = isinstance(request.fetch_k, Mapping)
    most = {name: given[name] for name in weights if by_name and name in given}
    called = None
    if request.where is not None or request.where_document is not None:
        called = parse(request.where, request.where_document, names=("filter", "where_document"))
    asked = all_of(request.base, called)
    requirement, required = None, None
    if request.query_syntax == "simple" and request.text:
        requirement = Requirement.of(request.text, *words)
        # Where no index answers it, the records tell it alone.
        required = QueryMatch(request.text) if requirement and not native else None
    filters = plan_filter(
        asked, store, lexical, token, fetch=depth, route=route, required=required
    )
    embed_only = VECTOR not in weights and (two_step or request.with_distance)
    # What is near says how much nearer the best are.
    beside = two_step and request.judged
    if request.blank:  # many models refuse it: nothing is embedded but for a distance
        only_distances = not (request.explain or request.with_embedding)
        embed_only = request.with_distance and only_distances
    by_chroma = route == "chroma" and filters.strategy == "chroma" and required is None
    unfiltered = filters.strategy == "none" or by_chroma
    simple = lexical is not None and alone and unfiltered and not request.judged
    words_count = not request.blank and (LEXICAL in weights or request.judged)
    deepest = 10_000 if lexical is None else lexical.capabilities.most
    fetch = max(depth, k + _SPARE, NEAR if request.judged else 0)
    plan = Plan(
        request,
        filters,
        weights,
        (*weights, VECTOR) if embed_only else tuple(weights),
        depth,
        min(fetch, max(depth, k, deepest)) if native else fetch,
        embed_only and not beside,
        at_once=lexical is None or (simple and store.finds_all(token)),
        token=token,
        requirement=requirement,
        most=most,
        called=called,
        corrections=None if words_count and _corrects(request, filters, lexical) else {},
        deepest=deepest,
    )
    if native and _fits_the_server(plan):
        return replace(plan, weights={FUSED: 1.0}, steps=(FUSED,), pushed=weights)
    return plan


def _fits_the_server(plan: Plan) -> bool:
    """Whether one search of the server's is the answer: by ranks, of which nothing is explained.

    It tells the fused order and no leg's own ranks and scores.
    """
    request, both = plan.request, {LEXICAL, VECTOR}
    ranked = request.fusion == "rrf" and plan.weights.keys() == both and request.k <= plan.depth
    words = plan.filter.strategy in ("none", "chroma")
    return ranked and words and plan.requirement is None and not request.judged


def _weights(request: SearchRequest) -> dict[str, float]:
    """The share of each leg that runs: weight 0 means that the leg is not run."""
    if request.blank:
        return {LISTING: 1.0}
    if request.mode == "vector" or request.text is None:
        return {VECTOR: 1.0}
    if request.mode in ("lexical", "two_step"):
        return {LEXICAL: 1.0}
    given = shares({} if request.weights is None else request.weights, leg_names(request))
    return {name: weight for name, weight in given.items() if weight > 0}


def _corrects(
    request: SearchRequest, filters: FilterPlan, lexical: LexicalIndex | None
) -> bool:
    """Whether words that occur in no record which passes are to be looked for."""
    wanted = request.typos and request.text and request.query_syntax == "plain"
    return bool(wanted and isinstance(lexical, TypoTolerant)) and filters.strategy != "lexical"


def corrected(plan: Plan, lexical: LexicalIndex | None) -> Plan:
    """The plan with what counts for words that occur in no record which passes."""
    if plan.corrections is not None:
        return plan
    corrections: Mapping[str, tuple[str, ...]] = {}
    if isinstance(lexical, TypoTolerant):
        text, sounds = plan.request.text or "", plan.request.typos == "sound"
        corrections = lexical.corrections(text, plan.filter.known, sounds=sounds)
    return replace(plan, corrections=corrections)


def reading(plan: Plan, lexical: LexicalIndex) -> dict[str, Any]:
    """How an index is to read the words of a query."""
    tolerant = isinstance(lexical, TypoTolerant)
    corrections = {"corrections": plan.corrections} if tolerant else {}
    return {"syntax": plan.request.query_syntax, **corrections}


def needs_lexical(request: SearchRequest) -> bool:
    """Whether the lexical leg is part of the answer."""
    return not request.blank and (request.mode == "two_step" or LEXICAL in _weights(request))


def deeper(
    plan: Plan, outcomes: Sequence[Outcome], found: int, unseen: Callable[[], float]
) -> Plan | None:
    """The same query over deeper legs, where duplicates or groups have used these up; else None.

    `unseen`: what no record exceeds in relevance that the legs have not brought.
    """
    request = plan.request
    threshold = None if request.blank else request.score_threshold
    whole = request.dedupe_key is None and request.group_by is None and threshold is None
    if found >= request.k or (whole and plan.requirement is None):
        return None
    # Chroma's graph has islands: a leg that lacks a few of what it was asked for may have more.
    full = any(len(outcome.hits) >= _NEARLY * plan.fetch for outcome in outcomes)
    if not full or plan.fetch >= plan.deepest:
        return None
    if threshold is not None and unseen() < threshold:
        return None
    embedding = next((o.embedding for o in outcomes if o.embedding is not None), request.embedding)
    fetch = min(plan.fetch * 4, max(plan.fetch, plan.deepest))
    plan = replace(plan, request=replace(request, embedding=embedding), fetch=fetch)
    if not plan.pushed:
        return plan
    return replace(plan, weights=plan.pushed, steps=tuple(plan.pushed), pushed={})
