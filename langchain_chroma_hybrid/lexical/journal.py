"""What journals have in common that lie on a server: entries under a lease, which is renewed."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from langchain_chroma_hybrid.errors import LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_Ids = TypeVar("_Ids")


class LeasedJournal(ABC, Generic[_Ids]):
    """A writer's entries, each with a lease that a thread renews.

    Who does not renew his for `lease` seconds counts as dead, and another finishes what he began:
    one that comes back to life notes anew what he still has under way.

    Thread safety: may be called from many threads.
    """

    def __init__(self, lease: float) -> None:
        """`lease` in seconds."""
        self._lease = lease
        self._writer, self._owner = uuid.uuid4(), os.getpid()
        self._mutex = threading.Lock()
        self._numbers = itertools.count()
        self._pending: dict[int, _Ids] = {}
        self._renewer: threading.Thread | None = None
        self._stopped = threading.Event()

    @abstractmethod
    def _encoded(self, ids: Collection[str]) -> _Ids:
        """Ids as they are noted."""

    @abstractmethod
    def _note(self, entries: Mapping[int, _Ids]) -> None:
        """Write entries, or have their lease begin anew; all or LexicalIndexError."""

    @abstractmethod
    def _forget(self, numbers: Collection[int]) -> None:
        """Remove entries of this writer."""

    @abstractmethod
    def _end_lease(self, entries: Mapping[int, _Ids]) -> None:
        """Leave this writer's entries to whoever comes next."""

    def begin(self, ids: Collection[str]) -> int:
        """Note that `ids` may change; durable when this returns the number for `done`.

        Raises:
            LexicalIndexError: it could not be written; nothing is noted.
        """
        self._be_this_process()
        encoded, number = self._encoded(ids), next(self._numbers)
        self._note({number: encoded})
        self._keep({number: encoded})
        return number

    def done(self, numbers: Collection[int]) -> None:
        """Forget what has come into the lexical index; what cannot be forgotten is done again."""
        with self._mutex:
            known = [number for number in numbers if self._pending.pop(number, None) is not None]
        if known and self._owner == os.getpid():
            with suppress(LexicalIndexError):
                self._forget(known)

    def close(self) -> None:
        """Write no more; whatever is noted is for the next open."""
        self._stopped.set()
        with self._mutex:
            left, self._pending = self._pending, {}
        if left and self._owner == os.getpid():
            with suppress(LexicalIndexError):
                self._end_lease(left)

    def renew(self) -> None:
        """Have the lease of all that is under way begin anew."""
        with self._mutex:
            pending = dict(self._pending)
        if pending:
            self._note(pending)
            with self._mutex:
                gone = list(pending.keys() - self._pending.keys())
            if gone:  # it may have been noted once more after it was done
                self._forget(gone)

    def _keep(self, entries: Mapping[int, _Ids]) -> None:
        """Renew entries from now on."""
        with self._mutex:
            self._pending.update(entries)
            if self._renewer is None:
                self._renewer = threading.Thread(
                    target=_renew,
                    args=(weakref.ref(self), self._stopped, self._lease / 3),
                    name="chroma-hybrid-lease",
                    daemon=True,
                )
                self._renewer.start()

    def _be_this_process(self) -> None:
        """After a fork the parent's entries are the parent's to finish."""
        if self._owner != os.getpid():
            self._writer, self._owner = uuid.uuid4(), os.getpid()
            self._mutex = threading.Lock()
            self._stopped = threading.Event()
            self._pending, self._renewer = {}, None


def _renew(
    journal: weakref.ref[LeasedJournal[_Ids]], stopped: threading.Event, pause: float
) -> None:
    """Renew the leases of a journal for as long as it is there."""
    while not stopped.wait(pause):
        there = journal()
        if there is None:
            return
        with suppress(LexicalIndexError):
            there.renew()
        del there
