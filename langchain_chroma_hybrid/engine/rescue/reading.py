"""Reading a copy through Chroma, page by page."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.calls import pages, records_of
from langchain_chroma_hybrid.engine.chroma.clients import close_client, connect
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.chroma.torn import UNREADABLE
from langchain_chroma_hybrid.engine.chroma.vector_reader import PAGE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.rescue.segments import Place

# Offsets cost Chroma a scan up to the offset, so that few pages of ids are read.
_IDS = 20_000
# A page in which some vectors are lost is read again in so many parts.
_PARTS = 8


@contextmanager
def opened(copy: Path, place: Place) -> Iterator[ChromaStore]:
    """One collection of a copy, by a client of its own for this block."""
    client = connect(copy, tenant=place.tenant, database=place.database)
    try:
        yield ChromaStore(client, client.get_collection(place.name, embedding_function=None))
    finally:
        close_client(client)


def pages_of_ids(store: ChromaStore) -> Iterator[list[str]]:
    """All ids, so many at a time that Chroma gives everything of them; none may come or go."""
    offset = 0
    while ids := store.get(limit=_IDS, offset=offset, include=[])["ids"]:
        yield from pages(ids, PAGE)
        offset += len(ids)


def records(store: ChromaStore, ids: Sequence[str]) -> Iterator[Record]:
    """These records, all of which exist."""
    return records_of(store.get(ids=list(ids), include=["documents", "metadatas", "uris"]))


def surviving(store: ChromaStore, ids: Sequence[str]) -> Mapping[str, Vector]:
    """The vectors that are left of these records, by id.

    Chroma gives either all that it is asked for, or an error; so it is asked for less and less.
    """
    try:
        found = store.get(ids=list(ids), include=["embeddings"])
    except UNREADABLE:
        if len(ids) == 1:
            return {}
        parts = pages(ids, -(-len(ids) // _PARTS))
        return {id_: vector for part in parts for id_, vector in surviving(store, part).items()}
    return dict(zip(found["ids"], found["embeddings"], strict=True))


def contents(store: ChromaStore, without: Collection[str]) -> tuple[int, int]:
    """Number of records but for those, and a sum over ids, texts, metadata and URIs of them all."""
    count = total = 0
    for ids in pages_of_ids(store):
        for record in records(store, ids):
            if record.id not in without:
                whole = [record.id, record.text, record.metadata, record.uri]
                text = json.dumps(whole, sort_keys=True).encode()
                total += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")
                count += 1
    return count, total
