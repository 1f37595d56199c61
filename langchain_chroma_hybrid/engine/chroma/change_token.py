"""A sign that somebody has written to a local data folder, at the cost of one `stat`."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Token: TypeAlias = tuple[int, ...]

# Modification times go in steps: of a clock tick, or of up to two seconds where a file system notes
# no fractions of a millisecond.
_FINE_TICK_NS, _COARSE_TICK_NS = 50_000_000, 2_000_000_000
_COARSE_NS = 1_000_000
_WITHOUT_LOG = 3

# By folder: its last change tokens that differ only by our opening of clients. What has fallen out
# costs a comparison of ids.
_MOST_OPENINGS = 64
_openings: dict[Path, tuple[Token, ...]] = {}


def token_of(directory: Path) -> Token | None:
    """Changes with every write to the data folder by any process, at the cost of one `stat`."""
    database = f"{directory}/chroma.sqlite3"  # not as a Path: every query comes by
    try:
        status = os.stat(database)  # noqa: PTH116
    except OSError:
        return None
    token = status.st_mtime_ns, status.st_size, status.st_ino
    try:  # there only where somebody has switched SQLite to WAL
        log = os.stat(f"{database}-wal")  # noqa: PTH116
    except OSError:
        return token
    return max(token[0], log.st_mtime_ns), *token[1:], log.st_mtime_ns, log.st_size


class TokenReading(NamedTuple):
    """A look at a change token.

    Attributes:
        token: None where there is none, as for servers.
        settled: any write after the look gives another token. A write within the same tick of the
            file's clock may not.
    """

    token: Token | None = None
    settled: bool = False

    @property
    def lasting(self) -> Token | None:
        """The token, if every later write is sure to give another one."""
        return self.token if self.settled else None


def read_token(directory: Path) -> TokenReading:
    """Look at the change token of a data folder."""
    now = time.time_ns()  # first: after the look somebody may have written already
    token = token_of(directory)
    if token is None:
        return TokenReading()
    # A log is stamped before what it holds is there for readers: a sync of the disk lies between.
    fine = token[0] % _COARSE_NS and len(token) == _WITHOUT_LOG
    return TokenReading(token, now - token[0] > (_FINE_TICK_NS if fine else _COARSE_TICK_NS))


@contextmanager
def opening(directory: str | None) -> Iterator[None]:
    """A client is opened inside the block, which changes the token of its folder.

    A write by others meanwhile looks the same, so what follows has to look at a count.
    """
    folder = Path(directory).resolve() if directory else None
    before = token_of(folder) if folder else None
    yield
    after = token_of(folder) if folder else None
    if folder is not None and before is not None and after is not None:
        known = _openings.get(folder, ())
        same = known if known[-1:] == (before,) else (before,)
        _openings[folder] = (*same, after)[-_MOST_OPENINGS:]


def only_opened(directory: Path, noted: Token | None, token: Token | None) -> bool:
    """Whether nothing but our opening of clients made `token` out of `noted`."""
    if noted is None or noted == token:
        return noted is not None
    tokens = _openings.get(directory, ())
    return tokens[-1:] == (token,) and noted in tokens
