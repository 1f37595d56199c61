"""LangChain's record manager in a file of SQLite's: what `index` has written, and out of which."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from langchain_core.indexing import RecordManager

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, source TEXT, updated REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_source ON records (source, updated);
"""
_WRITE = """
INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
SET source = coalesce(excluded.source, source), updated = excluded.updated
"""
_PAGE = 500


class SqliteRecordManager(RecordManager):
    """Keys with their source and the time of their last writing.

    Times grow with each run even if the clock is set back.

    Args:
        file: made with its folder, for nobody else to read; None means in memory.
        namespace: as for LangChain's.

    Thread safety: for one thread at a time; several processes may use one file.
    """

    @known_keywords
    def __init__(self, file: Path | None, namespace: str) -> None:
        super().__init__(namespace)
        if file is not None:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        # Statements are committed one by one.
        self._database = sqlite3.connect(
            file or ":memory:", timeout=30, isolation_level=None, check_same_thread=False
        )
        self.create_schema()

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._database.close()

    def create_schema(self) -> None:
        """Make what is not there."""
        self._database.executescript(_SCHEMA)

    def get_time(self) -> float:
        """Later than all times that were noted."""
        (last,) = self._database.execute("SELECT max(updated) FROM records").fetchone()
        return max(time.time(), (last or 0.0) + 1e-3)

    def update(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
    ) -> None:
        """Note that `keys` are there now, by the source of each where it is given."""
        sources = [None] * len(keys) if group_ids is None else group_ids
        if len(sources) != len(keys):
            raise InvalidArgumentError.of("group_ids", len(sources), f"{len(keys)}, one per key")
        now = max(self.get_time(), time_at_least or 0.0)
        self._all(_WRITE, [(key, source, now) for key, source in zip(keys, sources, strict=True)])

    def exists(self, keys: Sequence[str]) -> list[bool]:
        """Whether each of `keys` is noted."""
        found: set[str] = set()
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            marks = ",".join("?" * len(page))
            rows = self._database.execute(f"SELECT key FROM records WHERE key IN ({marks})", page)  # noqa: S608  # marks alone
            found.update(key for (key,) in rows)
        return [key in found for key in keys]

    def list_keys(
        self,
        *,
        before: float | None = None,
        after: float | None = None,
        group_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """Keys that were noted before or after a time, of some sources."""
        tests, values = ["1"], list[Any]()
        for test, value in (("updated < ?", before), ("updated > ?", after)):
            if value is not None:
                tests.append(test)
                values.append(value)
        if group_ids is not None:
            tests.append(f"source IN ({','.join('?' * len(group_ids))})")
            values += group_ids
        query = f"SELECT key FROM records WHERE {' AND '.join(tests)} ORDER BY key LIMIT ?"  # noqa: S608  # as above
        rows = self._database.execute(query, [*values, -1 if limit is None else limit])
        return [key for (key,) in rows]

    def delete_keys(self, keys: Sequence[str]) -> None:
        """Forget some."""
        self._all("DELETE FROM records WHERE key = ?", [(key,) for key in keys])

    def sources(self) -> list[str]:
        """All that have keys, sorted."""
        query = "SELECT DISTINCT source FROM records WHERE source NOT NULL ORDER BY source"
        return [source for (source,) in self._database.execute(query)]

    def _all(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with closing(self._database.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany(statement, rows)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    async def acreate_schema(self) -> None:
        """As `create_schema`; nothing here takes long enough to be waited for."""
        self.create_schema()

    async def aget_time(self) -> float:
        """As `get_time`."""
        return self.get_time()

    async def aupdate(self, keys: Sequence[str], **options: Any) -> None:
        """As `update`."""
        self.update(keys, **options)

    async def aexists(self, keys: Sequence[str]) -> list[bool]:
        """As `exists`."""
        return self.exists(keys)

    async def alist_keys(self, **options: Any) -> list[str]:
        """As `list_keys`."""
        return self.list_keys(**options)

    async def adelete_keys(self, keys: Sequence[str]) -> None:
        """As `delete_keys`."""
        self.delete_keys(keys)
