"""Which way a filtered vector leg goes.

Chroma's own filter costs a scan that grows with the collection, while the lexical index knows in
less than a millisecond which records pass. So there are four ways to the nearest ones that pass:

* `exact`: few pass, or their vectors are at hand: rank them here. On disk, what was read is
  remembered, and read ahead for filters that come often.
* `overfetch`: many pass: ask Chroma for more neighbours without a filter, keep those that pass.
* `ids`: give Chroma the ids that pass in place of the filter, which spares it the scan.
* `chroma`: Chroma's own filter, when more pass than it can be given.

All give what passes Chroma's filter and nothing else; `overfetch` gives up early, so that guessing
wrong costs a part of what the other two cost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.filters import (
    Filter,
    Ids,
    all_of,
    askable,
    evaluable,
    leaves,
    parse,
    resolve,
)
from langchain_chroma_hybrid.engine.chroma.collection import MOST_IDS
from langchain_chroma_hybrid.engine.chroma.vector_reader import MOST_BYTES
from langchain_chroma_hybrid.engine.chroma.vectors import room
from langchain_chroma_hybrid.engine.query.cost import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.core.values import Scored
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

Way: TypeAlias = Literal["none", "lexical", "exact", "overfetch", "ids", "chroma"]
Route: TypeAlias = Literal["auto", "chroma"]

# More vectors than this are never read while a query waits for them.
_EXACT_AT_MOST = 5_000
# How many of the nearest neighbours to look at first, where that is affordable: the more an HNSW
# graph is asked for, the better it is searched. Of 100,000 MiniLM vectors 100 neighbours hold .90
# of the true first ten, 500 hold .987; where near duplicates crowd, 500 hold .83, 1,800 .98.
_LOOK = 1_800
# For the same reason as many are asked for among given ids, at least.
_AMONG = 500
# What a first look may cost, as a share of the way without one, when it is unlikely to be enough.
_GAMBLE = 0.1
# Neighbours asked for beyond what the share that passes suggests.
_MARGIN = 1.2


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """The filter of one query, in the forms that its readers need.

    Attributes:
        asked: as given (call AND base); None for no restriction. Chroma can evaluate it.
        resolved: the same with every part that the lexical index cannot answer replaced by ids.
        passing: how many of `total` records pass, as the lexical index knows it.
        ids: all ids that pass, when ranking their vectors is the best way.
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
    def without_looking(self) -> float:
        """What the filter costs without a look at unfiltered neighbours."""
        way = Cost.ids if self.passing <= MOST_IDS else Cost.chroma
        return way(self.total, self.passing)

    @property
    def empty(self) -> bool:
        """Nothing passes: no leg has to run."""
        return self.asked is not None and self.route == "auto" and self.passing == 0


def combined(request: SearchRequest) -> Filter | None:
    """The call's filter AND the base filter.

    Raises:
        FilterError: `where` or `where_document` is malformed.
    """
    return all_of(request.base, parse(request.where, request.where_document))


def plan_filter(
    asked: Filter | None,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    *,
    fetch: int,
    route: Route = "auto",
) -> FilterPlan:
    """Resolve `asked` against both halves, for a vector leg of depth `fetch`.

    With `route="chroma"` Chroma answers all of it for the vector leg, as without a lexical index.
    """
    if lexical is None or asked is None:
        return FilterPlan(asked, route="chroma" if lexical is None else "auto")
    resolved = resolve(asked, lexical.supports, store.match)
    if route == "chroma":
        return FilterPlan(asked, resolved, route=route)
    passing, total = lexical.match_count(resolved), lexical.count()
    plan = FilterPlan(asked, resolved, passing, total)
    others = min(plan.without_looking, Cost.neighbours(_needed(fetch, passing, total)))
    read = store.ahead.has_read(asked)
    dear = passing > _EXACT_AT_MOST or (passing > fetch and Cost.exact(passing, 0) > others)
    if dear and not read:
        return plan
    ids = tuple(lexical.match(resolved))
    unread = store.unread(ids)
    if read and not unread:
        return replace(plan, ids=ids)  # whatever the estimates say: the others took longer
    if read:
        store.ahead.forget(asked)  # others took the room
    reading = Cost.exact(passing, unread, remembered=store.remembers)
    if dear or (passing > fetch and reading > others):
        return plan
    return replace(plan, ids=ids)


