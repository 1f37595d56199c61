"""Which files a stored record may have opened: those below folders that code has named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

Folder: TypeAlias = "str | os.PathLike[str]"


class Roots:
    """Folders, or single files, that may be opened; all else may not. May be shared by threads."""

    def __init__(self, roots: Folder | Iterable[Folder] = ()) -> None:
        """Take one folder, or any number of them.

        Raises:
            InvalidArgumentError: no paths, or an empty one, which would mean any current folder.
        """
        listed = [roots] if isinstance(roots, str | os.PathLike) else roots
        if not isinstance(listed, Iterable) or isinstance(listed, bytes):
            raise InvalidArgumentError.of("roots", listed, "a list of folders")
        self._known: set[str] = set()
        for root in listed:
            if not isinstance(root, str | os.PathLike) or not os.fspath(root):
                raise InvalidArgumentError.of("roots", root, "folders")
            try:
                self.add(root)
            except (OSError, RuntimeError, TypeError, ValueError) as error:
                raise InvalidArgumentError.of("roots", root, f"folders ({error})") from error

    def add(self, path: Folder) -> None:
        """Allow what is at `path` now, and below it."""
        self._known.add(_key(Path(path).expanduser().resolve()))

    def add_uri(self, uri: str | None) -> None:
        """Allow the file that `uri` leads to now; nothing if it leads to none."""
        with suppress(OSError, RuntimeError, ValueError):
            path = None if uri is None else path_of(uri)
            if path is not None and path.is_file():
                self.add(path)

    def find(self, path: Path) -> Path:
        """Where `path` leads once all links in it are followed.

        Raises:
            PictureError: that is not below a root.
            OSError, RuntimeError, ValueError: it cannot be followed.
        """
        if path.drive.startswith("\\\\"):
            # Windows greets the machine of such a path with the user's credentials.
            self._check(Path(os.path.normpath(path)))
        real = path.resolve()
        self._check(real)
        return real

    def _check(self, path: Path) -> None:
        if not any(_key(each) in self._known for each in (path, *path.parents)):
            raise PictureError.of("picture", str(path), "a file below one of the roots")


def _key(path: Path) -> str:
    return os.path.normcase(path)
