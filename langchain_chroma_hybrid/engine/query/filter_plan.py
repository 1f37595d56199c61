"""The strategy of a filtered vector leg, decided once for a query.

Chroma's own filter costs a scan that grows with the collection, while the lexical index knows in
less than a millisecond which records pass. So there are four strategies for the nearest that pass:

* `exact`: few pass, or their vectors are at hand: rank them here. On disk, what was read is
  remembered, and read ahead for filters that come often.
* `overfetch`: many pass: ask Chroma for more neighbours without a filter, keep those that pass.
* `ids`: give Chroma the ids that pass in place of the filter, which spares it the scan.
* `chroma`: Chroma's own filter, when more pass than it can be given.

All give what passes Chroma's filter and nothing else; `overfetch` gives up early, so that guessing
wrong costs a part of what the other two cost. `filtered_search` executes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    Filter,
    Ids,
    QueryMatch,
    all_of,
    askable,
    given_ids,
    halves,
    resolve,
    writable,
)
from langchain_chroma_hybrid.engine.chroma.collection import MOST_IDS
from langchain_chroma_hybrid.engine.query.cost import Cost
from langchain_chroma_hybrid.engine.query.values import FilterPlan
from langchain_chroma_hybrid.errors import FilterError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.change_token import Token
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.values import Route, Strategy
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex, Passing

# More vectors than this are never read while a query waits for them.
EXACT_AT_MOST = 5_000
# Neighbours asked for beyond what the share that passes suggests.
_MARGIN = 1.2


def plan_filter(
    asked: Filter | None,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    token: Token | None = None,
    *,
    fetch: int,
    route: Route = "auto",
    required: QueryMatch | None = None,
) -> FilterPlan:
    """Resolve `asked` against both halves, choose the strategy for a vector leg of depth `fetch`.

    With `route="chroma"` Chroma answers all of it for the vector leg, as without a lexical index.
    """
    if asked is not None and not writable(asked) and (lexical is None or route == "chroma"):
        return _among_ids(asked, store, lexical, required)
    if lexical is None:
        return FilterPlan(asked, strategy="none" if asked is None else "chroma")
    known: Filter | None = None
    if asked is not None:
        known = resolve(asked, lexical.supports, lambda where: store.match(where, token))
    resolved = required if known is None else all_of(known, required)
    if resolved is None:
        return FilterPlan()
    plan = FilterPlan(asked, resolved, required=required, known=known)
    if route == "chroma":
        return replace(plan, strategy="chroma")
    # To ask for the ids once more would be one more round trip.
    found = lexical.plan(resolved, EXACT_AT_MOST if lexical.capabilities.remote else 0)
    plan = replace(plan, passing=found.passing, total=found.total)
    if found.passing == 0:
        return replace(plan, strategy="lexical")
    otherwise = _without_looking(asked, found.passing)
    ids = _to_be_ranked(resolved, found, store, lexical, token, fetch)
    strategy: Strategy = "overfetch" if ids is None else "exact"
    ids = found.ids if ids is None else ids
    return replace(plan, strategy=strategy, otherwise=otherwise, ids=ids or ())


def _among_ids(
    asked: Filter, store: ChromaStore, lexical: LexicalIndex | None, required: QueryMatch | None
) -> FilterPlan:
    """A filter beyond Chroma's words where Chroma decides: among given ids it is asked for these.

    Raises:
        FilterError: a condition that it has no words for.
    """
    words, rest = halves(asked)
    parts = rest.parts if isinstance(rest, AllOf) else (rest,)
    wanted = given_ids(rest)
    if wanted is None or not all(isinstance(part, Ids) and not part.negated for part in parts):
        if lexical is None and not store.on_server:  # read at each query, until there is an index
            return FilterPlan(asked, strategy="chroma")
        raise FilterError(
            "filter: only the lexical index can answer this condition (such as text_match, "
            "contains, is_empty, or NOT of a range), and others may have written to the server "
            "meanwhile, or the index is not there: ask with ==, !=, in, nin and ranges, or open "
            'the collection with writers="ours"'
        )
    if lexical is None:
        return FilterPlan(asked, strategy="chroma")
    passing = frozenset(store.fetch(wanted, words))
    resolved = all_of(Ids(passing), required)
    if not passing:
        return FilterPlan(asked, resolved, 0, 0, "lexical", required=required)
    otherwise: Strategy = "ids" if len(passing) <= MOST_IDS else "exact"
    ids = tuple(passing)
    if required is not None:
        ids = tuple(lexical.match(resolved))
    count = len(ids)
    return FilterPlan(asked, resolved, count, count, "exact", otherwise, ids, required)


def _without_looking(asked: Filter | None, passing: int) -> Strategy:
    """The strategy that needs no look at unfiltered neighbours."""
    if passing <= MOST_IDS:
        return "ids"
    if asked is None or askable(asked):
        return "chroma"
    return "exact"  # larger than Chroma takes, and known here


def _to_be_ranked(
    resolved: Filter,
    found: Passing,
    store: ChromaStore,
    lexical: LexicalIndex,
    token: Token | None,
    fetch: int,
) -> tuple[str, ...] | None:
    """All ids that pass, where to rank their vectors is the best strategy; else None."""
    passing, total = found.passing, found.total
    read = store.ahead.has_read(resolved, token)
    others = min(without_looking(passing, total), Cost.neighbours(needed(fetch, passing, total)))
    dear = passing > EXACT_AT_MOST or (passing > fetch and Cost.exact(passing, 0) > others)
    if dear and not read:
        return None
    ids = tuple(lexical.match(resolved)) if found.ids is None else found.ids
    unread = store.unread(ids, token)
    if read and not unread:
        return ids  # whatever the estimates say: the others took longer
    if read:
        store.ahead.forget(resolved, token)  # others took the room
    reading = Cost.exact(passing, unread, remembered=store.remembers)
    return None if dear or (passing > fetch and reading > others) else ids


def without_looking(passing: int, total: int) -> float:
    """What the filter costs without a look at unfiltered neighbours."""
    estimate = Cost.ids if passing <= MOST_IDS else Cost.chroma
    return estimate(total, passing)


def needed(fetch: int, passing: int, total: int) -> int:
    """Neighbours to ask for, so that `fetch` of them pass if they pass like all others."""
    return int(_MARGIN * fetch * total / max(1, passing)) + 10
