"""Keeping writes out of a collection whose place another one has taken."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import getnode

from filelock import FileLock, Timeout

from langchain_chroma_hybrid.engine.model_notes import ModelNotes, Notes
from langchain_chroma_hybrid.errors import IndexLockedError, ModelChangedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore

SWITCHING = "switching"
"""The phase of a migration in which nobody else may write."""
ALIVE = 60.0
"""Seconds after which somebody of whom a server has heard nothing counts as dead."""
BELIEVED = 1.0
"""Seconds for which a host believes what a server said where no migration was under way."""
# Seconds between two signs of life on a server.
_BEAT = 5.0
_PAUSE = 0.02
# Collections in memory that are being migrated at this moment.
_busy: set[str] = set()


class ModelGate:
    """Lets writes through as long as the collection has its place.

    Thread safety: may be called from many threads.
    """

    def __init__(self, store: ChromaStore, timeout: float) -> None:
        """`timeout`: seconds to wait while another collection is being put in its place."""
        self._store, self._timeout = store, timeout
        self._notes = ModelNotes(store)
        self._seen: tuple[object, Notes] = (None, Notes())

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Write inside the block.

        Raises:
            ModelChangedError: another collection has the place, also where it took it meanwhile:
                then the write may be in neither, and has to be made again.
            IndexLockedError: it is being put there, for longer than the time to wait.
        """
        self.check()
        yield
        self.check()

    def check(self) -> None:
        """Raise unless a write may begin; errors as for `passed`."""
        deadline = time.monotonic() + self._timeout
        while True:
            notes = self._now()
            if notes.live not in (None, self._store.uuid):
                raise ModelChangedError(self._moved(notes))
            if not self._is_switching(notes):
                return
            if time.monotonic() > deadline:
                name = self._store.name
                raise IndexLockedError(
                    f"collection {name!r} is being embedded anew, and for {self._timeout} s nobody "
                    "else may write to it"
                )
            time.sleep(_PAUSE)

    def _is_switching(self, notes: Notes) -> bool:
        going = notes.migration or {}
        return going.get("phase") == SWITCHING and is_alive(self._notes, self._store, notes)

    def _now(self) -> Notes:
        """What is noted, read again only when it may have changed."""
        sign = self._sign()
        if sign is None or sign != self._seen[0]:
            self._seen = sign, self._notes.read()
        return self._seen[1]

    def _sign(self) -> object:
        """Equal as long as nothing new is noted; None to read in any case."""
        if self._store.on_server:
            going = self._seen[1].migration is not None
            return None if going else int(time.monotonic() / BELIEVED)
        if self._notes.file is None:
            return None
        try:
            found = os.stat(self._notes.file)  # noqa: PTH116  # a path that is asked for at each write
        except OSError:
            return "none"
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _moved(self, notes: Notes) -> str:
        filled = notes.models.get(notes.live or "")
        by = f", {filled.model}" if filled is not None else ""
        return (
            f"collection {self._store.name!r} was embedded anew by another model{by}, and this "
            "store still has the old one: nothing is written there; open it with the new model"
        )


@contextmanager
def only_one(store: ChromaStore) -> Iterator[None]:
    """Let one process at a time migrate a collection, and tell other hosts that it is alive.

    Raises:
        IndexLockedError: another one does.
    """
    notes = ModelNotes(store)
    with _locked(store, notes):
        if not store.on_server:
            yield
            return
        ended = threading.Event()
        beats = threading.Thread(
            target=_beat, args=(notes, ended), name="chroma-hybrid-migration", daemon=True
        )
        beats.start()
        try:
            yield
        finally:
            ended.set()
            beats.join()
            with suppress(Exception):  # else other hosts wait for as long as if it had been killed
                notes.change(lambda n: _left(notes, n))


def under_way(notes: ModelNotes, noted: Notes, **going: object) -> Notes:
    """With that said of the migration that this process is at.

    Raises:
        IndexLockedError: another host is at one, which has begun in the same moment.
    """
    before = noted.migration or {}
    if _by_another_host(notes, before):
        raise IndexLockedError("the collection is being migrated by another host")
    now = {**before, **going, "host": _host(notes), "beat": time.time()}
    return replace(noted, migration=now)


def _left(notes: ModelNotes, noted: Notes) -> Notes:
    going = noted.migration
    if going is None or going.get("host") != _host(notes):
        return noted
    return replace(noted, migration={**going, "beat": 0.0})


def _beat(notes: ModelNotes, ended: threading.Event) -> None:
    while not ended.wait(_BEAT):
        with suppress(Exception):  # the work itself finds out what is wrong
            notes.change(lambda n: n if n.migration is None else under_way(notes, n))


@contextmanager
def _locked(store: ChromaStore, notes: ModelNotes) -> Iterator[None]:
    """Keep other threads and processes of this host out, and look for other hosts."""
    message = f"collection {store.name!r} is being migrated by another"
    if notes.file is None:
        if store.root in _busy:
            raise IndexLockedError(f"{message} thread")
        _busy.add(store.root)
        try:
            yield
        finally:
            _busy.discard(store.root)
        return
    if _by_another_host(notes, notes.read().migration or {}):
        raise IndexLockedError(f"{message} host")
    notes.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(notes)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLockedError(f"{message} process") from error
    try:
        yield
    finally:
        lock.release()


def is_alive(notes: ModelNotes, store: ChromaStore, noted: Notes) -> bool:
    """Whether somebody is at work on the migration that is noted."""
    if noted.migration is None:
        return False
    if notes.file is None:
        return store.root in _busy
    if notes.on_server and noted.migration.get("host") != _host(notes):
        return _heard_of(noted.migration)
    lock = _lock(notes)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _by_another_host(notes: ModelNotes, going: Mapping[str, Any]) -> bool:
    """Whether a host that cannot be asked otherwise has lately said that it is at work.

    Who works in one folder sees the other's lock, and a copy of a folder is nobody else's.
    """
    elsewhere = notes.on_server and going.get("host") not in (None, _host(notes))
    return elsewhere and _heard_of(going)


def _heard_of(going: Mapping[str, Any]) -> bool:
    beat = going.get("beat")
    return isinstance(beat, int | float) and time.time() - beat < ALIVE


def _host(notes: ModelNotes) -> str:
    """Equal for those who see each other's lock: one machine, and one cache folder."""
    place = f"{platform.node()} {getnode()} {notes.file}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _lock(notes: ModelNotes) -> FileLock:
    return FileLock(str(notes.file) + ".migrating", mode=0o600, thread_local=False)
