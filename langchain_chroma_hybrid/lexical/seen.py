"""What is known of the commits of an index that several processes write."""

from __future__ import annotations

import threading
from typing import Generic, Protocol, TypeVar

from langchain_chroma_hybrid.lexical.binding import Owner


class Commit(Protocol):
    """What is known of one: `instance` is another for an index made anew, `version` grows."""

    @property
    def instance(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def owned_by(self) -> Owner: ...  # noqa: D102


_Info = TypeVar("_Info", bound=Commit)


class Seen(Generic[_Info]):
    """The latest commit that an answer has told of, and how many were not ours. Thread-safe.

    Attributes:
        owner: the collection that the index was bound to here.
    """

    def __init__(self, info: _Info) -> None:
        self.owner = Owner()
        self._info = info
        self._own: set[int] = set()
        self._foreign = 0
        self._lock = threading.Lock()

    @property
    def info(self) -> _Info:
        """Of the latest commit."""
        return self._info

    @property
    def version(self) -> tuple[str, int]:
        """Another one after each commit."""
        return self._info.instance, self._info.version

    @property
    def foreign(self) -> int:
        """How many commits of others were noticed."""
        return self._foreign

    def begin(self, info: _Info) -> None:
        """A commit of ours will be like this, if it comes to that.

        Raises:
            LexicalIndexError: another collection has the index by now.
        """
        self.owner.check(info.owned_by)
        with self._lock:
            self._own.add(info.version)

    def become(self, info: _Info) -> None:
        """Another index was put in place here: that is no commit of others."""
        with self._lock:
            self._info = info
            self._own.clear()

    def note(self, info: _Info) -> None:
        """What an answer has told; one that an older commit has answered tells nothing new.

        Raises:
            LexicalIndexError: another collection has the index by now.
        """
        self.owner.check(info.owned_by)
        with self._lock:
            was = self._info
            if info.instance != was.instance:
                self._foreign += 1
                self._own.clear()
            elif info.version <= was.version:
                return
            else:
                new = range(was.version + 1, info.version + 1)
                self._foreign += len(new) - sum(version in self._own for version in new)
                self._own = {version for version in self._own if version > info.version}
            self._info = info
