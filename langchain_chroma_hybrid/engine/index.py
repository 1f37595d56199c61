"""One collection with both halves: search over them, write through them, keep them in step."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.search import SearchResult, is_model
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.chroma.patience import UnansweredError
from langchain_chroma_hybrid.engine.guard import ModelGuard
from langchain_chroma_hybrid.engine.model_gate import ModelGate
from langchain_chroma_hybrid.engine.query.execute import Query
from langchain_chroma_hybrid.engine.query.plan import make_plan, needs_lexical
from langchain_chroma_hybrid.engine.query.query_vectors import QueryVectors
from langchain_chroma_hybrid.engine.registry import leave_half, open_half
from langchain_chroma_hybrid.engine.server_half import why_not_asked
from langchain_chroma_hybrid.engine.threads import in_thread
from langchain_chroma_hybrid.errors import (
    CollectionError,
    InvalidArgumentError,
    LexicalIndexError,
    SearchError,
)
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.background import Background
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.search import Embedder, SearchRequest
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.half import LexicalHalf
    from langchain_chroma_hybrid.engine.query.values import Outcome, Plan, Route, Trace
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, SyncReport, VerifyReport
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# How often a query begins anew because somebody makes the index anew meanwhile.
_TRIES = 20


class HybridIndex:
    """Search and write over a Chroma collection and its lexical index, with one caller's client.

    Thread safety: searches run side by side; writes may come from many threads. A write that has
    returned is seen by every search that starts later in this process.
    """

    def __init__(self, store: ChromaStore, config: LexicalConfig, embeddings: Embedder) -> None:
        """Opens nothing: the lexical half is opened at the first use."""
        self.store = store
        self._config = config
        self.embed_by(embeddings)
        self._half: LexicalHalf | None = None
        self.gate = ModelGate(store, config.lock_timeout)

    def embed_by(self, embeddings: Embedder) -> None:
        """From now on these make the vectors; what others made is forgotten."""
        self.embeddings = embeddings
        self.guard = ModelGuard(self.store, embeddings, self._config)
        self.queries = QueryVectors(embeddings, self.guard)

    @property
    def half(self) -> LexicalHalf:
        """The lexical half, opened if it is not open.

        Raises:
            CollectionError: it was open, and the collection is gone.
            LexicalIndexError: it cannot be opened.
        """
        half = self.opened
        if half is None:
            if self._half is not None:
                self.store.touch()  # says so when the collection has gone, and its folder with it
            half = self._half = open_half(self.store, self._config)
        return half

    @property
    def opened(self) -> LexicalHalf | None:
        """The lexical half, if it is open."""
        half = self._half
        return half if half is not None and half.usable else None

    @property
    def lexical(self) -> LexicalIndex:
        """The lexical index; errors as for `half`."""
        return self.half.lexical

    # Searching

    def search(
        self, request: SearchRequest, *, trace: Trace | None = None, route: Route = "auto"
    ) -> SearchResult:
        """Answer one query; the legs run side by side.

        Args:
            request: the query; its text is embedded only when a leg needs that and no vector is
                given.
            trace: called as `trace(name, step)` for each leg and has to return `step()`.
            route: `chroma` lets Chroma answer the whole filter; the results are the same.

        Raises:
            InvalidArgumentError: a value of the request cannot be used.
            SearchError: `on_leg_error="degrade"` and no leg answered.
        """
        query = self._begun(request, route, time.perf_counter())
        while True:
            answer = self._ended(query, query.run(self.queries, trace))
            if isinstance(answer, SearchResult):
                return answer
            query = answer

    async def asearch(self, request: SearchRequest, *, trace: Trace | None = None) -> SearchResult:
        """The same without ever blocking the event loop.

        Cancelling the task stops the waiting at once and begins no further step; a request that is
        under way ends in its thread, and its answer is dropped.
        """
        query = await in_thread(partial(self._begun, request, "auto", time.perf_counter()))
        while True:
            outcomes = await query.arun(self.queries, trace)
            answer = await in_thread(partial(self._ended, query, outcomes))
            if isinstance(answer, SearchResult):
                return answer
            query = answer

    def _begun(self, request: SearchRequest, route: Route, start: float, tried: int = 0) -> Query:
        """The query over both halves or, where it may do without the index, over vectors alone."""
        if tried > _TRIES:
            note = "vectors only: the lexical index was made anew again and again"
            return self._without(request, route, start, note)
        try:
            half = self.half
            version = half.version
            reading, missing = half.freshness.prepare(self.store, self._config.policy)
            half.check.wake(self.store)
            if missing is None:
                route = "chroma" if half.filters_by_chroma(self.store) else route
                plan = make_plan(
                    request,
                    self.store,
                    half.lexical,
                    reading.lasting,
                    words=self._words(half.lexical),
                    route=route,
                )
                unused = half.lexical.unused_fields() if LEXICAL in plan.weights else ()
                named = ", ".join(map(repr, unused))
                notes = (f"lexical_fields: no record has {named}",) if unused else ()
                upgrade = half.freshness.upgrade.note
                notes = (upgrade, *notes) if upgrade else notes
                aside = why_not_asked(self.store, self._config)
                notes = (aside, *notes) if aside else notes
                background = self._background(half, plan)
                if background is not None:
                    notes = (*notes, *half.background.told())
                known = half.lexical, version, notes, tried, background
                return Query(plan, self.store, request, route, start, *known)
        except (CollectionError, InvalidArgumentError):
            raise
        except Exception as error:  # noqa: BLE001  # what may keep an index from being used is many things
            missing = self._note(request, error)
        return self._without(request, route, start, missing)

    def _background(self, half: LexicalHalf, plan: Plan) -> Background | None:
        """What relevance is measured against, where it was asked for."""
        if not plan.request.judged:
            return None
        by_vector = VECTOR in plan.steps and plan.request.mode != "lexical"
        embeds = by_vector and is_model(self.embeddings) and self._is_its_model()
        embed = self.embeddings.embed_documents if embeds else None
        return half.background.get(self.store, half.lexical, embed)

    def _is_its_model(self) -> bool:
        """Whether the model has filled the collection; if not, the vector leg says so."""
        try:
            self.guard.check()
        except InvalidArgumentError:
            return False
        return True

    def _without(self, request: SearchRequest, route: Route, start: float, note: str) -> Query:
        """The query over vectors alone."""
        plan = make_plan(
            replace(request, mode="vector"), self.store, None, words=self._words(None)
        )
        return Query(plan, self.store, request, route, start, notes=(note,))

    def _words(self, lexical: LexicalIndex | None) -> tuple[Analyzer, Iterable[str]]:
        """How texts become words, and which fields have them; an index of one's own decides."""
        own = lexical or self._config.index
        analyzer = self._config.analyzer if own is None else own.analyzer
        fields = getattr(own, "lexical_fields", None) or self._config.lexical_fields
        return analyzer, fields or (PAGE_CONTENT,)

    def _note(self, request: SearchRequest, error: Exception) -> str:
        """What a query that does without the index says; raises for one that cannot.

        Raises:
            CollectionError: the collection is gone, and the index with it.
            Exception: the error.
        """
        broken = isinstance(error, LexicalIndexError)
        if request.on_leg_error == "degrade" or (broken and not needs_lexical(request)):
            return f"vectors only: {error}" if broken else f"vectors only: {_named(error)}"
        if broken:
            self.store.touch()
        raise error

    def _ended(self, query: Query, outcomes: Sequence[Outcome]) -> SearchResult | Query:
        """The answer, or the query to run in its place.

        Raises:
            SearchError: `on_leg_error="degrade"` and no leg answered.
            Exception: with `raise`, the first failure of a leg.
        """
        try:
            answer = query.finish(outcomes)
        except (CollectionError, InvalidArgumentError):
            raise
        except Exception as error:
            if not self._outlived(query):
                # Legs that failed are settled; else the records could not be read, which come
                # along where vectors alone are asked for.
                settled = isinstance(error, LexicalIndexError | SearchError)
                settled = settled and not isinstance(error, UnansweredError)
                cause = _for_want_of_the_index(outcomes) if settled else error
                if query.lexical is None or cause is None:
                    raise
                note = self._note(query.asked, cause)
                return self._without(query.asked, query.route, query.start, note)
        else:
            if not self._outlived(query):
                return answer
        # The index was made anew meanwhile: it may have been asked when it was empty.
        return self._begun(query.asked, query.route, query.start, query.tried + 1)

    def _outlived(self, query: Query) -> bool:
        """Whether the index was made anew, or is another one, since the query began."""
        half = self.opened
        return query.version is not None and (half is None or half.version != query.version)

    # Reading

    def touch(self) -> None:
        """Read the least that there is.

        Raises:
            CollectionError: the collection is gone.
        """
        self.store.touch()

    def get(self, **options: Any) -> dict[str, Any]:
        """Chroma's own `get`, which needs no index."""
        return self.store.get(**options)

    def fetch(self, ids: Iterable[str]) -> dict[str, Record]:
        """The records among `ids` that exist, by id; needs no index."""
        return self.store.fetch(ids)

    def vectors(self, ids: Iterable[str]) -> dict[str, Vector]:
        """The vectors `(d,)` of those among the distinct `ids` that exist; needs no index."""
        return self.store.vectors(ids).by_id()

    def match(self, where: Filter) -> frozenset[str]:
        """Ids of all records that pass, by Chroma's own filter; needs no index."""
        return self.store.match(where)

    def select(self, where: Filter | None, ids: Iterable[str] | None = None) -> list[Record]:
        """The records that pass, of `ids` or in the order in which they came; needs no index."""
        return list(self.store.select(where, ids))

    # Writing

    def embed(self, texts: list[str]) -> Sequence[Sequence[float]]:
        """Vectors of texts that are to be written; see `upsert` for errors."""
        self.guard.check(writes=True)
        return self.embeddings.embed_documents(texts)

    async def aembed(self, texts: list[str]) -> Sequence[Sequence[float]]:
        """The same without blocking the event loop."""
        await in_thread(partial(self.guard.check, writes=True))
        return await self.embeddings.aembed_documents(texts)

    def upsert(
        self, rows: Rows, *, embed: bool = True, batch_size: int | None = None
    ) -> None:
        """Add or replace records in both halves, in batches that Chroma takes.

        Args:
            rows: with vectors, or with documents.
            embed: whether rows without vectors are embedded, one batch before it is written.
            batch_size: most records in a batch; None means as many as Chroma takes.

        Raises:
            InvalidArgumentError: `batch_size` is no whole number >= 1.
            EmbeddingError: not one finite vector per text; the batch is not written.
            ModelChangedError: another model has filled the collection, or another collection has
                its place; nothing is written there.
            WriteError: stopped half-way; `written` has the ids that are in.
        """
        needed = self.embed if embed and rows.embeddings is None else None
        with self.gate.passed():
            self.half.writer.upsert(self.store, rows, needed, batch_size)

    def update(self, rows: Rows) -> None:
        """Change records that exist; unknown ids are passed over, as Chroma does."""
        with self.gate.passed():
            self.half.writer.update(self.store, rows, self.embed)

    def delete(self, ids: Iterable[str]) -> None:
        """Remove records from both halves; unknown ids are no error.

        Raises:
            InvalidArgumentError: names the first that is no id; nothing is deleted.
        """
        with self.gate.passed():
            self.half.writer.delete(self.store, ids)

    async def aupsert(
        self, rows: Rows, *, embed: bool = True, batch_size: int | None = None
    ) -> None:
        """`upsert` in steps between which the event loop goes on."""
        half = await in_thread(lambda: self.half)
        needed = self.aembed if embed and rows.embeddings is None else None
        await in_thread(self.gate.check)
        await half.writer.aupsert(self.store, rows, needed, batch_size)
        await in_thread(self.gate.check)

    @contextmanager
    def changing(self, ids: Collection[str]) -> Iterator[None]:
        """Whatever happens to `ids` in Chroma inside the block is found by the next query."""
        with self.gate.passed(), self.half.writer.changing(self.store, ids, wait=True):
            yield

    def flush(self) -> None:
        """Bring writes that wait for a query into the lexical index now."""
        self.half.writer.flush(self.store)

    # Staying in step

    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Mend what the lexical index lacks, has too much, or (`deep`) has in an old state.

        Without `deep` the cost is a scan of the ids; with it every record is read.
        """
        return self.half.freshness.sync(self.store, deep=deep, progress=progress)

    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        return self.half.freshness.verify(self.store, fix=fix)

    def close(self) -> None:
        """Close the lexical half for all its users, who open it anew; may be called twice."""
        if self.opened is not None:
            self.opened.close(self.store)

    def leave(self) -> None:
        """Let go of the lexical half, which the last one closes; may be called twice."""
        half, self._half = self.opened, None
        if half is not None:
            leave_half(self.store, half)


def _for_want_of_the_index(outcomes: Sequence[Outcome]) -> LexicalIndexError | None:
    """What kept the vector leg, too, from answering, if that was the lexical index."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    broken = [error for error in errors if isinstance(error, LexicalIndexError)]
    vector = next((o.error for o in outcomes if o.name == VECTOR), None)
    return broken[0] if broken and (vector is None or vector in broken) else None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
