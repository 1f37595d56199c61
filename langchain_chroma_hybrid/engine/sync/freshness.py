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
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.values import digest
from langchain_chroma_hybrid.engine.chroma.change_token import Token, TokenReading
from langchain_chroma_hybrid.engine.sync.reconcile import (
    Progress,
    SyncReport,
    VerifyReport,
    progress_bar,
    reconcile,
    repair,
    report,
    verify,
)
from langchain_chroma_hybrid.engine.sync.writer import DEFERRED_AT_MOST

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements, News
    from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint, CheckpointData
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.engine.sync.writer import Writer

# Comparing ids may take this share of the time; one that takes less than `_QUICK` s always may.
_SHARE, _QUICK = 0.1, 0.2
# Under a stream of changes the build ends here; what is left, the next query's check finds.
_ROUNDS = 5
# Lets other threads have the index's lock between two pages of a build in the background.
_PAUSE = 0.005

_log = logging.getLogger(__name__)


class Freshness:
    """Knows whether one collection's index is in step, and brings it there.

    Chroma is asked through the store of whoever calls: with his client, in his name.

    Thread safety: may be called from many threads; who comes while another one works, waits.
    """

    def __init__(
        self,
        writer: Writer,
        checkpoint: Checkpoint,
        policy: SyncPolicy,
        announced: Announcements | None = None,
    ) -> None:
        self._writer = writer
        self._lexical = writer.lexical
        self._checkpoint = checkpoint
        self._policy = policy
        self._announced = announced
        self._lock = threading.RLock()
        self._opened = False
        self._ready = False
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._builders: list[threading.Thread] = []
        self.rebuilds = 0
        # The last look: which token was seen when, and whether it was a full one.
        self._looked: tuple[Token | None, float] = (None, -float("inf"))
        self._compared, self._took = -float("inf"), 0.0
        # How many commits of others the vectors were read for, and what others had put off.
        self._commits_shown = self._lexical.foreign_commits()
        self._waiting: frozenset[str] = frozenset()
        self._helped: tuple[frozenset[str], dict[str, str]] = (self._waiting, {})
        # Whoever never calls `close` has his last state noted all the same.
        self._finalizer = weakref.finalize(self, _end, self._stop, self._builders, checkpoint)

    def prepare(self, store: ChromaStore, policy: SyncPolicy) -> str | None:
        """Make the index current; a note when queries have to do without it.

        Nothing of the index is told to a client that the server has not answered within the
        `max_age` of who asks, whose `policy` this is.

        Raises:
            CollectionError: the collection is gone.
            LexicalIndexError: the index cannot be read or written.
        """
        age = policy.age(in_memory=store.in_memory)
        count = None if store.answered_within(age) else store.count()
        self._writer.flush(store)
        if not self._opened:
            self._open(store, count)
        if not self._ready:
            return self._why_not()
        store.reader.catch_up()
        if self._policy.sync == "before_query":
            self._check_for_changes(store, count, age)
        self._show_foreign_commits(store)
        return None

    def look_again(self) -> None:
        """Trust no count that was made before: somebody may have written unseen."""
        self._looked = (None, -float("inf"))

    def sync(self, store: ChromaStore, *, deep: bool, progress: Progress | None) -> SyncReport:
        """Mend everything that differs; an index that was never built is built by this."""
        start = time.perf_counter()
        self._writer.flush(store)
        reading = store.read_token()
        news = self._announced.look(store) if self._announced else None
        alone = self._repair_unfinished(store)
        found = verify(store, self._lexical, deep=deep)
        repair(found, store, self._lexical, progress=progress, stop=self._stop.is_set)
        self._show_foreign_vectors(store, found)
        if not self._stop.is_set():
            self._opened = True
            if news and deep:
                self._note_announced(news)
            self._mark_in_step(reading if alone else TokenReading())
        return report(found, start)

    def verify(self, store: ChromaStore, *, fix: bool) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        self._writer.flush(store)
        found = verify(store, self._lexical)
        if fix and not found.ok:
            reconcile(found.ids, store, self._lexical)
            self._show_foreign_vectors(store, found)
        return found

    def rebuild(self, store: ChromaStore, progress: Progress | None) -> SyncReport:
        """Empty the index, whatever its state, and build it from the collection.

        Queries that come meanwhile wait, or go by vector alone where the first build lets them.
        """
        start = time.perf_counter()
        with self._lock:
            self.rebuilds += 1
            self._ready = False
            self._opened = self._policy.backfill != "now"
            self._checkpoint.set(ready=False, reading=TokenReading())
            try:
                self._lexical.clear()
                self._build(store, deep=False, progress=progress)
            except BaseException:
                self._opened = False  # the next query begins again
                raise
            self._opened = True
        took = (time.perf_counter() - start) * 1e3
        return SyncReport(added=self._lexical.count(), took_ms=took)

    def close(self, store: ChromaStore) -> None:
        """Stop building and note how far the index is."""
        reading = store.read_token()
        if self._ready and self._writer.take_own_change(self._checkpoint.token, reading.token):
            self._checkpoint.set(ready=True, reading=reading)
        self.stop()

    def stop(self) -> None:
        """Stop building; what is known is noted."""
        self._finalizer()

    def _why_not(self) -> str:
        if self._failure is not None:
            return f"vectors only: building the lexical index failed ({self._failure})"
        if self._builders or self.rebuilds:
            return "vectors only: the lexical index is being built"
        return "vectors only: the lexical index is not built yet; `sync()` builds it"

    def _mark_in_step(self, reading: TokenReading) -> None:
        """The index is complete, and in step with all that was written before `reading`."""
        self._ready = True
        self._failure = None
        self._checkpoint.set(ready=True, reading=reading)

    # Opening

    def _open(self, store: ChromaStore, count: int | None) -> None:
        with self._lock:
            if self._opened:
                return
            if not store.on_server:
                store.touch()
            reading = store.read_token()
            last = self._checkpoint.load()
            in_doubt = not last.known and self._lexical.count() > 0
            alone = self._repair_unfinished(store)
            if last.ready and self._lexical.capabilities.durable and self._lexical.count():
                known = self._opened_as(store, last, reading, count)
                if known and store.unchanged(last.token, reading.token):
                    reading = reading._replace(settled=last.sure and reading.settled)
                # What nobody has looked at stays to be found by the next who does.
                self._mark_in_step(reading if alone and known else TokenReading())
            else:
                # Of updates of pages that an earlier build has read, nobody tells this one.
                untold = self._announced is not None and self._lexical.count() > 0
                self._begin_build(store, deep=in_doubt or untold)
            self._opened = True

    def _opened_as(
        self, store: ChromaStore, last: CheckpointData, reading: TokenReading, count: int | None
    ) -> bool:
        """Whether an index that was complete still is, or is again after a comparison of ids."""
        looks = self._policy.sync == "before_query"
        if store.unchanged(last.token, reading.token) and (last.sure or looks):
            return True
        if self._policy.sync == "manual":
            return False
        if self._announced is not None:
            self._announced.resume(last.announced)
            self._checkpoint.announced = last.announced
            if not looks:  # else the look before this very query hears it
                self._apply_announced(store)
            return True
        # On a server the look before each query and the check of contents find what this cannot.
        if store.on_server and looks and self._policy.check_rate and count is not None:
            return count == self._lexical.count() or self._compare_ids(store)
        return self._compare_ids(store)

    def _begin_build(self, store: ChromaStore, *, deep: bool) -> None:
        # Nothing to build is no reason to do without.
        if self._policy.backfill == "now" or store.count() == 0:
            self._build(store, deep=deep, progress=self._policy.progress)
        elif self._policy.backfill == "background":
            self._checkpoint.set(ready=False, reading=TokenReading())
            builder = threading.Thread(target=self._build_aside, args=(store, deep), daemon=True)
            self._builders.append(builder)
            builder.start()

    def _build_aside(self, store: ChromaStore, deep: bool) -> None:
        try:
            unseen = self._policy.progress or _unseen
            self._build(store, deep=deep, progress=unseen, pause=_PAUSE)
        except Exception as error:  # noqa: BLE001  # told to every query until `sync()` succeeds
            self._failure = error
            _log.warning("building the lexical index of %s failed: %s", store.name, error)
        finally:
            self._builders.clear()

    def _build(
        self,
        store: ChromaStore,
        *,
        deep: bool,
        progress: Progress | None,
        pause: float | None = None,
    ) -> None:
        """Until a comparison finds nothing more: paging misses what others move meanwhile."""
        reading = store.read_token()
        news = self._announced.look(store) if self._announced else None
        self._checkpoint.set(ready=False, reading=TokenReading())

        def stop() -> bool:
            return self._stop.is_set() if pause is None else self._stop.wait(pause)

        with progress_bar(progress) as shown:
            for _ in range(_ROUNDS):
                found = verify(store, self._lexical, deep=deep)
                if found.ok:
                    break
                repair(found, store, self._lexical, progress=shown, stop=stop)
                if self._stop.is_set():
                    return
        if news is not None:
            self._note_announced(news)
        self._mark_in_step(reading)

    # Looking

    def _check_for_changes(self, store: ChromaStore, count: int | None, age: float) -> None:
        reading, now = store.read_token(), time.monotonic()
        token = reading.token
        ours = store.unchanged(self._checkpoint.token, token)
        # While a client of ours was being opened, somebody else may have written.
        if ours and self._checkpoint.sure and token == self._checkpoint.token:
            return
        looked, when = self._looked
        same = token == looked or store.unchanged(looked, token)
        if same and count is None and now - when < age:
            return
        with self._lock:
            if self._looked[1] > now:
                return
            alone = self._repair_unfinished(store)
            own = ours or self._writer.take_own_change(self._checkpoint.token, token)
            self._apply_announced(store)
            in_step = self._same_count(store, count)
            if not in_step or not (own or token is None):
                in_step = self._may_compare() and self._compare_ids(store)
            if in_step and alone:
                self._checkpoint.set(ready=True, reading=reading)
            self._looked = (token, time.monotonic())

    def _same_count(self, store: ChromaStore, count: int | None) -> bool:
        # A count that was made before own writes were brought in may be old.
        return count == self._lexical.count() or store.count() == self._lexical.count()

    def _apply_announced(self, store: ChromaStore) -> None:
        """Bring in what other processes say that they have written."""
        if self._announced is None:
            return
        news = self._announced.look(store)
        if news.everything:
            repair(verify(store, self._lexical), store, self._lexical)
        elif news.ids:
            reconcile(news.ids, store, self._lexical)
        self._note_announced(news)

    def _note_announced(self, news: News) -> None:
        if self._announced is not None:
            self._announced.heard(news)
            self._checkpoint.announced = self._announced.seen

    def _may_compare(self) -> bool:
        since = time.monotonic() - self._compared
        if self._policy.max_age is not None:
            return since >= self._policy.max_age
        return self._took < _QUICK or since > self._took / _SHARE

    def _compare_ids(self, store: ChromaStore) -> bool:
        """Bring in what others added and take out what they deleted."""
        start = time.monotonic()
        found = verify(store, self._lexical, deep=False)
        self._took, self._compared = time.monotonic() - start, time.monotonic()
        repair(found, store, self._lexical)
        self._show_foreign_vectors(store, found)
        self._apply_put_off(store)
        return True

    def _repair_unfinished(self, store: ChromaStore) -> bool:
        """Repair what writers that died left undone; whether no other writer is at work."""
        with self._writer.log.take_over() as unfinished:
            if unfinished.ids is None or unfinished.ids:
                store.reader.replay()
            if unfinished.ids is None:
                found = verify(store, self._lexical)
                repair(found, store, self._lexical)
            elif unfinished.ids:
                reconcile(unfinished.ids, store, self._lexical)
            if self._opened and unfinished.ids != frozenset():
                self._read_apart(store)  # a client that was open before does not show them
        self._waiting = unfinished.waiting
        return not unfinished.living

    def _apply_put_off(self, store: ChromaStore) -> None:
        """Bring in what another process has written and put off; what is more, it brings itself."""
        if not 0 < len(self._waiting) <= DEFERRED_AT_MOST:
            return
        now = {id_: digest(r) for id_, r in store.fetch(self._waiting).items()}
        if (self._waiting, now) != self._helped:
            reconcile(self._waiting, store, self._lexical)
            self._read_apart(store)
            self._helped = (self._waiting, now)

    def _show_foreign_vectors(self, store: ChromaStore, found: VerifyReport) -> None:
        """An open client of Chroma's never shows vectors that another process has written."""
        last = found.missing[-1:], found.extra[-1:], found.stale
        if not (found.ok or store.reader.shows(*last)):
            store.reader.switch_to_second_client()

    def _show_foreign_commits(self, store: ChromaStore) -> None:
        """The same where the other process has written both halves, so that nothing differs."""
        commits = self._lexical.foreign_commits()
        if commits != self._commits_shown:
            with self._lock:
                if commits != self._commits_shown:
                    self._read_apart(store)
                    self._commits_shown = commits

    def _read_apart(self, store: ChromaStore) -> None:
        if store.directory is not None:
            store.reader.switch_to_second_client()


def _end(stop: threading.Event, builders: list[threading.Thread], checkpoint: Checkpoint) -> None:
    stop.set()
    for builder in list(builders):
        if builder is not threading.current_thread():
            builder.join()
    checkpoint.save()


def _unseen(_done: int, _total: int) -> None:
    """No bar from a thread that nobody waits for."""
