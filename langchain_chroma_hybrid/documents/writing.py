"""Records as they are: ids, texts, metadata, and vectors that need not be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.filters import json_float
from langchain_chroma_hybrid.engine.chroma.rows import Rows, with_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.documents.records import GivenRecord
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.vectorstores import HybridChroma


def write_records(store: HybridChroma, records: Sequence[GivenRecord]) -> tuple[int, int]:
    """Write those that are not there as they are given; how many, and how many of them changed."""

    def run(index: HybridIndex) -> tuple[int, int]:
        known = index.fetch([record.id for record in records])
        kept = index.vectors([r.id for r in records if r.embedding is not None and r.id in known])
        fresh = [record for record in records if not _same(record, known.get(record.id), kept)]
        # Chroma has no way to take the text or the place of a record away.
        replaced = [record.id for record in fresh if _loses(record, known.get(record.id))]
        if replaced:
            index.delete(replaced)
        for alike in _alike(fresh):
            index.upsert(_rows(alike, known))
        return len(fresh), sum(record.id in known for record in fresh)

    return bridge.handle_of(store).run(run)


def _same(given: GivenRecord, record: Record | None, vectors: Mapping[str, Any]) -> bool:
    """Whether the record is already as given, with the vector if one is given."""
    if record is None or (record.text, record.uri) != (given.text, given.uri):
        return False
    held = {key: repr(value) for key, value in record.metadata.items() if value is not None}
    if held != _typed(given.metadata):
        return False
    if given.embedding is None:
        return True
    vector = np.asarray(given.embedding, dtype=np.float32)
    return given.id in vectors and np.array_equal(vectors[given.id], vector)


def _typed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """With the types that Python's comparison passes over: 1, 1.0 and True are three values."""
    return {key: repr(_stored(value)) for key, value in metadata.items() if value is not None}


def _stored(value: object) -> object:
    """As Chroma holds it, whose numbers may be off in the last place."""
    return json_float(value) if isinstance(value, float) else value


def _loses(given: GivenRecord, record: Record | None) -> bool:
    if record is None:
        return False
    return (given.text is None and record.text is not None) or (
        given.uri is None and record.uri is not None
    )


def _alike(records: Sequence[GivenRecord]) -> list[list[GivenRecord]]:
    """By what they have: a call of Chroma gives a column to all of its rows or to none."""
    groups: dict[tuple[bool, ...], list[GivenRecord]] = {}
    for record in records:
        has = (record.text is None, record.uri is None, record.embedding is None)
        groups.setdefault(has, []).append(record)
    return list(groups.values())


def _rows(records: Sequence[GivenRecord], known: Mapping[str, Record]) -> Rows:
    """Records that have the same columns, as rows."""
    first = records[0]
    metadatas = []
    for record in records:
        old = known[record.id].metadata if record.id in known else {}
        # An update keeps the keys that it does not name.
        metadatas.append({**dict.fromkeys(old), **record.metadata} or None)
    rows = Rows(
        [record.id for record in records],
        documents=None if first.text is None else [record.text or "" for record in records],
        metadatas=metadatas,
        uris=None if first.uri is None else [record.uri or "" for record in records],
    )
    vectors = None if first.embedding is None else [record.embedding or [] for record in records]
    return with_vectors(rows, vectors)
