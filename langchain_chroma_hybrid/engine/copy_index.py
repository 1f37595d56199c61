"""Bringing the lexical index of a collection to another place, or to another engine."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langchain_chroma_hybrid.engine.migrate.carry import copy_files
from langchain_chroma_hybrid.engine.places import index_folder
from langchain_chroma_hybrid.engine.registry import leave_half, open_half
from langchain_chroma_hybrid.engine.server_half import server_has_words
from langchain_chroma_hybrid.errors import InvalidArgumentError, WriteError
from langchain_chroma_hybrid.lexical.factory import OWN_SEARCH, is_there, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.half import LexicalHalf
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress


@dataclass(frozen=True, slots=True)
class CopyReport:
    """A copy that is complete.

    Attributes:
        records: how many the new index holds, and the collection.
        read: where they were read. What is in terms of one engine is of no use to another, which
            reads the collection.
    """

    records: int
    read: Literal["index", "collection"]
    took_ms: float


def copy_index(
    store: ChromaStore, source: LexicalConfig, target: LexicalConfig, progress: Progress | None
) -> CopyReport:
    """Make the index of `target` hold what that of `source` holds, which stays.

    A copy that was killed goes on where it was with the next call.

    Raises:
        InvalidArgumentError: one is the server's own search, both are one index, the old one holds
            nothing, or the new one ends with the process or (IndexBoundError) is another
            collection's.
        WriteError: the counts differ in the end, as somebody was writing all the time.
        OSError: there is no room, or the folder cannot be written.
    """
    start = time.perf_counter()
    for name, config in (("FROM", source), ("TO", target)):
        if config.address == OWN_SEARCH or server_has_words(store, config):
            expected = "an index of this library: the server's own is with its records, and no copy"
            raise InvalidArgumentError.of(name, OWN_SEARCH, expected)
    old, new = index_folder(store, source), index_folder(store, target)
    if old is not None and not old.exists():
        raise InvalidArgumentError.of("FROM", str(old), "an index that was built")
    address = source.address
    if address is not None and not is_there(address, store.uuid):  # to open it would make it
        raise InvalidArgumentError.of("FROM", shown(address), "an index that was built")
    whole = False
    with _opened(store, source) as half:
        lexical, signature = half.lexical, half.lexical.signature
        if not lexical.count() and store.count():
            raise InvalidArgumentError.of("FROM", "an index without records", "one that was built")
        if old is not None and new is not None and not new.exists():
            half.freshness.sync(store, deep=False, progress=progress)
            new.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy_files(lexical, old, new, store)
            whole = True
    with _opened(store, target) as half:
        lexical = half.lexical
        if lexical.signature == signature:
            raise InvalidArgumentError.of("TO", "the index that FROM is", "another one")
        if not lexical.capabilities.durable:
            raise InvalidArgumentError.of("TO", "an index in memory", "one that outlives this")
        lexical.bind(store.uuid, store.location)
        half.freshness.sync(store, deep=not whole, progress=progress)
        records = _counted(half, store)
    took = (time.perf_counter() - start) * 1e3
    return CopyReport(records, "index" if whole else "collection", took)


@contextmanager
def _opened(store: ChromaStore, config: LexicalConfig) -> Iterator[LexicalHalf]:
    """One index of the collection, which has another one afterwards."""
    half = open_half(store, config)
    try:
        yield half
    finally:
        leave_half(store, half)


def _counted(half: LexicalHalf, store: ChromaStore) -> int:
    """How many records there are on both sides.

    Raises:
        WriteError: not as many.
    """
    indexed, there = half.lexical.count(), store.count()
    if indexed != there:
        raise WriteError(
            f"the new index has {indexed} records and the collection {there}: copy once more"
        )
    return indexed
