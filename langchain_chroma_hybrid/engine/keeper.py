"""Keeping the lexical index in step: the first build, repair after a crash, what others wrote.

Chroma says of a change as much as it can: for a local folder a `stat` tells that something changed,
elsewhere only a count. What that does not show, a comparison of ids finds, and `sync(deep=True)`
everything.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.records import digest
from langchain_chroma_hybrid.engine.change_token import Sight, Token
from langchain_chroma_hybrid.engine.sync import (
    Progress,
    SyncReport,
    VerifyReport,
    mend,
    progress_bar,
    reconcile,
    report,
    verify,
)
from langchain_chroma_hybrid.engine.writer import DEFERRED_AT_MOST
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.marks import Marks
    from langchain_chroma_hybrid.engine.writer import Writer

SyncPolicy: TypeAlias = Literal["before_query", "on_open", "manual"]
Backfill: TypeAlias = Literal["now", "background", "manual"]

_SYNC, _BACKFILL = ("before_query", "on_open", "manual"), ("now", "background", "manual")

# Where Chroma gives no cheap sign of change, a count is trusted for this many seconds.
_MAX_AGE = 1.0
# Comparing ids may take this share of the time; one that takes less than `_QUICK` s always may.
_SHARE, _QUICK = 0.1, 0.2
# Under a stream of changes the build ends here; what is left, the next query's check finds.
_ROUNDS = 5
# Lets other threads have the index's lock between two pages of a build in the background.
_PAUSE = 0.005

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upkeep:
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
    """

    sync: SyncPolicy = "before_query"
    max_age: float | None = None
    backfill: Backfill = "now"
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.sync not in _SYNC:
            raise InvalidArgumentError.of("sync", self.sync, f"one of {', '.join(_SYNC)}")
        if self.backfill not in _BACKFILL:
            expected = f"one of {', '.join(_BACKFILL)}"
            raise InvalidArgumentError.of("backfill", self.backfill, expected)
        if self.max_age is not None and not self.max_age >= 0:
            raise InvalidArgumentError.of("max_age", self.max_age, "seconds >= 0, or None")


