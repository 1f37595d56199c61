"""Intentions: which ids a write is about to touch, on disk before Chroma is touched.

What an interrupted write left undone is found here at the next open and repaired from Chroma. A
journal belongs to one writer, which keeps its lock for as long as it lives: nobody touches a living
writer's.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from langchain_chroma_hybrid._files import sync_folder
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.lexical.protocol import Unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

# Writers that never pause would let the file grow for ever: above this it is written anew.
_COMPACT_ABOVE = 4_000_000


class WriteAheadLog:
    """An append-only file of id lists, emptied when all of them are in the lexical index.

    Thread safety: may be called from many threads. Processes: each has its own file.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder` None writes nothing: for indexes that a crash takes away anyway."""
        self._folder = folder
        self._mutex = threading.Lock()
        self._numbers = itertools.count()
        self._pending: dict[int, tuple[str, ...]] = {}
        self._path: Path | None = None
        self._lock: FileLock | None = None
        self._owner = 0

    def begin(self, ids: Collection[str]) -> int:
        """Note that `ids` may change; on disk when this returns the number for `done`.

        Raises:
            OSError: it could not be written; nothing is noted.
        """
        with self._mutex:
            number, noted = next(self._numbers), tuple(ids)
            if self._folder is not None:
                self._append(self._folder, noted)
            self._pending[number] = noted
            return number

    def done(self, numbers: Collection[int]) -> None:
        """Forget what has come into the lexical index."""
        with self._mutex:
            for number in numbers:
                self._pending.pop(number, None)
            # What cannot be forgotten is repaired once more at the next open, which does no harm.
            with suppress(OSError):
                self._shrink()
        reach("journal done")

    def close(self) -> None:
        """Give the file up; whatever it still holds is for the next open."""
        with self._mutex:
            if self._path is None or self._lock is None or self._owner != os.getpid():
                return
            self._lock.release()
            if not self._pending:
                _remove(self._path)
            self._path = None

    @contextmanager
    def take_over(self) -> Iterator[Unfinished]:
        """What dead writers left undone; their journals are gone when the block ends well."""
        with _adopted(self._folder, self._path) as (paths, living):
            yield Unfinished(_read(paths), bool(living), _read(living) or frozenset())
            for path in paths:
                path.unlink(missing_ok=True)

    def _append(self, folder: Path, ids: tuple[str, ...]) -> None:
        """Add a line to this process' own journal, begun here if need be; all of it or nothing."""
        if self._path is None or self._owner != os.getpid():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open(folder)
        elif not self._path.exists():
            # Another process has rebuilt the index; if it has removed it for good, this fails.
            folder.mkdir(exist_ok=True, mode=0o700)
            self._open(folder)
        assert self._path is not None  # noqa: S101  # _open has set it
        before = self._path.stat().st_size
        try:
            _write(self._path, "a", [ids])
        except OSError:
            # A disk that is full may have taken half a line, which must not run into the next.
            os.truncate(self._path, before)
            raise

    def _shrink(self) -> None:
        if self._path is None or self._owner != os.getpid():
            return
        if not self._pending:
            os.truncate(self._path, 0)
        elif self._path.stat().st_size > _COMPACT_ABOVE:
            rest = self._path.with_suffix(".tmp")
            _write(rest, "w", list(self._pending.values()))
            rest.replace(self._path)

    def _open(self, folder: Path) -> None:
        """Begin a journal, locked from the start, with what this process has pending."""
        path = folder / f"{uuid.uuid4().hex}.jsonl"
        # Locked before it exists, so that nobody can take it for a dead writer's.
        lock = _lock(path)
        lock.acquire(timeout=0)
        path.touch(mode=0o600)
        sync_folder(folder)
        # After a fork the parent's entries are the parent's to finish.
        self._pending = {} if self._owner != os.getpid() else self._pending
        if self._pending:
            _write(path, "a", list(self._pending.values()))
        self._path, self._lock, self._owner = path, lock, os.getpid()
        reach("journal opened")


def _write(path: Path, mode: str, entries: Collection[Collection[str]]) -> None:
    with path.open(mode, encoding="utf-8") as file:
        # Escaped to ASCII: a torn line is cut in a known place, never inside a character.
        file.writelines(json.dumps(list(ids)) + "\n" for ids in entries)
        file.flush()
        reach("journal written")
        os.fsync(file.fileno())
    reach("journal synced")


@contextmanager
def _adopted(folder: Path | None, own: Path | None) -> Iterator[tuple[list[Path], list[Path]]]:
    """Journals of dead writers, locked while they are being worked off, and of living ones."""
    locks: list[tuple[FileLock, Path]] = []
    living: list[Path] = []
    try:
        for path in sorted(folder.glob("*.jsonl")) if folder else ():
            if path == own:
                continue
            lock = _lock(path)
            try:
                lock.acquire(timeout=0)
            except (Timeout, OSError):
                # Another's at work, or not ours to touch.
                living += [path] if _size(path) > 0 else []
            else:
                locks.append((lock, path))
        yield [path for _, path in locks], living
    finally:
        for lock, path in locks:
            lock.release()
            if not path.exists():
                _remove(path)


def _read(paths: list[Path]) -> frozenset[str] | None:
    """All ids in these journals, without torn lines; None if a whole line makes no sense."""
    ids: set[str] = set()
    for path in paths:
        with suppress(FileNotFoundError):
            text = path.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines(keepends=True):
                if not line.endswith("\n"):
                    # Torn: its write never returned, so Chroma was not touched yet.
                    continue
                entry = _parsed(line)
                if entry is None:
                    return None
                ids.update(entry)
    return frozenset(ids)


def _parsed(line: str) -> list[str] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, list) and all(isinstance(id_, str) for id_ in entry)
    return entry if whole else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _lock(path: Path) -> FileLock:
    # Whichever thread comes first takes it, for all of them.
    return FileLock(str(path.with_suffix(".lock")), mode=0o600, thread_local=False)


def _remove(path: Path) -> None:
    # A leftover is harmless: on Windows a file that somebody still has open stays.
    for leftover in (path, path.with_suffix(".lock")):
        with suppress(OSError):
            leftover.unlink(missing_ok=True)