def nearest(
    plan: FilterPlan,
    embedding: Sequence[float],
    fetch: int,
    store: ChromaStore,
    lexical: LexicalIndex,
) -> tuple[list[Scored], Way]:
    """The `fetch` nearest records that pass, as `(id, distance)`, and the way that was taken."""
    if plan.empty:
        return [], "lexical"
    # Since the plan was made, somebody may have written: then what was read is to be read again.
    if plan.ids is not None and (
        plan.passing <= _EXACT_AT_MOST or store.unread(plan.ids) <= _EXACT_AT_MOST
    ):
        return store.rank(embedding, plan.ids, fetch), "exact"
    start = time.perf_counter()
    hits, way = _approximately(plan, embedding, fetch, store, lexical)
    fits = plan.passing <= room(MOST_BYTES, len(embedding))
    if plan.asked is not None and plan.resolved is not None and plan.route == "auto" and fits:
        lost = (time.perf_counter() - start) * 1e3 - Cost.exact(plan.passing, 0)
        ids = partial(lexical.match, plan.resolved)
        store.ahead.lose(plan.asked, lost, Cost.reading(plan.passing), ids, store.reader)
    if len(hits) < fetch and plan.route == "auto":
        hits = _completed(hits, plan, embedding, fetch, store, lexical)
    return hits, way


def _completed(
    hits: list[Scored],
    plan: FilterPlan,
    embedding: Sequence[float],
    fetch: int,
    store: ChromaStore,
    lexical: LexicalIndex,
) -> list[Scored]:
    """`hits`, or more where Chroma has found fewer than there are.

    An HNSW graph can have islands that no search reaches, after deletions or with few links.
    """
    there = lexical.match_count(plan.resolved)
    # Where nothing is remembered and the lexical index lags, every query would pay for it.
    if len(hits) >= min(fetch, there) or there > (_EXACT_AT_MOST if store.remembers else _AMONG):
        return hits
    return store.rank(embedding, {*lexical.match(plan.resolved), *(hit.id for hit in hits)}, fetch)


def _approximately(
    plan: FilterPlan,
    embedding: Sequence[float],
    fetch: int,
    store: ChromaStore,
    lexical: LexicalIndex,
) -> tuple[list[Scored], Way]:
    """As `nearest`, by Chroma's index."""
    if plan.asked is None:
        return store.query(embedding, fetch, None), "none"
    if plan.route == "auto":
        hits = _overfetched(plan, embedding, fetch, store, lexical)
        if hits is not None:
            return hits, "overfetch"
        if plan.passing <= MOST_IDS:
            # None where the lexical index lags behind: then Chroma knows better.
            among = lexical.match(plan.resolved)
            hits = store.query_among(embedding, max(fetch, min(_AMONG, len(among))), among)
            if hits is not None:
                return hits[:fetch], "ids"
        if not askable(plan.asked):  # larger than Chroma takes, and known here
            return store.rank(embedding, lexical.match(plan.resolved), fetch), "exact"
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
    whole = plan.without_looking
    budget = whole / 2
    expected = _needed(fetch, plan.passing, plan.total)
    n = min(max(expected, min(_LOOK, Cost.affordable(budget))), plan.total)
    if Cost.neighbours(n) > budget:
        # Not enough pass in general; near the query it may be more, which a look can tell.
        n = min(_LOOK, Cost.affordable(_GAMBLE * whole), plan.total)
        if n < 2 * fetch:
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
