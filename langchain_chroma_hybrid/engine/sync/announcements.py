"""Processes that write to one collection on a server tell each other what they have written.

Chroma gives no sign of an update, and has no compare-and-set with which all could count in one
place. So each process keeps one record of its own in a small collection beside the real one, with a
random token that is another one after each write, and the ids of its last writes. Readers compare
the tokens with those that they saw last.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from langchain_chroma_hybrid.engine.chroma.announced import Announced
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore

# Ids that a record names, over its last writes. Who was away for more compares everything.
_MOST_IDS = 10_000
# A process that does not end what it has begun is taken for dead after so many seconds.
_DEAD_AFTER = 60.0
# A record that has not changed for so many seconds is removed by the next process that writes. It
# says so under this name: who has not seen what is removed compares everything.
_FORGOTTEN_AFTER, _FORGOTTEN = 86_400.0, "forgotten"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What others have written since the last look.

    Attributes:
        ids: to be read again; None when more was written than is known by id.
        tokens: of each process, as they were when this was read.
    """

    ids: frozenset[str] | None
    tokens: Mapping[str, str]


class Announcements:
    """The record of this process, and what it has seen of the others'. Thread-safe."""

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex
        self._lock = threading.Lock()
        # Tokens of this process with the ids that were written under each.
        self._last: deque[tuple[str, list[str]]] = deque()
        self._complete = True
        self._under_way: dict[int, list[str]] = {}
        self._seen: dict[str, str] | None = None
        # When a token of a process that had something under way was seen first.
        self._waited: dict[tuple[str, str], float] = {}

    @property
    def seen(self) -> Mapping[str, str] | None:
        """The tokens up to which everything was brought in, to be noted for the next process."""
        return self._seen

    def resume(self, seen: Mapping[str, str] | None) -> None:
        """Go on from what an earlier process has noted; None if it noted nothing."""
        self._seen = None if seen is None else dict(seen)

    # Telling

    def begin(self, store: ChromaStore, number: int, ids: Collection[str]) -> None:
        """Say that `ids` are about to change: should this process die, others look at them."""
        with self._lock:
            self._under_way[number] = list(ids)
            try:
                if not self._last:
                    self._first(store)
                store.announced.put(self._name, self._state())
            except BaseException:
                del self._under_way[number]
                raise

    def end(self, store: ChromaStore, number: int) -> None:
        """Say that they have changed, or never will."""
        with self._lock:
            self._note(self._under_way.pop(number))
            last = json.dumps({"last": list(self._last), "complete": self._complete})
            try:
                store.announced.put(self._name, {**self._state(), "content": last})
            except Exception as error:  # noqa: BLE001  # others see that it was begun, and look
                _log.warning("a write to %s could not be announced: %s", store.name, error)

    def _first(self, store: ChromaStore) -> None:
        """Make room: who has told nothing for long is forgotten, of which everybody hears."""
        self._note([])
        now = time.time()
        old = [name for name in store.announced.older(now - _FORGOTTEN_AFTER) if name != _FORGOTTEN]
        if old:
            token = uuid.uuid4().hex
            store.announced.put(_FORGOTTEN, {"token": token, "busy": False, "at": now})
            store.announced.forget(old)

    def _note(self, ids: list[str]) -> None:
        self._last.append((uuid.uuid4().hex, ids))
        while sum(len(written) for _, written in self._last) > _MOST_IDS and len(self._last) > 1:
            self._last.popleft()
            self._complete = False

    def _state(self) -> dict[str, str | bool | float]:
        ids = [id_ for some in self._under_way.values() for id_ in some]
        token, busy = self._last[-1][0], bool(self._under_way)
        return {"token": token, "busy": busy, "under_way": json.dumps(ids), "at": time.time()}

    # Hearing

    def look(self, store: ChromaStore) -> News:
        """What others have told since `heard` was called last."""
        records, seen = store.announced.all(), self._seen
        tokens = {record.name: record.token for record in records}
        if seen is None:
            return News(None, tokens)
        changed = {r.name for r in records if seen.get(r.name) != r.token} | self._busy(records)
        everything = bool(seen.keys() - tokens.keys() - {self._name})
        ids: set[str] = set()
        for record in records:
            if record.name in changed - {self._name}:
                written = _written(record, seen.get(record.name))
                everything = everything or written is None
                ids.update(written or ())
        return News(None if everything else frozenset(ids), tokens)

    def heard(self, news: News) -> None:
        """What `look` gave was brought in."""
        self._seen = dict(news.tokens)

    def _busy(self, records: Iterable[Announced]) -> set[str]:
        """Names of those that have something under way and may still be alive."""
        now = time.monotonic()
        begun = {(r.name, r.token) for r in records if r.busy}
        self._waited = {key: self._waited.get(key, now) for key in begun}
        return {name for (name, _), since in self._waited.items() if now - since <= _DEAD_AFTER}


def _written(record: Announced, seen: str | None) -> list[str] | None:
    """Ids that a process wrote after the token `seen`, or is writing; None if nobody knows all."""
    try:
        under_way = list(map(str, json.loads(record.told.get("under_way", "[]"))))
        if seen == record.token:
            return under_way
        content: dict[str, Any] = json.loads(record.told.get("content", '{"last": []}'))
        last = [(str(token), list(map(str, ids))) for token, ids in content["last"]]
        complete = content.get("complete") is True
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    tokens = [token for token, _ in last]
    if seen in tokens:
        last = last[tokens.index(seen) + 1 :]
    elif record.token not in tokens:
        return under_way if record.busy and seen is None and not last else None
    elif seen is not None or not complete:
        return None
    return [*under_way, *(id_ for _, ids in last for id_ in ids)]
