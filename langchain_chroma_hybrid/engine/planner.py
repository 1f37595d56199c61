"""Which way a filtered vector leg goes.

Chroma's own filter costs a scan that grows with the collection, while the lexical index knows in
less than a millisecond which records pass. So there are three ways to the nearest ones that pass:

* `exact`: few pass: read their vectors, rank them here.
* `overfetch`: many pass: ask Chroma for more neighbours without a filter, keep those that pass.
* `chroma`: Chroma's own filter, when it is the cheapest, or when neighbours that pass are rare.

All three give what passes Chroma's filter and nothing else; `overfetch` gives up early, so that
guessing wrong costs a small part of what Chroma's own way costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.filters import (
    Filter,
    Ids,
    all_of,
    evaluable,
    leaves,
    parse,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.records import Scored, SearchRequest
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Way: TypeAlias = Literal["none", "lexical", "exact", "overfetch", "chroma"]
Route: TypeAlias = Literal["auto", "chroma"]

# More vectors than this are never read for one query, whatever the estimate says: memory.
_EXACT_AT_MOST = 5_000
# The first look at how many of the nearest neighbours pass. As wide as this at least, since an HNSW
# graph is searched the better, the more is asked of it: 100 neighbours of 100,000 MiniLM vectors
# hold .90 of the true first ten, 300 hold .98, for 1 ms more.
_PROBE = 300
# What a first look may cost, as a share of Chroma's own way, when it is unlikely to be enough.
_GAMBLE = 0.1
# Neighbours asked for beyond what the share that passes suggests.
_MARGIN = 1.3


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """The filter of one query, in the forms that its readers need.

    Attributes:
        asked: as given (call AND base); None for no restriction. Chroma can evaluate it.
        resolved: the same with every part that the lexical index cannot answer replaced by ids.
        passing: how many of `total` records pass, as the lexical index knows it.
        ids: all ids that pass, when reading their vectors is the cheapest way.
        route: `chroma` forbids the other ways.
    """

    asked: Filter | None = None
    resolved: Filter | None = None
    passing: int = 0
    total: int = 0
    ids: tuple[str, ...] | None = None
    route: Route = "auto"

    @property
    def beyond(self) -> Filter | None:
        """The filter, if only Chroma can tell of a record at hand whether it passes."""
        if self.asked is None or all(evaluable(leaf) for leaf in leaves(self.asked)):
            return None
        return self.asked

    @property
    def empty(self) -> bool:
        """Nothing passes: no leg has to run."""
        return self.asked is not None and self.route == "auto" and self.passing == 0


class Cost:
    """Estimated milliseconds. Only their order matters, which machines share.

    Fitted to `benchmarks/latency.py` at 20,000 and 100,000 records of 384 dimensions.
    """

    @staticmethod
    def exact(passing: int) -> float:
        """Read so many vectors and rank them."""
        return 1.0 + 0.045 * passing

    @staticmethod
    def neighbours(n: int) -> float:
        """Ask for so many neighbours without a filter, and see which of them pass."""
        return 2.0 + 0.02 * n

    @staticmethod
    def chroma(total: int, passing: int) -> float:
        """Chroma's own filter over so many records, of which so many pass."""
        return 3.0 + 0.0006 * total + 0.006 * passing


def combined(request: SearchRequest) -> Filter | None:
    """The call's filter AND the base filter.

    Raises:
        FilterError: `where` or `where_document` is malformed.
    """
    return all_of(request.base, parse(request.where, request.where_document))


def plan_filter(
    asked: Filter | None,
    store: ChromaStore,
    lexical: LexicalIndex,
    *,
    fetch: int,
    route: Route = "auto",
) -> FilterPlan:
    """Resolve `asked` against both halves, for a vector leg of depth `fetch`.

    With `route="chroma"` Chroma answers all of it, for both legs; the ids are the same.
    """
    if asked is None:
        return FilterPlan()
    if route == "chroma":
        return FilterPlan(asked, resolve(asked, lambda _: False, store.match), route=route)
    resolved = resolve(asked, lexical.supports, store.match)
    passing, total = lexical.match_count(resolved), lexical.count()
    others = min(Cost.chroma(total, passing), Cost.neighbours(_needed(fetch, passing, total)))
    ids = None
    if passing <= min(fetch, _EXACT_AT_MOST) or (
        passing <= _EXACT_AT_MOST and Cost.exact(passing) <= others
    ):
        ids = tuple(lexical.match(resolved))
    return FilterPlan(asked, resolved, passing, total, ids)


def nearest(
    plan: FilterPlan,
    embedding: Sequence[float],
    fetch: int,
    store: ChromaStore,
    lexical: LexicalIndex,
) -> tuple[list[Scored], Way]:
    """The `fetch` nearest records that pass, as `(id, distance)`, and the way that was taken."""
    if plan.asked is None:
        return store.query(embedding, fetch, None), "none"
    if plan.empty:
        return [], "lexical"
    if plan.ids is not None:
        return store.rank(embedding, plan.ids), "exact"
    if plan.route == "auto":
        hits = _overfetched(plan, embedding, fetch, store, lexical)
        if hits is not None:
            return hits, "overfetch"
    return store.query(embedding, fetch, plan.asked), "chroma"


def _overfetched(
    plan: FilterPlan,
    embedding: Sequence[float],
    fetch: int,
    store: ChromaStore,
    lexical: LexicalIndex,
) -> list[Scored] | None:
    """The nearest that pass among unfiltered neighbours; None when that does not pay.

    The share that passes near the query may be anything: a first look tells it, and decides.
    """
    whole = Cost.chroma(plan.total, plan.passing)
    expected = _needed(fetch, plan.passing, plan.total)
    n, budget = min(max(expected, _PROBE), plan.total), whole / 2
    if Cost.neighbours(n) > budget:
        # Not enough pass in general; near the query it may be more, which a look can tell.
        n = min(_PROBE, plan.total)
        if Cost.neighbours(n) > _GAMBLE * whole:
            return None
    while Cost.neighbours(n) <= budget:
        near = store.query(embedding, n, None)
        candidates = Ids(frozenset(hit.id for hit in near))
        passing = set(lexical.match(all_of(plan.resolved, candidates)))
        hits = [hit for hit in near if hit.id in passing]
        if len(hits) >= fetch or n >= plan.total:
            return hits[:fetch]
        budget -= Cost.neighbours(n)
        n = max(2 * n, _needed(fetch, max(1, len(hits)), n))
    return None


def _needed(fetch: int, passing: int, total: int) -> int:
    """Neighbours to ask for, so that `fetch` of them pass if they pass like all others."""
    return int(_MARGIN * fetch * total / max(1, passing)) + 10
