"""Chroma's distances: computed as Chroma does, and turned into scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_chroma_hybrid.engine.chroma.vectors import Vector, Vectors

Space: TypeAlias = Literal["cosine", "l2", "ip"]

# Rows of a block that are compared at a time; where they are copied out of it, so many stay in a
# core's own memory.
_AT_ONCE, _COPIED_AT_ONCE = 2_048, 256
# To compare so many rows costs less than to copy one out.
_DENSE = 4


def relevance(distance: float, space: Space) -> float:
    """A distance as relevance, 0..1, higher is better, the same for every query and every k.

    `cosine`: the cosine, cut off at 0. `l2` (Chroma's is squared): `1 / (1 + d)`, which needs no
    assumption on the vectors' length. `ip`: the logistic function of the inner product.
    """
    if space == "cosine":
        return min(1.0, max(0.0, 1.0 - distance))
    if space == "l2":
        return 1.0 / (1.0 + max(0.0, distance))
    return float(1.0 / (1.0 + np.exp(np.clip(distance - 1.0, -60.0, 60.0))))


def similarities(distances: Iterable[float], space: Space) -> list[float]:
    """Distances turned round, higher is better, in proportion, for fusions."""
    top = 0.0 if space == "l2" else 1.0
    return [top - distance for distance in distances]


# The lowest similarity; unbounded for l2 and ip.
SIMILARITY_FLOOR: Mapping[Space, float | None] = {"cosine": -1.0, "l2": None, "ip": None}
# The highest: that of a record whose vector is the query's; unbounded for ip.
SIMILARITY_CEILING: Mapping[Space, float | None] = {"cosine": 1.0, "l2": 0.0, "ip": None}


@np.errstate(over="ignore", invalid="ignore")  # of rows that nobody asked for, too
def distances(query: Vector, vectors: Vectors, space: Space) -> Vector:
    """Chroma's distances `(m,)` of the query `(d,)` to `m` >= 1 vectors; lower is nearer."""
    block, lengths, rows = vectors.block, vectors.lengths, vectors.rows
    far, low, high = DISTANCES[space], int(rows.min()), int(rows.max()) + 1
    parts = []
    if high - low <= _DENSE * len(rows):
        for start in range(low, high, _AT_ONCE):
            part = slice(start, min(start + _AT_ONCE, high))
            parts.append(far(query, block[part], lengths[part]))
        found = np.concatenate(parts)[rows - low]
    else:
        for start in range(0, len(rows), _COPIED_AT_ONCE):
            some = rows[start : start + _COPIED_AT_ONCE]
            parts.append(far(query, block[some], lengths[some]))
        found = np.concatenate(parts)
    # Of vectors so long that float32 overflows: as far as Chroma says, or farthest.
    found[np.isnan(found)] = 1.0 if space == "cosine" else np.inf
    return found


def _cosine(query: Vector, rows: Vector, lengths: Vector) -> Vector:
    # Chroma's own guard: a zero vector has distance 1 to everything.
    norms = np.maximum(lengths * np.linalg.norm(query), 1e-30)
    return np.asarray(1.0 - rows @ query / norms, dtype=np.float32)


def _l2(query: Vector, rows: Vector, _lengths: Vector) -> Vector:
    return np.asarray(((rows - query) ** 2).sum(axis=1), dtype=np.float32)


def _ip(query: Vector, rows: Vector, _lengths: Vector) -> Vector:
    return np.asarray(1.0 - rows @ query, dtype=np.float32)


DISTANCES: Mapping[Space, Callable[[Vector, Vector, Vector], Vector]] = {
    "cosine": _cosine,
    "l2": _l2,
    "ip": _ip,
}