class Keeper:
    """Knows whether one collection's index is in step, and brings it there.

    Thread safety: may be called from many threads; who comes while another one works, waits.
    """

    def __init__(self, writer: Writer, marks: Marks, upkeep: Upkeep) -> None:
        self._writer = writer
        self._store = writer.store
        self._lexical = writer.lexical
        self._marks = marks
        self._upkeep = upkeep
        self._lock = threading.RLock()
        self._opened = False
        self._ready = False
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._builders: list[threading.Thread] = []
        # The last look: which token was seen when, and whether it was a full one.
        self._looked: tuple[Token | None, float] = (None, -float("inf"))
        self._compared, self._took = -float("inf"), 0.0
        # How many commits of others the vectors were read for, and what others had put off.
        self._met = self._lexical.foreign_commits()
        self._waiting: frozenset[str] = frozenset()
        self._helped: tuple[frozenset[str], dict[str, str]] = (self._waiting, {})
        # Whoever never calls `close` has his last state noted all the same.
        self._finalizer = weakref.finalize(self, _end, self._stop, self._builders, marks)

    def prepare(self) -> str | None:
        """Make the index current; a note when queries have to do without it.

        Raises:
            CollectionError: the collection is gone.
            LexicalIndexError: the index cannot be read or written.
        """
        self._writer.flush()
        if not self._opened:
            self._open()
        if not self._ready:
            return self._why_not()
        self._store.reader.catch_up()
        if self._upkeep.sync == "before_query":
            self._look()
        self._meet_writers()
        return None

    def look_again(self) -> None:
        """Trust no count that was made before: somebody may have written unseen."""
        self._looked = (None, -float("inf"))

    def sync(self, *, deep: bool, progress: Progress | None) -> SyncReport:
        """Mend everything that differs; an index that was never built is built by this."""
        start = time.perf_counter()
        self._writer.flush()
        sight = self._store.sight()
        alone = self._recover()
        found = verify(self._store, self._lexical, deep=deep)
        mend(found, self._store, self._lexical, progress=progress, stop=self._stop.is_set)
        self._meet_strangers(found)
        if not self._stop.is_set():
            self._opened = True
            self._settle(sight if alone else Sight())
        return report(found, start)

    def verify(self, *, fix: bool) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        self._writer.flush()
        found = verify(self._store, self._lexical)
        if fix and not found.ok:
            reconcile(found.ids, self._store, self._lexical)
            self._meet_strangers(found)
        return found

    def close(self) -> None:
        """Stop building and note how far the index is."""
        sight = self._store.sight()
        if self._ready and self._writer.explains(self._marks.token, sight.token):
            self._marks.set(ready=True, sight=sight)
        self._finalizer()

    def _why_not(self) -> str:
        if self._failure is not None:
            return f"vectors only: building the lexical index failed ({self._failure})"
        if self._builders:
            return "vectors only: the lexical index is being built"
        return "vectors only: the lexical index is not built yet; `sync()` builds it"

    def _settle(self, sight: Sight) -> None:
        """The index is complete, and in step with all that was written before `sight`."""
        self._ready = True
        self._failure = None
        self._marks.set(ready=True, sight=sight)

    # Opening

    def _open(self) -> None:
        with self._lock:
            if self._opened:
                return
            self._store.touch()
            sight = self._store.sight()
            noted = self._marks.load()
            in_doubt = not noted.known and self._lexical.count() > 0
            alone = self._recover()
            if noted.ready and self._lexical.capabilities.durable and self._lexical.count():
                looks = self._upkeep.sync == "before_query"
                known = self._store.unchanged(noted.token, sight.token) and (noted.sure or looks)
                if known:
                    sight = sight._replace(settled=noted.sure and sight.settled)
                elif self._upkeep.sync != "manual":
                    known = self._compare()
                # What nobody has looked at stays to be found by the next who does.
                self._settle(sight if alone and known else Sight())
            else:
                self._begin_build(deep=in_doubt)
            self._opened = True

    def _begin_build(self, *, deep: bool) -> None:
        # Nothing to build is no reason to do without.
        if self._upkeep.backfill == "now" or self._store.count() == 0:
            self._build(deep=deep)
        elif self._upkeep.backfill == "background":
            self._marks.set(ready=False, sight=Sight())
            builder = threading.Thread(target=self._build_aside, args=(deep,), daemon=True)
            self._builders.append(builder)
            builder.start()

    def _build_aside(self, deep: bool) -> None:
        try:
            self._build(deep=deep, pause=_PAUSE)
        except Exception as error:  # noqa: BLE001  # told to every query until `sync()` succeeds
            self._failure = error
            _log.warning("building the lexical index of %s failed: %s", self._store.name, error)
        finally:
            self._builders.clear()

    def _build(self, *, deep: bool, pause: float | None = None) -> None:
        """Until a comparison finds nothing more: paging misses what others move meanwhile."""
        sight = self._store.sight()
        self._marks.set(ready=False, sight=Sight())

        def stop() -> bool:
            return self._stop.is_set() if pause is None else self._stop.wait(pause)

        given = self._upkeep.progress
        with progress_bar(given or (None if pause is None else _unseen)) as progress:
            for _ in range(_ROUNDS):
                found = verify(self._store, self._lexical, deep=deep)
                if found.ok:
                    break
                mend(found, self._store, self._lexical, progress=progress, stop=stop)
                if self._stop.is_set():
                    return
        self._settle(sight)

    # Looking

    def _look(self) -> None:
        sight, now = self._store.sight(), time.monotonic()
        token = sight.token
        noted = self._store.unchanged(self._marks.token, token)
        # While a client of ours was being opened, somebody else may have written.
        if noted and self._marks.sure and token == self._marks.token:
            return
        looked, when = self._looked
        same = token == looked or self._store.unchanged(looked, token)
        if same and now - when < self._max_age(token):
            return
        with self._lock:
            if self._looked[1] > now:
                return
            alone = self._recover()
            own = noted or self._writer.explains(self._marks.token, token)
            in_step = self._store.count() == self._lexical.count()
            if not in_step or not (own or token is None):
                in_step = self._may_compare() and self._compare()
            if in_step and alone:
                self._marks.set(ready=True, sight=sight)
            self._looked = (token, time.monotonic())

    def _max_age(self, token: Token | None) -> float:
        if self._upkeep.max_age is not None:
            return self._upkeep.max_age
        return 0.0 if token is None and self._store.in_memory else _MAX_AGE

    def _may_compare(self) -> bool:
        since = time.monotonic() - self._compared
        if self._upkeep.max_age is not None:
            return since >= self._upkeep.max_age
        return self._took < _QUICK or since > self._took / _SHARE

    def _compare(self) -> bool:
        """Bring in what others added and take out what they deleted."""
        start = time.monotonic()
        found = verify(self._store, self._lexical, deep=False)
        self._took, self._compared = time.monotonic() - start, time.monotonic()
        mend(found, self._store, self._lexical)
        self._meet_strangers(found)
        self._help()
        return True

    def _recover(self) -> bool:
        """Repair what writers that died left undone; whether no other writer is at work."""
        with self._writer.journal.orphans() as orphans:
            if orphans.ids is None or orphans.ids:
                self._store.reader.replay()
            if orphans.ids is None:
                found = verify(self._store, self._lexical)
                mend(found, self._store, self._lexical)
            elif orphans.ids:
                reconcile(orphans.ids, self._store, self._lexical)
            if self._opened and orphans.ids != frozenset():
                self._read_apart()  # a client that was open before does not show them
        self._waiting = orphans.waiting
        return not orphans.living

    def _help(self) -> None:
        """Bring in what another process has written and put off; what is more, it brings itself."""
        if not 0 < len(self._waiting) <= DEFERRED_AT_MOST:
            return
        now = {id_: digest(r) for id_, r in self._store.fetch(self._waiting).items()}
        if (self._waiting, now) != self._helped:
            reconcile(self._waiting, self._store, self._lexical)
            self._read_apart()
            self._helped = (self._waiting, now)

    def _meet_strangers(self, found: VerifyReport) -> None:
        """An open client of Chroma's never shows vectors that another process has written."""
        last = found.missing[-1:], found.extra[-1:], found.stale
        if not (found.ok or self._store.reader.shows(*last)):
            self._store.reader.read_apart()

    def _meet_writers(self) -> None:
        """The same where the other process has written both halves, so that nothing differs."""
        met = self._lexical.foreign_commits()
        if met != self._met:
            with self._lock:
                if met != self._met:
                    self._read_apart()
                    self._met = met

    def _read_apart(self) -> None:
        if self._store.directory is not None:
            self._store.reader.read_apart()


def _end(stop: threading.Event, builders: list[threading.Thread], marks: Marks) -> None:
    stop.set()
    for builder in list(builders):
        if builder is not threading.current_thread():
            builder.join()
    marks.save()


def _unseen(_done: int, _total: int) -> None:
    """No bar from a thread that nobody waits for."""
