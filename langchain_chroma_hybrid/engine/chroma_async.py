"""Reading a server from an event loop, through an asynchronous client of the loop's own.

LangChain's store holds a synchronous client, which must not be used on a loop and whose requests
nothing can cancel. Each loop gets one client per server; what runs in the loop's threads sends its
requests through it.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import chromadb
from chromadb.errors import NotFoundError

from langchain_chroma_hybrid.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from chromadb.api import AsyncClientAPI, ClientAPI

# By loop: clients by server, tenant and database. A client knows its loop, so that weak keys would
# never go: loops that are closed are dropped at the next look instead.
_clients: dict[asyncio.AbstractEventLoop, dict[str, asyncio.Task[AsyncClientAPI]]] = {}


async def reading_on_this_loop(
    client: ClientAPI, collection: chromadb.Collection, location: str
) -> LoopReader:
    """The reading methods of `collection`, for threads that the running loop waits for.

    Raises:
        CollectionError: the collection is gone.
    """
    for loop in [loop for loop in list(_clients) if loop.is_closed()]:
        _clients.pop(loop, None)
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if location not in clients or _failed(clients[location]):
        clients[location] = asyncio.ensure_future(_opened(client))
    # A cancelled query must not take the client away from the others that wait for it.
    own = await asyncio.shield(clients[location])
    try:
        found = await own.get_collection(collection.name, embedding_function=None)
    except NotFoundError as error:
        message = f"the Chroma collection is gone: {error}"
        raise CollectionError(message) from error
    if found.id != collection.id:
        message = f"the Chroma collection is gone; another one is called {collection.name!r} now"
        raise CollectionError(message)
    return LoopReader(collection, found, asyncio.get_running_loop())


class LoopReader:
    """`get`, `query` and `count` of a collection, run on an event loop; the rest as it is.

    To be called from other threads than the loop's.
    """

    def __init__(
        self,
        collection: chromadb.Collection,
        asynchronous: Any,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._collection = collection
        self._asynchronous = asynchronous
        self._loop = loop

    def get(self, **options: Any) -> Any:
        """See Chroma's collection."""
        return self._run(self._asynchronous.get(**options))

    def query(self, **options: Any) -> Any:
        """See Chroma's collection."""
        return self._run(self._asynchronous.query(**options))

    def count(self) -> Any:
        """See Chroma's collection."""
        return self._run(self._asynchronous.count())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def _run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


async def _opened(client: ClientAPI) -> AsyncClientAPI:
    settings = copy.deepcopy(client.get_settings())
    return await chromadb.AsyncHttpClient(
        host=settings.chroma_server_host or "localhost",
        port=settings.chroma_server_http_port or 8000,
        ssl=bool(settings.chroma_server_ssl_enabled),
        headers=settings.chroma_server_headers,
        settings=settings,
        tenant=client.tenant,
        database=client.database,
    )


def _failed(task: asyncio.Task[AsyncClientAPI]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
