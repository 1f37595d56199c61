"""What one query asks of the legs: which ones run, how deep, and with which filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.validate import check, leg_names, shares
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.query.filtered_search import (
    FilterPlan,
    Route,
    combined,
    plan_filter,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.legs import Outcome
    from langchain_chroma_hybrid.engine.query.rank import Ranking
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

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
    def by_chroma_alone(self) -> bool:
        """Whether one query of Chroma's is the whole answer, records included."""
        filters = self.filter.asked is None or self.filter.route == "chroma"
        return filters and tuple(self.weights) == (VECTOR,) and self.fetch == self.depth

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of what has to run before the legs can be put together."""
        needs = {*self.weights, *((VECTOR,) if self.embed_only else ())}
        return tuple(name for name in leg_names(self.request) if name in needs)


def make_plan(
    request: SearchRequest,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    *,
    route: Route = "auto",
) -> Plan:
    """Check `request`, decide the legs, resolve the filter; `lexical` None leaves vectors alone.

    Raises:
        InvalidArgumentError: a value of the request cannot be used (filters included).
    """
    check(request)
    # Whole numbers of any kind, such as numpy's, as the kind that tantivy and Chroma take.
    fetch_k = None if request.fetch_k is None else int(request.fetch_k)
    request = replace(request, k=int(request.k), fetch_k=fetch_k)
    if request.query_syntax != "plain" and lexical and not lexical.capabilities.syntax:
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


def needs_lexical(request: SearchRequest) -> bool:
    """Whether the lexical leg is part of the answer."""
    return request.mode == "two_step" or LEXICAL in _weights(request)


def _asks_nothing(request: SearchRequest) -> bool:
    """A blank text has no neighbours worth the name, and many models refuse it."""
    return request.embedding is None and request.text is not None and not request.text.strip()


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
