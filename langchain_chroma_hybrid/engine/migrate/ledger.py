"""What has been copied so far: survives a kill, and tells later what has changed since."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from langchain_chroma_hybrid.core.values import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.model_notes import ModelNotes

_PAGE = 500  # SQLite's limit of variables is higher everywhere


# Of collections in memory.
_in_memory: dict[str, sqlite3.Connection] = {}


class Ledger:
    """Digests of records by id, in a file of SQLite's, or as long as the process lives.

    Thread safety: for one thread at a time.
    """

    def __init__(self, notes: ModelNotes, new: str) -> None:
        """Of the migration to the collection of id `new`; begun anew if that has none.

        One of another migration, or of this one before another host went on with it, is emptied.
        """
        self._file = _place(notes)
        self._notes, self._root = notes, notes.root
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(self._file)
        else:
            memory = partial(sqlite3.connect, ":memory:", check_same_thread=False)
            self._db = _in_memory.get(self._root) or _in_memory.setdefault(self._root, memory())
        # Who dies here loses the last pages of the ledger, never a record: those are copied again.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS copied"
            " (id TEXT PRIMARY KEY, digest TEXT NOT NULL, seen INTEGER NOT NULL)"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS mark (mark TEXT NOT NULL)")
        self._db.commit()
        self._keep_to(new)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM copied").fetchone()[0])

    def begin(self) -> int:
        """The number of a new look at all records."""
        return int(self._db.execute("SELECT coalesce(max(seen), 0) + 1 FROM copied").fetchone()[0])

    def changed(self, records: Sequence[Record]) -> tuple[list[Record], set[str]]:
        """Those that are not noted as they are, and the ids of these that are noted otherwise."""
        known = self._known([record.id for record in records])
        new = [record for record in records if known.get(record.id) != _digest(record)]
        return new, {record.id for record in new if record.id in known}

    def note(self, records: Sequence[Record], look: int) -> None:
        """These are copied as they are; durable when it returns."""
        rows = [(record.id, _digest(record), look) for record in records]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO copied VALUES (?, ?, ?)", rows)

    def unseen(self, look: int) -> list[str]:
        """Ids that were noted, and not found at that look."""
        return [id_ for (id_,) in self._db.execute("SELECT id FROM copied WHERE seen < ?", (look,))]

    def forget(self, ids: Collection[str]) -> None:
        """These are not copied any more."""
        with self._db:
            self._db.executemany("DELETE FROM copied WHERE id = ?", [(id_,) for id_ in ids])

    def learn(self, store: ChromaStore) -> None:
        """What is in the collection counts as copied, as it is now."""
        rows = ((record.id, _digest(record), 0) for record in store.select(None))
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO copied VALUES (?, ?, ?)", rows)

    def _keep_to(self, new: str) -> None:
        """Empty what is not of the migration to `new` as the notes know it."""
        noted = self._notes.read().copied
        own = [mark for (mark,) in self._db.execute("SELECT mark FROM mark")]
        if noted is not None and own == [noted] and noted.startswith(new):
            return
        mark = f"{new} {uuid4()}"
        with self._db:
            self._db.execute("DELETE FROM copied")
            self._db.execute("DELETE FROM mark")
            self._db.execute("INSERT INTO mark VALUES (?)", (mark,))
        self._notes.change(lambda n: replace(n, copied=mark))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._db.close()

    def _known(self, ids: Sequence[str]) -> dict[str, str]:
        return {id_: found for page in _pages(ids) for id_, found in self._rows(page)}

    def _rows(self, ids: Sequence[str]) -> list[tuple[str, str]]:
        places = ",".join("?" * len(ids))
        query = f"SELECT id, digest FROM copied WHERE id IN ({places})"  # noqa: S608  # question marks
        with closing(self._db.execute(query, ids)) as found:
            return found.fetchall()


def remove_ledger(notes: ModelNotes) -> None:
    """Remove what the migrations of a collection have left."""
    _in_memory.pop(notes.root, None)
    if (file := _place(notes)) is not None:
        for end in ("", "-journal", "-wal", "-shm"):
            file.with_name(file.name + end).unlink(missing_ok=True)


def _place(notes: ModelNotes) -> Path | None:
    return None if notes.file is None else notes.file.with_suffix(".copied.sqlite3")


def _digest(record: Record) -> str:
    """Equal for records of the same text, metadata and address."""
    return f"{digest(record)} {record.uri or ''}"


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _PAGE):
        yield ids[start : start + _PAGE]
