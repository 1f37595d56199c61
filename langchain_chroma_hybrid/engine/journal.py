"""Intentions: which ids a write is about to touch, on disk before Chroma is touched.

What an interrupted write left undone is found here at the next open and repaired from Chroma. A
journal belongs to one writer, which keeps its lock for as long as it lives: nobody touches a living
writer's.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


class Journal:
    """An append-only file of id lists, emptied when all of them are in the lexical index.

    Thread safety: called under the engine's write lock. Processes: each has its own file.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder` None keeps no journal: for indexes that a crash takes away anyway."""
        self._folder = folder
        self._path: Path | None = None
        self._lock: FileLock | None = None
        self._owner = 0

    def begin(self, ids: Collection[str]) -> None:
        """Note that `ids` may change; on disk when this returns."""
        if self._folder is None:
            return
        if self._path is None or self._owner != os.getpid():
            self._open(self._folder)
        assert self._path is not None  # noqa: S101  # _open has set it
        with self._path.open("a", encoding="utf-8") as file:
            # Escaped to ASCII: a torn line is cut in a known place, never inside a character.
            file.write(json.dumps(list(ids)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Forget everything: the lexical index has it."""
        if self._path is not None and self._owner == os.getpid():
            os.truncate(self._path, 0)

    def close(self) -> None:
        """Give the file up; whatever it still holds is for the next open."""
        if self._path is None or self._lock is None or self._owner != os.getpid():
            return
        done = self._path.stat().st_size == 0
        self._lock.release()
        if done:
            _remove(self._path)
        self._path = None

    @contextmanager
    def orphans(self) -> Iterator[set[str] | None]:
        """Ids that dead writers left undone; their journals are gone when the block ends well.

        Gives None when a journal cannot be read: then everything has to be compared.
        """
        with _adopted(self._folder, self._path) as paths:
            yield _read(paths)
            for path in paths:
                path.unlink(missing_ok=True)

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{uuid.uuid4().hex}.jsonl"
        # Locked before it exists, so that nobody can take it for a dead writer's.
        lock = FileLock(_lock_path(path), mode=0o600)
        lock.acquire(timeout=0)
        path.touch(mode=0o600)
        self._path, self._lock, self._owner = path, lock, os.getpid()


@contextmanager
def _adopted(folder: Path | None, own: Path | None) -> Iterator[list[Path]]:
    """Journals whose writer is dead, locked while they are being worked off."""
    locks: list[tuple[FileLock, Path]] = []
    try:
        for path in sorted(folder.glob("*.jsonl")) if folder else ():
            lock = FileLock(_lock_path(path), mode=0o600)
            if path != own:
                with suppress(Timeout):
                    lock.acquire(timeout=0)
                    locks.append((lock, path))
        yield [path for _, path in locks]
    finally:
        for lock, path in locks:
            lock.release()
            if not path.exists():
                _remove(path)


def _read(paths: list[Path]) -> set[str] | None:
    ids: set[str] = set()
    for path in paths:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if not line.endswith("\n"):
                # Torn: its write never returned, so Chroma was not touched yet.
                continue
            try:
                ids.update(json.loads(line))
            except ValueError:
                return None
    return ids


def _lock_path(path: Path) -> str:
    return str(path.with_suffix(".lock"))


def _remove(path: Path) -> None:
    # A leftover is harmless: on Windows a file that somebody still has open stays.
    for leftover in (path, path.with_suffix(".lock")):
        with suppress(OSError):
            leftover.unlink(missing_ok=True)
