"""Vectors that were read from Chroma once, for as long as its data folder stays as it is."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_chroma_hybrid.engine.change_token import Token
    from langchain_chroma_hybrid.engine.distances import Vector

_MOST_BYTES = 64 * 2**20
# A write so shortly after another may leave the same change token: clocks of file systems tick.
_TICK_NS = 100_000_000


class VectorCache:
    """By id, under one change token: with another one it is empty. Thread-safe.

    Chroma gives a vector as a list of boxed numbers, which takes longer than to compare it with a
    thousand queries; the same filter, such as a tenant's, asks for the same ones again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._vectors: dict[str, Vector] = {}
        self._bytes = 0

    def known(self, token: Token | None, ids: Iterable[str]) -> dict[str, Vector]:
        """Those of `ids` that were read under `token`."""
        with self._lock:
            if token is None or token != self._token:
                return {}
            return {id_: self._vectors[id_] for id_ in ids if id_ in self._vectors}

    def keep(self, token: Token | None, vectors: Mapping[str, Vector]) -> None:
        """Keep what was read after `token` was looked at."""
        if token is None or time.time_ns() - token[0] < _TICK_NS:
            return
        size = sum(vector.nbytes for vector in vectors.values())
        with self._lock:
            if token != self._token or self._bytes + size > _MOST_BYTES:
                self._token, self._vectors, self._bytes = token, {}, 0
            if size <= _MOST_BYTES:
                self._vectors.update(vectors)
                self._bytes += size

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._token, self._vectors, self._bytes = None, {}, 0
