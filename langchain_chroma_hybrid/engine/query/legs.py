"""The legs of one query: BM25, vectors, and further ones of the caller's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from langchain_chroma_hybrid.core.filters import Ids, all_of, askable
from langchain_chroma_hybrid.core.values import LEXICAL, LISTING, VECTOR, Scored
from langchain_chroma_hybrid.engine.chroma.rows import query_vector
from langchain_chroma_hybrid.engine.query.filtered_search import FilteredSearch
from langchain_chroma_hybrid.engine.query.plan import corrected, reading
from langchain_chroma_hybrid.engine.query.values import Outcome
from langchain_chroma_hybrid.errors import SearchError
from langchain_chroma_hybrid.lexical.protocol import Hits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.values import Plan, Strategy, Trace
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

_nearest_first = attrgetter("score", "id")


class Leg(Protocol):
    """One way to rank records for a query."""

    @property
    def name(self) -> str:
        """Under which its ranking is known."""

    def run(self, plan: Plan) -> Outcome:
        """Its best hits."""


@dataclass(frozen=True, slots=True)
class LexicalLeg:
    """BM25; without an index it finds nothing."""

    index: LexicalIndex | None
    name: str = LEXICAL

    def run(self, plan: Plan) -> Outcome:
        """The best records with a word of the query."""
        way: Strategy = "none" if plan.filter.asked is None else "lexical"
        hits = self._search(plan)
        # Asked for now, since the answer of an index elsewhere tells which words are missing.
        known = corrected(plan, self.index)
        if known.corrections and known is not plan:
            hits = self._search(known)
        outcome = Outcome(LEXICAL, hits, filtered_by=way, ceiling=hits.ceiling)
        outcome.corrections = known.corrections
        return outcome

    def _search(self, plan: Plan) -> Hits:
        text = plan.request.text
        if self.index is None or not text or plan.filter.strategy == "lexical":
            return Hits()
        how = reading(plan, self.index)
        return self.index.search(text, plan.fetch, where=plan.filter.resolved, **how)


@dataclass(frozen=True, slots=True)
class VectorLeg:
    """The nearest records to `vector` `(d,)`, or only that vector where the plan needs no more."""

    store: ChromaStore
    index: LexicalIndex | None
    vector: Sequence[float] | Vector
    name: str = VECTOR

    def run(self, plan: Plan) -> Outcome:
        """The nearest records, nearest first; those at one distance by their ids."""
        embedding = query_vector(self.vector)
        if plan.embed_only:
            return Outcome(VECTOR, embedding=embedding)
        if plan.at_once or self.index is None:
            outcome = self._at_once(plan, embedding)
            if outcome is not None:
                return outcome
        return self._in_steps(plan, embedding)

    def _at_once(self, plan: Plan, embedding: Vector) -> Outcome | None:
        """Hits and records in one call; None where it cannot tell which the best `k` are."""
        n, depth, filters = plan.request.k + 1, self.store.search_depth, plan.filter
        # Fewer than every search looks at are the first of these, however many are asked for.
        few = max(n, plan.depth) <= depth and plan.requirement is None and self.index is not None
        if not few:
            if self.index is not None and plan.fetch != plan.depth:
                return None
            n = plan.fetch
        hits, records = self.store.query_records(embedding, n, filters.asked)
        tied = few and len(hits) == n and hits[-1].score == hits[-2].score
        if (tied or len(records) < len(hits)) and self.index is not None:
            return None
        hits.sort(key=_nearest_first)
        return Outcome(VECTOR, hits, embedding, filters.strategy, records=records)

    def _in_steps(self, plan: Plan, embedding: Vector) -> Outcome:
        """At least `fetch` hits, found in steps that do not depend on `k`.

        Asked for more, an approximate index may put others among the first ones, and equal
        distances in another order: then the best `k` would not be the beginning of the best `2 k`.
        """
        assert self.index is not None  # noqa: S101  # without an index one call has answered
        search = FilteredSearch(plan, embedding, self.store, self.index)
        found: dict[str, Scored] = {}
        n = plan.depth
        if plan.filter.strategy == "exact":  # one step serves all
            n = plan.fetch
        elif plan.filter.strategy == "none":  # what every search looks at anyway
            n = max(n, self.store.search_depth)
        while True:
            step, strategy = search.nearest(n)
            for hit in sorted(step, key=_nearest_first):
                found.setdefault(hit.id, hit)
            if len(step) < n or n >= plan.fetch:
                hits = list(found.values())[: plan.fetch]
                return Outcome(VECTOR, hits, embedding, strategy)
            n *= 2


@dataclass(frozen=True, slots=True)
class ListingLeg:
    """The first records that pass the filter, in the order in which they came into Chroma."""

    store: ChromaStore
    index: LexicalIndex | None
    name: str = LISTING

    def run(self, plan: Plan) -> Outcome:
        """They are all as relevant as can be: nothing else was asked for."""
        asked = plan.filter.asked
        if asked is None or askable(asked) or self.index is None:
            records = self.store.first(plan.fetch, asked)
        else:  # larger than Chroma takes, and known here
            ids = sorted(self.index.match(plan.filter.resolved))
            records = self.store.fetch(ids[: plan.fetch])
        hits = [Scored(id_, 1.0) for id_ in records]
        way: Strategy = "none" if asked is None else "chroma"
        return Outcome(LISTING, hits, filtered_by=way, records=records)


@dataclass(frozen=True, slots=True)
class FurtherLeg:
    """A leg of the caller's own: only the order of the ids counts that `ask` returns.

    What the collection does not hold or the filter hides has no place in it, not even a rank.
    """

    name: str
    index: LexicalIndex | None
    ask: Callable[[], Sequence[str]]

    def run(self, plan: Plan) -> Outcome:
        """Its hits, on a scale that falls evenly to 0."""
        ids = self.ask()
        among = all_of(plan.filter.resolved, Ids(frozenset(ids)))
        known = set() if self.index is None else set(self.index.match(among))
        unique = [id_ for id_ in dict.fromkeys(ids) if id_ in known][: plan.fetch]
        hits = [Scored(id_, 1.0 - place / len(unique)) for place, id_ in enumerate(unique)]
        asked = plan.filter.asked
        return Outcome(self.name, hits, filtered_by="none" if asked is None else "lexical")


@dataclass(frozen=True, slots=True)
class FailedLeg:
    """A leg that could not get what it needs, such as the query's vector."""

    name: str
    error: Exception

    def run(self, _: Plan) -> Outcome:
        """Raise the failure, for whoever settles it."""
        raise self.error


def run_leg(leg: Leg, plan: Plan, trace: Trace | None = None) -> Outcome:
    """Run a leg; a failure becomes part of the outcome, cancellation and interrupts pass."""
    if trace is not None:
        return trace(leg.name, partial(run_leg, leg, plan))
    start = time.perf_counter()
    try:
        outcome = leg.run(plan)
    except Exception as error:  # noqa: BLE001  # what a leg may raise is its own; decided in `settle`
        outcome = Outcome(leg.name, error=error)
    outcome.took_ms = (time.perf_counter() - start) * 1e3
    return outcome


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
