"""Vectors of many records, and what is remembered of them while nothing changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from langchain_chroma_hybrid.engine.chroma.change_token import Token

Vector: TypeAlias = "NDArray[np.float32]"
Matrix: TypeAlias = "NDArray[np.float32]"
# Ids and their rows, by row.
_Answer: TypeAlias = "tuple[tuple[str, ...], NDArray[np.intp]]"

_OVERHEAD = 200  # bytes of an id and its place in a table
# Answers that are remembered: so many ids in all, where each answer weighs some by itself. 10 MB.
_MOST_ANSWERED, _ANSWER = 100_000, 20


class Vectors(NamedTuple):
    """Vectors `(d,)` of some records: row `rows[i]` of `block` `(n, d)` is that of `ids[i]`.

    Read-only: others may be reading the same block.

    Attributes:
        lengths: of the block's rows `(n,)`, Euclidean.
    """

    ids: Sequence[str]
    block: Matrix
    lengths: Vector
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, ids: Sequence[str], block: Matrix) -> Vectors:
        """All rows of `block`, in the order of `ids`."""
        block.setflags(write=False)
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        return cls(ids, block, lengths, np.arange(len(ids)))

    def by_id(self) -> dict[str, Vector]:
        """The same as views of their rows."""
        return {id_: self.block[row] for id_, row in zip(self.ids, self.rows, strict=True)}

    def and_(self, other: Vectors) -> Vectors:
        """Both in one block."""
        parts = [each.block[each.rows] for each in (self, other) if each.ids]
        return Vectors.of([*self.ids, *other.ids], np.concatenate(parts)) if parts else self


NO_VECTORS = Vectors.of((), np.empty((0, 0), dtype=np.float32))


class VectorTable:
    """Vectors under one change token: with another one it is empty. Thread-safe.

    Without a token, as for a server, nothing is kept. With more than `most` bytes it begins anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._forget(None)

    def _forget(self, token: Token | None) -> None:
        self._token = token
        self._row: dict[str, int] = {}
        self._block: Matrix = NO_VECTORS.block
        self._lengths: Vector = NO_VECTORS.lengths
        # Filters that come again ask for the same ids in the same order.
        self._answers: dict[tuple[str, ...], _Answer] = {}
        self._answered = 0

    def unknown(self, token: Token | None, ids: Sequence[str]) -> int:
        """How many of `ids` were not read under `token`."""
        with self._lock:
            if token is None or token != self._token:
                return len(ids)
            if tuple(ids) in self._answers:
                return 0
            return len(ids) - sum(map(self._row.__contains__, ids))

    def known(self, token: Token | None, ids: Sequence[str]) -> Vectors:
        """Those of `ids` that were read under `token`, in order of their rows."""
        with self._lock:
            if token is None or token != self._token:
                return NO_VECTORS
            asked = tuple(ids)
            known, rows = self._answers.get(asked) or self._found(asked)
            block, lengths = self._block.view(), self._lengths.view()
        for each in (block, lengths):
            each.setflags(write=False)
        return Vectors(known, block, lengths, rows) if known else NO_VECTORS

    def _found(self, ids: tuple[str, ...]) -> _Answer:
        """Those of `ids` that were read, and their rows; an answer with all is remembered."""
        found = [(row, id_) for id_ in ids if (row := self._row.get(id_)) is not None]
        found.sort()  # what lies side by side is read fastest
        known = tuple(id_ for _, id_ in found)
        rows = np.array([row for row, _ in found], dtype=np.intp)
        weight = _ANSWER + len(ids)
        if len(known) == len(ids) and weight <= _MOST_ANSWERED:
            if self._answered + weight > _MOST_ANSWERED:
                self._answers, self._answered = {}, 0
            self._answers[ids] = known, rows
            self._answered += weight
        return known, rows

    def keep(self, token: Token | None, new: Vectors) -> None:
        """Keep what was read after `token` was looked at."""
        dimension = new.block.shape[1]
        if token is None or not new.ids or len(new.ids) > room(self._most, dimension):
            return
        with self._lock:
            if token != self._token or len(self._row) + len(new.ids) > room(self._most, dimension):
                self._forget(token)
            self._grow(len(self._row) + len(new.ids), dimension)
            for id_, row in zip(new.ids, new.rows, strict=True):
                if id_ not in self._row:
                    self._block[len(self._row)] = new.block[row]
                    self._lengths[len(self._row)] = new.lengths[row]
                    self._row[id_] = len(self._row)

    def _grow(self, size: int, dimension: int) -> None:
        """Room for so many: in another block, because somebody may be reading this one."""
        if size > len(self._block):
            room_ = min(room(self._most, dimension), max(size, 2 * len(self._block)))
            block = np.empty((room_, dimension), dtype=np.float32)
            lengths = np.empty(room_, dtype=np.float32)
            if self._row:
                block[: len(self._row)] = self._block[: len(self._row)]
                lengths[: len(self._row)] = self._lengths[: len(self._row)]
            self._block, self._lengths = block, lengths


def room(most: int, dimension: int) -> int:
    """How many vectors of that dimension `most` bytes hold, with their ids."""
    return most // (4 * dimension + _OVERHEAD)
