"""Find files of known kinds."""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

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
    """

    path: Path
    relative: str
    size: int
    mtime: float

    @property
    def id(self) -> str:
        """32 hex digits, the same for the same path."""
        return hashlib.sha256(str(self.path).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def find(
    folder: Path,
    patterns: Sequence[str] | None,
    recursive: bool,
    suffixes: Collection[str] = PICTURE_SUFFIXES,
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

    Raises:
        InvalidArgumentError: no such folder, one that cannot be read, or patterns that are no list
            of strings.
    """
    if not folder.is_dir():
        raise InvalidArgumentError.of("folder", str(folder), "an existing folder")
    if isinstance(patterns, str) or not all(isinstance(each, str) for each in patterns or ()):
        raise InvalidArgumentError.of("patterns", patterns, "a list of strings, or None")
    scan = _Scan(Path(os.path.realpath(folder)), patterns, recursive, suffixes)
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
    outside: list[str] = field(default_factory=list)

    def walk(self, folder: Path, prefix: str) -> Iterator[File]:
        for entry in _entries(folder):
            relative = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                # Some links of Windows say that they are folders.
                if self.recursive and _real(entry) == self.root / relative:
                    yield from self.walk(folder / entry.name, f"{relative}/")
            elif self._wanted(relative) and self._is_file(entry, relative):
                found = entry.stat()
                yield File(folder / entry.name, relative, found.st_size, found.st_mtime)

    def _wanted(self, relative: str) -> bool:
        if self.patterns is None:
            suffix = os.path.splitext(relative)[1]  # noqa: PTH122 - thousands a second
            return suffix.lower() in self.suffixes
        return any(PurePosixPath(relative).match(pattern) for pattern in self.patterns)

    def _is_file(self, entry: os.DirEntry[str], relative: str) -> bool:
        if entry.is_symlink() and not _real(entry).is_relative_to(self.root):
            self.outside.append(relative)
            return False
        with suppress(OSError):  # a link to itself
            return entry.is_file()
        return False


def _real(entry: os.DirEntry[str]) -> Path:
    return Path(os.path.realpath(entry.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; passing over one that is locked would count its files as deleted."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InvalidArgumentError.of("folder", str(folder), f"readable ({error})") from error
