"""The lexical half of a collection, which all its users in a process share."""

from __future__ import annotations

import logging
import os
import weakref
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.query.background import CollectionBackground
from langchain_chroma_hybrid.engine.sync.freshness import Freshness
from langchain_chroma_hybrid.engine.sync.watch import ContentCheck
from langchain_chroma_hybrid.engine.sync.writer import Writer

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore, Remembered
    from langchain_chroma_hybrid.engine.sync.announcements import Announcements
    from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.lexical.protocol import Journal, LexicalIndex

_log = logging.getLogger(__name__)


class LexicalHalf:
    """A lexical index with all that keeps it in step. It holds no client: each call brings a store.

    Attributes:
        users: the stores that it was opened for, as long as anybody holds them.
        signature: equal for configurations that build the same index; `description` says for
            people what they are.
    """

    def __init__(
        self,
        lexical: LexicalIndex,
        log: Journal,
        checkpoint: Checkpoint,
        policy: SyncPolicy,
        remembered: Remembered,
        *,
        signature: str,
        description: str,
        announced: Announcements | None = None,
        background: CollectionBackground | None = None,
        owned: bool = True,
    ) -> None:
        """`log` and `checkpoint` keep what the next process has to know.

        `owned`: the lexical index is closed with this object; one of the caller's own is not.
        """
        self.lexical = lexical
        self.remembered = remembered
        self.signature, self.description = signature, description
        self.policy = policy
        self.writer = Writer(lexical, log, announced)
        self.freshness = Freshness(self.writer, checkpoint, policy, announced)
        self.users: weakref.WeakSet[ChromaStore] = weakref.WeakSet()
        self.check = ContentCheck(lexical, self.users, policy)
        self.background = background or CollectionBackground()
        self._checkpoint = checkpoint
        self._closed = False
        self._owned = owned
        self._owner = os.getpid()

    @property
    def usable(self) -> bool:
        """Neither closed nor inherited from the process that this one was forked from."""
        return not self._closed and self._owner == os.getpid()

    @property
    def version(self) -> object:
        """Another one when the index is made anew, in place, beside itself or altogether."""
        return self, self.freshness.rebuilds, self.freshness.upgrade.outdated

    def filters_by_chroma(self, store: ChromaStore) -> bool:
        """Whether a filtered vector leg must ask Chroma: others may have changed metadata."""
        return store.on_server and self.policy.writers == "any"

    def join(self, store: ChromaStore) -> None:
        """One more user, who may have written before he came: look at the next query."""
        store.share(self.remembered)
        self.users.add(store)
        self.freshness.look_again()

    def discard(self) -> None:
        """Let go of an index whose folder will be removed; nothing is brought in any more."""
        self._closed = True
        self.writer.forget()
        self._checkpoint.drop()
        self.freshness.stop()
        self._release()

    def close(self, store: ChromaStore) -> None:
        """Bring waiting writes in and give files and locks back; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self.writer.flush(store)
            self.freshness.close(store)
        except Exception as error:  # noqa: BLE001  # the journal has it, for the next open
            _log.warning("closed before all writes were in the lexical index: %s", error)
            self.freshness.stop()
        finally:
            self._release()

    def _release(self) -> None:
        self.check.stop()
        self.writer.log.close()
        if self._owned:
            self.lexical.close()
        self.remembered.close()
