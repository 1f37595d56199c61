"""Reading an index of which the folder cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory


def is_writable(folder: Path) -> bool:
    """Whether this process may make files in `folder`."""
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


class Mirror:
    """A temporary folder of links to the files of an index: tantivy locks a file even to read.

    Attributes:
        path: of that folder, which goes with this object.
    """

    def __init__(self, source: Path, lists: tuple[str, ...]) -> None:
        """`lists`: names of files that tantivy replaces, the one that names all others first."""
        self._source = source
        self._lists = lists
        self._folder = TemporaryDirectory(prefix="chroma-hybrid-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self.update()

    def update(self) -> None:
        """Show what has been committed since."""
        # Read first: what it names was there before whatever is linked now.
        lists = {name: (self._source / name).read_bytes() for name in self._lists}
        for file in self._source.iterdir():
            target = self.path / file.name
            if file.is_file() and file.suffix != ".lock" and not os.path.lexists(target):
                _link(file, target)
        for name, content in reversed(lists.items()):
            (self.path / name).unlink(missing_ok=True)
            (self.path / name).write_bytes(content)


def _link(file: Path, target: Path) -> None:
    try:
        target.symlink_to(file)
    except OSError:  # Windows allows links to few
        shutil.copyfile(file, target)
