"""A client of our own beside the caller's, for what another process has written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import chromadb
from chromadb.config import Settings
from chromadb.errors import InternalError, NotFoundError

from langchain_chroma_hybrid.errors import CollectionError

if TYPE_CHECKING:
    from pathlib import Path

    from chromadb.api import ClientAPI


class SecondClient:
    """A second client on a local folder, as of now.

    Chroma shares what clients of one path have in memory, and what it has there never changes by
    another process' writes. The same folder under another spelling of its path is read anew.
    """

    _spellings: set[int] = set()  # noqa: RUF012  # which are in use, over all readers
    _mutex = threading.Lock()

    def __init__(self, client: ClientAPI, directory: Path, name: str) -> None:
        with self._mutex:
            self._spelling = next(n for n in range(1, 1000) if n not in self._spellings)
            self._spellings.add(self._spelling)
        settings = Settings(anonymized_telemetry=client.get_settings().anonymized_telemetry)
        self._client = chromadb.PersistentClient(
            f"{directory}{'/.' * self._spelling}",
            settings=settings,
            tenant=client.tenant,
            database=client.database,
        )
        self._users, self._retired = 0, False
        self._lock = threading.Lock()
        try:
            self._collection = self._client.get_collection(name, embedding_function=None)
            self._load()
        except InternalError:
            self.retire()
            raise
        except NotFoundError as error:
            self.retire()
            message = f"the Chroma collection is gone: {error}"
            raise CollectionError(message) from error

    def _load(self) -> None:
        """Query once while nobody else does.

        The first queries of a second client, side by side, crash the process (chromadb 1.5.9).
        """
        some = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
        if some is not None and len(some):
            self._collection.query(query_embeddings=some[:1], n_results=1, include=[])

    def take(self) -> chromadb.Collection:
        """The collection; the client stays open until everyone has given it back."""
        with self._lock:
            self._users += 1
        return self._collection

    def give_back(self) -> None:
        """What `take` gave is no longer used."""
        with self._lock:
            self._users -= 1
        self._close_if_done()

    def retire(self) -> None:
        """Close the client as soon as nobody uses it."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        with self._lock:
            if self._users or not self._retired or self._spelling == 0:
                return
            self._client.close()  # type: ignore[attr-defined]  # its declared type lacks it
            with self._mutex:
                self._spellings.discard(self._spelling)
            self._spelling = 0
