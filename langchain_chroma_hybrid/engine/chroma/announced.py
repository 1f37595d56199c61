"""The collection in which processes tell each other of their writes: one record for each."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

from chromadb.errors import NotFoundError

from langchain_chroma_hybrid.engine.chroma.calls import let_go, translated
from langchain_chroma_hybrid.engine.chroma.patience import patiently
from langchain_chroma_hybrid.engine.chroma.unread import unread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import chromadb
    from chromadb.api import ClientAPI

PREFIX = "hybrid-writers-"
"""With the id of the real collection, the name of this one."""
_MODEL = "embedding-model"
T = TypeVar("T")


class Announced(NamedTuple):
    """What one process tells.

    Attributes:
        name: of the process.
        token: another one after each write.
        busy: something is under way.
        told: all of it.
    """

    name: str
    token: str
    busy: bool
    told: Mapping[str, Any]


class AnnouncedCollection:
    """Made by the first process that writes. Thread-safe as chromadb's own objects."""

    def __init__(self, client: ClientAPI, uuid: str) -> None:
        self._client = client
        self._uuid = uuid
        self._place = PREFIX + uuid
        self._known: chromadb.Collection | None = None

    def all(self) -> list[Announced]:
        """What each process tells."""
        return [told for told in self._calmly(self._rows) if told.name != _MODEL]

    def put(self, name: str, told: Mapping[str, str | bool | float]) -> None:
        """Tell that; what was told under that name before stays where nothing new is said.

        Raises:
            CollectionError: the real collection is gone.
        """
        record: Any = {"ids": [name], "embeddings": [[1.0]], "metadatas": [dict(told)]}

        def call() -> None:
            try:
                self._made().upsert(**record)
            except NotFoundError:  # removed since, perhaps with the real one
                self._known = None
                self._client.get_collection_by_id(UUID(self._uuid))
                self._made().upsert(**record)

        self._calmly(call)

    def model(self) -> str | None:
        """What hosts tell of the model that has filled the real collection; None if nothing."""
        rows = self._calmly(self._rows)
        return next((str(a.told.get("note")) for a in rows if a.name == _MODEL), None)

    def put_model(self, note: str) -> None:
        """Tell it, in one step; errors as for `put`."""
        self.put(_MODEL, {"note": note})

    def older(self, before: float) -> list[str]:
        """Names of those who have told nothing since that time, in seconds since 1970."""
        where: Any = {"at": {"$lt": before}}
        return list(self._calmly(lambda: self._made().get(where=where, include=[])["ids"]))

    def forget(self, names: Collection[str]) -> None:
        """Remove what these told."""
        self._calmly(lambda: self._made().delete(ids=list(names)))

    def drop(self) -> None:
        """Remove the collection; one that is not there is no error."""
        with suppress(NotFoundError):
            self._client.delete_collection(self._place)

    def _calmly(self, call: Callable[[], T]) -> T:
        """What a call gives, all of which may be repeated; its errors as ours."""
        with translated():
            return patiently(call, self._client.get_settings())

    def _made(self) -> chromadb.Collection:
        if self._known is None:
            found = self._client.get_or_create_collection(self._place, embedding_function=None)
            self._known = unread(found)
        return self._known

    def _rows(self) -> list[Announced]:
        """All records, with Chroma's own errors; nothing if no collection is there."""
        try:
            if self._known is None:
                found = self._client.get_collection(self._place, embedding_function=None)
                self._known = unread(found)
            rows = self._known.get(include=["metadatas"])
        except NotFoundError as error:
            self._known = None
            let_go(error)
            return []
        return [
            Announced(id_, str(told.get("token")), told.get("busy") is True, told)
            for id_, told in zip(rows["ids"], rows["metadatas"] or (), strict=True)
        ]
