"""The event loop goes on; the legs run side by side.

Times are compared with each other, never with a clock: machines differ.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever
from tests.helpers import MODES, WordEmbeddings, filled, ids_of, make_store

QUERY = "red pump R123-78"


class SlowEmbeddings(WordEmbeddings):
    """A query takes 0.3 s of the thread that asks."""

    def embed_query(self, text):
        time.sleep(0.3)
        return super().embed_query(text)

    def embed_documents(self, texts):
        return WordEmbeddings(self.size).embed_documents(texts)


class Ticker:
    """The longest time for which the event loop did not come round."""

    worst = 0.0

    async def run(self):
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.worst, last = max(self.worst, now - last), now


@asynccontextmanager
async def ticking():
    ticker = Ticker()
    task = asyncio.create_task(ticker.run())
    await asyncio.sleep(0.01)
    try:
        yield ticker
        await asyncio.sleep(0.01)
    finally:
        task.cancel()


async def test_the_loop_goes_on_while_a_query_is_embedded(record_property):
    store = filled(embedding_function=SlowEmbeddings())
    retriever = ChromaHybridRetriever(vectorstore=store)
    retriever.invoke(QUERY)
    async with ticking() as blocked:
        retriever.invoke(QUERY)
    async with ticking() as free:
        assert ids_of(await retriever.ainvoke(QUERY))
        assert await store.asimilarity_search(QUERY)
    record_property("worst gap of invoke in the loop, s", blocked.worst)
    record_property("worst gap of ainvoke, s", free.worst)
    assert blocked.worst > 0.3
    assert free.worst < blocked.worst


async def test_the_loop_goes_on_while_2000_documents_are_added(record_property):
    documents = [Document(f"text number {i}", id=str(i)) for i in range(2_000)]
    stores = [make_store(embedding_function=WordEmbeddings(16)) for _ in range(2)]
    async with ticking() as blocked:
        stores[0].add_documents(documents)
    async with ticking() as free:
        assert len(await stores[1].aadd_documents(documents)) == 2_000
    record_property("worst gap of add_documents in the loop, s", blocked.worst)
    record_property("worst gap of aadd_documents, s", free.worst)
    assert free.worst < blocked.worst / 2
    assert stores[1].verify().ok
    assert ids_of(await stores[1].asimilarity_search("1711", k=1)) == ["1711"]


@pytest.fixture
def meeting(monkeypatch):
    """A store whose legs go on only when both have begun."""
    barrier = threading.Barrier(2, timeout=20)
    store = filled()

    def meets(owner, name):
        method = getattr(owner, name)

        def meet(*args, **options):
            barrier.wait()
            return method(*args, **options)

        monkeypatch.setattr(owner, name, meet)

    meets(store._index.lexical, "search")
    meets(store._index.store, "query")
    return store


async def test_both_legs_are_under_way_at_once(meeting):
    """Run one after the other they would break the barrier, and the query would fail."""
    retriever = ChromaHybridRetriever(vectorstore=meeting)
    expected = ids_of(filled().similarity_search(QUERY))
    assert ids_of(retriever.invoke(QUERY)) == expected
    assert ids_of(await retriever.ainvoke(QUERY)) == expected
    assert ids_of(meeting.similarity_search(QUERY)) == expected
    assert ids_of(await meeting.asimilarity_search(QUERY)) == expected


def test_the_query_is_embedded_in_the_callers_thread():
    """Caches over SQLite and event loops belong to a thread."""

    class Embeddings(WordEmbeddings):
        def embed_query(self, text):
            assert threading.get_ident() == caller
            return super().embed_query(text)

    caller = threading.get_ident()
    store = filled(embedding_function=Embeddings())
    for mode in MODES:
        assert ids_of(store.similarity_search(QUERY, mode=mode))


async def test_many_queries_at_once_give_what_they_give_alone(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=3)
    queries = [f"{text} {n}" for n, text in enumerate(["red maple", "pump", "river bank"] * 8)]
    expected = [retriever.invoke(query) for query in queries]
    assert await asyncio.gather(*map(retriever.ainvoke, queries)) == expected
    assert await retriever.abatch(queries) == expected


async def test_queries_and_writes_at_once(store):
    async def write(n):
        await store.aadd_texts([f"number{n} whale"], ids=[f"whale-{n}"])
        found = await store.asimilarity_search(f"number{n}", k=1, mode="lexical")
        assert ids_of(found) == [f"whale-{n}"]

    async def read(n):
        assert await store.asimilarity_search("red maple pump", mode=MODES[n % 4])

    await asyncio.gather(*(step(n) for n in range(12) for step in (write, read)))
    assert store.verify().ok
    assert len(store.similarity_search("whale", k=20, mode="lexical")) == 12


async def test_cancelled_writes_leave_both_halves_equal(empty):
    class Waiting(WordEmbeddings):
        def __init__(self):
            super().__init__()
            self.again = asyncio.Event()

        async def aembed_documents(self, texts):
            if texts[0] == "b":
                self.again.set()
                await asyncio.Event().wait()
            return self.embed_documents(texts)

    store = make_store(embedding_function=Waiting())
    task = asyncio.create_task(store.aadd_texts(["a", "b", "c"], ids=list("abc"), batch_size=1))
    await store.embeddings.again.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.get()["ids"] == ["a"]
    assert store.verify().ok


async def test_an_async_embedding_function_is_awaited():
    class Only(WordEmbeddings):
        def embed_query(self, text):
            raise AssertionError("the async method is there")

        async def aembed_query(self, text):
            return WordEmbeddings().embed_query(text)

        def embed_documents(self, texts):
            return WordEmbeddings().embed_documents(texts)

    store = filled(embedding_function=Only())
    expected = ids_of(filled().similarity_search(QUERY))
    assert ids_of(await store.asimilarity_search(QUERY)) == expected
    assert ids_of(await ChromaHybridRetriever(vectorstore=store).ainvoke(QUERY)) == expected
