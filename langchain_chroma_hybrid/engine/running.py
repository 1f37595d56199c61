"""One query under way: its plan, what it reads from, and its legs side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from langchain_chroma_hybrid.core.records import LEXICAL, VECTOR, SearchResult
from langchain_chroma_hybrid.engine.hydrate import hydrate
from langchain_chroma_hybrid.engine.legs import (
    further_outcome,
    run_lexical,
    run_vector,
    settle,
    timed,
)
from langchain_chroma_hybrid.engine.query_plan import deeper
from langchain_chroma_hybrid.engine.ranking import rank

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.legs import Outcome
    from langchain_chroma_hybrid.engine.query_plan import Plan
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

T = TypeVar("T")
Step: TypeAlias = Callable[[], "Outcome"]

_NO_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Query:
    """A plan with both halves at hand.

    Attributes:
        notes: what the query has to do without, in words.
        start: when it was asked, by `time.perf_counter`.
    """

    plan: Plan
    store: ChromaStore
    lexical: LexicalIndex
    notes: tuple[str, ...]
    start: float

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

    def finish(self, outcomes: Sequence[Outcome]) -> tuple[SearchResult, Query | None]:
        """The result, and the query to run instead when it has too few for want of depth.

        Raises:
            SearchError: `on_leg_error="degrade"` and no leg answered.
            Exception: with `raise`, the first failure of a leg.
        """
        settle(self.plan, outcomes)
        ranking = rank(self.plan, outcomes, self.store, self.lexical)
        embedding = next((o.embedding for o in outcomes if o.embedding is not None), None)
        hits = hydrate(self.plan, ranking, embedding, self.store, self.lexical)
        result = SearchResult(
            hits,
            tuple(outcome.report() for outcome in outcomes),
            (time.perf_counter() - self.start) * 1e3,
            self.notes,
            embedding if self.plan.request.with_embedding else None,
        )
        plan = deeper(self.plan, outcomes, ranking, len(hits))
        return result, None if plan is None else replace(self, plan=plan)


def started(steps: Iterable[Callable[[], Outcome]]) -> list[Future[Outcome]]:
    """Run steps in threads, in the caller's context."""
    return [_threads().submit(copy_context().run, step) for step in steps]


def given(work: Callable[[], T]) -> Callable[[], T]:
    """What `work` gives, here and now, or its failure, for the step that needs it."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  # raised again in the step, where failures are settled
        return partial(_fail, error)
    return lambda: result


def _fail(error: Exception) -> Any:
    raise error


@cache
def _threads() -> ThreadPoolExecutor:
    """Lasting threads: to start one takes as long as a small query.

    Without a limit that counts, because a leg may itself ask a store for its legs: it grows to the
    legs that have ever run at one time.
    """
    return ThreadPoolExecutor(_NO_LIMIT, "leg")


# A forked child has none of its parent's threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)


async def awaited(work: Awaitable[T]) -> Callable[[], T]:
    """The same for what is awaited."""
    try:
        result = await work
    except Exception as error:  # noqa: BLE001  # raised again in the step, where failures are settled
        return partial(_fail, error)
    return lambda: result
