"""One collection with both halves: search over them, write through them, keep them in step."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.records import LEXICAL, VECTOR, SearchRequest, SearchResult
from langchain_chroma_hybrid.core.requests import positive
from langchain_chroma_hybrid.engine import search as stages
from langchain_chroma_hybrid.engine.hydrate import hydrate
from langchain_chroma_hybrid.engine.rows import with_vectors
from langchain_chroma_hybrid.engine.sync import Progress, SyncReport, VerifyReport, reconcile
from langchain_chroma_hybrid.engine.sync import sync as run_sync
from langchain_chroma_hybrid.engine.sync import verify as run_verify
from langchain_chroma_hybrid.errors import WriteError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.journal import Journal
    from langchain_chroma_hybrid.engine.planner import Route
    from langchain_chroma_hybrid.engine.rows import Rows
    from langchain_chroma_hybrid.engine.search import Embed, Outcome, Plan, Vector
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Step: TypeAlias = Callable[[], "Outcome"]
Trace: TypeAlias = Callable[[str, Step], "Outcome"]
AsyncEmbed: TypeAlias = Callable[[str], Awaitable["Vector"]]
EmbedMany: TypeAlias = Callable[[list[str]], Sequence["Vector"]]
AsyncEmbedMany: TypeAlias = Callable[[list[str]], Awaitable[Sequence["Vector"]]]

# Writes of few records wait for the next query or for company: a commit costs more than the write.
_DEFER_AT_MOST = 32
_DEFERRED_AT_MOST = 256
# Embedded Chroma holds the GIL while it writes: 100 rows stall an event loop for about 0.1 s.
_ASYNC_ROWS = 100


class HybridIndex:
    """Search and write over a Chroma collection and its lexical index.

    Thread safety: searches run side by side; writes may come from many threads. A write that has
    returned is seen by every search that starts later in this process.
    """

    def __init__(
        self, store: ChromaStore, lexical: LexicalIndex, journal: Journal, *, max_age: float = 0.0
    ) -> None:
        """`max_age`: seconds for which `ensure_current` trusts a count of the collection."""
        self.store = store
        self.lexical = lexical
        self._journal = journal
        self._max_age = max_age
        self._mutex = threading.RLock()
        self._sync_lock = threading.RLock()
        # Acknowledged writes that the lexical index does not show yet; writes under way.
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
            request: the query.
            embed: text to query vector; called only when a leg needs it and none is given.
            trace: called as `trace(name, step)` for each leg and has to return `step()`.
            route: `chroma` lets Chroma answer the whole filter; the results are the same.

        Raises:
            InvalidArgumentError: a value of the request cannot be used.
            SearchError: `on_leg_error="degrade"` and no leg answered.
        """
        start = time.perf_counter()
        plan = self._plan(request, route)

        def run(name: str) -> Outcome:
            step = self._lexical_step(plan)
            if name == VECTOR:
                step = self._vector_step(plan, lambda: _embedding(request, embed))
            return trace(name, step) if trace else step()

        outcomes = _side_by_side([partial(run, name) for name in plan.steps])
        return self._finish(plan, outcomes, start)

    async def asearch(
        self, request: SearchRequest, embed: AsyncEmbed, *, trace: Trace | None = None
    ) -> SearchResult:
        """The same without ever blocking the event loop; cancelling the task cancels the query."""
        start = time.perf_counter()
        plan = await asyncio.to_thread(self._plan, request, "auto")

        async def run(name: str) -> Outcome:
            step = self._lexical_step(plan)
            if name == VECTOR:
                embedding = await _awaited(request, embed)
                step = self._vector_step(plan, embedding)
            return await asyncio.to_thread(partial(trace, name, step) if trace else step)

        outcomes = await asyncio.gather(*(run(name) for name in plan.steps))
        return await asyncio.to_thread(self._finish, plan, outcomes, start)

    def _plan(self, request: SearchRequest, route: Route) -> Plan:
        self.ensure_current()
        return stages.make_plan(request, self.store, self.lexical, route=route)

    def _lexical_step(self, plan: Plan) -> Step:
        return lambda: stages.timed(LEXICAL, lambda: stages.run_lexical(plan, self.lexical))

    def _vector_step(self, plan: Plan, embedding: Callable[[], Vector]) -> Step:
        return lambda: stages.timed(
            VECTOR, lambda: stages.run_vector(plan, self.store, embedding())
        )

    def _finish(self, plan: Plan, outcomes: Sequence[Outcome], start: float) -> SearchResult:
        stages.settle(plan, outcomes)
        ranking = stages.rank(plan, outcomes, self.store, self.lexical)
        embedding = next((o.embedding for o in outcomes if o.embedding is not None), None)
        hits = hydrate(plan, ranking, embedding, self.store, self.lexical)
        reports = tuple(outcome.report() for outcome in outcomes)
        return SearchResult(hits, reports, (time.perf_counter() - start) * 1e3)

    # Writing

    def upsert(
        self, rows: Rows, embed: EmbedMany | None = None, *, batch_size: int | None = None
    ) -> None:
        """Add or replace records in both halves, in batches that Chroma takes.

        Args:
            rows: with vectors, or with documents for `embed`.
            embed: texts to vectors, one batch before it is written; None leaves it to Chroma.
            batch_size: most records in a batch; None means as many as Chroma takes.

        Raises:
            InvalidArgumentError: `batch_size` is no whole number >= 1.
            EmbeddingError: not one finite vector per text; the batch is not written.
            WriteError: a batch after the first failed; `written` has the ids before it.
        """
        self._write(rows, embed, self.store.upsert, batch_size)

    def update(self, rows: Rows, embed: EmbedMany | None = None) -> None:
        """Change records that exist; unknown ids are passed over, as Chroma does."""
        self._write(rows, embed, self.store.update)

    def delete(self, ids: Collection[str]) -> None:
        """Remove records from both halves; unknown ids are no error."""
        with self._changing(ids):
            self.store.delete(ids)

    async def aupsert(
        self, rows: Rows, embed: AsyncEmbedMany | None = None, *, batch_size: int | None = None
    ) -> None:
        """`upsert` in small steps between which the event loop goes on."""
        written: list[str] = []
        for block in rows.batches(self._batch(batch_size)):
            with _accounted(written, len(rows.ids)):
                if embed is not None:
                    block = with_vectors(block, await embed(list(block.documents or ())))  # noqa: PLW2901
                await self._aupsert_block(block)
            written += block.ids

    async def _aupsert_block(self, block: Rows) -> None:
        await asyncio.to_thread(self._begin, block.ids)
        try:
            for batch in block.batches(_ASYNC_ROWS):
                await asyncio.to_thread(self.store.upsert, batch)
        finally:
            # A cancelled task still has to bring in what Chroma already holds.
            await asyncio.shield(asyncio.to_thread(self._end, block.ids))

    def _batch(self, wanted: int | None) -> int:
        """Records in one write: as many as wanted, never more than Chroma takes."""
        if wanted is None:
            return self.store.batch_size
        positive("batch_size", wanted)
        return min(wanted, self.store.batch_size)

    def _write(
        self,
        rows: Rows,
        embed: EmbedMany | None,
        write: Callable[[Rows], None],
        batch_size: int | None = None,
    ) -> None:
        written: list[str] = []
        for batch in rows.batches(self._batch(batch_size)):
            with _accounted(written, len(rows.ids)):
                vectors = embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                with self._changing(batch.ids):
                    write(complete)
            written += batch.ids

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
        """Mend what the lexical index lacks, has too much, or (`deep`) has in an old state.

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


async def _awaited(request: SearchRequest, embed: AsyncEmbed) -> Callable[[], Vector]:
    """The query's vector, or its failure, for the step that needs it."""
    try:
        given = request.embedding
        vector = given if given is not None else await embed(request.text or "")
    except Exception as error:  # noqa: BLE001  # raised again in the step, where failures are settled
        failure = error

        def fail() -> Vector:
            raise failure

        return fail
    return lambda: vector


def _side_by_side(steps: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
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
