"""Writing both halves: intention first, then Chroma, then the lexical index, then forget.

Whatever a write did, or half did, to its ids in Chroma is read back from there: a failure at any
step leaves ids that are still to be brought in, never a guess.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.engine.chroma.rows import checked_ids, with_vectors
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.engine.sync.own_changes import OwnChanges
from langchain_chroma_hybrid.engine.sync.partial_write import account, gone, inside
from langchain_chroma_hybrid.engine.sync.reconcile import reconcile
from langchain_chroma_hybrid.engine.threads import in_thread
from langchain_chroma_hybrid.errors import CollectionError, LexicalIndexError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements
    from langchain_chroma_hybrid.lexical.protocol import Journal, LexicalIndex

EmbedMany: TypeAlias = Callable[[list[str]], Sequence[Sequence[float]]]
AsyncEmbedMany: TypeAlias = Callable[[list[str]], Awaitable[Sequence[Sequence[float]]]]

# Writes of few records wait for the next query or for company: a commit costs more than the write.
_DEFER_AT_MOST = 128
DEFERRED_AT_MOST = 1024
# Embedded Chroma holds the GIL while it writes: 100 rows stall an event loop for about 0.1 s. For
# a server a thousand are put into a request in that time.
_ASYNC_ROWS, _ASYNC_ROWS_OF_SERVERS = 100, 1_000


class Writer:
    """Every change to one collection that this process makes.

    Thread safety: may be called from many threads.
    """

    def __init__(
        self, lexical: LexicalIndex, log: Journal, announced: Announcements | None = None
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
        self.own_changes = OwnChanges()
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
            account(error, gone(store, unique, there), len(unique), "deleted")
            raise

    async def aupsert(
        self,
        store: ChromaStore,
        rows: Rows,
        embed: AsyncEmbedMany | None,
        batch_size: int | None,
    ) -> None:
        """`upsert` in small steps between which the event loop goes on."""
        size = _ASYNC_ROWS_OF_SERVERS if store.on_server else _ASYNC_ROWS
        written: list[str] = []
        for batch in rows.batches(_batch(store, batch_size)):
            complete = None
            try:
                vectors = await embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                for step in complete.batches(size):
                    await _to_its_end(partial(self._write_rows, store, step, store.upsert))
            except Exception as error:
                found = await in_thread(partial(inside, store, complete))
                if complete is not None or written:
                    account(error, [*written, *found], len(rows.ids), "written")
                raise
            written += batch.ids

    def _write(
        self,
        store: ChromaStore,
        rows: Rows,
        embed: EmbedMany | None,
        write: Callable[[Rows], None],
        batch_size: int | None = None,
    ) -> None:
        """Embed and write in batches; a failure midway tells which ids are in Chroma by then."""
        written: list[str] = []
        for batch in rows.batches(_batch(store, batch_size)):
            complete = None
            try:
                vectors = embed(list(batch.documents or ())) if embed else None
                complete = with_vectors(batch, vectors)
                self._write_rows(store, complete, write)
            except Exception as error:
                if complete is not None or written:
                    found = inside(store, complete)
                    account(error, [*written, *found], len(rows.ids), "written")
                raise
            written += batch.ids

    def _write_rows(self, store: ChromaStore, rows: Rows, write: Callable[[Rows], None]) -> None:
        with self.changing(store, rows.ids):
            write(rows)

    @contextmanager
    def changing(
        self, store: ChromaStore, ids: Collection[str], *, wait: bool = False
    ) -> Iterator[None]:
        """Whatever happens to `ids` in Chroma inside the block reaches the lexical index.

        With `wait` not before the next query or flush.
        """
        number = self._begin(store, ids)
        try:
            yield
            reach("chroma written")
        finally:
            self._end(store, number, ids, wait=wait or len(ids) <= _DEFER_AT_MOST)

    def _begin(self, store: ChromaStore, ids: Collection[str]) -> int:
        """Note that `ids` are about to change; gives the number for `_end`.

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
        self.own_changes.begin(store)
        return number

    def _end(self, store: ChromaStore, number: int, ids: Collection[str], *, wait: bool) -> None:
        """Bring `ids` into the lexical index, now or later, whatever has become of them."""
        # Now: what others write while the index takes this is not ours.
        self.own_changes.written(store)
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
            if wait:
                with self._mutex:
                    self._waiting[number] = ids
            self.own_changes.end()
            if not wait:
                self.log.done([number])
        if sum(map(len, list(self._waiting.values()))) > DEFERRED_AT_MOST:
            self.flush(store)

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


def _batch(store: ChromaStore, wanted: int | None) -> int:
    """Records in one write: as many as wanted, never more than Chroma takes."""
    if wanted is None:
        return store.batch_size
    positive("batch_size", wanted)
    return min(wanted, store.batch_size)


async def _to_its_end(step: Callable[[], None]) -> None:
    """Run `step` in a thread; who is cancelled meanwhile still waits until it has ended."""
    running = asyncio.ensure_future(in_thread(step))
    try:
        await asyncio.shield(running)
    finally:
        await asyncio.gather(running, return_exceptions=True)
