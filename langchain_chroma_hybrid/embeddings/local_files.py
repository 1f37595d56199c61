"""Files of this machine, opened without ever waiting for one."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.errors import MediaError


def open_regular(path: Path, name: str, error: type[MediaError]) -> BinaryIO:
    """A regular file to be read; a pipe or a device is never waited for.

    Args:
        path: links are followed.
        name: what messages call the argument.
        error: what is raised.

    Raises:
        MediaError: there is none, or it cannot be read.
    """
    try:
        if not path.is_file():
            expected = "an existing file" if not path.exists() else "a regular file"
            raise error.of(name, str(path), expected)
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as problem:
        if isinstance(problem, error):
            raise
        raise error.of(name, str(path), f"a readable file ({problem})") from problem
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise error.of(name, str(path), "a regular file")
    return file


def _at_once(path: str, flags: int) -> int:
    """Open what has become a pipe meanwhile without waiting for its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
