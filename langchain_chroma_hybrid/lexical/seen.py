"""What is known of the commits of an index that several processes write."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from langchain_chroma_hybrid.lexical.binding import Owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter


_MOST_FILTERS, _MOST_WORDS = 256, 4_096


class Counts:
    """How many records pass filters, each as of one commit; the latest few hundred filters."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, Filter], int] = {}

    def get(self, version: object, where: Filter | None) -> int | None:
        """How many passed, None if nobody knows."""
        return None if where is None else self._known.get((version, where))

    def note(self, version: object, where: Filter | None, passing: int) -> None:
        """What an answer has told."""
        if where is None:
            return
        if len(self._known) >= _MOST_FILTERS:
            self._known = {}
        self._known[version, where] = passing


class Occurring:
    """Whether words are in a record that passes a filter, each as of one commit."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, Filter | None, QueryWord], bool] = {}

    def get(
        self, version: object, where: Filter | None, words: Iterable[QueryWord]
    ) -> dict[QueryWord, bool]:
        """Of those of the words of which it is known."""
        known = self._known
        return {w: known[version, where, w] for w in words if (version, where, w) in known}

    def note(
        self, version: object, where: Filter | None, there: Mapping[QueryWord, bool]
    ) -> None:
        """What an answer has told."""
        if len(self._known) >= _MOST_WORDS:
            self._known = {}
        self._known |= {(version, where, word): occurs for word, occurs in there.items()}


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
