"""Vectors of queries, made once: kept by text and model, and shared by those who wait for one."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from langchain_chroma_hybrid.engine.chroma.rows import query_vector
from langchain_chroma_hybrid.engine.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector


class Guard(Protocol):
    """Knows whether the model is the one that has filled the collection."""

    passed: bool

    def check(self) -> None:
        """Raise if it is not."""


Key: TypeAlias = "tuple[str, bytes]"

# An agent asks a few things again and again; 256 vectors are less than a megabyte.
MOST = 256


class QueryVectors:
    """A model as it embeds queries, with its last `MOST` vectors.

    They are kept by the model's fingerprint and a digest of the text, which is not kept itself;
    what has no fingerprint, such as a bare function, is asked each time. Failures are not kept, and
    everybody gets a copy.

    Thread safety: equal queries at one time share one call of the model, those of threads and those
    of each event loop by themselves: who blocks a loop must not wait for what goes on in it.
    """

    def __init__(self, model: Embedder, guard: Guard) -> None:
        self._model, self._guard = model, guard
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Vector] = OrderedDict()
        self._flights: dict[Key, Future[Vector]] = {}
        self._tasks: dict[tuple[object, Key], asyncio.Task[Vector]] = {}

    def embed_query(self, text: str) -> Sequence[float] | Vector:
        """The vector of a query `(d,)`; what the model or its guard raises is raised."""
        self._guard.check()
        key = self._key(text)
        if key is None:
            return self._model.embed_query(text)
        while True:
            with self._lock:
                known, flight = self._known(key), self._flights.get(key)
                if known is None and flight is None:
                    own = self._flights[key] = Future()
            if known is not None:
                return known
            if flight is None:
                return self._make(key, text, own)
            try:
                return flight.result().copy()
            except CancelledError:  # who made it was interrupted, which is nothing to others
                continue

    async def aembed_query(self, text: str) -> Sequence[float] | Vector:
        """The same without blocking the event loop; who is cancelled stops nobody else."""
        if not self._guard.passed:
            await in_thread(self._guard.check)
        key = None
        if self._may_be_known:
            key = await in_thread(partial(self._key, text))  # it may load the model
        if key is None:
            return await self._model.aembed_query(text)
        with self._lock:
            known = self._known(key)
        if known is not None:
            return known
        place = (asyncio.get_running_loop(), key)
        task = self._tasks.get(place)
        if task is None:
            task = self._tasks[place] = asyncio.create_task(self._amake(key, text))
            task.add_done_callback(partial(self._done, place))
        return (await asyncio.shield(task)).copy()

    @property
    def _may_be_known(self) -> bool:
        """Whether the model may have a fingerprint; asks it nothing."""
        return inspect.getattr_static(self._model, "fingerprint", None) is not None

    def _key(self, text: str) -> Key | None:
        """Under which a vector is kept; None where nobody knows what model this is."""
        if not self._may_be_known:
            return None
        model = self._model
        name = getattr(model, "query_fingerprint", None) or getattr(model, "fingerprint", None)
        if not isinstance(name, str) or not name:
            return None
        return name, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()

    def _known(self, key: Key) -> Vector | None:
        """A copy of what is kept, which is now the last to go. Within the lock."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found.copy()

    def _keep(self, key: Key, vector: Vector) -> None:
        with self._lock:
            self._kept[key] = vector.copy()
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def _make(self, key: Key, text: str, flight: Future[Vector]) -> Vector:
        """Ask the model, and tell those who wait for `flight`."""
        try:
            vector = query_vector(self._model.embed_query(text))
        except BaseException as error:
            with self._lock:
                del self._flights[key]
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.cancel()
            raise
        self._keep(key, vector)
        with self._lock:
            del self._flights[key]
        flight.set_result(vector)
        return vector.copy()

    async def _amake(self, key: Key, text: str) -> Vector:
        vector = query_vector(await self._model.aembed_query(text))
        self._keep(key, vector)
        return vector

    def _done(self, place: tuple[object, Key], task: asyncio.Task[Vector]) -> None:
        """Let go of a task, whose failure somebody has to look at."""
        self._tasks.pop(place, None)
        if not task.cancelled():
            task.exception()
