"""The folder of a tantivy index: its format file, its lock, its creation and its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tantivy import Index

from langchain_chroma_hybrid._files import NOTES, FolderLock, write_json
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    IndexLockedError,
    LexicalIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tantivy import Schema

FORMAT_VERSION = 1
ENGINE = "tantivy"

_FORMAT_FILE, _META_FILE, _LOCK_FILE = "format.json", "meta.json", "writer.lock"
_MANAGED_FILE = ".managed.json"
_OTHER = re.compile(r"(?:format|meta|\.managed)\.json|(?:\.tantivy-\w+|writer)\.lock|\.tmp.*")
_SEGMENT = re.compile(r"[0-9a-f]{32}\..*")

Stamp = tuple[int, int, int]
"""Changes with every commit: modification time, inode and size of tantivy's list of segments."""


@dataclass(frozen=True, slots=True)
class Format:
    """What an index was built with; written beside it as JSON.

    Attributes:
        analyzer: the analyzer's fingerprint.
        lexical_fields: sorted names; boosts are applied to queries and may change.
    """

    analyzer: str
    lexical_fields: tuple[str, ...]


class IndexFolder:
    """A folder that holds one index. Its methods may be called from several processes at once.

    Args:
        path: the folder; created with mode 0700 when it is opened.
        expected: what the index has to be built with.
        lock_timeout: seconds to wait for another writer.
    """

    def __init__(self, path: Path, expected: Format, lock_timeout: float) -> None:
        self.path = path
        self._meta = str(path / _META_FILE)
        self._expected = expected
        self._lock = FolderLock(path / _LOCK_FILE, lock_timeout)

    def open(self, schema: Schema) -> Index:
        """The index, created if the folder is new.

        Raises:
            IndexFormatError: damaged, incomplete, or written by a newer version.
            AnalyzerMismatchError: built with another analyzer or other fields.
            LexicalIndexError: the folder cannot be made, read or written.
        """
        with self.explained("opened"):
            if not (self.path / _FORMAT_FILE).exists():
                self._create(schema)
            self.check()
            return self._open()

    def _open(self) -> Index:
        index = Index.open(str(self.path))
        index.config_reader("manual")
        return index

    def check(self) -> None:
        """Compare the format file with what is expected; errors as in `open`."""
        found = self._read_format()
        if found != self._expected:
            raise AnalyzerMismatchError(
                f"the lexical index at {self.path} was built with {found}, but {self._expected} is"
                " asked for; use the former, or call rebuild()"
            )
        if not (self.path / _META_FILE).exists():
            raise self._damaged(f"{_META_FILE} is missing")

    def is_at(self, stamp: Stamp | None) -> bool:
        """Whether nothing was committed since `stamp`, and the index is still there."""
        try:
            return self.stamp() == stamp
        except IndexFormatError:
            return False

    def stamp(self) -> Stamp:
        """A value that differs after each commit of any process; costs one `stat`."""
        try:
            status = os.stat(self._meta)  # noqa: PTH116  # every query comes by
        except OSError as error:
            raise self._damaged(f"{_META_FILE} is gone ({error.strerror})") from error
        return status.st_mtime_ns, status.st_ino, status.st_size

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writer lock, reentrantly.

        Raises:
            IndexLockedError: another thread or process kept it for longer than `lock_timeout`.
        """
        with contextlib.ExitStack() as stack:
            with self.explained("locked"):
                stack.enter_context(self._lock.held())
                self.check()
            yield

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the writer lock, whatever state the index is in.

        Raises:
            IndexLockedError, LexicalIndexError: as `locked`.
        """
        with contextlib.ExitStack() as stack:
            with self.explained("locked"):
                stack.enter_context(self._lock.held())
            yield

    def recreate(self, schema: Schema) -> Index:
        """An empty index in place of whatever is there; only for the holder of the lock."""
        with self.explained("made anew"):
            _wipe(self.path)
            self._begin(schema)
            return self._open()

    def sweep(self) -> None:
        """Remove what killed writers left behind; only for the holder of the lock."""
        for leftover in self.path.glob(".tmp*"):
            leftover.unlink(missing_ok=True)

    def make(self) -> None:
        """Make the folder and its parent, for the owner alone."""
        for folder in (self.path.parent, self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _create(self, schema: Schema) -> None:
        """Begin an index where none is; a killed start's files are removed, others refused."""
        self.make()
        with self._lock.held():
            if (self.path / _FORMAT_FILE).exists():
                return
            if not self._is_blank():
                raise self._damaged(f"{_FORMAT_FILE} is missing")
            for entry in self.path.iterdir():
                if entry.is_file() and entry.name != _LOCK_FILE:
                    entry.unlink()
            self._begin(schema)

    def _begin(self, schema: Schema) -> None:
        Index(schema, str(self.path))
        write_json(self.path / _FORMAT_FILE, self._written_format())

    def _is_blank(self) -> bool:
        """No files, or those of a process that was killed while it created an index."""
        names = {entry.name for entry in self.path.iterdir() if entry.is_file()}
        if not all(_is_ours(name) for name in names):
            return False
        if _META_FILE not in names:
            return not any(_SEGMENT.fullmatch(name) for name in names)
        try:
            meta = json.loads((self.path / _META_FILE).read_text("utf-8"))
            return isinstance(meta, dict) and meta.get("segments") == []
        except (ValueError, RecursionError):
            return False

    def _written_format(self) -> dict[str, object]:
        return {
            "format": FORMAT_VERSION,
            "engine": ENGINE,
            "analyzer": self._expected.analyzer,
            "lexical_fields": list(self._expected.lexical_fields),
        }

    def _read_format(self) -> Format:
        """Analyzer and fields of the index; refused if garbled, foreign or of another format."""
        try:
            content: Any = json.loads((self.path / _FORMAT_FILE).read_text("utf-8"))
            version = int(content["format"])
            engine = str(content["engine"])
            found = Format(str(content["analyzer"]), tuple(map(str, content["lexical_fields"])))
            foreign = _foreign_names(self.path / _MANAGED_FILE)
        except FileNotFoundError as error:
            raise self._damaged(f"{_FORMAT_FILE} is missing") from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._damaged(f"{_FORMAT_FILE} is garbled: {error}") from error
        if foreign:
            raise self._damaged(f"{_MANAGED_FILE} names {foreign[0]!r}")
        if version != FORMAT_VERSION or engine != ENGINE:
            raise self._damaged(
                f"it has format {version} of {engine}, this version reads"
                f" format {FORMAT_VERSION} of {ENGINE}"
            )
        return found

    @contextlib.contextmanager
    def explained(self, done: str) -> Iterator[None]:
        """Turn what tantivy and the file system raise into errors of ours."""
        try:
            yield
        except OSError as error:
            if isinstance(error, LexicalIndexError):
                raise
            raise LexicalIndexError(
                f"the lexical index at {self.path} cannot be {done}: {error}"
            ) from error
        except ValueError as error:
            if type(error) is not ValueError:
                raise
            raise self._tantivy_error(error) from error
        except BaseException as error:
            # A file that is cut short makes Rust panic, which is no `Exception` in Python.
            if type(error).__name__ != "PanicException":
                raise
            raise self._damaged(str(error)) from error

    def _tantivy_error(self, error: ValueError) -> LexicalIndexError:
        if "Lock" in str(error):
            return IndexLockedError(f"the lexical index at {self.path} has another writer: {error}")
        return self._damaged(str(error))

    def _damaged(self, found: str) -> IndexFormatError:
        return IndexFormatError(
            f"the lexical index at {self.path} cannot be used: {found}; rebuild() brings it back"
        )


def destroy(path: Path, lock_timeout: float) -> None:
    """Remove the folder at `path`, whatever its state; one that is not there is no error.

    Raises:
        IndexLockedError: another thread or process is writing.
        LexicalIndexError: there are files of somebody else's (nothing is removed then), or the
            folder cannot be removed.
    """
    if not path.exists():
        return
    try:
        others = [e.name for e in path.iterdir() if not _is_ours(e.name) and e.name != NOTES]
        if others:
            raise LexicalIndexError(f"{path} is no folder of an index alone: it holds {others[:5]}")
        with FolderLock(path / _LOCK_FILE, lock_timeout).held():
            _wipe(path)
            if (path / NOTES).exists():
                shutil.rmtree(path / NOTES)
        # A held lock cannot be removed everywhere; whoever comes in between keeps the folder.
        with contextlib.suppress(OSError):
            (path / _LOCK_FILE).unlink(missing_ok=True)
            path.rmdir()
    except OSError as error:
        if isinstance(error, LexicalIndexError):
            raise
        raise LexicalIndexError(
            f"the lexical index at {path} cannot be removed: {error}"
        ) from error


def _wipe(path: Path) -> None:
    # The list of segments goes first: what a kill leaves then is an index that says so.
    for name in (_META_FILE, _FORMAT_FILE):
        (path / name).unlink(missing_ok=True)
    for entry in path.iterdir():
        if _is_ours(entry.name) and entry.name != _LOCK_FILE:
            entry.unlink(missing_ok=True)


def _foreign_names(managed: Path) -> list[str]:
    """What tantivy would remove in the end, by a path from its list, though it is no index file."""
    if not managed.exists():
        return []
    names = map(str, json.loads(managed.read_text("utf-8")))
    return [name for name in names if not _is_ours(name) or "/" in name or "\\" in name]


def _is_ours(name: str) -> bool:
    return bool(_OTHER.fullmatch(name) or _SEGMENT.fullmatch(name))
