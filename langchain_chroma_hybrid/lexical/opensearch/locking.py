"""The lock of the writers of all hosts, which lies under a lease in what is noted of an index."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import IndexLockedError, LexicalIndexError
from langchain_chroma_hybrid.lexical.opensearch.side import HeldError, kept, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_chroma_hybrid.lexical.opensearch.side import Info, SideIndex

_PAUSE = 0.1


class WriterLock:
    """Held by one thread of one process of one host. Renewed for as long as it is held.

    Args:
        side: where it is noted.
        lease: seconds after which it is free if its holder has died.
        timeout: seconds to wait for another writer.
        place: for messages.
        release: lets go of it, by a change that includes the one which it is given.
    """

    def __init__(
        self,
        side: SideIndex,
        lease: float,
        timeout: float,
        place: str,
        release: Callable[[Callable[[Info], Info]], None],
    ) -> None:
        self._side, self._lease, self._timeout = side, lease, timeout
        self._place, self._release = place, release
        self._holding = threading.RLock()
        self._depth = 0
        self._writer = ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other writer out; may be nested.

        Raises:
            IndexLockedError: another writer kept it for longer than the timeout.
        """
        wait = self._timeout if self._timeout < threading.TIMEOUT_MAX else -1
        if not self._holding.acquire(timeout=wait):
            raise IndexLockedError(f"another thread kept the lexical index for {self._timeout:g} s")
        try:
            if self._depth:
                yield
                return
            self._take()
            with self._renewed():
                self._depth = 1
                try:
                    yield
                except BaseException:
                    with suppress(LexicalIndexError):
                        self._let_go()
                    raise
                else:
                    self._let_go()
                finally:
                    self._depth = 0
        finally:
            self._holding.release()

    def begin(self) -> Info:
        """A new version, for what is written next; for who has the lock."""
        return self.change(lambda info: replace(info, version=info.version + 1))

    def change(self, change: Callable[[Info], Info]) -> Info:
        """Change what is known of the index; for who has the lock.

        Raises:
            IndexLockedError: another one has taken it, after the lease had ended.
        """
        writer, lease = self._writer, self._lease
        return self._side.update(lambda info: change(kept(info, writer, lease)))

    def _take(self) -> None:
        """Wait for the lock."""
        deadline = time.monotonic() + self._timeout
        self._writer = f"{uuid.uuid4().hex}.{os.getpid()}"
        writer, lease = self._writer, self._lease
        while True:
            try:
                self._side.update(lambda info: taken(info, writer, lease))
            except HeldError:
                if time.monotonic() > deadline:
                    message = (
                        f"another writer kept the lexical index at {self._place} "
                        f"for {self._timeout:g} s"
                    )
                    raise IndexLockedError(message) from None
                time.sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311  # no secret
                self._side.forget()
            else:
                return

    def _let_go(self) -> None:
        writer, lease = self._writer, self._lease
        self._release(lambda info: kept(info, writer, lease))

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """Renew the lease in a thread of its own meanwhile."""
        stopped, writer, lease = threading.Event(), self._writer, self._lease

        def renew() -> None:
            while not stopped.wait(lease / 3):
                with suppress(LexicalIndexError):
                    self._side.update(lambda info: kept(info, writer, lease))

        thread = threading.Thread(target=renew, name="chroma-hybrid-lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
