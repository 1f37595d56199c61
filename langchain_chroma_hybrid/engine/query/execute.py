"""One query under way: its plan, what it reads from, and its legs side by side."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from langchain_chroma_hybrid.core.search import SearchResult
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.query.hydrate import hydrate
from langchain_chroma_hybrid.engine.query.legs import (
    further_outcome,
    run_lexical,
    run_vector,
    settle,
    timed,
)
from langchain_chroma_hybrid.engine.query.plan import deeper
from langchain_chroma_hybrid.engine.query.rank import rank
from langchain_chroma_hybrid.engine.threads import submit

if TYPE_CHECKING:
    from concurrent.futures import Future

    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.half import LexicalHalf
    from langchain_chroma_hybrid.engine.query.filtered_search import Route
    from langchain_chroma_hybrid.engine.query.legs import Outcome
    from langchain_chroma_hybrid.engine.query.plan import Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

T = TypeVar("T")
Step: TypeAlias = Callable[[], "Outcome"]


@dataclass(frozen=True, slots=True)
class Query:
    """A plan with both halves at hand.

    Attributes:
        asked: the request as it came, and by which `route`.
        start: when it was asked, by `time.perf_counter`.
        half: the lexical half; None when the query does without.
        rebuilds: how often that had been made anew when the query began.
        notes: what the query has to do without, in words.
        tried: how often it was begun before, in vain.
    """

    plan: Plan
    store: ChromaStore
    asked: SearchRequest
    route: Route
    start: float
    half: LexicalHalf | None = None
    rebuilds: int = 0
    notes: tuple[str, ...] = ()
    tried: int = 0

    @property
    def lexical(self) -> LexicalIndex | None:
        """The lexical index; None when the query does without."""
        return None if self.half is None else self.half.lexical

    def outlived(self, now: LexicalHalf | None) -> bool:
        """Whether the index was made anew, or is another one, since the query began."""
        if self.half is None:
            return False
        return now is not self.half or now.freshness.rebuilds != self.rebuilds

    def step(self, name: str, given: Callable[[], Any]) -> Step:
        """The leg `name`; `given` brings the query's vector, or the ids of a further leg."""
        plan, store, lexical = self.plan, self.store, self.lexical

        def run() -> Outcome:
            if name == LEXICAL:
                return run_lexical(plan, lexical)
            if name == VECTOR:
                return run_vector(plan, store, lexical, given())
            return further_outcome(name, given(), plan, lexical)

        return lambda: timed(name, run)

    def finish(self, outcomes: Sequence[Outcome]) -> SearchResult | Query:
        """The result, or the query to run instead when it has too few for want of depth.

        Raises:
            SearchError: `on_leg_error="degrade"` and no leg answered.
            Exception: with `raise`, the first failure of a leg.
        """
        settle(self.plan, outcomes)
        ranking = rank(self.plan, outcomes, self.store, self.lexical)
        embedding = next((o.embedding for o in outcomes if o.embedding is not None), None)
        known = next((o.records for o in outcomes if o.records is not None), None)
        hits = hydrate(self.plan, ranking, embedding, self.store, self.lexical, known)
        plan = deeper(self.plan, outcomes, ranking, len(hits))
        if plan is not None:
            return replace(self, plan=plan)
        return SearchResult(
            hits,
            tuple(outcome.report() for outcome in outcomes),
            (time.perf_counter() - self.start) * 1e3,
            self.notes,
            embedding if self.plan.request.with_embedding else None,
        )


def started(steps: Iterable[Callable[[], Outcome]]) -> list[Future[Outcome]]:
    """Run steps in threads, in the caller's context."""
    return [submit(step) for step in steps]


def given(work: Callable[[], T]) -> Callable[[], T]:
    """What `work` gives, here and now, or its failure, for the step that needs it."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  # raised again in the step, where failures are settled
        return partial(_fail, error)
    return lambda: result


def _fail(error: Exception) -> Any:
    raise error


async def awaited(work: Awaitable[T]) -> Callable[[], T]:
    """The same for what is awaited."""
    try:
        result = await work
    except Exception as error:  # noqa: BLE001  # raised again in the step, where failures are settled
        return partial(_fail, error)
    return lambda: result
