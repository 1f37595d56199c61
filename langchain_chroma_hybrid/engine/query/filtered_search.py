"""The nearest records that pass a filter, by the strategy that `filter_plan` has chosen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.filters import Ids, all_of
from langchain_chroma_hybrid.engine.chroma.read_ahead import Wanted
from langchain_chroma_hybrid.engine.chroma.vector_reader import VECTOR_BYTES
from langchain_chroma_hybrid.engine.chroma.vectors import room
from langchain_chroma_hybrid.engine.query.cost import Cost
from langchain_chroma_hybrid.engine.query.filter_plan import EXACT_AT_MOST, needed, without_looking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_chroma_hybrid.core.values import Scored
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.values import FilterPlan, Plan, Strategy
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# How many of the nearest neighbours to look at first, where that is affordable: the more an HNSW
# graph is asked for, the better it is searched. Of 100,000 MiniLM vectors 100 neighbours hold .90
# of the true first ten, 500 hold .987; where near duplicates crowd, 500 hold .83, 1,800 .98.
_LOOK = 1_800
# For the same reason as many are asked for among given ids, at least.
_AMONG = 500
# Where looking for what a query demands ends, by Chroma's own filter.
_WIDEST = 10_000
# What a first look may cost, as a share of the cost without one, when it is unlikely to be enough.
_GAMBLE = 0.1


class FilteredSearch:
    """The neighbours of one vector among what passes the filter of one query."""

    def __init__(
        self, plan: Plan, embedding: Vector, store: ChromaStore, lexical: LexicalIndex
    ) -> None:
        self._filter: FilterPlan = plan.filter
        self._token = plan.token
        self._embedding = embedding
        self._store = store
        self._lexical = lexical

    def nearest(self, n: int) -> tuple[list[Scored], Strategy]:
        """The `n` nearest that pass, nearest first, and the strategy that was taken."""
        strategy, ids = self._filter.strategy, self._filter.ids
        if strategy == "lexical":
            return [], strategy
        if strategy == "exact":
            # Since the plan was made, others may have taken the room of what was read.
            few = len(ids) <= EXACT_AT_MOST
            if few or self._store.unread(ids, self._token) <= EXACT_AT_MOST:
                return self._exact(ids, n), strategy
            strategy = "overfetch"
        if strategy == "overfetch":
            hits, strategy = self._approximately(n)
        elif strategy == "chroma":
            return self._by_chroma(n), strategy
        else:
            hits = self._store.query(self._embedding, n, None)
        if len(hits) < n and strategy != "chroma":
            return self._completed(hits, n), strategy
        if strategy == "none":
            self._store.found_all(self._token)
        return hits, strategy

    def _approximately(self, n: int) -> tuple[list[Scored], Strategy]:
        """By Chroma's index; what that takes longer than ranking would is noted."""
        start = time.perf_counter()
        hits, strategy = self._by_index(n)
        passing = self._filter.passing
        if passing <= room(VECTOR_BYTES, len(self._embedding)):
            took = (time.perf_counter() - start) * 1e3
            wanted = Wanted(self._filter.resolved, passing, self._passing, self._store.reader)
            self._store.ahead.went_without(wanted, took, self._token)
        return hits, strategy

    def _by_index(self, n: int) -> tuple[list[Scored], Strategy]:
        """The nearest by overfetching or, where that does not pay, as planned; and by which way."""
        hits = self._overfetched(n)
        if hits is not None:
            return hits, "overfetch"
        if self._filter.otherwise == "ids":
            among = self._passing()
            # None where the lexical index lags behind: then Chroma knows better.
            hits = self._store.query_among(self._embedding, max(n, min(_AMONG, len(among))), among)
            if hits is not None:
                return hits[:n], "ids"
        if self._filter.otherwise == "exact":
            return self._exact(self._passing(), n), "exact"
        return self._by_chroma(n), "chroma"

    def _by_chroma(self, n: int) -> list[Scored]:
        """By Chroma's own filter, and of those what the query demands: then from ever more."""
        required, wide = self._filter.required, n
        while True:
            hits = self._store.query(self._embedding, wide, self._filter.asked)
            if required is None:
                return hits
            among = all_of(required, Ids(frozenset(hit.id for hit in hits)))
            passed = set(self._lexical.match(among))
            kept = [hit for hit in hits if hit.id in passed]
            if len(kept) >= n or len(hits) < wide or wide >= _WIDEST:
                return kept[:n]
            wide *= 4

    def _overfetched(self, n: int) -> list[Scored] | None:
        """The nearest that pass among unfiltered neighbours; None when that does not pay.

        The share that passes near the query may be anything: a first look tells it, and decides.
        """
        passing, total = self._filter.passing, self._filter.total
        whole = without_looking(passing, total)
        budget = whole / 2
        expected = needed(n, passing, total)
        look = min(max(expected, min(_LOOK, Cost.affordable(budget))), total)
        if Cost.neighbours(look) > budget:
            # Not enough pass in general; near the query it may be more, which a look can tell.
            look = min(_LOOK, Cost.affordable(_GAMBLE * whole), total)
            if look < 2 * n:
                return None
        asking = 0.0
        if self._lexical.capabilities.remote and not self._filter.ids:
            asking = Cost.ASKING
        while Cost.neighbours(look) + asking <= budget:
            near = self._store.query(self._embedding, look, None)
            passed = self._passed(hit.id for hit in near)
            hits = [hit for hit in near if hit.id in passed]
            if len(hits) >= n or look >= total:
                return hits[:n]
            budget -= Cost.neighbours(look) + asking
            look = max(2 * look, needed(n, max(1, len(hits)), look))
        return None

    def _passed(self, ids: Iterable[str]) -> frozenset[str]:
        """Those among some candidates that pass."""
        candidates = frozenset(ids)
        if self._filter.ids:
            return candidates.intersection(self._filter.ids)
        return frozenset(self._lexical.match(all_of(self._filter.resolved, Ids(candidates))))

    def _completed(self, hits: list[Scored], n: int) -> list[Scored]:
        """`hits`, or more where Chroma has found fewer than there are.

        An HNSW graph can have islands that no search reaches, after deletions or with few links.
        """
        there = self._there()
        if len(hits) >= min(n, there):
            if self._filter.strategy == "none":
                self._store.found_all(self._token)
            return hits
        # Where nothing is remembered and the lexical index lags, every query would pay for it.
        most = EXACT_AT_MOST if self._store.remembers else _AMONG
        if there > most:
            return hits
        return self._exact({*self._passing(), *(hit.id for hit in hits)}, n)

    def _there(self) -> int:
        """How many records pass, by who is nearest."""
        if self._filter.ids:
            return len(self._filter.ids)
        if self._filter.resolved is None and self._lexical.capabilities.remote:
            return self._store.count()
        return self._lexical.match_count(self._filter.resolved)

    def _passing(self) -> Sequence[str]:
        return self._filter.ids or self._lexical.match(self._filter.resolved)

    def _exact(self, ids: Iterable[str], n: int) -> list[Scored]:
        return self._store.rank_exactly(self._embedding, ids, n, self._token)
