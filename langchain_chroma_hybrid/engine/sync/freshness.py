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
from langchain_chroma_hybrid.engine.chroma.change_token import Sight, Token
from langchain_chroma_hybrid.engine.sync.reconcile import (
    Progress,
    SyncReport,
    VerifyReport,
    mend,
    progress_bar,
    reconcile,
    report,
    verify,
)
from langchain_chroma_hybrid.engine.sync.writer import DEFERRED_AT_MOST

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements, News
    from langchain_chroma_hybrid.engine.sync.checkpoint import Marks, Noted
    from langchain_chroma_hybrid.engine.sync.policy import Upkeep
    from langchain_chroma_hybrid.engine.sync.writer import Writer

# Comparing ids may take this share of the time; one that takes less than `_QUICK` s always may.
_SHARE, _QUICK = 0.1, 0.2
# Under a stream of changes the build ends here; what is left, the next query's check finds.
_ROUNDS = 5
# Lets other threads have the index's lock between two pages of a build in the background.
_PAUSE = 0.005

_log = logging.getLogger(__name__)


class Keeper:
    """Knows whether one collection's index is in step, and brings it there.

    Chroma is asked through the store of whoever calls: with his client, in his name.

    Thread safety: may be called from many threads; who comes while another one works, waits.
    """

    def __init__(
        self,
        writer: Writer,
        marks: Marks,
        upkeep: Upkeep,
        announced: Announcements | None = None,
    ) -> None:
        self._writer = writer
        self._lexical = writer.lexical
        self._marks = marks
        self._upkeep = upkeep
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
        self._met = self._lexical.foreign_commits()
        self._waiting: frozenset[str] = frozenset()
        self._helped: tuple[frozenset[str], dict[str, str]] = (self._waiting, {})
        # Whoever never calls `close` has his last state noted all the same.
        self._finalizer = weakref.finalize(self, _end, self._stop, self._builders, marks)

    def prepare(self, store: ChromaStore, upkeep: Upkeep) -> str | None:
        """Make the index current; a note when queries have to do without it.

        Nothing of the index is told to a client that the server has not answered within the
        `max_age` of who asks, whose `upkeep` this is.

        Raises:
            CollectionError: the collection is gone.
            LexicalIndexError: the index cannot be read or written.
        """
        age = upkeep.age(in_memory=store.in_memory)
        count = None if store.answered_within(age) else store.count()
        self._writer.flush(store)
        if not self._opened:
            self._open(store, count)
        if not self._ready:
            return self._why_not()
        store.reader.catch_up()
        if self._upkeep.sync == "before_query":
            self._look(store, count, age)
        self._meet_writers(store)
        return None

    def look_again(self) -> None:
        """Trust no count that was made before: somebody may have written unseen."""
        self._looked = (None, -float("inf"))

    def sync(self, store: ChromaStore, *, deep: bool, progress: Progress | None) -> SyncReport:
        """Mend everything that differs; an index that was never built is built by this."""
        start = time.perf_counter()
        self._writer.flush(store)
        sight = store.sight()
        news = self._announced.look(store) if self._announced else None
        alone = self._recover(store)
        found = verify(store, self._lexical, deep=deep)
        mend(found, store, self._lexical, progress=progress, stop=self._stop.is_set)
        self._meet_strangers(store, found)
        if not self._stop.is_set():
            self._opened = True
            if news and deep:
                self._met_news(news)
            self._settle(sight if alone else Sight())
        return report(found, start)

    def verify(self, store: ChromaStore, *, fix: bool) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        self._writer.flush(store)
        found = verify(store, self._lexical)
        if fix and not found.ok:
            reconcile(found.ids, store, self._lexical)
            self._meet_strangers(store, found)
        return found

    def rebuild(self, store: ChromaStore, progress: Progress | None) -> SyncReport:
        """Empty the index, whatever its state, and build it from the collection.

        Queries that come meanwhile wait, or go by vector alone where the first build lets them.
        """
        start = time.perf_counter()
        with self._lock:
            self.rebuilds += 1
            self._ready = False
            self._opened = self._upkeep.backfill != "now"
            self._marks.set(ready=False, sight=Sight())
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
        sight = store.sight()
        if self._ready and self._writer.explains(self._marks.token, sight.token):
            self._marks.set(ready=True, sight=sight)
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

    def _settle(self, sight: Sight) -> None:
        """The index is complete, and in step with all that was written before `sight`."""
        self._ready = True
        self._failure = None
        self._marks.set(ready=True, sight=sight)

    # Opening

    def _open(self, store: ChromaStore, count: int | None) -> None:
        with self._lock:
            if self._opened:
                return
            if not store.on_server:
                store.touch()
            sight = store.sight()
            noted = self._marks.load()
            in_doubt = not noted.known and self._lexical.count() > 0
            alone = self._recover(store)
            if noted.ready and self._lexical.capabilities.durable and self._lexical.count():
                known = self._opened_as(store, noted, sight, count)
                if known and store.unchanged(noted.token, sight.token):
                    sight = sight._replace(settled=noted.sure and sight.settled)
                # What nobody has looked at stays to be found by the next who does.
                self._settle(sight if alone and known else Sight())
            else:
                # Of updates of pages that an earlier build has read, nobody tells this one.
                untold = self._announced is not None and self._lexical.count() > 0
                self._begin_build(store, deep=in_doubt or untold)
            self._opened = True

    def _opened_as(self, store: ChromaStore, noted: Noted, sight: Sight, count: int | None) -> bool:
        """Whether an index that was complete still is, or is again after a comparison of ids."""
        looks = self._upkeep.sync == "before_query"
        if store.unchanged(noted.token, sight.token) and (noted.sure or looks):
            return True
        if self._upkeep.sync == "manual":
            return False
        if self._announced is not None:
            self._announced.resume(noted.announced)
            self._marks.announced = noted.announced
            if not looks:  # else the look before this very query hears it
                self._hear(store)
            return True
        # On a server the look before each query and the check of contents find what this cannot.
        if store.on_server and looks and self._upkeep.check_rate and count is not None:
            return count == self._lexical.count() or self._compare(store)
        return self._compare(store)

    def _begin_build(self, store: ChromaStore, *, deep: bool) -> None:
        # Nothing to build is no reason to do without.
        if self._upkeep.backfill == "now" or store.count() == 0:
            self._build(store, deep=deep, progress=self._upkeep.progress)
        elif self._upkeep.backfill == "background":
            self._marks.set(ready=False, sight=Sight())
            builder = threading.Thread(target=self._build_aside, args=(store, deep), daemon=True)
            self._builders.append(builder)
            builder.start()

    def _build_aside(self, store: ChromaStore, deep: bool) -> None:
        try:
            unseen = self._upkeep.progress or _unseen
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
        sight = store.sight()
        news = self._announced.look(store) if self._announced else None
        self._marks.set(ready=False, sight=Sight())

        def stop() -> bool:
            return self._stop.is_set() if pause is None else self._stop.wait(pause)

        with progress_bar(progress) as shown:
            for _ in range(_ROUNDS):
                found = verify(store, self._lexical, deep=deep)
                if found.ok:
                    break
                mend(found, store, self._lexical, progress=shown, stop=stop)
                if self._stop.is_set():
                    return
        if news is not None:
            self._met_news(news)
        self._settle(sight)

    # Looking

    def _look(self, store: ChromaStore, count: int | None, age: float) -> None:
        sight, now = store.sight(), time.monotonic()
        token = sight.token
        noted = store.unchanged(self._marks.token, token)
        # While a client of ours was being opened, somebody else may have written.
        if noted and self._marks.sure and token == self._marks.token:
            return
        looked, when = self._looked
        same = token == looked or store.unchanged(looked, token)
        if same and count is None and now - when < age:
            return
        with self._lock:
            if self._looked[1] > now:
                return
            alone = self._recover(store)
            own = noted or self._writer.explains(self._marks.token, token)
            self._hear(store)
            in_step = self._same_count(store, count)
            if not in_step or not (own or token is None):
                in_step = self._may_compare() and self._compare(store)
            if in_step and alone:
                self._marks.set(ready=True, sight=sight)
            self._looked = (token, time.monotonic())

    def _same_count(self, store: ChromaStore, count: int | None) -> bool:
        # A count that was made before own writes were brought in may be old.
        return count == self._lexical.count() or store.count() == self._lexical.count()

    def _hear(self, store: ChromaStore) -> None:
        """Bring in what other processes say that they have written."""
        if self._announced is None:
            return
        news = self._announced.look(store)
        if news.everything:
            mend(verify(store, self._lexical), store, self._lexical)
        elif news.ids:
            reconcile(news.ids, store, self._lexical)
        self._met_news(news)

    def _met_news(self, news: News) -> None:
        if self._announced is not None:
            self._announced.heard(news)
            self._marks.announced = self._announced.seen

    def _may_compare(self) -> bool:
        since = time.monotonic() - self._compared
        if self._upkeep.max_age is not None:
            return since >= self._upkeep.max_age
        return self._took < _QUICK or since > self._took / _SHARE

    def _compare(self, store: ChromaStore) -> bool:
        """Bring in what others added and take out what they deleted."""
        start = time.monotonic()
        found = verify(store, self._lexical, deep=False)
        self._took, self._compared = time.monotonic() - start, time.monotonic()
        mend(found, store, self._lexical)
        self._meet_strangers(store, found)
        self._help(store)
        return True

    def _recover(self, store: ChromaStore) -> bool:
        """Repair what writers that died left undone; whether no other writer is at work."""
        with self._writer.journal.orphans() as orphans:
            if orphans.ids is None or orphans.ids:
                store.reader.replay()
            if orphans.ids is None:
                found = verify(store, self._lexical)
                mend(found, store, self._lexical)
            elif orphans.ids:
                reconcile(orphans.ids, store, self._lexical)
            if self._opened and orphans.ids != frozenset():
                self._read_apart(store)  # a client that was open before does not show them
        self._waiting = orphans.waiting
        return not orphans.living

    def _help(self, store: ChromaStore) -> None:
        """Bring in what another process has written and put off; what is more, it brings itself."""
        if not 0 < len(self._waiting) <= DEFERRED_AT_MOST:
            return
        now = {id_: digest(r) for id_, r in store.fetch(self._waiting).items()}
        if (self._waiting, now) != self._helped:
            reconcile(self._waiting, store, self._lexical)
            self._read_apart(store)
            self._helped = (self._waiting, now)

    def _meet_strangers(self, store: ChromaStore, found: VerifyReport) -> None:
        """An open client of Chroma's never shows vectors that another process has written."""
        last = found.missing[-1:], found.extra[-1:], found.stale
        if not (found.ok or store.reader.shows(*last)):
            store.reader.read_apart()

    def _meet_writers(self, store: ChromaStore) -> None:
        """The same where the other process has written both halves, so that nothing differs."""
        met = self._lexical.foreign_commits()
        if met != self._met:
            with self._lock:
                if met != self._met:
                    self._read_apart(store)
                    self._met = met

    def _read_apart(self, store: ChromaStore) -> None:
        if store.directory is not None:
            store.reader.read_apart()


def _end(stop: threading.Event, builders: list[threading.Thread], marks: Marks) -> None:
    stop.set()
    for builder in list(builders):
        if builder is not threading.current_thread():
            builder.join()
    marks.save()


def _unseen(_done: int, _total: int) -> None:
    """No bar from a thread that nobody waits for."""
