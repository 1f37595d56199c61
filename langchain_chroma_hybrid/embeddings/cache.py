"""Document vectors on disk, by content and model: what was embedded once is not embedded again."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.base import Vectors, check_vectors
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

_APPLICATION = 0x4C434856  # "LCHV"
_FORMAT = 1
_BYTES = 4  # of a number
_WAIT_SECONDS = 60
_LOOKUP = 500  # keys of one SELECT, below every SQLite's limit of variables
_CREATE = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID
"""


class VectorCache:
    """A SQLite file of float32 vectors, keyed by model fingerprint and text.

    A write is one transaction: after `kill -9` it is there or not, never half. Any number of
    threads and processes may share the file; on a network drive one process only. A retrained model
    has another fingerprint, so it never meets the old model's vectors.

    Args:
        path: the file, made with its folder at first use, readable by its owner only.
    """

    @known_keywords
    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        if self.path.is_dir():
            raise InvalidArgumentError.of(
                "cache", str(path), "the path of a file; this is a folder"
            )

    def get(self, fingerprint: str, texts: Sequence[str]) -> dict[str, Vectors]:
        """Vectors of those texts that are known, each of shape `(d,)`."""
        by_key = {_key(fingerprint, text): text for text in texts}
        keys, found = list(by_key), {}
        with self._open() as connection:
            for start in range(0, len(keys), _LOOKUP):
                some = keys[start : start + _LOOKUP]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - marks only
                for key, vector in connection.execute(query, some):
                    found[by_key[key]] = self._vector(vector)
        return found

    def put(self, fingerprint: str, vectors: Mapping[str, Vectors]) -> None:
        """Store the vectors of texts, in one transaction."""
        rows = [
            (_key(fingerprint, text), np.asarray(vector, dtype="<f4").tobytes())
            for text, vector in vectors.items()
        ]
        with self._open() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def embed(
        self,
        fingerprint: str,
        texts: Sequence[str],
        encode: Callable[[list[str]], Vectors],
        step: int,
    ) -> Vectors:
        """Vectors of `texts`, shape `(n, d)`; `encode` gets the unknown ones, `step` at a time.

        Each step is stored before the next begins, so an interrupted run loses one step at most.
        """
        known = self.get(fingerprint, texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        for start in range(0, len(missing), step):
            some = missing[start : start + step]
            new = dict(zip(some, check_vectors(encode(some), len(some)), strict=True))
            self.put(fingerprint, new)
            known |= new
        return check_vectors([known[text] for text in texts], len(texts))

    def clear(self) -> None:
        """Forget every vector of every model."""
        with self._open() as connection, connection:
            connection.execute("DELETE FROM vectors")

    def __len__(self) -> int:
        """Number of vectors, of all models."""
        with self._open() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM vectors").fetchone()[0])

    def _vector(self, stored: object) -> Vectors:
        if not isinstance(stored, bytes) or len(stored) % _BYTES:
            raise EmbeddingError(f"cache {self.path}: not a vector; delete the file to start anew")
        return np.frombuffer(stored, dtype="<f4").astype(np.float32)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call: nothing is shared by threads or inherited by a fork."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as connection:
                _prepare(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            raise EmbeddingError(
                f"cache {self.path}: {error}; delete the file to start anew"
            ) from error


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the table in a new file; refuse whatever is not a cache of this format."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (_APPLICATION, _FORMAT):
        connection.execute("PRAGMA synchronous=NORMAL")
        return
    if application or version or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError(f"not a vector cache of format {_FORMAT}")
    connection.execute("PRAGMA journal_mode=WAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_CREATE)
        connection.execute(f"PRAGMA application_id={_APPLICATION}")
        connection.execute(f"PRAGMA user_version={_FORMAT}")


def _key(fingerprint: str, text: str) -> bytes:
    return hashlib.blake2b(f"{fingerprint}\0{text}".encode(), digest_size=20).digest()
