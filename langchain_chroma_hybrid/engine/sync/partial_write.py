"""What a write that failed half-way has done, read back from Chroma."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    LexicalIndexError,
    SearchError,
    WriteError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.rows import Rows


def inside(store: ChromaStore, rows: Rows | None) -> list[str]:
    """Those of a batch that failed which Chroma holds as they were to be written."""
    if rows is None:
        return []
    with suppress(Exception):
        found = store.fetch(rows.ids)
        return [id_ for i, id_ in enumerate(rows.ids) if _holds(found.get(id_), rows, i)]
    return []


def gone(store: ChromaStore, ids: Sequence[str], there: Collection[str]) -> list[str]:
    """What a deletion that failed has deleted, of what was there."""
    with suppress(Exception):
        found = store.fetch(there)
        return [id_ for id_ in ids if id_ in there and id_ not in found]
    return []


def account(error: Exception, done: Sequence[str], total: int, what: str) -> None:
    """Say what a write that failed has done, where that is not simply nothing.

    Raises:
        WriteError: something is done, or the fault lies in Chroma, the index or the disk.
    """
    faults = LexicalIndexError, SearchError
    refused = isinstance(error, ChromaHybridError) and not isinstance(error, faults)
    if refused and not done:
        return
    reason = f"{type(error).__name__}: {error}"
    message = f"{len(done)} of {total} records are {what} in Chroma, then came {reason}"
    raise WriteError(message, done) from error


def _holds(record: Record | None, rows: Rows, i: int) -> bool:
    if record is None:
        return False
    metadata: Mapping[str, object] = (rows.metadatas[i] if rows.metadatas else None) or {}
    return (rows.documents is None or record.text == rows.documents[i]) and all(
        record.metadata.get(key) == value for key, value in metadata.items()
    )
