"""The door to a collection: one caller's client, and the lexical half that everybody shares."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from langchain_chroma_hybrid.engine.about import About, about
from langchain_chroma_hybrid.engine.chroma.clients import CollectionClient, observe, reopened
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.chroma.replacement import collection_of
from langchain_chroma_hybrid.engine.copy_index import copy_index
from langchain_chroma_hybrid.engine.describe import described
from langchain_chroma_hybrid.engine.index import HybridIndex
from langchain_chroma_hybrid.engine.migrate.back import (
    drop_kept,
    drop_previous,
    roll_back,
    swap_names,
)
from langchain_chroma_hybrid.engine.migrate.run import Migration, Site
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.registry import drop_half, rebuild_half, refuse_other
from langchain_chroma_hybrid.engine.threads import in_thread
from langchain_chroma_hybrid.errors import CollectionError, LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    import chromadb
    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.copy_index import CopyReport
    from langchain_chroma_hybrid.engine.migrate.copier import TextOf
    from langchain_chroma_hybrid.engine.migrate.run import MigrationOptions
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, SyncReport

T = TypeVar("T")


class Follow(Protocol):
    """Is told where a handle goes."""

    def __call__(self, collection: chromadb.Collection, embeddings: Any = None, /) -> None:
        """To that collection; None means that its model is the same."""


def _follow_nobody(_: chromadb.Collection, __: Any = None) -> None:
    pass


class CollectionHandle:
    """One caller's way to one collection: opens, shares, follows, closes.

    Every call to Chroma goes out through the caller's own client, in his name; what is shared with
    others in the process is the lexical half alone.

    Args:
        client, collection: the caller's.
        config: how the lexical half is built.
        embeddings: makes vectors of texts.
        follow: told of the collection that has taken the place of another one, and of the
            embeddings where those are others, too.

    Thread safety: may be used from many threads.
    """

    def __init__(
        self,
        client: ClientAPI,
        collection: chromadb.Collection,
        config: LexicalConfig,
        embeddings: Embedder,
        follow: Follow = _follow_nobody,
    ) -> None:
        self._client = client
        self._config = config
        self.embeddings = embeddings
        self.follow = follow
        self._lock = threading.RLock()
        self._collection = collection
        self._index: HybridIndex | None = None

    @classmethod
    def over(
        cls,
        collection: chromadb.Collection,
        config: LexicalConfig,
        embeddings: Embedder,
        follow: Follow = _follow_nobody,
    ) -> Self:
        """A handle for whoever has a collection object alone: by the connection that it has."""
        return cls(CollectionClient(collection), collection, config, embeddings, follow)

    @property
    def name(self) -> str:
        """The collection's."""
        return self._collection.name

    @property
    def config(self) -> LexicalConfig:
        """How the lexical half is built."""
        return self._config

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that words of `query` match."""
        own = self._config.index or self._config.analyzer
        half = self._index and self._index.opened
        if half and half.lexical.capabilities.fuses:
            own = half.lexical  # the collection's analyzer decides
        return own.highlight(query, text)

    def serves(self, client: ClientAPI, config: LexicalConfig | None) -> bool:
        """Whether this handle may be used with that client and configuration (None: any).

        Raises:
            AnalyzerMismatchError, InvalidArgumentError: it is open with another configuration.
        """
        if client is not self._client:
            return False
        if config is not None and not config.answers_as(self._config):
            return False
        if config is None or config is self._config:
            return True
        index = self._index
        if index is not None and index.opened is not None:
            refuse_other(index.opened, config, index.store)
        return config.signature == self._config.signature

    def staying(self) -> AbstractContextManager[object]:
        """Inside the block neither this moves to another collection, nor what follows it."""
        return self._lock

    def embed_by(self, embeddings: Embedder) -> None:
        """From now on these make the vectors."""
        with self._lock:
            self.embeddings = embeddings
            if self._index is not None:
                self._index.embed_by(embeddings)

    def move_to(self, collection: chromadb.Collection, embeddings: Embedder | None = None) -> None:
        """From now on this collection, which has the place of the other one.

        `embeddings`: of its model, where that is another one.
        """
        with self._lock:
            if collection is not self._collection:
                self._collection, self._index = collection, None
            if embeddings is not None:
                self.embeddings = embeddings

    def index(self) -> HybridIndex:
        """Search and write over the collection. Reads nothing yet."""
        with self._lock:
            if self._index is None:
                store = ChromaStore(self._client, self._live(), self._config.sparse)
                self._index = HybridIndex(store, self._config, self.embeddings)
                # What is written straight through this very object is found at the next query.
                observe(self._collection, self._index)
            return self._index

    def _live(self) -> chromadb.Collection:
        """The collection that has the place of this one by now; mostly itself."""
        store = ChromaStore(self._client, self._collection)
        notes = ModelNotes(store)
        found = notes.read()
        if found.live in (None, store.uuid) or store.uuid not in found.models:
            return self._collection
        new = collection_of(self._client, found.live)
        if new is None:  # somebody has deleted it
            notes.change(lambda n: replace(n, live=None))
            return self._collection
        self._collection = new
        self.follow(new)
        return new

    def _go_to(self, collection: chromadb.Collection, embeddings: Embedder | None = None) -> None:
        """Move there together with all that follow."""
        with self._lock:
            self.move_to(collection, embeddings)
            self.follow(collection, embeddings)

    def migration(self, embeddings: Embedder, options: MigrationOptions) -> Migration:
        """The way to another model, see `engine.migrate.run`; opens what there is."""
        return Migration(self._site(embeddings), embeddings, options)

    def roll_back(
        self, embeddings: Embedder | None, text_of: TextOf | None, *, discard: bool
    ) -> int:
        """The way back from a migration, see `engine.migrate.back`."""
        return roll_back(self._site(embeddings), embeddings, text_of, discard=discard)

    def swap_names(self) -> None:
        """Exchange the names of this collection and the one that had its place before."""
        swap_names(self._site(None))
        self.renamed()

    def drop_previous(self) -> str:
        """Delete the collection that had the place before; gives its name, which is now ours."""
        name = drop_previous(self._site(None))
        self.renamed()
        return name

    def renamed(self) -> None:
        """Take the name that the collection has by now: others may exchange names."""
        with self._lock:
            now = collection_of(self._client, str(self._collection.id))
            if now is not None and now.name != self._collection.name:
                self._go_to(now)

    def _site(self, embeddings: Embedder | None) -> Site:
        """What a migration needs of this; with the switch `embeddings` are in use, if given."""

        def follow(collection: chromadb.Collection) -> HybridIndex:
            with self._lock:
                self._go_to(collection, embeddings)
                return self.index()

        index = self.index()
        return Site(self._client, self._collection, index, self._config, follow)

    def run(self, call: Callable[[HybridIndex], T]) -> T:
        """What `call` gives; once more if the collection or its index was made anew meanwhile.

        Raises:
            CollectionError: the collection is gone.
        """
        index = self.index()
        half = index.opened
        try:
            return call(index)
        except (CollectionError, LexicalIndexError) as error:
            if not self._moved(index, half, error):
                raise
        return call(self.index())

    async def arun(self, call: Callable[[HybridIndex], Awaitable[T]]) -> T:
        """The same without blocking the event loop."""
        index = self.index()
        half = index.opened
        try:
            return await call(index)
        except (CollectionError, LexicalIndexError) as error:
            failure = error
        if not await in_thread(lambda: self._moved(index, half, failure)):
            raise failure
        return await call(self.index())

    @property
    def embedding_function(self) -> str | None:
        """Name of the embedding function that the collection remembers."""
        stored = self._collection.configuration_json.get("embedding_function") or {}
        name: str | None = stored.get("name")
        return name

    def about(self) -> About:
        """Both halves as they are; opens and builds nothing.

        Raises:
            CollectionError: the collection is gone.
        """
        return self.run(lambda index: about(index.store, self._config))

    def describe(self, base: Filter | None, records: int) -> Description:
        """Keys and values of the metadata of what passes `base`, see `describe.described`."""
        return self.run(lambda index: described(index, base, records))

    def adopt(self) -> None:
        """Take the collection for one that the model at hand has filled, see `ModelGuard`."""
        self.run(lambda index: index.guard.adopt())

    def rebuild(self, progress: Progress | None = None) -> SyncReport:
        """Throw the lexical index away, whatever its state, and build it from the collection."""
        return self.run(lambda index: rebuild_half(index.store, self._config, progress))

    def copy_index(self, target: LexicalConfig, progress: Progress | None = None) -> CopyReport:
        """Copy the lexical index to where `target` has it, see `engine.copy_index`."""
        self.close()
        return copy_index(self._store(), self._config, target, progress)

    def drop(self) -> None:
        """The collection was deleted: remove its index, and what is kept of one before it."""
        store = self._store()
        drop_kept(self._client, store, self._config)
        drop_half(store, self._config)
        if store.on_server and self._config.policy.writers == "ours":
            store.announced.drop()
        with self._lock:
            self._index = None

    def _store(self) -> ChromaStore:
        index = self._index
        if index is not None:
            return index.store
        return ChromaStore(self._client, self._collection, self._config.sparse)

    def close(self) -> None:
        """Give back what only this caller holds; may be called twice."""
        with self._lock:
            index, self._index = self._index, None
        if index is not None:
            index.leave()

    def _moved(self, index: HybridIndex, half: object, error: Exception) -> bool:
        """Whether what failed has a successor by now."""
        if half is not None and index.opened is not half:
            return True
        if not isinstance(error, CollectionError):
            return index.opened is None  # closed by the last of the others in the meantime
        with self._lock:
            if self._index not in (None, index):
                return True  # by another thread
            if (new := self._successor(index.store)) is not None:
                self._go_to(new)
            return new is not None

    def _successor(self, gone: ChromaStore) -> chromadb.Collection | None:
        """What has the place of a collection that is gone, or else its name."""
        live = ModelNotes(gone).read().live
        new = None if live in (None, gone.uuid) else collection_of(self._client, live)
        return new or reopened(self._client, gone.name, gone.uuid)
