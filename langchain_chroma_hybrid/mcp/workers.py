"""Threads for what tools do: the event loop stays free, and only so many calls run at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

AT_ONCE = 4


class Workers:
    """At most `AT_ONCE` calls at a time; others wait, and a cancelled one that waits never begins.

    One that runs ends in its thread, and its answer is dropped: no write is left half done.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, "chroma-hybrid-mcp")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives."""
        return await asyncio.wrap_future(self._pool.submit(copy_context().run, work))

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
