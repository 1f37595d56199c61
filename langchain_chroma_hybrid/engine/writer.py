"""Writing both halves: intention first, then Chroma, then the lexical index, then forget.

Whatever a write did, or half did, to its ids in Chroma is read back from there: a failure at any
step leaves ids that are still to be brought in, never a guess.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.requests import positive
from langchain_chroma_hybrid.engine._steps import passed
from langchain_chroma_hybrid.engine.rows import with_vectors
from langchain_chroma_hybrid.engine.sync import reconcile
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    CollectionError,
    LexicalIndexError,
    WriteError,
)

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.records import Record
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.journal import Journal
    from langchain_chroma_hybrid.engine.legs import Vector
    from langchain_chroma_hybrid.engine.rows import Rows
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

EmbedMany: TypeAlias = Callable[[list[str]], Sequence["Vector"]]
AsyncEmbedMany: TypeAlias = Callable[[list[str]], Awaitable[Sequence["Vector"]]]

# Writes of few records wait for the next query or for company: a commit costs more than the write.
_DEFER_AT_MOST = 128
DEFERRED_AT_MOST = 1024
# Embedded Chroma holds the GIL while it writes: 100 rows stall an event loop for about 0.1 s.
_ASYNC_ROWS = 100


class Writer:
    """Every change to one collection that this process makes.

    Thread safety: may be called from many threads.
    """

    def __init__(self, store: ChromaStore, lexical: LexicalIndex, journal: Journal) -> None:
        self.store = store
        self.lexical = lexical
        self.journal = journal
        # Held for bookkeeping only, never while Chroma or the index work.
        self._mutex = threading.Lock()
        self._flushing = threading.Lock()
        # By number in the journal: acknowledged, but not in the lexical index yet.
        self._waiting: dict[int, Collection[str]] = {}
        self._under_way = 0
        self._before: object = None
        # The change token before our writes and after them, when nothing of others lay between.
        self._own: tuple[object, object] | None = None
        self._over = False

    def upsert(self, rows: Rows, embed: EmbedMany | None, batch_size: int | None) -> None:
        """Add or replace records; see `HybridIndex.upsert`."""
        self._write(rows, embed, self.store.upsert, batch_size)

    def update(self, rows: Rows, embed: EmbedMany | None) -> None:
        """Change records that exist."""
        self._write(rows, embed, self.store.update)

    def delete(self, ids: Collection[str]) -> None:
        """Remove records from both halves; unknown ids are no error."""
        unique = list(dict.fromkeys(ids))
        try:
            with self.changing(unique):
                self.store.delete(unique)
        except Exception as error:
            _account(error, self._gone(unique), len(unique), "deleted")
            raise

    async def aupsert(
        self, rows: Rows, embed: AsyncEmbedMany | None, batch_size: int | None
    ) -> None:
        """`upsert` in small steps between which the event loop goes on."""
        written: list[str] = []
        for batch in rows.batches(self._batch(batch_size)):
            complete = None
            try:
                vectors = await embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                await self._aupsert_batch(complete)
            except Exception as error:
                inside = await asyncio.to_thread(self._inside, complete)
                if complete is not None or written:
                    _account(error, [*written, *inside], len(rows.ids), "written")
                raise
            written += batch.ids

    async def _aupsert_batch(self, batch: Rows) -> None:
        change = _Change(self, batch.ids)
        try:
            for block in batch.batches(_ASYNC_ROWS):
                await asyncio.to_thread(change.run, partial(self.store.upsert, block))
        finally:
            # A cancelled task still has to bring in what Chroma already holds, or will hold when
            # the thread that nobody waits for any more is done.
            await asyncio.shield(asyncio.to_thread(change.end))

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
            complete = None
            try:
                vectors = embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                with self.changing(batch.ids):
                    write(complete)
            except Exception as error:
                if complete is not None or written:
                    inside = self._inside(complete)
                    _account(error, [*written, *inside], len(rows.ids), "written")
                raise
            written += batch.ids

    @contextmanager
    def changing(self, ids: Collection[str], *, wait: bool = False) -> Iterator[None]:
        """Whatever happens to `ids` in Chroma inside the block reaches the lexical index.

        With `wait` not before the next query or flush.
        """
        number = self.begin(ids)
        try:
            yield
            passed("chroma written")
        finally:
            self.end(number, ids, wait=wait)

    def begin(self, ids: Collection[str]) -> int:
        """Note that `ids` are about to change; gives the number for `end`."""
        if self._over:
            raise CollectionError("the Chroma collection was deleted")
        try:
            number = self.journal.begin(ids)
        except FileNotFoundError:
            self.store.touch()  # says so when the collection has gone, and its folder with it
            raise
        with self._mutex:
            if not self._under_way:
                self._before = self.store.sight().token
            self._under_way += 1
        return number

    def end(self, number: int, ids: Collection[str], *, wait: bool = False) -> None:
        """Bring `ids` into the lexical index, now or later, whatever has become of them."""
        wait = wait or len(ids) <= _DEFER_AT_MOST
        try:
            if not wait:
                reconcile(ids, self.store, self.lexical)
        except BaseException:
            # Chroma may hold it, the index does not: the next search or open brings it in.
            wait = True
            raise
        finally:
            self.store.reader.outdate()
            with self._mutex:
                if wait:
                    self._waiting[number] = ids
                self._under_way -= 1
                self._note_own()
            if not wait:
                self.journal.done([number])
        if sum(map(len, list(self._waiting.values()))) > DEFERRED_AT_MOST:
            self.flush()

    def _note_own(self) -> None:
        if self._under_way or self._before is None:
            return
        goes_on = self._own is not None and self._own[1] == self._before
        first = self._own[0] if self._own is not None and goes_on else self._before
        self._own = (first, self.store.sight().token)

    @property
    def over(self) -> bool:
        """The collection, or this index of it, is gone."""
        return self._over

    def explains(self, seen: object, token: object) -> bool:
        """Whether nothing but writes of this object made `token` out of `seen`; asked once."""
        with self._mutex:
            own, self._own = self._own, None
        return own == (seen, token)

    def flush(self) -> None:
        """Bring what waits into the lexical index now."""
        if not self._waiting:
            return
        with self._flushing:
            with self._mutex:
                waiting = dict(self._waiting)
            ids = {id_ for ids in waiting.values() for id_ in ids}
            reconcile(ids, self.store, self.lexical)
            with self._mutex:
                for number in waiting:
                    self._waiting.pop(number, None)
            self.journal.done(list(waiting))

    def forget(self) -> None:
        """Let go of everything: the collection is gone, and nothing more is written."""
        self._over = True
        with self._mutex:
            numbers = list(self._waiting)
            self._waiting.clear()
        self.journal.done(numbers)

    def _inside(self, rows: Rows | None) -> list[str]:
        """Those of a batch that failed which Chroma holds as they were to be written."""
        if rows is None:
            return []
        with suppress(Exception):
            found = self.store.fetch(rows.ids)
            return [id_ for i, id_ in enumerate(rows.ids) if _holds(found.get(id_), rows, i)]
        return []

    def _gone(self, ids: Sequence[str]) -> list[str]:
        with suppress(Exception):
            found = self.store.fetch(ids)
            return [id_ for id_ in ids if id_ not in found]
        return []


class _Change:
    """One batch of an asynchronous write: one step at a time, and none after the end."""

    def __init__(self, writer: Writer, ids: Collection[str]) -> None:
        self._writer = writer
        self._ids = ids
        self._lock = threading.Lock()
        self._number: int | None = None
        self._ended = False

    def run(self, step: Callable[[], None]) -> None:
        with self._lock:
            if self._ended:
                return
            if self._number is None:
                self._number = self._writer.begin(self._ids)
            step()
            passed("chroma written")

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._number is not None:
                self._writer.end(self._number, self._ids)


def _account(error: Exception, done: Sequence[str], total: int, what: str) -> None:
    """Say what a write that failed has done, where that is not simply nothing.

    Raises:
        WriteError: something is done, or the fault lies in Chroma, the index or the disk.
    """
    refused = isinstance(error, ChromaHybridError) and not isinstance(error, LexicalIndexError)
    if refused and not done:
        return
    reason = f"{type(error).__name__}: {error}"
    message = f"{len(done)} of {total} records are {what} in Chroma, then came {reason}"
    raise WriteError(message, done) from error


def _holds(record: Record | None, rows: Rows, i: int) -> bool:
    if record is None:
        return False
    metadata: Mapping[str, object] = (rows.metadatas[i] if rows.metadatas else None) or {}
    return (rows.documents is None or record.text == rows.documents[i]) and all(
        record.metadata.get(key) == value for key, value in metadata.items()
    )
