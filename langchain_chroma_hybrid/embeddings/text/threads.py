"""One query is little work for several threads on a busy machine: take what is quick now."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
QueryThreads: TypeAlias = int | Literal["auto", "default"]

_WARM_UP = 8  # calls that go to both ways in turn, the first of each untimed
_PROBE_EVERY = 24  # then one call in so many goes the other way, or fewer: as many as cost 5 %
_SMOOTHING = 0.2
_setting = threading.Lock()


class QueryLane:
    """Runs small torch calls inline, or in worker threads that use few threads of their own.

    Inline means: in the caller's thread, with torch as the process has set it. A worker sets the
    number of threads for itself alone; torch's process-wide value, the caller's and every other
    thread's stay what they were. `auto` compares both by their recent mean time, takes the better
    one, and takes workers while several queries run at once. Thread-safe; survives a fork.

    Args:
        threads: `auto`; `default` for always inline; or the threads of each worker.
    """

    def __init__(self, threads: QueryThreads = "auto") -> None:
        if threads not in ("auto", "default") and (not isinstance(threads, int) or threads < 1):
            raise InvalidArgumentError.of(
                "query_threads", threads, "'auto', 'default' or a number >= 1"
            )
        self._threads = threads
        self._lock = threading.Lock()
        self._workers: tuple[int, ThreadPoolExecutor] | None = None
        self._running = 0
        self._calls = 0
        self._probed = 0
        self._means: dict[bool, float] = {}

    def run(self, call: Callable[[], T]) -> T:
        """The result of `call()`; what it raises is raised here."""
        if self._threads == "default":
            return call()
        if self._threads != "auto":
            return self._executor().submit(call).result()
        if not _can_tune():
            return call()
        with self._turn() as (inline, timed):
            started = perf_counter()
            result = call() if inline else self._executor().submit(call).result()
            if timed:
                self._note(inline, perf_counter() - started)
        return result

    @contextmanager
    def _turn(self) -> Iterator[tuple[bool, bool]]:
        """Whether this call goes inline, and whether its time says something."""
        with self._lock:
            alone = self._running == 0
            self._running += 1
            number = self._calls
            self._calls += alone
            inline = alone and self._prefers_inline(number)
        try:
            yield inline, alone and number > 1
        finally:
            with self._lock:
                self._running -= 1

    def _prefers_inline(self, number: int) -> bool:
        if number < _WARM_UP:
            return number % 2 == 0
        inline, worker = self._means.get(True, 0.0), self._means.get(False, 0.0)
        best, ratio = inline <= worker, max(inline, worker) / max(min(inline, worker), 1e-9)
        if number - self._probed < max(_PROBE_EVERY, 20 * ratio):
            return best
        self._probed = number
        return not best

    def _note(self, inline: bool, seconds: float) -> None:
        with self._lock:
            mean = self._means.get(inline, seconds)
            self._means[inline] = mean + _SMOOTHING * (min(seconds, 8 * mean) - mean)

    def _executor(self) -> ThreadPoolExecutor:
        """The workers of this process: a forked child has none of its parent's threads."""
        with self._lock:
            if self._workers is None or self._workers[0] != os.getpid():
                threads = 1 if self._threads == "auto" else int(self._threads)
                pool = ThreadPoolExecutor(
                    os.cpu_count(), "query", initializer=_limit, initargs=(threads,)
                )
                self._workers = (os.getpid(), pool)
            return self._workers[1]


def _can_tune() -> bool:
    """Whether torch's thread count belongs to a thread (OpenMP), and there is a choice at all."""
    torch = require("torch", "local")
    per_thread: bool = "ATen parallel backend: OpenMP" in torch.__config__.parallel_info()
    return per_thread and torch.get_num_threads() > 1


def _limit(threads: int) -> None:
    """Give the current, new thread its own count.

    `set_num_threads` acts on the calling thread and on threads yet to be born. The second is not
    ours to change, so another new thread puts it back.
    """
    torch = require("torch", "local")
    with _setting:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        restore = threading.Thread(target=torch.set_num_threads, args=(before,))
        restore.start()
        restore.join()
