"""The collection in which processes tell each other of their writes: one record for each."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from chromadb.errors import NotFoundError

from langchain_chroma_hybrid.engine.chroma_calls import translated

if TYPE_CHECKING:
    from collections.abc import Collection

    import chromadb
    from chromadb.api import ClientAPI

PREFIX = "hybrid-writers-"
"""With the id of the real collection, the name of this one."""


class Announced(NamedTuple):
    """What one process tells.

    Attributes:
        name: of the process.
        token: another one after each write.
        busy: something is under way.
        content: what was written, as JSON; empty where it was not asked for.
    """

    name: str
    token: str
    busy: bool
    content: str = ""


class AnnouncedCollection:
    """Made by the first process that writes. Thread-safe as chromadb's own objects."""

    def __init__(self, client: ClientAPI, uuid: str) -> None:
        self._client = client
        self._place = PREFIX + uuid
        self._known: chromadb.Collection | None = None

    def all(self) -> list[Announced]:
        """What each process tells, without the content."""
        return self._read()

    def among(self, names: Collection[str]) -> list[Announced]:
        """What these tell, with the content."""
        return self._read(sorted(names)) if names else []

    def put(self, name: str, token: str, content: str, *, busy: bool, at: float) -> None:
        """Tell it, in place of what was told under that name before."""
        metadata = {"token": token, "busy": busy, "at": at}
        record = {"ids": [name], "metadatas": [metadata], "documents": [content]}
        with translated():
            try:
                self._made().upsert(embeddings=[[1.0]], **record)  # type: ignore[arg-type]  # plain lists
            except NotFoundError:  # removed since
                self._known = None
                self._made().upsert(embeddings=[[1.0]], **record)  # type: ignore[arg-type]  # same

    def forget(self, before: float) -> None:
        """Remove what was told before that time, in seconds since 1970."""
        with translated():
            self._made().delete(where={"at": {"$lt": before}})  # type: ignore[dict-item]  # a plain dict

    def drop(self) -> None:
        """Remove the collection; one that is not there is no error."""
        with suppress(NotFoundError):
            self._client.delete_collection(self._place)

    def _made(self) -> chromadb.Collection:
        if self._known is None:
            self._known = self._client.get_or_create_collection(
                self._place, embedding_function=None
            )
        return self._known

    def _read(self, names: list[str] | None = None) -> list[Announced]:
        try:
            if self._known is None:
                self._known = self._client.get_collection(self._place, embedding_function=None)
            include = ["metadatas"] if names is None else ["metadatas", "documents"]
            found = self._known.get(ids=names, include=include)  # type: ignore[arg-type]  # plain strings
        except NotFoundError:
            self._known = None
            return []
        texts = found["documents"] or [""] * len(found["ids"])
        rows = zip(found["ids"], found["metadatas"] or (), texts, strict=True)
        return [
            Announced(id_, str(told.get("token")), told.get("busy") is True, text or "")
            for id_, told, text in rows
        ]
