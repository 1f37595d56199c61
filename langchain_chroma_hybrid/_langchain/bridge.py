"""Between LangChain and the engine: what both faces share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from langchain_core.documents import Document

from langchain_chroma_hybrid.embeddings.chroma.stored import StoredEmbeddings
from langchain_chroma_hybrid.embeddings.chroma.trust import NOBODY
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.engine.registry import LexicalConfig
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_chroma import Chroma
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.retrievers import BaseRetriever

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.query.values import Outcome, Step, Trace

# A handle lives as long as the store that it was made for: retrievers come and go with every
# configurable call and must not open the collection anew each time.
_handles: WeakKeyDictionary[Chroma, CollectionHandle] = WeakKeyDictionary()


def handle_of(vectorstore: Chroma, config: LexicalConfig | None = None) -> CollectionHandle:
    """The door to the store's collection; reads nothing.

    `config` None means the store's own settings (a HybridChroma has some), else those that are in
    use, else the default ones.

    Raises:
        CollectionError: the collection was deleted, or the store is closed.
    """
    if getattr(vectorstore, "_closed", False):
        raise CollectionError("the store is closed: make another one")
    collection = vectorstore._chroma_collection  # noqa: SLF001  # no public way to the collection
    if collection is None:
        raise CollectionError("the collection was deleted: make another store over a new one")
    client, handle = vectorstore._client, _handles.get(vectorstore)  # noqa: SLF001  # nor to the client
    own = config or getattr(vectorstore, "lexical_config", None)
    if handle is None or not handle.serves(client, own):
        follow = _follower(vectorstore)
        config, embedder = own or LexicalConfig(), _embedder(vectorstore)
        handle = CollectionHandle(client, collection, config, embedder, follow)
        _handles[vectorstore] = handle
    given, used = vectorstore.embeddings, handle.embeddings
    if used is not given and not (given is None and isinstance(used, StoredEmbeddings)):
        handle.embed_by(_embedder(vectorstore))  # somebody has given the store another one
    handle.move_to(collection)
    return handle


def _follower(vectorstore: Chroma) -> Callable[[Any], None]:
    reference = ref(vectorstore)

    def follow(collection: Any) -> None:
        if (store := reference()) is not None:
            store._chroma_collection = collection  # noqa: SLF001  # see `handle_of`

    return follow


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


def _embedder(vectorstore: Chroma) -> Embedder:
    """What the caller gave, which always comes before what the collection remembers."""
    if vectorstore.embeddings is not None:
        return vectorstore.embeddings
    reference, trusted = ref(vectorstore), getattr(vectorstore, "trusted_models", NOBODY)

    def configuration() -> Mapping[str, Any]:
        collection = getattr(reference(), "_chroma_collection", None)
        return {} if collection is None else collection.configuration_json

    return StoredEmbeddings(configuration, trusted)


def document_of(record: Record) -> Document:
    """A record as a document, with a copy of its metadata; no text becomes an empty one."""
    # Chroma gives keys in another order each time, and who compares documents may do it as JSON.
    metadata = dict(sorted(record.metadata.items()))
    return Document(page_content=record.text or "", metadata=metadata, id=record.id)


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


def trace_into(run_manager: CallbackManagerForRetrieverRun, query: str) -> Trace | None:
    """Each leg as a child run of the retriever's; None when nobody listens."""
    if not run_manager.handlers and not run_manager.inheritable_handlers:
        return None

    def trace(name: str, step: Step) -> Outcome:
        child = run_manager.get_child(name)
        run = child.on_chain_start({"name": f"{name}_leg"}, {"query": query}, name=f"{name}_leg")
        outcome = step()
        if outcome.error is not None:
            run.on_chain_error(outcome.error)
        else:
            hits = [{"id": hit.id, "score": hit.score} for hit in outcome.hits]
            run.on_chain_end({"hits": hits, "filtered_by": outcome.filtered_by})
        return outcome

    return trace
