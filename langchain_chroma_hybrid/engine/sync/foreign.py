"""What others have written, and what writers that died left undone: found, and brought in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.values import digest
from langchain_chroma_hybrid.engine.sync.reconcile import reconcile, repair_all
from langchain_chroma_hybrid.engine.sync.writer import DEFERRED_AT_MOST
from langchain_chroma_hybrid.lexical.record_count import RecordCount

if TYPE_CHECKING:
    from collections.abc import Collection

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.engine.sync.reconcile import VerifyReport
    from langchain_chroma_hybrid.lexical.protocol import Journal, LexicalIndex

# Comparing ids may take this share of the time; one that takes less than `_QUICK` s always may.
_SHARE, _QUICK = 0.1, 0.2
# How often the vectors of what others have written are looked for in an open client.
_LOOKS = 3


class ForeignWrites:
    """Brings into one index what this process has not written; who calls holds others off."""

    def __init__(
        self,
        lexical: LexicalIndex,
        log: Journal,
        policy: SyncPolicy,
        announced: Announcements | None,
    ) -> None:
        self._lexical = lexical
        self._log = log
        self._policy = policy
        self._announced = announced
        self._compared, self._took = -float("inf"), 0.0
        self._count = RecordCount()
        # How many commits of others the vectors were read for.
        self._commits = lexical.foreign_commits()
        # What other processes have put off, and what that was when it was brought in.
        self._put_off: frozenset[str] = frozenset()
        self._applied: tuple[frozenset[str], dict[str, str]] = (self._put_off, {})

    def bring_in(self, store: ChromaStore, count: int | None, *, quiet: bool) -> bool:
        """Whether the index is in step after what others tell, and a comparison if that is due.

        `quiet`: nothing but `count` can tell of a change.
        """
        self.apply_announced(store)
        # A count that was made before own writes were brought in may be old.
        if quiet and (
            count == self._count.of(self._lexical) or store.count() == self._lexical.count()
        ):
            return True
        if not self._may_compare():
            return False
        start = time.monotonic()
        self.compare(store)
        self._compared, self._took = time.monotonic(), time.monotonic() - start
        return True

    def compare(self, store: ChromaStore, **options: Any) -> VerifyReport:
        """Bring in what others added and take out what they deleted; options of `repair_all`."""
        found = repair_all(store, self._lexical, **{"deep": False, **options})
        last = found.missing[-1:], found.extra[-1:], found.stale
        # What this process writes in the meantime is not shown, either, but only for a moment.
        if not found.ok and not any(store.reader.shows(*last) for _ in range(_LOOKS)):
            store.reader.mark_outdated(by_others=True)
        self._apply_put_off(store)
        return found

    def apply_announced(self, store: ChromaStore) -> None:
        """Bring in what other processes say that they have written."""
        if self._announced is not None:
            news = self._announced.look(store)
            self._apply(news.ids, store)
            self._announced.heard(news)

    def repair_unfinished(self, store: ChromaStore, *, opened: bool) -> bool:
        """Repair what writers that died left undone; whether no other writer is at work.

        `opened`: the index was open before, and perhaps a client that does not show it.
        """
        with self._log.take_over() as left:
            if left.ids != frozenset():
                store.reader.replay()
                self._apply(left.ids, store)
                store.reader.mark_outdated(by_others=opened)
        self._put_off = left.put_off
        return not left.living

    def notice_commits(self, store: ChromaStore) -> None:
        """See whether another process has written both halves, so that nothing differs."""
        commits = self._lexical.foreign_commits()
        if commits != self._commits:
            store.reader.mark_outdated(by_others=True)
            self._commits = commits

    def _apply(self, ids: Collection[str] | None, store: ChromaStore) -> None:
        """Bring in `ids`, or with None whatever differs."""
        if ids is None:
            repair_all(store, self._lexical)
        else:
            reconcile(ids, store, self._lexical)

    def _apply_put_off(self, store: ChromaStore) -> None:
        """Bring in what another process has put off; what is more, it brings in itself."""
        if 0 < len(self._put_off) <= DEFERRED_AT_MOST:
            found = {id_: digest(r) for id_, r in store.fetch(self._put_off).items()}
            if (self._put_off, found) != self._applied:
                reconcile(self._put_off, store, self._lexical)
                store.reader.mark_outdated(by_others=True)
                self._applied = (self._put_off, found)

    def _may_compare(self) -> bool:
        since = time.monotonic() - self._compared
        if self._policy.max_age is not None:
            return since >= self._policy.max_age
        return self._took < _QUICK or since > self._took / _SHARE
