"""Reading vectors, also those that another process has written meanwhile.

Documents and metadata are read from SQLite and always current; vectors come from an index in this
process' memory, which never hears of what another process has written. Then a client of our own is
opened anew, which spares the caller's.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from chromadb.errors import InternalError

from langchain_chroma_hybrid.engine.chroma.calls import pages, translated
from langchain_chroma_hybrid.engine.chroma.change_token import Token, opening
from langchain_chroma_hybrid.engine.chroma.patience import patiently
from langchain_chroma_hybrid.engine.chroma.second_client import SecondClient
from langchain_chroma_hybrid.engine.chroma.torn import told_if_torn
from langchain_chroma_hybrid.engine.chroma.vectors import NO_VECTORS, Vectors, VectorTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import chromadb
    from chromadb.api import ClientAPI

# One `get` of more ids than this meets SQLite's limit on variables; larger pages are no faster.
PAGE = 2_000
# How often vectors are looked for that the index lacks, and how often by the same client first.
MOST_LOOKS, _BRIEF = 6, 2
# How often a second client is opened whose index Chroma fails to load.
_ATTEMPTS = 5
# What is remembered while nothing changes: Chroma gives vectors as boxed numbers, which takes
# longer than to compare them with a thousand queries, and the same filters ask for them again.
VECTOR_BYTES = 64 * 2**20

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


class SharedVectors:
    """What the readers of one local collection share: vectors at hand, and a second client.

    Attributes:
        needed: others have written what the callers' clients do not show.
        outdated: something was written that the second client may not show.
        closed: no second client is opened any more.
    """

    def __init__(self) -> None:
        self.known = VectorTable(VECTOR_BYTES)
        self.second: SecondClient | None = None
        self.needed = self.outdated = self.closed = False
        self.lock = threading.Lock()
        self.opening = threading.RLock()

    def close(self) -> None:
        """Close the second client; callers' clients stay open."""
        with self.lock:
            self.closed = True
            old, self.second = self.second, None
        if old is not None:
            old.retire()


