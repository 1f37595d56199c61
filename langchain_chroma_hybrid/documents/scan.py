"""Which files are meant by paths: the files themselves, and what is in the folders."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NO_NAME = "its name is not Unicode, so that no record can hold it"
GONE = "there is no such file"


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a path that leads to none.

    Attributes:
        path: absolute, all links followed.
        named: by the caller himself, not found in a folder of his.
        problem: why it cannot be read, as far as that is known without opening it.
    """

    path: Path
    named: bool = True
    problem: str | None = None


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Found]:
    """Every file once, those of a folder in the order of their paths.

    In folders, what begins with a dot or `~$` is passed over without a word, links to folders are
    not followed, and a link that leads out of the folder is a problem: whoever may write into it
    could name any file of this machine.
    """
    seen: set[Path] = set()
    for given in paths:
        for found in _under(Path(os.path.realpath(Path(given).expanduser()))):
            if found.path not in seen:
                seen.add(found.path)
                yield found


def _under(root: Path) -> Iterator[Found]:
    if not root.is_dir():
        yield _looked_at(root, named=True)
        return
    files = list(_walk(root))
    if not files:
        yield Found(root, problem="no files in this folder")
    yield from sorted(files, key=lambda found: found.path)


def _walk(root: Path) -> Iterator[Found]:
    """What is in a folder and in those below it."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listed = [entry for entry in entries if not entry.name.startswith((".", "~$"))]
        except OSError as error:
            yield Found(folder, problem=f"cannot be read: {error.strerror}")
            continue
        for entry in listed:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif not entry.is_symlink():
                yield _looked_at(path, named=False)
            elif not path.is_dir():
                yield _link(path, root)


def _link(path: Path, root: Path) -> Found:
    """What a link leads to, if that is below the folder."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        return Found(path, False, "a link that leads out of the folder")
    return _looked_at(real, named=False)


def _looked_at(path: Path, *, named: bool) -> Found:
    """A file, and whether it is one that can be opened without harm."""
    try:
        str(path).encode("utf-8")
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        return Found(path, named, _NO_NAME)
    except FileNotFoundError:
        return Found(path, named, GONE)
    except (OSError, ValueError) as error:
        return Found(path, named, f"cannot be read: {getattr(error, 'strerror', error)}")
    # A pipe or a device would keep the reader waiting, or never end.
    return Found(path, named, None if stat.S_ISREG(mode) else "not a plain file")
