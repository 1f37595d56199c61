"""Threads for what a query waits for: some that last, and as many more as are busy at one time."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# To start a thread takes as long as a small query; more than these end with their work.
LASTING = 8


class Threads:
    """Runs work at once, in a lasting thread if one is free, else in one of its own.

    Never queues: a leg may itself ask a store for its legs, and a request to a server that hangs
    must not keep others waiting.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LASTING, "chroma-hybrid")
        self._free = threading.Semaphore(LASTING)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run `work` in the caller's context."""
        run = copy_context().run
        if self._free.acquire(blocking=False):
            lasting = self._pool.submit(run, work)
            # Also when it was cancelled before it began.
            lasting.add_done_callback(lambda _: self._free.release())
            return lasting
        future: Future[T] = Future()
        thread = threading.Thread(
            target=_settle, args=(future, run, work), name="chroma-hybrid-more", daemon=True
        )
        thread.start()
        return future


def _settle(future: Future[T], run: Callable[..., T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(run(work))
    except BaseException as error:  # noqa: BLE001  # whoever waits for the future gets it
        future.set_exception(error)


@cache
def _threads() -> Threads:
    return Threads()


# A forked child has none of its parent's threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)


def submit(work: Callable[[], T]) -> Future[T]:
    """Run `work` in another thread, now."""
    return _threads().submit(work)


async def in_thread(work: Callable[[], T]) -> T:
    """The same, awaited. Cancelling stops the waiting; what has begun ends in its thread."""
    return await asyncio.wrap_future(_threads().submit(work))
