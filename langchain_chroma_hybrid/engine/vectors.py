"""Vectors of many records, and what is remembered of them while nothing changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from langchain_chroma_hybrid.engine.change_token import Token
    from langchain_chroma_hybrid.engine.distances import Vector

Matrix: TypeAlias = "NDArray[np.float32]"

_OVERHEAD = 200  # bytes of an id and its place in a table


class Vectors(NamedTuple):
    """Vectors `(d,)` of some records: row `rows[i]` of `block` `(n, d)` is that of `ids[i]`.

    Read-only: others may be reading the same block.
    """

    ids: Sequence[str]
    block: Matrix
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, ids: Sequence[str], block: Matrix) -> Vectors:
        """All rows of `block`, in the order of `ids`."""
        block.setflags(write=False)
        return cls(ids, block, np.arange(len(ids)))

    def by_id(self) -> dict[str, Vector]:
        """The same as views of their rows."""
        return {id_: self.block[row] for id_, row in zip(self.ids, self.rows, strict=True)}

    def and_(self, other: Vectors) -> Vectors:
        """Both in one block."""
        parts = [each.block[each.rows] for each in (self, other) if each.ids]
        return Vectors.of([*self.ids, *other.ids], np.concatenate(parts)) if parts else self


NO_VECTORS = Vectors.of((), np.empty((0, 0), dtype=np.float32))


class VectorCache:
    """Vectors under one change token: with another one it is empty. Thread-safe.

    Without a token, as for a server, nothing is kept. With more than `most` bytes it begins anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._row: dict[str, int] = {}
        self._block: Matrix = NO_VECTORS.block

    def unknown(self, token: Token | None, ids: Sequence[str]) -> int:
        """How many of `ids` were not read under `token`."""
        with self._lock:
            if token is None or token != self._token:
                return len(ids)
            return len(ids) - sum(map(self._row.__contains__, ids))

    def known(self, token: Token | None, ids: Sequence[str]) -> Vectors:
        """Those of `ids` that were read under `token`."""
        with self._lock:
            if token is None or token != self._token:
                return NO_VECTORS
            rows, block = list(map(self._row.get, ids)), self._block.view()
        block.setflags(write=False)
        if None in rows:
            ids = [id_ for id_, row in zip(ids, rows, strict=True) if row is not None]
            rows = [row for row in rows if row is not None]
        return Vectors(ids, block, np.array(rows, dtype=np.intp)) if ids else NO_VECTORS

    def keep(self, token: Token | None, new: Vectors) -> None:
        """Keep what was read after `token` was looked at."""
        dimension = new.block.shape[1]
        if token is None or not new.ids or len(new.ids) > room(self._most, dimension):
            return
        with self._lock:
            if token != self._token or len(self._row) + len(new.ids) > room(self._most, dimension):
                self._token, self._row, self._block = token, {}, NO_VECTORS.block
            self._grow(len(self._row) + len(new.ids), dimension)
            for id_, row in zip(new.ids, new.rows, strict=True):
                if id_ not in self._row:
                    self._block[len(self._row)] = new.block[row]
                    self._row[id_] = len(self._row)

    def _grow(self, size: int, dimension: int) -> None:
        """Room for so many: in another block, because somebody may be reading this one."""
        if size > len(self._block):
            room_ = min(room(self._most, dimension), max(size, 2 * len(self._block)))
            block = np.empty((room_, dimension), dtype=np.float32)
            if self._row:
                block[: len(self._row)] = self._block[: len(self._row)]
            self._block = block


def room(most: int, dimension: int) -> int:
    """How many vectors of that dimension `most` bytes hold, with their ids."""
    return most // (4 * dimension + _OVERHEAD)
