"""Building the lexical index of a collection that has none, or an unfinished one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.sync.reconcile import progress_bar, repair_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

THREAD = "chroma-hybrid-build"

# Under a stream of changes the build ends here; what is left, the next query's check finds.
_ROUNDS = 5
# Lets other threads have the index's lock between two pages of a build in the background.
_PAUSE = 0.005

_log = logging.getLogger(__name__)


class IndexBuild:
    """Builds an index, at once or in a thread of its own.

    Attributes:
        running: a build has begun.
        failure: what has ended the last one in the background.
        stop: set when nothing more is to be built.
        threads: those that are building in the background.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.running = False
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    @property
    def note(self) -> str:
        """Why queries have to do without the index."""
        if self.failure is not None:
            return f"vectors only: building the lexical index failed ({self.failure})"
        if self.running:
            return "vectors only: the lexical index is being built"
        return "vectors only: the lexical index is not built yet; `sync()` builds it"

    def run(
        self,
        store: ChromaStore,
        lexical: LexicalIndex,
        *,
        deep: bool,
        progress: Progress | None,
        pause: float = 0.0,
    ) -> bool:
        """Build `lexical`; whether it came to an end.

        That is when a comparison finds nothing more: paging misses what others move meanwhile. Who
        is stopped even so has come to an end: else processes that live shortly would never.
        """
        complete = False
        try:
            with progress_bar(progress) as shown:
                for _ in range(_ROUNDS):
                    found = repair_all(
                        store,
                        lexical,
                        deep=deep,
                        progress=shown,
                        stop=lambda: self.stop.wait(pause),
                    )
                    complete = found.ok
                    if complete or self.stop.is_set():
                        break
        finally:
            self.running = False
        return complete or not self.stop.is_set()

    def run_in_background(
        self, name: str, build: Callable[[Progress, float], None], progress: Progress | None
    ) -> None:
        """Call `build` with progress and pause for `run`; a failure is told to every query."""

        def work() -> None:
            try:
                build(progress or _unseen, _PAUSE)
            except Exception as error:  # noqa: BLE001  # told to every query until `sync()` succeeds
                self.failure = error
                _log.warning("building the lexical index of %s failed: %s", name, error)
            finally:
                self.running = False
                self.threads.remove(threading.current_thread())

        self.running, self.failure = True, None
        builder = threading.Thread(target=work, name=THREAD, daemon=True)
        self.threads.append(builder)
        builder.start()


def _unseen(_done: int, _total: int) -> None:
    """No bar from a thread that nobody waits for."""
