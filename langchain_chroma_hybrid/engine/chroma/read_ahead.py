"""Reading the vectors of all that passes a filter, where the filter comes again and again."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.change_token import lasting_token
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
_MOST_BYTES = 2**20

THREAD = "chroma-hybrid-read-ahead"

_log = logging.getLogger(__name__)


class ReadAhead:
    """Which filters have their vectors at hand, and which would be better off. Thread-safe.

    A query that has to do without them says how much longer it took. When that adds up to the price
    of reading, they are read in a thread of their own: in all, no filter costs more than twice what
    the better way would have cost (the ski rental problem; Karlin, Manasse, Rudolph, Sleator:
    Competitive Snoopy Caching, 1988). A change of the data folder starts it all anew.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._lost: TokenCache[Filter, float] = TokenCache(_MOST_BYTES, lambda _: 0)
        self._read: TokenCache[Filter, bool] = TokenCache(_MOST_BYTES, lambda _: 0)
        self._busy = False
        self._closed = False

    def has_read(self, where: Filter) -> bool:
        """Whether all that passed `where` was read, since when nothing has changed."""
        return self._read.known(self._token(), [where]).get(where, False)

    def forget(self, where: Filter) -> None:
        """What was read is not remembered any more."""
        self._read.keep(self._token(), {where: False})

    def lose(
        self,
        where: Filter,
        milliseconds: float,
        price: float,
        ids: Callable[[], Sequence[str]],
        reader: VectorReader,
    ) -> None:
        """A query took so much longer without the vectors of `ids`, which cost `price` to read."""
        token = self._token()
        if token is None:
            return
        with self._lock:
            lost = self._lost.known(token, [where]).get(where, 0.0) + milliseconds
            start = lost >= price and not (self._busy or self._closed)
            self._lost.keep(token, {where: 0.0 if start else max(0.0, lost)})
            self._busy = self._busy or start
        if start:
            self._start(where, ids, token, reader)

    def close(self) -> None:
        """Read no further."""
        self._closed = True

    def _token(self) -> Token | None:
        return lasting_token(self._directory)

    def _start(
        self,
        where: Filter,
        ids: Callable[[], Sequence[str]],
        token: Token,
        reader: VectorReader,
    ) -> None:
        given = where, ids, token, reader
        work = threading.Thread(target=self._work, args=given, name=THREAD)
        try:
            work.start()
        except RuntimeError:  # the machine has no room for another thread
            self._busy = False

    def _work(
        self,
        where: Filter,
        ids: Callable[[], Sequence[str]],
        token: Token,
        reader: VectorReader,
    ) -> None:
        try:
            if self._read_all(ids(), token, reader):
                self._read.keep(token, {where: True})
        except Exception as error:  # noqa: BLE001  # nobody waits for it; the next query says what fails
            _log.debug("reading vectors ahead failed: %s", error)
        finally:
            self._busy = False

    def _read_all(self, ids: Sequence[str], token: Token, reader: VectorReader) -> bool:
        for start in range(0, len(ids), _PAGE):
            # The program may have ended, and waits for its threads.
            if self._closed or not threading.main_thread().is_alive():
                return False
            reader.vectors(ids[start : start + _PAGE], token)
            if self._token() != token:
                return False
            time.sleep(_PAUSE)
        return True
