"""Between LangChain and the engine: what both faces share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.explanation import CONTEXT_KEY
from langchain_chroma_hybrid.embeddings.chroma.stored import StoredEmbeddings
from langchain_chroma_hybrid.embeddings.chroma.trust import NOBODY
from langchain_chroma_hybrid.engine.chroma.clients import how_to_open
from langchain_chroma_hybrid.engine.config import LexicalConfig
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.errors import (
    CollectionError,
    InvalidArgumentError,
    NotPicklableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_chroma import Chroma
    from langchain_core.retrievers import BaseRetriever

    from langchain_chroma_hybrid.core.hit import Hit
    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.core.values import Record

# A handle lives as long as the store that it was made for: retrievers come and go with every
# configurable call and must not open the collection anew each time.
_handles: WeakKeyDictionary[Chroma, CollectionHandle] = WeakKeyDictionary()


class _Stores:
    """The stores that go through one handle, kept alive by none: copies of each other."""

    def __init__(self, vectorstore: Chroma) -> None:
        self.all: WeakSet[Chroma] = WeakSet([vectorstore])

    def __call__(self, collection: Any, embeddings: Any = None) -> None:
        """Follow the handle to a collection that was made anew, perhaps by other `embeddings`."""
        for store in self._now():
            store._chroma_collection = collection  # noqa: SLF001  # see `handle_of`
            if embeddings is not None:
                store._embedding_function = embeddings  # noqa: SLF001  # nor a public way to it

    def configuration(self) -> Mapping[str, Any]:
        """What the collection says of its embeddings."""
        collections = (store._chroma_collection for store in self._now())  # noqa: SLF001  # as above
        return next((c.configuration_json for c in collections if c is not None), {})

    def _now(self) -> Iterable[Chroma]:
        return list(self.all)


def handle_of(vectorstore: Chroma, config: LexicalConfig | None = None) -> CollectionHandle:
    """The door to the store's collection; reads nothing.

    `config` None means the store's own settings (a HybridChroma has some), else those that are in
    use, else the default ones.

    Raises:
        CollectionError: the collection was deleted, or the store is closed.
    """
    if getattr(vectorstore, "_closed", False):
        raise CollectionError("the store is closed: make another one")
    if vectorstore._chroma_collection is None:  # noqa: SLF001  # no public way to the collection
        raise CollectionError("the collection was deleted: make another store over a new one")
    client, handle = vectorstore._client, _handles.get(vectorstore)  # noqa: SLF001  # nor to the client
    own = config or getattr(vectorstore, "lexical_config", None)
    if handle is None or not handle.serves(client, own):
        handle = _opened(vectorstore, own or LexicalConfig())
    with handle.staying():
        return _as_given(handle, vectorstore, own or LexicalConfig())


def _as_given(
    handle: CollectionHandle, vectorstore: Chroma, config: LexicalConfig
) -> CollectionHandle:
    """A handle to the collection, and with the embeddings, that the store has by now."""
    given, used = vectorstore.embeddings, handle.embeddings
    if used is not given and not (given is None and isinstance(used, StoredEmbeddings)):
        # Somebody has given the store another one, which is nothing to its copies.
        if isinstance(handle.follow, _Stores) and len(handle.follow.all) > 1:
            handle.follow.all.discard(vectorstore)
            handle = _opened(vectorstore, config)
        handle.embed_by(_embedder(vectorstore, handle.follow))
    if (collection := vectorstore._chroma_collection) is not None:  # noqa: SLF001  # as above
        handle.move_to(collection)
    return handle


def _opened(vectorstore: Chroma, config: LexicalConfig) -> CollectionHandle:
    stores = _Stores(vectorstore)
    client, collection = vectorstore._client, vectorstore._chroma_collection  # noqa: SLF001  # see above
    assert collection is not None  # noqa: S101  # see above
    embedder = _embedder(vectorstore, stores)
    handle = CollectionHandle(client, collection, config, embedder, stores)
    _handles[vectorstore] = handle
    return handle


def share(vectorstore: Chroma, other: Chroma) -> None:
    """Let a copy of a store go through the same handle."""
    handle = _handles.get(vectorstore)
    if handle is None and vectorstore._chroma_collection is not None:  # noqa: SLF001  # as above
        handle = handle_of(vectorstore)
    if handle is not None and isinstance(handle.follow, _Stores):
        handle.follow.all.add(other)
        _handles[other] = handle


def not_picklable(owner: object, vectorstore: Chroma) -> NotPicklableError:
    """The error for a store, or a retriever over one, that is to go to another process."""
    kind, name = type(vectorstore).__name__, vectorstore._collection_name  # noqa: SLF001  # as above
    place = how_to_open(vectorstore._client)  # noqa: SLF001  # as above
    there = f"{kind}({name!r}, embedding_function=..., {place})"
    if hasattr(owner, "search_type"):
        there = f"{there}.as_retriever(...)"
    elif owner is not vectorstore:
        there = f"{type(owner).__name__}.from_vectorstore({there})"
    return NotPicklableError(
        f"a {type(owner).__name__} cannot be pickled, since its client and its files belong to "
        f"this process: open it in the other one, by {there}"
    )


def check_client(client: Any) -> None:
    """Refuse Chroma's asynchronous clients, which LangChain's store cannot use.

    Raises:
        InvalidArgumentError: it is one, or no client at all.
    """
    if client is not None and not (
        inspect.isawaitable(client) or hasattr(client, "get_or_create_collection")
    ):
        raise InvalidArgumentError.of("client", client, "a Chroma client, or None")
    if inspect.isawaitable(client) or inspect.iscoroutinefunction(
        getattr(client, "heartbeat", None)
    ):
        if inspect.iscoroutine(client):
            client.close()
        expected = (
            "a synchronous client such as chromadb.HttpClient; asynchronous methods open "
            "asynchronous clients of their own"
        )
        raise InvalidArgumentError.of("client", client, expected)


def close(vectorstore: Chroma) -> None:
    """Let go of what was opened for a store; a later use opens it anew."""
    handle = _handles.pop(vectorstore, None)
    if handle is not None:
        handle.close()


def _embedder(vectorstore: Chroma, stores: Any) -> Embedder:
    """What the caller gave, which always comes before what the collection remembers."""
    if vectorstore.embeddings is not None:
        return vectorstore.embeddings
    return StoredEmbeddings(stores.configuration, getattr(vectorstore, "trusted_models", NOBODY))


def document_of(record: Record) -> Document:
    """A record as a document, with a copy of its metadata; no text becomes an empty one."""
    # Chroma gives keys in another order each time, and who compares documents may do it as JSON.
    metadata = dict(sorted(record.metadata.items()))
    return Document(page_content=record.text or "", metadata=metadata, id=record.id)


def shown(hit: Hit) -> Document:
    """A result as a document; with its context, the text of all and their ids."""
    document = document_of(hit.record)
    if hit.context:
        document.page_content = hit.passage
        document.metadata[CONTEXT_KEY] = [record.id for record in hit.context]
    return document


class RetrieverLeg:
    """A LangChain retriever as one more leg; its documents count by their ids."""

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = retriever

    def search(self, text: str, k: int) -> list[str]:
        """Ids in the retriever's order; how many it returns is its own affair."""
        return [document.id for document in self._retriever.invoke(text)[:k] if document.id]

    async def asearch(self, text: str, k: int) -> list[str]:
        """The same without blocking the event loop."""
        documents = await self._retriever.ainvoke(text)
        return [document.id for document in documents[:k] if document.id]
