"""One collection with both halves: search over them, write through them, keep them in step."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_chroma_hybrid.core.records import LEXICAL, VECTOR, SearchRequest, SearchResult
from langchain_chroma_hybrid.engine.keeper import Keeper, Upkeep
from langchain_chroma_hybrid.engine.query_plan import make_plan
from langchain_chroma_hybrid.engine.running import Query, awaited, given, started
from langchain_chroma_hybrid.engine.writer import Writer
from langchain_chroma_hybrid.errors import LexicalIndexError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.journal import Journal
    from langchain_chroma_hybrid.engine.legs import Embed, Outcome, Vector
    from langchain_chroma_hybrid.engine.marks import Marks
    from langchain_chroma_hybrid.engine.planner import Route
    from langchain_chroma_hybrid.engine.rows import Rows
    from langchain_chroma_hybrid.engine.running import Step
    from langchain_chroma_hybrid.engine.sync import Progress, SyncReport, VerifyReport
    from langchain_chroma_hybrid.engine.writer import AsyncEmbedMany, EmbedMany
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Trace: TypeAlias = Callable[[str, "Step"], "Outcome"]
AsyncEmbed: TypeAlias = Callable[[str], Awaitable["Vector"]]


def _untraced(_name: str, step: Step) -> Outcome:
    return step()


class HybridIndex:
    """Search and write over a Chroma collection and its lexical index.

    Thread safety: searches run side by side; writes may come from many threads. A write that has
    returned is seen by every search that starts later in this process.
    """

    def __init__(
        self,
        store: ChromaStore,
        lexical: LexicalIndex,
        journal: Journal,
        marks: Marks,
        upkeep: Upkeep,
        *,
        owned: bool = True,
    ) -> None:
        """`journal` and `marks` keep what the next process has to know.

        `owned`: the lexical index is closed with this object; one of the caller's own is not.
        """
        self.store = store
        self.lexical = lexical
        self.writer = Writer(store, lexical, journal)
        self._marks = marks
        self._keeper = Keeper(self.writer, marks, upkeep)
        self._closed = False
        self._owned = owned
        self._owner = os.getpid()

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
        query = self._query(request, route, self.store, time.perf_counter())
        while True:
            result, again = query.finish(self._outcomes(query, embed, trace or _untraced))
            if again is None:
                return result
            query = again

    def _outcomes(self, query: Query, embed: Embed, trace: Trace) -> list[Outcome]:
        request, steps = query.plan.request, query.plan.steps
        text, vector = request.text or "", request.embedding
        further = {name: leg for name, leg in request.further.items() if name in steps}

        def step(name: str, value: Callable[[], Any]) -> Callable[[], Outcome]:
            return partial(trace, name, query.step(name, value))

        apart = started(
            step(name, partial(leg.search, text, query.plan.fetch)) for name, leg in further.items()
        )
        own = [name for name in steps if name not in further]
        # In this thread: models, their caches and event loops may belong to it.
        found = given(lambda: embed(text) if vector is None and VECTOR in own else vector)
        # What Chroma does needs the interpreter least: it goes to another thread.
        aside = started(step(name, found) for name in own[1:])
        here = [step(name, found)() for name in own[:1]]
        return [*here, *(other.result() for other in (*aside, *apart))]

    async def asearch(
        self, request: SearchRequest, embed: AsyncEmbed, *, trace: Trace | None = None
    ) -> SearchResult:
        """The same without ever blocking the event loop; cancelling the task cancels the query."""
        start = time.perf_counter()
        store = await self.store.on_this_loop()
        query = await asyncio.to_thread(self._query, request, "auto", store, start)

        async def given(name: str) -> Callable[[], Any]:
            leg = request.further.get(name)
            text, vector = request.text or "", query.plan.request.embedding
            if leg is not None:
                return await awaited(leg.asearch(text, query.plan.fetch))
            if name == LEXICAL or vector is not None:
                return lambda: vector
            return await awaited(embed(text))

        async def run(name: str) -> Outcome:
            step = query.step(name, await given(name))
            return await asyncio.to_thread(partial(trace, name, step) if trace else step)

        while True:
            outcomes = await asyncio.gather(*(run(name) for name in query.plan.steps))
            result, again = await asyncio.to_thread(query.finish, outcomes)
            if again is None:
                return result
            query = again

    def _query(
        self, request: SearchRequest, route: Route, store: ChromaStore, start: float
    ) -> Query:
        note = self._prepared(request)
        if note is not None:
            request, route = replace(request, mode="vector"), "chroma"
        plan = make_plan(request, store, self.lexical, route=route)
        return Query(plan, store, self.lexical, () if note is None else (note,), start)

    def _prepared(self, request: SearchRequest) -> str | None:
        try:
            return self._keeper.prepare()
        except LexicalIndexError as error:
            self.store.touch()  # says so when the collection has gone, and the folder with it
            if request.on_leg_error == "raise":
                raise
            return f"vectors only: {error}"

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
            WriteError: stopped half-way; `written` has the ids that are in.
        """
        self.writer.upsert(rows, embed, batch_size)

    def update(self, rows: Rows, embed: EmbedMany | None = None) -> None:
        """Change records that exist; unknown ids are passed over, as Chroma does."""
        self.writer.update(rows, embed)

    def delete(self, ids: Collection[str]) -> None:
        """Remove records from both halves; unknown ids are no error."""
        self.writer.delete(ids)

    async def aupsert(
        self, rows: Rows, embed: AsyncEmbedMany | None = None, *, batch_size: int | None = None
    ) -> None:
        """`upsert` in small steps between which the event loop goes on."""
        await self.writer.aupsert(rows, embed, batch_size)

    def flush(self) -> None:
        """Bring writes that wait for a query into the lexical index now."""
        self.writer.flush()

    # Staying in step

    def attend(self) -> None:
        """Somebody new may have written before he came here: look at the next query."""
        self._keeper.look_again()

    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Mend what the lexical index lacks, has too much, or (`deep`) has in an old state.

        Without `deep` the cost is a scan of the ids; with it every record is read.
        """
        return self._keeper.sync(deep=deep, progress=progress)

    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        return self._keeper.verify(fix=fix)

    @property
    def usable(self) -> bool:
        """Neither closed nor inherited from the process that this one was forked from."""
        return not self._closed and self._owner == os.getpid()

    def discard(self) -> None:
        """Let go of an index whose folder will be removed; nothing is brought in any more."""
        self._closed = True
        self.writer.forget()
        self._marks.drop()
        self._keeper.close()
        self._release()

    def close(self) -> None:
        """Bring waiting writes in and give files and locks back; may be called twice."""
        if self._closed:
            return
        self.writer.flush()
        self._closed = True
        self._keeper.close()
        self._release()

    def _release(self) -> None:
        self.writer.journal.close()
        if self._owned:
            self.lexical.close()
        self.store.close()
