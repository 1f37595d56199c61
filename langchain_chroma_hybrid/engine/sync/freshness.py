"""Keeping the lexical index in step: the first build, repair after a crash, what others wrote.

Chroma says of a change as much as it can: for a local folder a `stat` tells that something changed,
elsewhere only a count. What that does not show, a comparison of ids finds, and `sync(deep=True)`
everything.
"""

from __future__ import annotations

import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.change_token import Token, TokenReading
from langchain_chroma_hybrid.engine.sync.build import IndexBuild
from langchain_chroma_hybrid.engine.sync.foreign import ForeignWrites
from langchain_chroma_hybrid.engine.sync.reconcile import SyncReport, report, verify
from langchain_chroma_hybrid.engine.sync.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements
    from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint, CheckpointData
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, VerifyReport
    from langchain_chroma_hybrid.engine.sync.writer import Writer


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
        self._foreign = ForeignWrites(writer.lexical, writer.log, policy, announced)
        self._build = IndexBuild()
        self.upgrade = Upgrade(writer.lexical, policy)
        self._lock = threading.RLock()
        self._opened = False
        self._ready = False
        self.rebuilds = 0
        # The last check: which token it saw, and when it ended.
        self._checked: tuple[Token | None, float] = (None, -float("inf"))
        # Whoever never calls `close` has his last state noted all the same.
        self._finalizer = weakref.finalize(
            self, _end, (self._build, self.upgrade.build), checkpoint
        )

    def prepare(self, store: ChromaStore, policy: SyncPolicy) -> tuple[TokenReading, str | None]:
        """Make the index current; the token as of now, and a note when queries do without it.

        Nothing of the index is told to a client that the server has not answered within the
        `max_age` of who asks, whose `policy` this is.

        Raises:
            CollectionError: the collection is gone.
            LexicalIndexError: the index cannot be read or written.
        """
        age = policy.age(in_memory=store.in_memory)
        count = None if store.answered_within(age) else store.count()
        self._writer.flush(store)
        # In this order: a rebuild that begins meanwhile is waited for, or this query is run again.
        ready = self._ready
        if not self._opened:
            self._open(store, count)
        ready = ready or self._ready
        reading, now = store.read_token(), time.monotonic()
        if ready and self._policy.sync == "before_query":
            self._check(store, reading, count, now - age)
        self._foreign.notice_commits(store)
        store.reader.catch_up()
        if ready:
            self.upgrade.begin(store)
        return reading, None if ready else self._build.note

    def look_again(self) -> None:
        """Trust no count that was made before: somebody may have written unseen."""
        self._checked = (None, -float("inf"))

    def sync(self, store: ChromaStore, *, deep: bool, progress: Progress | None) -> SyncReport:
        """Mend everything that differs; an index that was never built is built by this."""
        start = time.perf_counter()
        self._writer.flush(store)
        reading = store.read_token()
        news = self._announced.look(store) if self._announced else None
        alone = self._foreign.repair_unfinished(store, opened=self._opened)
        stop = self._build.stop.is_set
        found = self._foreign.compare(store, deep=deep, progress=progress, stop=stop)
        if not stop():
            self._opened = True
            if self._announced and news and deep:
                self._announced.heard(news)
            self._mark_in_step(reading if alone else TokenReading())
            self.upgrade.again(store, progress)
        return report(found, start)

    def verify(self, store: ChromaStore, *, fix: bool) -> VerifyReport:
        """Compare both halves record by record; `fix` mends what is reported."""
        self._writer.flush(store)
        return self._foreign.compare(store, deep=True) if fix else verify(store, self._lexical)

    def rebuild(self, store: ChromaStore, progress: Progress | None) -> SyncReport:
        """Empty the index, whatever its state, and build it from the collection.

        Queries that come meanwhile wait, or go by vector alone where the first build lets them.
        """
        start = time.perf_counter()
        with self._lock:
            self._opened = self._policy.backfill != "now"
            self._mark_unfinished()
            self.rebuilds += 1
            self.upgrade.cancel()
            try:
                self._lexical.clear()
                self._run_build(store, deep=False, progress=progress)
            except BaseException:
                self._opened = False  # the next query begins again
                raise
            self._opened = True
        took_ms = (time.perf_counter() - start) * 1e3
        return SyncReport(self._lexical.count(), took_ms=took_ms)

    def close(self, store: ChromaStore) -> None:
        """Stop building and note how far the index is."""
        reading = store.read_token()
        if self._ready and self._writer.own_changes.explain(self._checkpoint.token, reading.token):
            self._mark_in_step(reading)
        self.stop()

    def stop(self) -> None:
        """Stop building; what is known is noted."""
        self._finalizer()

    def _mark_in_step(self, reading: TokenReading) -> None:
        """The index is complete, and in step with all that was written before `reading`."""
        self._ready = True
        self._build.failure = None
        self._writer.own_changes.forget()
        announced = self._announced.seen if self._announced else None
        self._checkpoint.set(ready=True, reading=reading, announced=announced)

    def _mark_unfinished(self) -> None:
        """A build begins."""
        self._ready = False
        self._build.running = True
        self._checkpoint.set(ready=False, reading=TokenReading())

    # Opening

    def _open(self, store: ChromaStore, count: int | None) -> None:
        """Go on with what an earlier process has left, or begin a build."""
        with self._lock:
            if self._opened:
                return
            if not store.on_server:
                store.touch()
            reading, last = store.read_token(), self._checkpoint.load()
            filled = self._lexical.count() > 0
            alone = self._foreign.repair_unfinished(store, opened=False)
            if last.ready and self._lexical.capabilities.durable and self._lexical.count():
                known = self._complete(store, last, reading, count)
                if known and store.unchanged(last.token, reading.token):
                    reading = reading._replace(settled=last.sure and reading.settled)
                # What nobody has looked at stays to be found by the next who does.
                self._mark_in_step(reading if alone and known else TokenReading())
            else:
                if self.upgrade.outdated and filled:
                    self._lexical.clear()  # half built by an older version: of use to nobody
                # Of updates of pages that an earlier build has read, nobody tells this one.
                untold = self._announced is not None and self._lexical.count() > 0
                self._begin_build(store, deep=untold or (filled and not last.known))
            self._opened = True

    def _complete(
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
            if not looks:  # else the check before this very query hears it
                self._foreign.apply_announced(store)
            return True
        # On a server the check before each query and that of contents find what this cannot.
        checked = store.on_server and looks and self._policy.check_rate
        if not (checked and count == self._lexical.count()):
            self._foreign.compare(store)
        return True

    def _begin_build(self, store: ChromaStore, *, deep: bool) -> None:
        # Nothing to build is no reason to do without.
        if self._policy.backfill == "now" or store.count() == 0:
            self._run_build(store, deep=deep, progress=self._policy.progress)
        elif self._policy.backfill == "background":
            build = partial(self._run_build, store, deep=deep)
            self._build.run_in_background(store.name, build, self._policy.progress)

    def _run_build(
        self, store: ChromaStore, progress: Progress | None, pause: float = 0.0, *, deep: bool
    ) -> None:
        """Build, and note the state of before: what came meanwhile may not be in."""
        reading = store.read_token()
        news = self._announced.look(store) if self._announced else None
        self._mark_unfinished()
        if self._build.run(store, self._lexical, deep=deep, progress=progress, pause=pause):
            if self._announced and news:
                self._announced.heard(news)
            self._mark_in_step(reading)

    # Checking

    def _check(
        self, store: ChromaStore, reading: TokenReading, count: int | None, oldest: float
    ) -> None:
        """Where the token has changed, and not by us, bring in what others have written.

        `oldest`: a check that ended later needs no count.
        """
        # While a client of ours was being opened, somebody else may have written.
        if reading.token is not None and reading.token == self._checkpoint.sure_token:
            return
        known = self._checkpoint.token
        seen, when = last = self._checked
        same = reading.token == seen or store.unchanged(seen, reading.token)
        if same and count is None and when > oldest:
            return
        with self._lock:
            if self._checked != last and self._checked[0] == reading.token:
                return  # somebody else has just done it
            alone = self._foreign.repair_unfinished(store, opened=True)
            change = known, reading.token
            ours = store.unchanged(*change) or self._writer.own_changes.explain(*change)
            quiet = ours or reading.token is None
            if self._foreign.bring_in(store, count, quiet=quiet) and alone:
                self._mark_in_step(reading)
            self._checked = (reading.token, time.monotonic())


def _end(builds: Sequence[IndexBuild], checkpoint: Checkpoint) -> None:
    for build in builds:
        build.stop.set()
    for thread in [thread for build in builds for thread in list(build.threads)]:
        if thread is not threading.current_thread():
            thread.join()
    checkpoint.save()
