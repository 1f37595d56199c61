"""The folder of a tantivy index: its format file, its lock, its creation and its end.

An index lies in the folder itself or, if it was built beside an older one, in a folder within it,
which the format file names: to replace that file is the one step in which the new one takes over.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tantivy import Index

from langchain_chroma_hybrid._files import NOTES, FolderLock, write_json
from langchain_chroma_hybrid.core.analysis.analyzer import (
    RULES,
    settings_of,
    version_and_settings,
)
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    IndexLockedError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.tantivy.mirror import Mirror, is_writable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tantivy import Schema

FORMAT_VERSION = 2
"""2: the field `has_text`, and `folder` in the format file."""
ENGINE = "tantivy"

_FORMAT_FILE, _META_FILE, _LOCK_FILE = "format.json", "meta.json", "writer.lock"
_MANAGED_FILE = ".managed.json"
_OTHER = re.compile(r"(?:format|meta|\.managed)\.json|(?:\.tantivy-\w+|writer)\.lock|\.tmp.*")
_SEGMENT = re.compile(r"[0-9a-f]{32}\..*")
_BUILT = re.compile(r"built-[0-9a-f]{16}")

Stamp = tuple[tuple[int, int, int], ...]
"""Changes with every commit: modification time, inode and size of tantivy's list of segments."""


@dataclass(frozen=True, slots=True)
class Format:
    """What an index was built with; written beside it as JSON.

    Attributes:
        analyzer: the analyzer's fingerprint.
        lexical_fields: sorted names; boosts are applied to queries and may change.
        version: of the format.
        folder: the name of the folder within, if the index lies in one.
    """

    analyzer: str
    lexical_fields: tuple[str, ...]
    version: int = FORMAT_VERSION
    folder: str = ""

    def __str__(self) -> str:
        fields = ", ".join(self.lexical_fields)
        return f"{settings_of(self.analyzer)}, lexical_fields {fields}"

    @property
    def rules(self) -> int:
        """The version of the analyzer's rules."""
        return version_and_settings(self.analyzer)[0]

    @property
    def settings(self) -> tuple[str, tuple[str, ...]]:
        """What a user has chosen."""
        return version_and_settings(self.analyzer)[1], self.lexical_fields


