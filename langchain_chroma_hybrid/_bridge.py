"""Between LangChain and the engine: what both faces share."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.analysis import Analyzer
from langchain_chroma_hybrid.engine.chroma_clients import observe, reopened
from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
from langchain_chroma_hybrid.engine.registry import LexicalConfig, open_index
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_chroma import Chroma
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever

    from langchain_chroma_hybrid.core.records import Hit, Record, SearchResult
    from langchain_chroma_hybrid.engine.hybrid import AsyncEmbed, HybridIndex, Trace
    from langchain_chroma_hybrid.engine.legs import Embed, Outcome, Vector
    from langchain_chroma_hybrid.engine.running import Step

T = TypeVar("T")

# Under this key `explain=True` puts each leg's view into a copy of the metadata.
EXPLAIN_KEY = "retrieval"

# An engine lives as long as the store that it was opened for: retrievers come and go with every
# configurable call and must not open it anew each time.
_engines: WeakKeyDictionary[Chroma, HybridIndex] = WeakKeyDictionary()
# The settings that each was last opened with: others have to be checked.
_configs: WeakKeyDictionary[Chroma, LexicalConfig | None] = WeakKeyDictionary()


def analyzer_of(value: Analyzer | str | None) -> Analyzer:
    """An analyzer, or the default one for a language.

    Raises:
        InvalidArgumentError: no such language, or neither an analyzer nor a name.
    """
    if isinstance(value, Analyzer):
        return value
    if value is None or isinstance(value, str):
        return Analyzer(value)
    raise InvalidArgumentError.of("analyzer", value, "an Analyzer, a language or None")


def store_of(vectorstore: Chroma) -> ChromaStore:
    """The Chroma collection behind a LangChain store."""
    collection = vectorstore._chroma_collection  # noqa: SLF001  # no public way to the collection
    if collection is None:
        message = "the collection was deleted; `reset_collection()` makes it anew"
        raise CollectionError(message)
    return ChromaStore(vectorstore._client, collection)  # noqa: SLF001  # nor to the client


def engine_of(vectorstore: Chroma, config: LexicalConfig | None = None) -> HybridIndex:
    """The engine over the store's collection, opened at the first call.

    `config` None means the store's own settings (a HybridChroma has some), else the default ones.
    """
    engine = _engines.get(vectorstore)
    collection = vectorstore._chroma_collection  # noqa: SLF001  # see `store_of`
    here = "" if collection is None else str(collection.id)
    own = config or getattr(vectorstore, "lexical_config", None)
    known = own is None or own is _configs.get(vectorstore)
    if engine is not None and known and engine.usable and engine.store.uuid == here:
        return engine
    engine = open_index(store_of(vectorstore), own or LexicalConfig())
    _configs[vectorstore] = own
    if collection is not None:
        # What is written straight through this very object is found at the next query.
        observe(collection, engine.writer)
    _engines[vectorstore] = engine
    return engine


def following(vectorstore: Chroma, run: Callable[[], T]) -> T:
    """What `run` gives; once more if the collection was deleted and made anew under its name."""
    try:
        return run()
    except CollectionError:
        if not _follow(vectorstore):
            raise
    return run()


async def afollowing(
    vectorstore: Chroma,
    engine: Callable[[], Awaitable[HybridIndex]],
    run: Callable[[HybridIndex], Awaitable[T]],
) -> T:
    """The same with what opens the engine apart, without blocking the event loop."""
    try:
        return await run(await engine())
    except CollectionError:
        if not await asyncio.to_thread(_follow, vectorstore):
            raise
    return await run(await engine())


def _follow(vectorstore: Chroma) -> bool:
    old = vectorstore._chroma_collection  # noqa: SLF001  # see `store_of`
    new = None if old is None else reopened(vectorstore._client, old)  # noqa: SLF001  # same
    if new is None:
        return False
    vectorstore._chroma_collection = new  # noqa: SLF001  # see `store_of`
    return True


def check_client(client: Any) -> None:
    """Refuse Chroma's asynchronous clients, which LangChain's store cannot use.

    Raises:
        InvalidArgumentError: it is one.
    """
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


def forget(vectorstore: Chroma) -> None:
    """Let go of the engine of a store whose collection is deleted."""
    _engines.pop(vectorstore, None)


def embed_by(embeddings: Embeddings | None, store: ChromaStore) -> Embed:
    """How a query becomes a vector."""
    if embeddings is None:
        return store.embed_query
    return lambda text: embeddings.embed_query(_encodable(text))


def aembed_by(embeddings: Embeddings | None, store: ChromaStore) -> AsyncEmbed:
    """The same, without blocking the event loop."""

    async def own(text: str) -> Vector:
        return await asyncio.to_thread(store.embed_query, text)

    if embeddings is None:
        return own
    return lambda text: embeddings.aembed_query(_encodable(text))


def document_of(record: Record) -> Document:
    """A record as a document, with a copy of its metadata; no text becomes an empty one."""
    return Document(page_content=record.text or "", metadata=dict(record.metadata), id=record.id)


def explanation_of(hit: Hit, result: SearchResult) -> dict[str, Any]:
    """What each leg had to say about a hit, and notes on the query, in plain values."""
    ways = {leg.name: leg.filtered_by for leg in result.legs}
    notes = {"notes": list(result.notes)} if result.notes else {}
    return notes | {
        leg.name: {
            "rank": leg.rank,
            "score": leg.score,
            "normalized": leg.normalized,
            "weight": leg.weight,
            "terms": list(leg.terms),
            "filtered_by": ways.get(leg.name, "none"),
        }
        for leg in hit.legs
    }


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


def _encodable(text: str) -> str:
    """Tokenizers written in Rust refuse lone surrogates, which no query should die of."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
