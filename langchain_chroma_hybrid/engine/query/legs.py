"""The legs of one query: BM25, vectors, and further ones of the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.filters import Ids, all_of
from langchain_chroma_hybrid.core.search import LegReport
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR, Scored
from langchain_chroma_hybrid.engine.chroma.rows import query_vector
from langchain_chroma_hybrid.engine.query.filtered_search import Way, nearest
from langchain_chroma_hybrid.errors import SearchError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.plan import Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

Embed: TypeAlias = Callable[[str], Sequence[float]]
Vector: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one leg returned, in its own scores, best first.

    Attributes:
        records: the hits as Chroma holds them, where they came along; all of them pass the filter.
    """

    name: str
    hits: Sequence[Scored] = ()
    embedding: Vector | None = None
    filtered_by: str = "none"
    took_ms: float = 0.0
    error: Exception | None = None
    records: Mapping[str, Record] | None = None

    def report(self) -> LegReport:
        """The part that users see."""
        error = f"{type(self.error).__name__}: {self.error}" if self.error else None
        return LegReport(self.name, len(self.hits), self.took_ms, self.filtered_by, error)


def run_lexical(plan: Plan, lexical: LexicalIndex | None) -> Outcome:
    """The BM25 leg."""
    request, filters = plan.request, plan.filter
    if lexical is None or filters.empty or not request.text:
        hits: list[Scored] = []
    else:
        hits = lexical.search(
            request.text, plan.fetch, where=filters.resolved, syntax=request.query_syntax
        )
    return Outcome(LEXICAL, hits, filtered_by="none" if filters.asked is None else "lexical")


def run_vector(
    plan: Plan, store: ChromaStore, lexical: LexicalIndex | None, embedding: Vector
) -> Outcome:
    """The vector leg, or only the query's vector where the plan needs no more."""
    embedding = query_vector(embedding).tolist()
    if plan.embed_only:
        return Outcome(VECTOR, embedding=embedding)
    if lexical is None or (store.on_server and plan.by_chroma_alone):
        asked = plan.filter.asked
        found, records = store.query_records(embedding, plan.fetch, asked)
        way = "none" if asked is None else "chroma"
        return Outcome(VECTOR, found, embedding, filtered_by=way, records=records)
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


def further_outcome(
    name: str, ids: Sequence[str], plan: Plan, lexical: LexicalIndex | None
) -> Outcome:
    """What a further leg returned: only its order counts, on a scale that falls evenly to 0.

    What the collection does not hold or the filter hides has no place in it, not even a rank.
    """
    among = all_of(plan.filter.resolved, Ids(frozenset(ids)))
    known = set() if lexical is None else set(lexical.match(among))
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