class IndexFolder:
    """A folder that holds one index. Its methods may be called from several processes at once.

    Args:
        path: the folder; created with mode 0700 when it is opened.
        expected: what the index has to be built with.
        lock_timeout: seconds to wait for another writer.
    """

    def __init__(self, path: Path, expected: Format, lock_timeout: float) -> None:
        self.path = path
        self.expected = expected
        self._lock = FolderLock(path / _LOCK_FILE, lock_timeout)
        self._mirror: Mirror | None = None
        # Of the same name in every process: a killed build goes on where it was.
        name = blake2b(repr(expected).encode(), digest_size=8).hexdigest()
        self.successor = path / f"built-{name}"

    def open(self, schema: Schema) -> tuple[Index, Format]:
        """The index and what it was built with; created if the folder is new.

        Raises:
            IndexFormatError: damaged, incomplete, or written by a newer version.
            AnalyzerMismatchError: built with another analyzer or other fields.
            LexicalIndexError: the folder cannot be made, read or written.
        """
        with self.explained("opened"):
            if not (self.path / _FORMAT_FILE).exists():
                self._create(schema)
            before = self._read_format()
            try:
                return self.open_found(self.check())
            except BaseException:
                if self._read_format() == before:
                    raise
                return self.open_found(self.check())  # replaced a moment ago

    def open_found(self, found: Format) -> tuple[Index, Format]:
        """The index that `check` has found."""
        place = self.path / found.folder
        writable = is_writable(place)
        self._mirror = None if writable else Mirror(place, (_META_FILE, _MANAGED_FILE))
        index = Index.open(str(self._mirror.path if self._mirror else place))
        index.config_reader("manual")
        return index, found

    def reload(self, index: Index) -> None:
        """Look at the latest commit."""
        if self._mirror is not None:
            self._mirror.update()
        index.reload()

    def check(self) -> Format:
        """What the index was built with, if it can be used; errors as in `open`."""
        found = self._read_format()
        if found.settings != self.expected.settings:
            raise AnalyzerMismatchError(
                f"the lexical index at {self.path} was built with {found}, now asked for is "
                f"{self.expected}; use the former, or call rebuild()"
            )
        if not (self.path / found.folder / _META_FILE).exists():
            raise self._damaged(f"{_META_FILE} is missing")
        return found

    def is_outdated(self, found: Format) -> bool:
        """Whether the index is such as an older version has built."""
        return replace(found, folder="") != self.expected

    def watched(self, found: Format) -> tuple[str, ...]:
        """The files that tell of a commit, and where it is to be expected, of a successor."""
        meta = str(self.path / found.folder / _META_FILE)
        return (meta, str(self.path / _FORMAT_FILE)) if self.is_outdated(found) else (meta,)

    def is_at(self, watched: tuple[str, ...], stamp: Stamp | None) -> bool:
        """Whether nothing was committed since `stamp`, and the index is still there."""
        try:
            return self.stamp(watched) == stamp
        except IndexFormatError:
            return False

    def stamp(self, watched: tuple[str, ...]) -> Stamp:
        """A value that differs after each commit of any process; costs a `stat` for each file."""
        try:
            states = [os.stat(file) for file in watched]  # noqa: PTH116  # every query comes by
        except OSError as error:
            raise self._damaged(f"{error.filename} is gone ({error.strerror})") from error
        return tuple([(s.st_mtime_ns, s.st_ino, s.st_size) for s in states])

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

    def recreate(self, schema: Schema) -> tuple[Index, Format]:
        """An empty index in place of whatever is there; only for the holder of the lock."""
        with self.explained("made anew"):
            _wipe(self.path)
            self._begin(schema)
            self.sweep(self.expected)
            return self.open_found(self.expected)

    def switch(self) -> tuple[Index, Format]:
        """The successor in place of an outdated index; only for the holder of the lock.

        Whatever index is there if that is no longer outdated.
        """
        with self.explained("replaced"):
            found = self.check()
            if self.is_outdated(found):
                found = replace(self.expected, folder=self.successor.name)
                self._write_format(found)
                self.sweep(found)
            return self.open_found(found)

    def sweep(self, current: Format) -> None:
        """Remove what killed writers and builders left behind; only for the holder of the lock."""
        for leftover in self.path.glob(".tmp*"):
            leftover.unlink(missing_ok=True)
        kept = {current.folder, self.successor.name if self.is_outdated(current) else ""}
        # What others still read cannot be removed everywhere; the next writer tries again.
        with contextlib.suppress(OSError, LexicalIndexError):
            if current.folder:
                _wipe(self.path, _FORMAT_FILE)
            for folder in _built(self.path):
                if folder.name not in kept:
                    destroy(folder, 0.0)

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
        self._write_format(self.expected)

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

    def _write_format(self, wanted: Format) -> None:
        content = {
            "format": wanted.version,
            "engine": ENGINE,
            "analyzer": wanted.analyzer,
            "lexical_fields": list(wanted.lexical_fields),
            "folder": wanted.folder,
        }
        write_json(self.path / _FORMAT_FILE, content)

    def _read_format(self) -> Format:
        """What the index was built with; refused if garbled, foreign or of a newer format."""
        try:
            content: Any = json.loads((self.path / _FORMAT_FILE).read_text("utf-8"))
            version, engine = int(content["format"]), str(content["engine"])
            if version > FORMAT_VERSION or engine != ENGINE:
                raise self._newer(f"format {version} of {engine}")
            found = _as_format(content, version)
            rules = found.rules
            if rules > max(RULES):
                raise self._newer(f"an analyzer's rules {rules}")
            foreign = _foreign_names(self.path / found.folder / _MANAGED_FILE)
        except FileNotFoundError as error:
            raise self._damaged(f"{_FORMAT_FILE} is missing") from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._damaged(f"{_FORMAT_FILE} is garbled: {error}") from error
        if foreign:
            raise self._damaged(f"{_MANAGED_FILE} names {foreign[0]!r}")
        if found.folder and (self.path / found.folder).is_symlink():
            raise self._damaged(f"{found.folder} is a link")
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

    def _newer(self, found: str) -> IndexFormatError:
        return IndexFormatError(
            f"the lexical index at {self.path} is of a newer version: it has {found}, this version"
            f" reads up to format {FORMAT_VERSION} of {ENGINE} and an analyzer's rules"
            f" {max(RULES)}; upgrade langchain-chroma-hybrid, or call rebuild()"
        )

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
        built = _built(path)
        entries = [entry for folder in (path, *built) for entry in folder.iterdir()]
        entries = [entry for entry in entries if entry not in built]
        others = [e.name for e in entries if not _is_ours(e.name) and e.name != NOTES]
        if others:
            raise LexicalIndexError(f"{path} is no folder of an index alone: it holds {others[:5]}")
        with FolderLock(path / _LOCK_FILE, lock_timeout).held():
            _wipe(path)
            for folder in built:
                _wipe(folder)
                (folder / _LOCK_FILE).unlink(missing_ok=True)
                folder.rmdir()
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


def _wipe(path: Path, *kept: str) -> None:
    """Remove the files of an index, but for its lock and for `kept`."""
    # The list of segments goes first: what a kill leaves then is an index that says so.
    for name in (_META_FILE, _FORMAT_FILE):
        if name not in kept:
            (path / name).unlink(missing_ok=True)
    for entry in path.iterdir():
        if _is_ours(entry.name) and entry.name not in (_LOCK_FILE, *kept):
            entry.unlink(missing_ok=True)


def _built(path: Path) -> list[Path]:
    """Folders within that hold an index, or the beginning of one."""
    named = (entry for entry in path.glob("built-*") if _BUILT.fullmatch(entry.name))
    return [entry for entry in named if entry.is_dir() and not entry.is_symlink()]


def _as_format(content: Any, version: int) -> Format:
    """What a format file says; raises what reading JSON as something else raises."""
    fields, folder = tuple(map(str, content["lexical_fields"])), str(content.get("folder", ""))
    if version < 1 or not (folder == "" or _BUILT.fullmatch(folder)):
        raise ValueError(f"format {version}, folder {folder!r}")
    return Format(str(content["analyzer"]), fields, version, folder)


def _foreign_names(managed: Path) -> list[str]:
    """What tantivy would remove in the end, by a path from its list, though it is no index file."""
    if not managed.exists():
        return []
    names = map(str, json.loads(managed.read_text("utf-8")))
    return [name for name in names if not _is_ours(name) or "/" in name or "\\" in name]


def _is_ours(name: str) -> bool:
    return bool(_OTHER.fullmatch(name) or _SEGMENT.fullmatch(name))
