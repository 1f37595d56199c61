"""Writing both halves: intention first, then Chroma, then the lexical index, then forget.

Whatever a write did, or half did, to its ids in Chroma is read back from there: a failure at any
step leaves ids that are still to be brought in, never a guess.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.core.validate import positive
from langchain_chroma_hybrid.engine.chroma.rows import checked_ids, with_vectors
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.engine.sync.reconcile import reconcile
from langchain_chroma_hybrid.engine.threads import in_thread
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    CollectionError,
    LexicalIndexError,
    WriteError,
)

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.query.legs import Vector
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements
    from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

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

    def __init__(
        self, lexical: LexicalIndex, log: WriteAheadLog, announced: Announcements | None = None
    ) -> None:
        """`announced`: where other processes are told of writes, if they are."""
        self.lexical = lexical
        self._announced = announced
        self.log = log
        # Held for bookkeeping only, never while Chroma or the index work.
        self._mutex = threading.Lock()
        self._flushing = threading.Lock()
        # By number in the journal: acknowledged, but not in the lexical index yet.
        self._waiting: dict[int, Collection[str]] = {}
        self._under_way = 0
        self._before: object = None
        self._after: object = None
        # The change token before our writes and after them, when nothing of others lay between.
        self._own: tuple[object, object] | None = None
        self._over = False

    def upsert(
        self, store: ChromaStore, rows: Rows, embed: EmbedMany | None, batch_size: int | None
    ) -> None:
        """Add or replace records; see `HybridIndex.upsert`."""
        self._write(store, rows, embed, store.upsert, batch_size)

    def update(self, store: ChromaStore, rows: Rows, embed: EmbedMany | None) -> None:
        """Change records that exist."""
        self._write(store, rows, embed, store.update)

    def delete(self, store: ChromaStore, ids: Iterable[object]) -> None:
        """Remove records from both halves; unknown ids are no error."""
        unique = list(dict.fromkeys(checked_ids(ids)))
        there = self._known(unique)
        try:
            with self.changing(store, unique):
                store.delete(unique)
        except Exception as error:
            _account(error, _gone(store, unique, there), len(unique), "deleted")
            raise

    async def aupsert(
        self,
        store: ChromaStore,
        rows: Rows,
        embed: AsyncEmbedMany | None,
        batch_size: int | None,
    ) -> None:
        """`upsert` in small steps between which the event loop goes on."""
        written: list[str] = []
        for batch in rows.batches(_batch(store, batch_size)):
            complete = None
            try:
                vectors = await embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                await self._aupsert_batch(store, complete)
            except Exception as error:
                inside = await in_thread(partial(_inside, store, complete))
                if complete is not None or written:
                    _account(error, [*written, *inside], len(rows.ids), "written")
                raise
            written += batch.ids

    async def _aupsert_batch(self, store: ChromaStore, batch: Rows) -> None:
        change = _Change(self, store, batch.ids)
        try:
            for block in batch.batches(_ASYNC_ROWS):
                await in_thread(partial(change.run, partial(store.upsert, block)))
        finally:
            # A cancelled task still has to bring in what Chroma already holds, or will hold when
            # the thread that nobody waits for any more is done.
            await asyncio.shield(in_thread(change.end))

    def _write(
        self,
        store: ChromaStore,
        rows: Rows,
        embed: EmbedMany | None,
        write: Callable[[Rows], None],
        batch_size: int | None = None,
    ) -> None:
        written: list[str] = []
        for batch in rows.batches(_batch(store, batch_size)):
            complete = None
            try:
                vectors = embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                with self.changing(store, batch.ids):
                    write(complete)
            except Exception as error:
                if complete is not None or written:
                    inside = _inside(store, complete)
                    _account(error, [*written, *inside], len(rows.ids), "written")
                raise
            written += batch.ids

    @contextmanager
    def changing(
        self, store: ChromaStore, ids: Collection[str], *, wait: bool = False
    ) -> Iterator[None]:
        """Whatever happens to `ids` in Chroma inside the block reaches the lexical index.

        With `wait` not before the next query or flush.
        """
        number = self.begin(store, ids)
        try:
            yield
            reach("chroma written")
        finally:
            self.end(store, number, ids, wait=wait)

    def begin(self, store: ChromaStore, ids: Collection[str]) -> int:
        """Note that `ids` are about to change; gives the number for `end`.

        Raises:
            CollectionError: the collection is gone.
            LexicalIndexError: the folder of the index is.
        """
        if self._over:
            raise CollectionError("the Chroma collection was deleted")
        try:
            number = self.log.begin(ids)
        except FileNotFoundError as error:
            store.touch()  # says so when the collection has gone, and its folder with it
            message = (
                f"the folder of the lexical index is gone ({error.filename}), nothing is written; "
                "`rebuild()` makes it anew"
            )
            raise LexicalIndexError(message) from error
        if self._announced is not None:
            try:
                self._announced.begin(store, number, ids)
            except BaseException:
                self.log.done([number])
                raise
        with self._mutex:
            if not self._under_way:
                self._before = store.read_token().token
            self._under_way += 1
        return number

    def end(
        self, store: ChromaStore, number: int, ids: Collection[str], *, wait: bool = False
    ) -> None:
        """Bring `ids` into the lexical index, now or later, whatever has become of them."""
        wait = wait or len(ids) <= _DEFER_AT_MOST
        with self._mutex:
            # Now: what others write while the index takes this is not ours.
            self._after = store.read_token().token
        if self._announced is not None:
            self._announced.end(store, number)
        try:
            if not wait:
                reconcile(ids, store, self.lexical)
        except BaseException:
            # Chroma may hold it, the index does not: the next search or open brings it in.
            wait = True
            raise
        finally:
            store.reader.mark_outdated()
            with self._mutex:
                if wait:
                    self._waiting[number] = ids
                self._under_way -= 1
                self._note_own()
            if not wait:
                self.log.done([number])
        if sum(map(len, list(self._waiting.values()))) > DEFERRED_AT_MOST:
            self.flush(store)

    def _note_own(self) -> None:
        if self._under_way or self._before is None:
            return
        goes_on = self._own is not None and self._own[1] == self._before
        first = self._own[0] if self._own is not None and goes_on else self._before
        self._own = (first, self._after)

    def take_own_change(self, seen: object, token: object) -> bool:
        """Whether nothing but writes of this object made `token` out of `seen`; asked once."""
        with self._mutex:
            own, self._own = self._own, None
        return own == (seen, token)

    def flush(self, store: ChromaStore) -> None:
        """Bring what waits into the lexical index now."""
        if not self._waiting:
            return
        with self._flushing:
            with self._mutex:
                waiting = dict(self._waiting)
            ids = {id_ for ids in waiting.values() for id_ in ids}
            reconcile(ids, store, self.lexical)
            with self._mutex:
                for number in waiting:
                    self._waiting.pop(number, None)
            self.log.done(list(waiting))

    def forget(self) -> None:
        """Let go of everything: the collection is gone, and nothing more is written."""
        self._over = True
        with self._mutex:
            numbers = list(self._waiting)
            self._waiting.clear()
        self.log.done(numbers)

    def _known(self, ids: Collection[str]) -> set[str]:
        """Those of `ids` that are, or will be, in the index."""
        with self._mutex:
            waiting = {id_ for some in self._waiting.values() for id_ in some}
        known = waiting.intersection(ids)
        with suppress(LexicalIndexError):
            known.update(self.lexical.match(Ids(frozenset(ids))))
        return known


class _Change:
    """One batch of an asynchronous write: one step at a time, and none after the end."""

    def __init__(self, writer: Writer, store: ChromaStore, ids: Collection[str]) -> None:
        self._writer = writer
        self._store = store
        self._ids = ids
        self._lock = threading.Lock()
        self._number: int | None = None
        self._ended = False

    def run(self, step: Callable[[], None]) -> None:
        with self._lock:
            if self._ended:
                return
            if self._number is None:
                self._number = self._writer.begin(self._store, self._ids)
            step()
            reach("chroma written")

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._number is not None:
                self._writer.end(self._store, self._number, self._ids)


def _batch(store: ChromaStore, wanted: int | None) -> int:
    """Records in one write: as many as wanted, never more than Chroma takes."""
    if wanted is None:
        return store.batch_size
    positive("batch_size", wanted)
    return min(wanted, store.batch_size)


def _inside(store: ChromaStore, rows: Rows | None) -> list[str]:
    """Those of a batch that failed which Chroma holds as they were to be written."""
    if rows is None:
        return []
    with suppress(Exception):
        found = store.fetch(rows.ids)
        return [id_ for i, id_ in enumerate(rows.ids) if _holds(found.get(id_), rows, i)]
    return []


def _gone(store: ChromaStore, ids: Sequence[str], there: Collection[str]) -> list[str]:
    """What a deletion that failed has deleted, of what was there."""
    with suppress(Exception):
        found = store.fetch(there)
        return [id_ for id_ in ids if id_ in there and id_ not in found]
    return []


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
