"""The folders of a rescue: the old one, which is only read, copies of it, and the new one."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from langchain_chroma_hybrid._files import sync_folder
from langchain_chroma_hybrid.engine.chroma.change_token import token_of
from langchain_chroma_hybrid.errors import InvalidArgumentError, RescueError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

# What the new folder may need beside a copy: vectors lie in Chroma's log, too, until it is tidied.
_SHARE, _LEAST = 1.25, 32 * 2**20


def old_folder(path: str | os.PathLike[str]) -> Path:
    """A data folder that nobody else has open, as far as that can be told.

    Raises:
        InvalidArgumentError: no such folder.
        RescueError: another process has it open.
    """
    folder = Path(path).expanduser().resolve()
    if token_of(folder) is None:
        raise InvalidArgumentError.of("path", str(path), "a folder that Chroma has written")
    if others := _users_of(folder / "chroma.sqlite3"):
        raise RescueError(
            f"path: {folder} is open in process {', '.join(map(str, others))}; stop it first"
        )
    return folder


def new_folder(to: str | os.PathLike[str], old: Path) -> Path:
    """A place for the new folder.

    Raises:
        InvalidArgumentError: something is there, or it is within the old one, or around it.
    """
    folder = Path(to).expanduser().resolve()
    if folder.is_relative_to(old) or old.is_relative_to(folder):
        raise InvalidArgumentError.of("to", str(to), f"a folder apart from {old}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgumentError.of("to", str(to), "a new folder, or an empty one")
    return folder


@contextmanager
def workspace(new: Path) -> Iterator[Path]:
    """An empty folder beside the new one for this block; what a killed rescue left goes first.

    Raises:
        RescueError: another rescue is at work for the same new folder.
    """
    new.parent.mkdir(parents=True, exist_ok=True)
    work = new.with_name(f".{new.name}.rescue")
    lock = FileLock(f"{work}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RescueError(f"to: another rescue is at work for {new}") from error
    try:
        _remove(work)
        work.mkdir(mode=0o700)
        yield work
    finally:
        _remove(work)
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink()


def copied(old: Path, copy: Path, without: Collection[str] = ()) -> Path:
    """Copy a data folder, without those folders in it, into a folder that is emptied before.

    Raises:
        RescueError: no room, or somebody wrote to it meanwhile.
    """
    for earlier in copy.parent.iterdir():
        _remove(earlier)
    size = sum(file.stat().st_size for file in old.rglob("*") if file.is_file())
    need, free = int(size * _SHARE) + _LEAST, shutil.disk_usage(copy.parent).free
    if free < need:
        raise RescueError(
            f"to: no room in {copy.parent.parent}: {need / 1e6:,.0f} MB are needed, "
            f"{free / 1e6:,.0f} MB are free"
        )
    before = token_of(old)
    shutil.copytree(old, copy, symlinks=True, ignore=_these(old, without))
    if token_of(old) != before:
        raise RescueError(f"path: somebody has written to {old} meanwhile; stop all that use it")
    return copy


def publish(copy: Path, new: Path) -> None:
    """Give a copy the place of the new folder, in one step, once all of it is on the disk."""
    for folder, _, names in os.walk(copy):
        for name in names:
            with (Path(folder) / name).open("rb") as file, suppress(OSError):
                os.fsync(file.fileno())
        sync_folder(Path(folder))
    if new.exists():
        new.rmdir()  # empty, or else somebody has filled it meanwhile
    copy.rename(new)
    sync_folder(new.parent)


def _these(old: Path, without: Collection[str]) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        return set(without) & set(names) if Path(folder) == old else set()

    return ignored


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _users_of(file: Path) -> list[int]:
    """Other processes that have the file open, as far as the system tells."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(link.readlink()) == str(file):
                found.add(int(link.parts[2]))
    return sorted(found - {os.getpid()})
