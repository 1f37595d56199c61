"""Bringing the lexical index in step with Chroma, in one way only: read Chroma, then apply.

A first build, the repair after a crash, and what other programs wrote are all the same: ids whose
state in Chroma differs from the index.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.values import digest
from langchain_chroma_hybrid.engine.chroma.calls import pages
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# Called with (records done, records to do in all).
Progress: TypeAlias = Callable[[int, int], None]

# Records in memory at a time, and the work that a killed build loses at most.
PAGE = 5_000

_log = logging.getLogger(__name__)


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

    @property
    def ids(self) -> list[str]:
        """All ids that differ."""
        return [*self.missing, *self.stale, *self.extra]


def reconcile(ids: Collection[str], store: ChromaStore, lexical: LexicalIndex) -> None:
    """Give `ids` the state in the lexical index that they have in Chroma."""
    for page in pages(ids, PAGE):
        # Read and apply under one lock: a slower process must not apply an older reading later.
        with lexical.locked():
            reach("index locked")
            records = store.fetch(page)
            reach("index read")
            gone = [id_ for id_ in page if id_ not in records]
            _apply(list(records.values()), gone, lexical)
        reach("index applied")


def _apply(records: list[Record], gone: list[str], lexical: LexicalIndex) -> None:
    """All of them, but for records that the index refuses: one must not keep the others out."""
    try:
        lexical.apply(records, gone)
    except InvalidArgumentError as error:
        if len(records) + len(gone) <= 1:
            _log.warning("left out of the lexical index: %s", error)
            return
        for record in records:
            _apply([record], [], lexical)
        if gone:
            lexical.apply([], gone)


def verify(store: ChromaStore, lexical: LexicalIndex, *, deep: bool = True) -> VerifyReport:
    """Compare ids, and with `deep` content and metadata by hash, without changing anything."""
    # One set of ids in memory, not three: there may be millions.
    missing, extra, both = store.ids(), [], []
    for id_ in lexical.ids():
        if id_ not in missing:
            extra.append(id_)
            continue
        missing.discard(id_)
        if deep:
            both.append(id_)
    stale: list[str] = []
    for page in pages(sorted(both), PAGE):
        stale += outdated(page, store, lexical)
    return VerifyReport(tuple(sorted(missing)), tuple(sorted(extra)), tuple(stale))


def outdated(ids: Collection[str], store: ChromaStore, lexical: LexicalIndex) -> list[str]:
    """Those of `ids` in the index that Chroma holds with other content, or no more."""
    indexed = lexical.digests(ids)
    now = {id_: digest(record) for id_, record in store.fetch(indexed).items()}
    return [id_ for id_, was in indexed.items() if now.get(id_) != was]


def repair(
    found: VerifyReport,
    store: ChromaStore,
    lexical: LexicalIndex,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Bring in what differs, a page at a time: a killed run goes on where it was.

    `stop` is asked after each page, when nothing is locked.
    """
    todo = found.ids
    for done, page in enumerate(pages(todo, PAGE)):
        if progress is not None:
            progress(done * PAGE, len(todo))
        reconcile(page, store, lexical)
        if stop():
            return
    if progress is not None:
        progress(len(todo), len(todo))


def repair_all(
    store: ChromaStore,
    lexical: LexicalIndex,
    *,
    deep: bool = True,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> VerifyReport:
    """Compare, bring in what differs, and tell what that was."""
    found = verify(store, lexical, deep=deep)
    if not found.ok:
        repair(found, store, lexical, progress=progress, stop=stop)
    return found


def report(found: VerifyReport, start: float) -> SyncReport:
    """What mending `found` changed, and how long it took since `start` of `perf_counter`."""
    took = (time.perf_counter() - start) * 1e3
    return SyncReport(len(found.missing), len(found.extra), len(found.stale), took)


@contextmanager
def progress_bar(
    progress: Progress | None, what: str = "lexical index"
) -> Iterator[Progress | None]:
    """The caller's progress, or a bar on a terminal; nothing where stderr is none."""
    if progress is not None:
        yield progress
        return
    # Only a build needs it.
    from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    # `disable=None` is tqdm's way to say: only on a terminal, which a notebook does not seem to be.
    hidden = False if _in_notebook() else None
    with tqdm(desc=what, unit=" records", disable=hidden, leave=False) as bar:

        def show(done: int, total: int) -> None:
            if bar.total != total:
                bar.reset(total)  # the one way that a notebook's bar understands
            bar.update(done - bar.n)

        yield show


def _in_notebook() -> bool:
    """Whether somebody reads what this process prints in Jupyter."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in (getattr(shell, "config", None) or {})
