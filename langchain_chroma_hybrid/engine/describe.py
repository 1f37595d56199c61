"""What the metadata of a collection look like, inside base filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.description import Description, describe
from langchain_chroma_hybrid.core.filters import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.engine.index import HybridIndex


def described(index: HybridIndex, base: Filter | None, records: int = 1000) -> Description:
    """Keys, types, ranges and common values of the records that pass `base`.

    Args:
        index: both halves.
        base: a parsed filter; None for no restriction.
        records: how many are looked at, taken from everywhere in the collection.

    Raises:
        InvalidArgumentError: `records` is no whole number >= 1.
    """
    positive("records", records)
    passing, some = _passing(index, base, records)
    found = index.store.passing(some, base).values()
    return describe([record.metadata for record in found], passing)


def _passing(index: HybridIndex, base: Filter | None, most: int) -> tuple[int, Sequence[str]]:
    """How many records pass, and ids of some."""
    half, store = index.half, index.store
    half.freshness.prepare(store, half.policy)
    lexical = half.lexical
    if base is None:
        return lexical.count(), lexical.sample(most)
    ids = sorted(lexical.match(resolve(base, lexical.supports, store.match)))
    return len(ids), ids[:: max(1, -(-len(ids) // most))]
