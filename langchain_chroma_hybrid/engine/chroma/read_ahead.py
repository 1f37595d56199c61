"""Reading the vectors of all that passes a filter, where the filter comes again and again."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from langchain_chroma_hybrid.engine.chroma.calls import pages
from langchain_chroma_hybrid.engine.chroma.change_token import read_token
from langchain_chroma_hybrid.engine.chroma.token_cache import TokenCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.engine.chroma.change_token import Token
    from langchain_chroma_hybrid.engine.chroma.vector_reader import VectorReader

# Vectors read at a time, and a pause after: Chroma holds the interpreter while it hands them over.
_PAGE, _PAUSE = 250, 0.005
# Filters of which is known what they cost, or that they are read.
_NOTE_BYTES = 2**20

THREAD = "chroma-hybrid-read-ahead"

_log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """The vectors of what passes a filter: how many, of which ids, and who reads them."""

    where: Filter | None
    passing: int
    ids: Callable[[], Sequence[str]]
    reader: VectorReader


class ReadAhead:
    """Which filters have their vectors at hand, and which would be better off. Thread-safe.

    A query that has to do without them says how long it took. When that adds up to what reading
    them takes on this machine, which the first pages tell, they are read in a thread of their own:
    in all, no filter costs much more than twice what the better way would have cost (the ski rental
    problem; Karlin, Manasse, Rudolph, Sleator: Competitive Snoopy Caching, 1988). A change of the
    data folder starts it all anew.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._spent: TokenCache[Filter, float] = TokenCache(_NOTE_BYTES, lambda _: 0)
        self._read: TokenCache[Filter, bool] = TokenCache(_NOTE_BYTES, lambda _: 0)
        self._busy = self._closed = False
        # Milliseconds for a vector, once some were read.
        self._rate: float | None = None

    def has_read(self, where: Filter, token: Token | None) -> bool:
        """Whether all that passed `where` was read under `token`."""
        return self._read.known(token, [where]).get(where, False)

    def forget(self, where: Filter, token: Token | None) -> None:
        """What was read is not remembered any more."""
        self._read.keep(token, {where: False})

    def went_without(self, wanted: Wanted, milliseconds: float, token: Token | None) -> None:
        """A query took so long without the vectors that are `wanted`."""
        where = wanted.where
        if token is None or where is None:
            return
        with self._lock:
            spent = self._spent.known(token, [where]).get(where, 0.0) + milliseconds
            pays = self._rate is None or spent >= self._rate * wanted.passing
            start = pays and not (self._busy or self._closed)
            self._spent.keep(token, {where: 0.0 if start and self._rate else spent})
            self._busy = self._busy or start
        if start:
            try:
                threading.Thread(target=self._work, args=(wanted, token), name=THREAD).start()
            except RuntimeError:  # the machine has no room for another thread
                self._busy = False

    def close(self) -> None:
        """Read no further."""
        self._closed = True

    def _work(self, wanted: Wanted, token: Token) -> None:
        """Read all of them; the very first time only some, to learn what it takes."""
        learned = self._rate is not None
        try:
            ids = wanted.ids()
            done = self._read_pages(ids if learned else ids[:_PAGE], wanted.reader, token)
            if wanted.where is not None and done and (learned or len(ids) <= _PAGE):
                self._read.keep(token, {wanted.where: True})
        except Exception as error:  # noqa: BLE001  # nobody waits for it; the next query says what fails
            _log.debug("reading vectors ahead failed: %s", error)
        finally:
            self._busy = False

    def _read_pages(self, ids: Sequence[str], reader: VectorReader, token: Token) -> bool:
        """Have vectors remembered, with pauses; False if a write or `close` came in between."""
        for page in pages(ids, _PAGE):
            # The program may have ended, and waits for its threads.
            if self._closed or not threading.main_thread().is_alive():
                return False
            unread, begun = reader.unread(page, token), time.perf_counter()
            reader.vectors(page, token)
            if unread:
                self._rate = (time.perf_counter() - begun) * 1e3 / unread
            if self._directory is None or read_token(self._directory).lasting != token:
                return False
            time.sleep(_PAUSE)
        return True
