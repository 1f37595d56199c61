"""Find files of known kinds."""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

PICTURE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dcm", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif",
    ".tiff", ".webp",
})  # fmt: skip
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class File:
    """A file as the folder lists it, without a look inside.

    Attributes:
        path: absolute.
        relative: below the folder that was scanned, with `/`.
        size: in bytes.
        mtime: seconds since 1970.
        companions: name, size and time of each file beside it that belongs to it, the best first.
    """

    path: Path
    relative: str
    size: int
    mtime: float
    companions: tuple[tuple[str, int, float], ...] = ()

    @property
    def id(self) -> str:
        """32 hex digits, the same for the same path."""
        return hashlib.sha256(str(self.path).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def find(
    folder: Path,
    patterns: Sequence[str] | None,
    recursive: bool,
    suffixes: Collection[str] = PICTURE_SUFFIXES,
    companions: Sequence[str] = (),
) -> list[File]:
    """The files of a folder, sorted by path.

    What begins with a dot is left out, and so is what a link leads to outside of the folder, with a
    warning: whoever may write into it could name any file. Links to folders are not followed.

    Args:
        folder: where to look.
        patterns: such as `*.png` or `2024/*.jpg`, matched from the right; None means all of
            `suffixes`.
        recursive: also in the folders below.
        suffixes: of known formats, in lower case.
        companions: suffixes of what belongs to a file: `a.srt` and `a.en.srt` to `a.mp4`.

    Raises:
        InvalidArgumentError: no such folder, one that cannot be read, or patterns that are no list
            of strings.
    """
    if not folder.is_dir():
        raise InvalidArgumentError.of("folder", str(folder), "an existing folder")
    if isinstance(patterns, str) or not all(isinstance(each, str) for each in patterns or ()):
        raise InvalidArgumentError.of("patterns", patterns, "a list of strings, or None")
    scan = _Scan(Path(os.path.realpath(folder)), patterns, recursive, suffixes, companions)
    found = sorted(scan.walk(folder, ""), key=lambda file: file.relative)
    if scan.outside:
        _log.warning(
            "%d links lead out of %s and are left out, such as %s",
            len(scan.outside),
            folder,
            scan.outside[0],
        )
    return found


@dataclass(slots=True)
class _Scan:
    """What is looked for below `root`, and the links found that lead out of it."""

    root: Path
    patterns: Sequence[str] | None
    recursive: bool
    suffixes: Collection[str]
    companions: Sequence[str]
    outside: list[str] = field(default_factory=list)

    def walk(self, folder: Path, prefix: str) -> Iterator[File]:
        entries = _entries(folder)
        beside = _by_stem(entries, self.companions, lambda entry: self._is_file(entry, prefix))
        for entry in entries:
            relative = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                # Some links of Windows say that they are folders.
                if self.recursive and _real(entry) == self.root / relative:
                    yield from self.walk(folder / entry.name, f"{relative}/")
            elif self._wanted(relative) and self._is_file(entry, relative):
                found = entry.stat()
                belong = tuple(beside.get(_stem(entry.name), ()))
                yield File(
                    folder / entry.name, relative, found.st_size, found.st_mtime, belong
                )

    def _wanted(self, relative: str) -> bool:
        if self.patterns is None:
            return _suffix(relative) in self.suffixes
        return any(PurePosixPath(relative).match(pattern) for pattern in self.patterns)

    def _is_file(self, entry: os.DirEntry[str], relative: str) -> bool:
        if entry.is_symlink() and not _real(entry).is_relative_to(self.root):
            self.outside.append(relative)
            return False
        with suppress(OSError):  # a link to itself
            return entry.is_file()
        return False


def with_companions(file: File, suffixes: Sequence[str]) -> File:
    """A file alone with what belongs to it in its folder; links lead nowhere here."""
    if not suffixes:
        return file
    with suppress(OSError), os.scandir(file.path.parent) as entries:
        beside = _by_stem(list(entries), suffixes, lambda each: each.is_file(follow_symlinks=False))
        return replace(file, companions=tuple(beside.get(_stem(file.path.name), ())))
    return file


def _by_stem(
    entries: Sequence[os.DirEntry[str]],
    suffixes: Sequence[str],
    wanted: Callable[[os.DirEntry[str]], bool],
) -> dict[str, list[tuple[str, int, float]]]:
    """What may belong to files, by their names without suffix: `a.en.srt` to `a.en` and `a`."""
    found: dict[str, list[tuple[str, int, float]]] = {}
    kept = [e for e in entries if e.name.lower().endswith(tuple(suffixes)) and wanted(e)]
    for entry in sorted(kept, key=lambda e: (len(e.name), suffixes.index(_suffix(e.name)), e.name)):
        state, stem = entry.stat(), _stem(entry.name)
        for owner in {stem, _stem(stem)}:
            found.setdefault(owner, []).append((entry.name, state.st_size, state.st_mtime))
    return found


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - thousands a second


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - thousands a second


def _real(entry: os.DirEntry[str]) -> Path:
    return Path(os.path.realpath(entry.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; passing over one that is locked would count its files as deleted."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InvalidArgumentError.of("folder", str(folder), f"readable ({error})") from error