class VectorReader:
    """Vectors of one collection, as one client sees it. Thread-safe.

    Args:
        client, collection: the caller's, not observed.
        directory: the data folder; None for a server and for a client in memory, where everybody's
            writes are seen at once.
        shared: what other readers of the collection in this process have read.
        page: gives the most records of one request.
    """

    def __init__(
        self,
        client: ClientAPI,
        collection: chromadb.Collection,
        directory: Path | None,
        shared: SharedVectors,
        page: Callable[[], int] = lambda: PAGE,
    ) -> None:
        self._page = page
        self._client = client
        self._collection = collection
        self._directory = directory
        self._shared = shared

    def vectors(self, ids: Sequence[str], token: Token | None) -> Vectors:
        """Those of the records among `ids` that exist, remembered under `token` if there is one."""
        # Bound first: what comes from a reader that is being replaced goes with its cache.
        cache = self._shared.known
        known = cache.known(token, ids)
        if len(known.ids) == len(ids):
            return known
        there = set(known.ids)
        new = self._read([id_ for id_ in ids if id_ not in there])
        cache.keep(token, new)
        both = cache.known(token, ids)
        return both if len(both.ids) == len(known.ids) + len(new.ids) else known.and_(new)

    def _read(self, ids: Sequence[str]) -> Vectors:
        """Vectors as Chroma has them now, a page at a time."""
        read = NO_VECTORS
        for page in pages(ids, self._page()):
            with translated():
                call = partial(self.ask, partial(_with_vectors, ids=page))
                found = patiently(call, self._client.get_settings())
            if found["ids"]:
                rows = np.asarray(found["embeddings"], dtype=np.float32)
                read = read.and_(Vectors.of(found["ids"], rows))
        return read

    def ask(self, call: Callable[[chromadb.Collection], Answer], looks: int = MOST_LOOKS) -> Answer:
        """What `call` answers on the collection object that shows what is written.

        Again where this process' index lacks the vector of an id that Chroma has found; after
        some times by a client opened anew, where others may have written it.
        """
        for look in range(1, looks):
            used = self._shared.second
            with suppress(InternalError), self.collection() as collection:
                return call(collection)
            # What was deleted as it was read lacks for a moment, and another client is no help.
            if look >= _BRIEF and self._directory is not None:
                with self._shared.opening:
                    if self._shared.second is used:  # else another thread was here first
                        self._switch_to_second_client()
        with self.collection() as collection:
            return call(collection)

    def unread(self, ids: Sequence[str], token: Token | None) -> int:
        """For how many of `ids` Chroma would have to be asked."""
        return self._shared.known.unknown(token, ids)

    def shows(self, came: Sequence[str], went: Sequence[str], changed: Sequence[str]) -> bool:
        """Whether vector queries know `came` and `changed` as they are, and `went` no more."""
        if self._directory is None:
            return True
        with self.collection() as collection:
            try:
                if came:
                    _with_vectors(collection, came)
            except InternalError:
                return False
            # What is there again, perhaps by a write of ours, may be found and has to be the same.
            back = set(collection.get(ids=list(went), include=[])["ids"]) if went else set()
            gone = [id_ for id_ in went if id_ not in back]
            if gone and _still_finds(collection, gone):
                return False
            if not changed and not back:
                return True
            with self._anew() as now:
                return _same_vectors(collection, now, [*changed, *back])

    def replay(self) -> None:
        """Let Chroma finish the last write of a killed process, which only a new client does."""
        if self._directory is not None:
            with self._anew() as collection:
                collection.get(limit=1, include=[])

    def mark_outdated(self, *, by_others: bool = False) -> None:
        """Something was written, which the second client may not show, if there is one.

        `by_others`: by another process, of whose vectors an open client never shows anything.
        """
        if by_others and self._directory is not None:
            self._shared.needed = True
        self._shared.outdated = True

    def catch_up(self) -> None:
        """Show what is written by now, if need be through a second client."""
        if self._shared.needed and self._shared.outdated:
            with self._shared.opening:
                if self._shared.outdated:
                    self._switch_to_second_client()

    def _switch_to_second_client(self) -> None:
        """From now on read vectors through a client of our own, opened now."""
        with self._shared.opening:
            self._shared.needed = True
            self._shared.outdated = False  # first: what is written from here on may not be shown
            with opening(str(self._directory)):
                reader = self._opened(_ATTEMPTS)
            if self._shared.second is None:
                _log.warning(
                    "another process writes to %s, whose vectors an open Chroma client does not "
                    "show: they are read through a second client, reopened after every write. "
                    "For several processes, start `chroma run` and use its HTTP client",
                    self._directory,
                )
            old: SecondClient | None = reader
            with self._shared.lock:
                if not self._shared.closed:
                    old, self._shared.second = self._shared.second, reader
                    # The old one holds what the reader before saw.
                    self._shared.known = VectorTable(VECTOR_BYTES)
        if old is not None:
            old.retire()

    @contextmanager
    def _anew(self) -> Iterator[chromadb.Collection]:
        """The collection as a client sees it that is opened for this block."""
        reader = self._opened(_ATTEMPTS)
        try:
            yield reader.take()
        finally:
            reader.give_back()
            reader.retire()

    def _opened(self, attempts: int) -> SecondClient:
        assert self._directory is not None  # noqa: S101  # elsewhere everybody's writes are seen
        try:
            return SecondClient(self._client, self._directory, self._collection.name)
        except InternalError:  # its index could not be loaded while this process was writing
            if attempts == 1:
                with told_if_torn(self._collection.name, self._directory):
                    raise
            return self._opened(attempts - 1)

    @contextmanager
    def collection(self) -> Iterator[chromadb.Collection]:
        """The collection object that shows what is written."""
        with self._shared.lock:
            second = self._shared.second
            collection = self._collection if second is None else second.take()
        try:
            yield collection
        finally:
            if second is not None:
                second.give_back()


def _with_vectors(collection: chromadb.Collection, ids: Sequence[str]) -> chromadb.GetResult:
    return collection.get(ids=list(ids), include=["embeddings"])


def _still_finds(collection: chromadb.Collection, went: Sequence[str]) -> bool:
    some = collection.get(limit=1, include=["embeddings"])["embeddings"]
    if some is None or len(some) == 0:
        return True
    try:
        return bool(collection.query(query_embeddings=some[:1], ids=list(went), n_results=1)["ids"])
    except InternalError:
        return False


def _same_vectors(one: chromadb.Collection, other: chromadb.Collection, ids: Sequence[str]) -> bool:
    """Whether both hold the same vectors under `ids`; not where the index of one lacks some."""
    for page in pages(ids, PAGE):
        try:
            a, b = (_with_vectors(each, page) for each in (one, other))
        except InternalError:
            return False
        rows = np.asarray(a["embeddings"]), np.asarray(b["embeddings"])
        if a["ids"] != b["ids"] or not np.array_equal(*rows, equal_nan=True):
            return False
    return True
