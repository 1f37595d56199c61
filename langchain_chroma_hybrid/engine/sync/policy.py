"""How the lexical index of a collection follows what is written to it."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.validate import number, one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

SyncMode: TypeAlias = Literal["before_query", "on_open", "manual"]
Backfill: TypeAlias = Literal["now", "background", "manual"]
Writers: TypeAlias = Literal["any", "ours"]

_SYNC, _BACKFILL = ("before_query", "on_open", "manual"), ("now", "background", "manual")
_WRITERS = ("any", "ours")

# Where Chroma gives no cheap sign of change, a count is trusted for this many seconds.
MAX_AGE = 1.0


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """How the lexical index follows the collection.

    Attributes:
        sync: when to look for what others wrote: `before_query`, `on_open` or `manual` (only by
            `sync()`). Own writes are always seen.
        max_age: seconds for which the last look at the collection is trusted where Chroma gives no
            better sign of change, and that pass between two comparisons of ids. None means 1 for a
            server and 0 in memory, and that comparing takes a tenth of the time at most.
        backfill: build a new index `now` (the first query waits), in the `background` or `manual`
            (by `sync()`); until it is ready, queries go by vector alone and say so.
        progress: called with (records done, records to do) while an index is built; None shows a
            bar when stderr is a terminal.
        writers: who writes to a collection on a server: `any` client, or `ours`, all of them
            through this library, so that they can tell each other.
        check_rate: records a second whose contents are compared, on a server with writers `any`,
            for updates under known ids, of which a server gives no sign; 0 turns it off.
    """

    sync: SyncMode = "before_query"
    max_age: float | None = None
    backfill: Backfill = "now"
    progress: Progress | None = None
    writers: Writers = "any"
    check_rate: float = 500.0

    def __post_init__(self) -> None:
        one_of("sync", self.sync, _SYNC)
        one_of("backfill", self.backfill, _BACKFILL)
        one_of("writers", self.writers, _WRITERS)
        if self.max_age is not None:
            number("max_age", _finite(self.max_age), 0.0, math.inf)
        number("check_rate", self.check_rate, 0.0, math.inf)
        check_progress(self.progress)

    def age(self, *, in_memory: bool = False) -> float:
        """`max_age`, or its default."""
        if self.max_age is not None:
            return self.max_age
        return 0.0 if in_memory else MAX_AGE


def check_progress(progress: object) -> None:
    """Raise `InvalidArgumentError` unless it is None or can be called."""
    if progress is not None and not callable(progress):
        raise InvalidArgumentError.of("progress", progress, "a function, or None")


def _finite(value: object) -> object:
    """Infinity, which is for ever, as the longest time that is a number."""
    return sys.float_info.max if isinstance(value, float) and value == math.inf else value
