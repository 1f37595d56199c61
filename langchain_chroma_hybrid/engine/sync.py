"""Bringing the lexical index in step with Chroma, in one way only: read Chroma, then apply.

A first build, the repair after a crash, and what other programs wrote are all the same: ids whose
state in Chroma differs from the index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.records import digest

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

# Called with (records done, records to do in all).
Progress: TypeAlias = Callable[[int, int], None]

# Records in memory at a time, and the work that a killed build loses at most.
PAGE = 5_000


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a `sync` changed in the lexical index, in records."""

    added: int = 0
    removed: int = 0
    updated: int = 0
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How the lexical index differs from Chroma: ids it lacks, has too many, has outdated."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not (self.missing or self.extra or self.stale)


def reconcile(ids: Collection[str], store: ChromaStore, lexical: LexicalIndex) -> None:
    """Give `ids` the state in the lexical index that they have in Chroma."""
    for page in _pages(list(ids)):
        # Read and apply under one lock: a slower process must not apply an older reading later.
        with lexical.locked():
            records = store.fetch(page)
            gone = [id_ for id_ in page if id_ not in records]
            lexical.apply(list(records.values()), gone)


def verify(store: ChromaStore, lexical: LexicalIndex, *, deep: bool = True) -> VerifyReport:
    """Compare ids, and with `deep` content and metadata by hash, without changing anything."""
    there, here = store.ids(), set(lexical.ids())
    stale: list[str] = []
    if deep:
        digests = lexical.digests()
        for page in _pages(sorted(there & here)):
            records = store.fetch(page)
            stale += [id_ for id_, r in records.items() if digest(r) != digests.get(id_)]
    return VerifyReport(tuple(sorted(there - here)), tuple(sorted(here - there)), tuple(stale))


def sync(
    store: ChromaStore,
    lexical: LexicalIndex,
    *,
    deep: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Find what differs and mend it, a page at a time: a killed run goes on where it was."""
    start = time.perf_counter()
    found = verify(store, lexical, deep=deep)
    todo = [*found.missing, *found.stale, *found.extra]
    for done, page in enumerate(_pages(todo)):
        if progress is not None:
            progress(done * PAGE, len(todo))
        reconcile(page, store, lexical)
    if progress is not None:
        progress(len(todo), len(todo))
    took = (time.perf_counter() - start) * 1e3
    return SyncReport(len(found.missing), len(found.extra), len(found.stale), took)


def _pages(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), PAGE):
        yield ids[start : start + PAGE]
