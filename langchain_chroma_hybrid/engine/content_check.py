"""Finding updates by others, of which a server gives no sign, by comparing contents bit by bit."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from itertools import islice
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.sync import outdated, reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.engine.upkeep import Upkeep
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

THREAD = "chroma-hybrid-content-check"

# Records in one request, and how many requests a second at most.
_PAGE, _LEAST_PAUSE = 250, 0.05
# A check that fails, or finds nothing to do, comes again after this many seconds.
_REST = 1.0
# Nobody asks: nobody is kept waiting. Goes on with the next query.
_IDLE = 600.0

_log = logging.getLogger(__name__)


class ContentCheck:
    """Goes over the known ids again and again, `check_rate` records a second, in one thread.

    A page is read through the client of one of the users, and by ids, never by offsets, which
    others may be moving. What was updated or deleted is brought in. The thread rests when nobody
    has asked for ten minutes, and ends with the index. Thread-safe.

    Attributes:
        stopped: set when nothing more is to be compared.
    """

    def __init__(
        self, lexical: LexicalIndex, users: weakref.WeakSet[ChromaStore], upkeep: Upkeep
    ) -> None:
        self._lexical = lexical
        self._users = users
        self._rate = upkeep.check_rate
        on = upkeep.writers == "any" and upkeep.sync != "manual" and upkeep.check_rate > 0
        self.stopped = threading.Event()
        self._asked = -_IDLE
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        if not on:
            self.stopped.set()

    def wake(self, store: ChromaStore) -> None:
        """A query came: see that contents are being compared, where that is needed."""
        self._asked = time.monotonic()
        if not store.on_server or self.stopped.is_set() or self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_work, args=(weakref.ref(self),), name=THREAD, daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Compare no further."""
        self.stopped.set()

    def pages(self) -> Iterator[list[str]]:
        """All ids that the index knows now, a page at a time."""
        return _pages(self._lexical, max(1, min(_PAGE, int(self._rate))))

    def compare(self, page: list[str]) -> float:
        """Bring in what differs of one page; how long to rest after it."""
        store = max(self._users, key=lambda user: user.answered, default=None)
        if store is None or time.monotonic() - self._asked > _IDLE:
            return _REST
        if differ := outdated(page, store, self._lexical):
            reconcile(differ, store, self._lexical)
        return max(_LEAST_PAUSE, len(page) / self._rate)


def _pages(lexical: LexicalIndex, size: int) -> Iterator[list[str]]:
    ids = iter(lexical.ids())
    while page := list(islice(ids, size)):
        yield page


def _work(reference: weakref.ref[ContentCheck]) -> None:
    """Over and over; ends when the check is stopped, or nobody holds it any more."""
    pages: Iterator[list[str]] = iter(())
    while (check := reference()) is not None:
        seconds = _REST
        try:
            page = next(pages, None)
            if page is None:
                pages = check.pages()
                page = next(pages, None)
            if page is not None:
                seconds = check.compare(page)
        except Exception as error:  # noqa: BLE001  # the next query says what is wrong
            _log.debug("comparing contents failed: %s", error)
            pages = iter(())
        stopped = check.stopped
        del check  # not held while waiting: it ends with the index
        if stopped.wait(seconds):
            return
