"""What was read from Chroma once, for as long as its data folder stays as it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_chroma_hybrid.engine.chroma.change_token import Token

Key = TypeVar("Key")
Value = TypeVar("Value")

_OVERHEAD = 200  # bytes of a key, an object and a place in a table


class TokenCache(Generic[Key, Value]):
    """Values under one change token: with another one it is empty. Thread-safe.

    Without a token, as for a server, nothing is kept.

    Args:
        most: bytes that are kept; with more it begins anew.
        size: bytes of one value, about.
    """

    def __init__(self, most: int, size: Callable[[Value], int]) -> None:
        self._most = most
        self._size = size
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._values: dict[Key, Value] = {}
        self._held = 0

    def known(self, token: Token | None, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those of `keys` that were read under `token`."""
        with self._lock:
            if token is None or token != self._token:
                return {}
            return {key: self._values[key] for key in keys if key in self._values}

    def keep(self, token: Token | None, values: Mapping[Key, Value]) -> None:
        """Keep what was read after `token` was looked at."""
        if token is None:
            return
        size = sum(map(self._size, values.values())) + _OVERHEAD * len(values)
        with self._lock:
            if token != self._token or self._held + size > self._most:
                self._token, self._values, self._held = token, {}, 0
            if size <= self._most:
                self._values.update(values)
                self._held += size
