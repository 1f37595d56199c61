"""Locks and files that survive a crash."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from langchain_chroma_hybrid.errors import IndexLockedError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, TextIO


NOTES = "journal"
"""A folder within an index's folder for whoever keeps the index in step; not the index's own."""


class FolderLock:
    """Keeps other threads and processes out; reentrant within a thread.

    Args:
        file: the lock file; made when it is not there.
        timeout: seconds to wait.
    """

    def __init__(self, file: Path, timeout: float) -> None:
        self._file = file
        self._timeout = timeout
        self._threads = threading.RLock()
        self._processes = FileLock(str(file), mode=0o600, thread_local=False)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock.

        Raises:
            IndexLockedError: another thread or process kept it for longer than `timeout`.
        """
        deadline = time.monotonic() + self._timeout
        if not self._threads.acquire(timeout=max(0.0, self._timeout)):
            raise self._busy("thread")
        try:
            try:
                self._processes.acquire(timeout=max(0.0, deadline - time.monotonic()))
            except Timeout as error:
                raise self._busy("process") from error
            try:
                yield
            finally:
                self._processes.release()
        finally:
            self._threads.release()

    def _busy(self, who: str) -> IndexLockedError:
        return IndexLockedError(
            f"another {who} writes to the lexical index at {self._file.parent}; gave up after"
            f" {self._timeout} s"
        )


class StateFiles:
    """Small JSON objects by name, one file for each; without a folder all are forgotten at once."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def state(self, name: str) -> dict[str, Any]:
        """What was set last, by whichever process; empty if nothing that can be read."""
        if self._folder is not None:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                content = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
                return content if isinstance(content, dict) else {}
        return {}

    def set_state(self, name: str, content: Mapping[str, object]) -> None:
        """Replace it in one step.

        Raises:
            OSError: it cannot be written.
        """
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(self._folder / f"{name}.json", content)

    def forget(self) -> None:
        """Forget all that was set.

        Raises:
            OSError: it cannot be removed.
        """
        for file in self._folder.glob("*.json") if self._folder is not None else ():
            file.unlink(missing_ok=True)


def path_of(name: str, value: object) -> Path:
    """The path, with `~` for the user's folder.

    Raises:
        InvalidArgumentError: it is none.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise InvalidArgumentError.of(name, value, "a path")
    return Path(value).expanduser()


def write_json(target: Path, content: Mapping[str, object]) -> None:
    """Replace `target` in one step: after a crash it holds the old content or the new."""
    with replacing(target) as file:
        json.dump(content, file, indent=2)


def append_line(target: Path, content: Mapping[str, object]) -> None:
    """Add one line of JSON; what a kill has left of a line before stays a line of its own.

    Raises:
        OSError: it cannot be written.
    """
    line = json.dumps(content).encode() + b"\n"
    with target.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def read_lines(source: Path) -> list[dict[str, Any]]:
    """The objects that `append_line` wrote, without what a kill has torn; empty without a file."""
    found = []
    for line in source.read_bytes().splitlines() if source.is_file() else ():
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [row for row in found if isinstance(row, dict)]


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[TextIO]:
    """A file that takes the place of `target` once the block has ended well; else nothing changes.

    Raises:
        OSError: it cannot be written.
    """
    temporary = target.with_name(f".tmp-{os.getpid()}-{target.name}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    # Folders cannot be opened for a sync on Windows, where renames are durable by themselves.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def user_cache() -> Path:
    """Our folder where the platform keeps what may be deleted."""
    return _platform_cache() / "langchain-chroma-hybrid"


def _platform_cache() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
