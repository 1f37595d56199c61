"""Telling own writes from those of others by the change token of the data folder."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.change_token import Token
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore


class OwnChanges:
    """The change tokens before and after our writes, as long as nothing of others lies between.

    Thread-safe. Writes that overlap count as one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._before: Token | None = None
        self._after: Token | None = None
        self._chain: tuple[Token, Token | None] | None = None

    def begin(self, store: ChromaStore) -> None:
        """A write is about to change the token."""
        with self._lock:
            if not self._under_way:
                self._before = store.read_token().token
            self._under_way += 1

    def written(self, store: ChromaStore) -> None:
        """It has changed it."""
        with self._lock:
            self._after = store.read_token().token

    def end(self) -> None:
        """It is over: what it has written comes into the index."""
        with self._lock:
            self._under_way -= 1
            if self._under_way or self._before is None:
                return
            goes_on = self._chain is not None and self._chain[1] == self._before
            first = self._chain[0] if self._chain is not None and goes_on else self._before
            self._chain = (first, self._after)

    def explain(self, seen: Token | None, token: Token | None) -> bool:
        """Whether nothing but our writes made `token` out of `seen`."""
        return self._chain == (seen, token)

    def forget(self) -> None:
        """What was written so far is in the index, and needs no explanation any more."""
        with self._lock:
            self._chain = None
