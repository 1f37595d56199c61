"""Finding updates by others, of which a server gives no sign, by comparing contents bit by bit."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.calls import pages
from langchain_chroma_hybrid.engine.sync.reconcile import outdated, reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

THREAD = "chroma-hybrid-content-check"

# Records in one request, and seconds between two requests of this process at least.
_PAGE, _PAUSE = 250, 0.2
# Seconds between the beginnings of two passes over one collection at least.
PASS = 2.0
# After an error, or with nothing to do, seconds until the next try.
_REST = 1.0
# The longest pause; a rate that asks for more is as good as none.
_LONGEST = 3_600.0
# Nobody has asked for so many seconds: nobody is kept waiting. Goes on with the next query.
_IDLE = 600.0

_log = logging.getLogger(__name__)


class ContentCheck:
    """Goes over the ids that one index knows, again and again.

    All of a process take turns in one thread, at their `check_rate` in records a second together.
    A page is read through the client of one of the users, and by ids, never by offsets, which
    others may be moving. What was updated or deleted is brought in. Rests when nobody has asked for
    ten minutes, and ends with the index. Thread-safe.

    Attributes:
        stopped: nothing more is to be compared.
        ready_at: not before this time of `time.monotonic` there is something to do.
    """

    def __init__(
        self, lexical: LexicalIndex, users: weakref.WeakSet[ChromaStore], policy: SyncPolicy
    ) -> None:
        self._lexical = lexical
        self._users = users
        self._rate = policy.check_rate
        self._asked = -_IDLE
        self._begun = -PASS
        self._left: Iterator[list[str]] | None = None
        self._page: list[str] = []
        self.ready_at = 0.0
        self.stopped = not (policy.writers == "any" and policy.sync != "manual" and self._rate > 0)

    def wake(self, store: ChromaStore) -> None:
        """A query came: see that contents are being compared, where that is needed."""
        self._asked = time.monotonic()
        if store.on_server and not self.stopped:
            _turns.take(self)

    def stop(self) -> None:
        """Compare no further."""
        self.stopped = True

    def pages(self) -> Iterator[list[str]]:
        """All ids that the index knows now, a page at a time."""
        return pages(self._lexical.ids(), max(1, min(_PAGE, int(self._rate))))

    def compare(self, page: list[str]) -> float:
        """Bring in what differs of one page; seconds that it is worth at the rate."""
        store = max(self._users, key=lambda user: user.answered, default=None)
        if store is not None and (differ := outdated(page, store, self._lexical)):
            reconcile(differ, store, self._lexical)
        return len(page) / self._rate

    def turn(self) -> float:
        """Compare the next page; how long everybody is to wait after it."""
        now = time.monotonic()
        self.ready_at = now + _REST
        if not self._users or now - self._asked > _IDLE:
            return 0.0
        if self._left is None:
            self._begun, self._left = now, self.pages()
        self._page = self._page or next(self._left, [])
        if not self._page:
            self._left, self.ready_at = None, self._begun + PASS
            return 0.0
        seconds = self.compare(self._page)  # if that fails, once more
        self._page = []
        self.ready_at = time.monotonic()
        return seconds


class _Turns:
    """One thread for all indexes of the process; ends when there is none left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checks: weakref.WeakSet[ContentCheck] = weakref.WeakSet()
        self._runs = False

    def take(self, check: ContentCheck) -> None:
        """Let `check` take its turns."""
        if self._runs and check in self._checks:
            return
        with self._lock:
            self._checks.add(check)
            if not self._runs:
                threading.Thread(target=self._work, name=THREAD, daemon=True).start()
                self._runs = True

    def _work(self) -> None:
        while (seconds := self._turn()) is not None:
            time.sleep(seconds)

    def _turn(self) -> float | None:
        """One page of whoever has waited longest; how long to wait, None when nobody is left."""
        with self._lock:
            for over in [each for each in self._checks if each.stopped]:
                self._checks.discard(over)
            check = min(self._checks, key=lambda each: each.ready_at, default=None)
            self._runs = check is not None
        if check is None:
            return None
        if (wait := check.ready_at - time.monotonic()) > 0:
            return min(wait, _REST)
        try:
            return min(max(_PAUSE, check.turn()), _LONGEST)
        except Exception as error:  # noqa: BLE001  # the next query says what is wrong
            _log.debug("comparing contents failed: %s", error)
            return _PAUSE


_turns = _Turns()


def _anew() -> None:
    # A forked child has none of its parent's threads.
    global _turns  # noqa: PLW0603
    _turns = _Turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_anew)
