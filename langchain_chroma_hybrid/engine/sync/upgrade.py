"""Building an index anew that an older version has built, beside it, while it answers."""

from __future__ import annotations

import logging
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.calls import pages
from langchain_chroma_hybrid.engine.sync import reconcile
from langchain_chroma_hybrid.engine.sync.build import IndexBuild
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import IndexLockedError
from langchain_chroma_hybrid.lexical.protocol import Replaceable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# Under a stream of writes the last comparison is made while they wait.
_ROUNDS = 5
# Seconds until the next look whether another process, which builds, has come to an end.
_LOOK = 2.0

_log = logging.getLogger(__name__)


class Upgrade:
    """Sees to it that an outdated index has a successor, which takes its place.

    The successor is built from Chroma, a page at a time. Whatever the old index is told meanwhile,
    by whomever, makes both differ: that is brought in before the switch, while writers wait. So the
    new index knows all that the old one knew, and journals and checkpoint hold for it as they are.

    One thread of one process builds; what it leaves when it is killed, the next one goes on with.

    Attributes:
        build: the thread that builds, and what went wrong.
    """

    def __init__(self, lexical: LexicalIndex, policy: SyncPolicy) -> None:
        self._lexical = lexical if isinstance(lexical, Replaceable) else None
        self._policy = policy
        self.build = IndexBuild()
        self._look_at = -float("inf")
        self._replaced = self._told = False
        self._failed_for: weakref.ref[ChromaStore] | None = None

    @property
    def outdated(self) -> bool:
        """Whether an index of an older version answers."""
        return self._lexical is not None and self._lexical.outdated

    @property
    def note(self) -> str | None:
        """What an answer of an index of an older version says."""
        if not self.outdated:
            return None
        now = "it is being rebuilt in the background"
        if self._replaced:
            now = "another process has put it back; `sync()` rebuilds it once more"
        elif self.build.failure is not None:
            now = f"rebuilding it failed ({self.build.failure}); `sync()` tries again"
        elif self._policy.backfill == "manual":
            now = "`sync()` rebuilds it"
        return f"the lexical index is of an older version and answers as it did; {now}"

    def begin(self, store: ChromaStore) -> None:
        """A query came: see that the successor is being built, where that is needed."""
        if not self.outdated or self._policy.backfill == "manual":
            return
        if self.build.running or self._replaced or time.monotonic() < self._look_at:
            return
        # With another client it may succeed.
        if self.build.failure is not None and self._failed_for == weakref.ref(store):
            return
        self._failed_for = weakref.ref(store)
        if not self._told:
            self._told = True
            _log.warning("the lexical index of %s needs an upgrade: %s", store.name, self.note)
        work = partial(self._run, store)
        self.build.run_in_background(store.name, work, self._policy.progress)

    def again(self, store: ChromaStore, progress: Progress | None) -> None:
        """`sync` was called: build at once where nothing is built unasked, else try again."""
        if not self.outdated:
            return
        self.build.failure, self._replaced = None, False
        if self._policy.backfill == "manual":
            self._run(store, progress)
        else:
            self.begin(store)

    def cancel(self) -> None:
        """The index is about to be made anew in place: build no further."""
        self.build.stop.set()
        for thread in list(self.build.threads):
            thread.join()
        self.build.stop.clear()

    def _run(self, store: ChromaStore, progress: Progress | None, pause: float = 0.0) -> None:
        """Build the successor and put it in place, unless somebody else is at it."""
        assert self._lexical is not None  # noqa: S101  # it is outdated
        try:
            with self._lexical.successor() as new:
                if self.build.run(store, new, deep=False, progress=progress, pause=pause):
                    reach("successor built")
                    self._replace(self._lexical, new, store)
        except IndexLockedError:
            self._look_at = time.monotonic() + _LOOK

    def _replace(self, old: Replaceable, new: LexicalIndex, store: ChromaStore) -> None:
        """Bring in what the old index was told while the new one was built, and switch."""
        for _ in range(_ROUNDS):
            version = old.version()
            reconcile.reconcile(list(differing(old, new)), store, new)
            reach("successor in step")
            with old.locked():
                if old.version() == version:
                    self._switch(old)
                    return
            if self.build.stop.is_set():
                return
        with old.locked():
            reconcile.reconcile(list(differing(old, new)), store, new)
            self._switch(old)

    def _switch(self, old: Replaceable) -> None:
        old.switch()
        self._replaced = True
        reach("successor in place")


def differing(old: LexicalIndex, new: LexicalIndex) -> Iterator[str]:
    """Ids of records that one of both lacks, or has with other content."""
    extra = set(new.ids())
    for page in pages(old.ids(), reconcile.PAGE):
        extra.difference_update(page)
        was, now = old.digests(page), new.digests(page)
        yield from (id_ for id_, digest in was.items() if now.get(id_) != digest)
    yield from extra
