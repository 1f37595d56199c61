"""One collection with both halves: search over them, write through them, keep them in step."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.records import LEXICAL, SearchRequest, SearchResult
from langchain_chroma_hybrid.engine import search as stages
from langchain_chroma_hybrid.engine.hydrate import hydrate
from langchain_chroma_hybrid.engine.planner import Route
from langchain_chroma_hybrid.engine.sync import Progress, SyncReport, VerifyReport, reconcile
from langchain_chroma_hybrid.engine.sync import sync as run_sync
from langchain_chroma_hybrid.engine.sync import verify as run_verify
from langchain_chroma_hybrid.errors import WriteError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore, Rows
    from langchain_chroma_hybrid.engine.journal import Journal
    from langchain_chroma_hybrid.engine.search import Embed, Outcome, Plan, Vector
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Step: TypeAlias = Callable[[], "Outcome"]
Trace: TypeAlias = Callable[[str, Step], "Outcome"]
AsyncEmbed: TypeAlias = Callable[[str], Awaitable["Vector"]]

# Writes of few records wait for the next query or for company: a commit costs more than the write.
_DEFER_AT_MOST = 32
_DEFERRED_AT_MOST = 256
# Embedded Chroma holds the GIL while it writes: 100 rows stall an event loop about a tenth of a second.
_ASYNC_ROWS = 100


class HybridIndex:
    """Search and write over a Chroma collection and its lexical index.

    Thread safety: searches run side by side; writes may come from many threads. A write that has
    returned is seen by every search that starts later in this process.
    """

    def __init__(
        self, store: ChromaStore, lexical: LexicalIndex, journal: Journal, *, max_age: float = 0.0
    ) -> None:
        """`max_age`: seconds for which a count of the collection is trusted, see `ensure_current`."""
        self.store = store
        self.lexical = lexical
        self._journal = journal
        self._max_age = max_age
        self._mutex = threading.RLock()
        self._sync_lock = threading.RLock()
        # Acknowledged writes that the lexical index does not show yet, and writes not yet acknowledged.
        self._deferred: set[str] = set()
        self._under_way = 0
        self._recovered = False
        self._seen: tuple[object, float] | None = None

    # Searching

    def search(
        self,
        request: SearchRequest,
        embed: Embed,
        *,
        trace: Trace | None = None,
        route: Route = "auto",
    ) -> SearchResult:
        """Answer one query; the legs run side by side.

        Args:
            embed: text to query vector; called only when a leg needs it and none is given.
            trace: called as `trace(name, step)` for each leg and has to return `step()`.
            route: `chroma` lets Chroma answer the whole filter; the results are the same.

        Raises:
            InvalidArgumentError: a value of the request cannot be used.
            SearchError: `on_leg_error="degrade"` and no leg answered.
        """
        start = time.perf_counter()
        plan = self._plan(request, route)

        def step(name: str) -> Step:
            if name == LEXICAL:
                run = self._lexical_step(plan)
            else:
                run = lambda: stages.run_vector(plan, self.store, _embedding(request, embed))  # noqa: E731
            timed = lambda: stages.timed(name, run)  # noqa: E731
            return (lambda: trace(name, timed)) if trace else timed

        outcomes = _side_by_side([step(name) for name in plan.steps])
        return self._finish(plan, outcomes, start)

    async def asearch(
        self, request: SearchRequest, embed: AsyncEmbed, *, trace: Trace | None = None
    ) -> SearchResult:
        """The same without ever blocking the event loop; cancelling the task cancels the query."""
        start = time.perf_counter()
        plan = await asyncio.to_thread(self._plan, request, "auto")

        async def step(name: str) -> Outcome:
            run = self._lexical_step(plan)
            if name != LEXICAL:
                try:
                    given = request.embedding
                    vector = given if given is not None else await embed(request.text or "")
                except Exception as error:  # noqa: BLE001  # decided in `settle`, as in the sync path
                    return stages.Outcome(name, error=error)
                run = lambda: stages.run_vector(plan, self.store, vector)  # noqa: E731
            timed = lambda: stages.timed(name, run)  # noqa: E731
            return await asyncio.to_thread(trace, name, timed) if trace else await asyncio.to_thread(timed)

        outcomes = await asyncio.gather(*(step(name) for name in plan.steps))
        return await asyncio.to_thread(self._finish, plan, outcomes, start)

    def _plan(self, request: SearchRequest, route: Route) -> Plan:
        self.ensure_current()
        return stages.make_plan(request, self.store, self.lexical, route=route)

    def _lexical_step(self, plan: Plan) -> Step:
        return lambda: stages.run_lexical(plan, self.lexical)

    def _finish(self, plan: Plan, outcomes: Sequence[Outcome], start: float) -> SearchResult:
        stages.settle(plan, outcomes)
        ranking = stages.rank(plan, outcomes, self.store, self.lexical)
        embedding = next((o.embedding for o in outcomes if o.embedding is not None), None)
        hits = hydrate(plan, ranking, embedding, self.store, self.lexical)
        reports = tuple(outcome.report() for outcome in outcomes)
        return SearchResult(hits, reports, (time.perf_counter() - start) * 1e3)

    # Writing

    def upsert(self, rows: Rows) -> None:
        """Add or replace records in both halves, in batches that Chroma takes.

        Raises:
            WriteError: a batch after the first failed; `written` has the ids before it.
        """
        self._write(rows, self.store.upsert)

    def update(self, rows: Rows) -> None:
        """Change records that exist; unknown ids are passed over, as Chroma does."""
        self._write(rows, self.store.update)

    def delete(self, ids: Collection[str]) -> None:
        """Remove records from both halves; unknown ids are no error."""
        with self._changing(ids):
            self.store.delete(ids)

    async def aupsert(self, rows: Rows) -> None:
        """`upsert` in small steps, so that the event loop goes on between them."""
        await self._awrite(rows, self.store.upsert)

    async def aupdate(self, rows: Rows) -> None:
        """`update` in small steps."""
        await self._awrite(rows, self.store.update)

    def _write(self, rows: Rows, write: Callable[[Rows], None]) -> None:
        written: list[str] = []
        for batch in rows.batches(self.store.batch_size):
            with _accounted(written, len(rows.ids)), self._changing(batch.ids):
                write(batch)
            written += batch.ids

    async def _awrite(self, rows: Rows, write: Callable[[Rows], None]) -> None:
        written: list[str] = []
        for block in rows.batches(self.store.batch_size):
            await asyncio.to_thread(self._begin, block.ids)
            try:
                for batch in block.batches(_ASYNC_ROWS):
                    with _accounted(written, len(rows.ids)):
                        await asyncio.to_thread(write, batch)
                    written += batch.ids
            finally:
                await asyncio.shield(asyncio.to_thread(self._end, block.ids))

    @contextmanager
    def _changing(self, ids: Collection[str]) -> Iterator[None]:
        """Whatever happens to `ids` in Chroma inside the block reaches the lexical index."""
        self._begin(ids)
        try:
            yield
        finally:
            self._end(ids)

    def _begin(self, ids: Collection[str]) -> None:
        with self._mutex:
            self._journal.begin(ids)
            self._under_way += 1

    def _end(self, ids: Collection[str]) -> None:
        defer = len(ids) <= _DEFER_AT_MOST and len(self._deferred) < _DEFERRED_AT_MOST
        try:
            if not defer:
                reconcile(ids, self.store, self.lexical)
        except BaseException:
            # Chroma may hold it, the index does not: the next search or open brings it in.
            defer = True
            raise
        finally:
            with self._mutex:
                self._deferred.update(ids if defer else ())
                self._under_way -= 1
                self._forget_if_done()

    def flush(self) -> None:
        """Bring deferred writes into the lexical index now."""
        if not self._deferred:
            return
        with self._mutex:
            reconcile(self._deferred, self.store, self.lexical)
            self._deferred.clear()
            self._forget_if_done()

    def _forget_if_done(self) -> None:
        if not self._deferred and not self._under_way:
            self._journal.clear()

    # Staying in step

    def ensure_current(self) -> None:
        """Make what was acknowledged visible, and notice what others wrote.

        Costs one `stat` where Chroma's files are local and untouched; else one `count`, at most
        every `max_age` seconds.
        """
        self.flush()
        if self._under_way and self._recovered:
            return
        token, now = self.store.change_token(), time.monotonic()
        if self._seen is not None:
            seen, since = self._seen
            fresh = token == seen if token is not None else now - since < self._max_age
            if fresh:
                return
        with self._sync_lock:
            self._recover()
            if self.store.count() != self.lexical.count():
                self.sync()
            self._seen = (token, now)

    def _recover(self) -> None:
        """Once: repair what writers that died left undone."""
        if self._recovered:
            return
        with self._journal.orphans() as ids:
            if ids is None:
                self.sync(deep=True)
            elif ids:
                reconcile(ids, self.store, self.lexical)
        self._recovered = True

    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Find records that the lexical index lacks, has too many, or (`deep`) in an old state; mend.

        Without `deep` the cost is a scan of the ids; with it every record is read.
        """
        with self._sync_lock:
            return run_sync(self.store, self.lexical, deep=deep, progress=progress)

    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        self.flush()
        report = run_verify(self.store, self.lexical)
        if fix and not report.ok:
            reconcile([*report.missing, *report.extra, *report.stale], self.store, self.lexical)
        return report

    def discard(self) -> None:
        """Let go of an index whose collection is gone; nothing is brought in any more."""
        self._deferred.clear()
        self._journal.clear()
        self._journal.close()
        self.lexical.close()

    def close(self) -> None:
        """Bring deferred writes in and give files and locks back."""
        self.flush()
        self._journal.close()
        self.lexical.close()


def _embedding(request: SearchRequest, embed: Embed) -> Vector:
    return request.embedding if request.embedding is not None else embed(request.text or "")


def _side_by_side(steps: Sequence[Step]) -> list[Outcome]:
    """Run the last step here and the others in threads, in the caller's context."""
    if len(steps) == 1:
        return [steps[0]()]
    with ThreadPoolExecutor(len(steps) - 1) as pool:
        others = [pool.submit(copy_context().run, step) for step in steps[:-1]]
        last = steps[-1]()
        return [*(other.result() for other in others), last]


@contextmanager
def _accounted(written: Sequence[str], total: int) -> Iterator[None]:
    """Say what is written when a later batch fails."""
    try:
        yield
    except Exception as error:
        if not written:
            raise
        message = f"{len(written)} of {total} records are written, then Chroma failed: {error}"
        raise WriteError(message, written) from error
