"""Nothing grows with the number of openings, and what is closed is given back."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chromadb
import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.engine import registry, threads
from langchain_chroma_hybrid.engine.chroma import change_token
from langchain_chroma_hybrid.errors import CollectionError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import wait_until
from tests.helpers import filled, fresh_name, ids_of


def descriptors() -> int:
    here = Path("/proc/self/fd")
    return len(list(here.iterdir())) if here.is_dir() else 0


def held() -> dict[str, int]:
    gc.collect()
    return {
        "descriptors": descriptors(),
        "threads": threading.active_count(),
        "halves": len(registry._halves),
        "handles": len(bridge._handles),
        "openings": sum(map(len, change_token._openings.values())),
    }


def open_and_ask(folder: Path, name: str) -> None:
    store = HybridChroma(name, WordEmbeddings(), str(folder))
    assert ids_of(store.similarity_search("pump", k=1)) == ["pump"]
    assert ids_of(ChromaHybridRetriever(vectorstore=store, k=1).invoke("pump")) == ["pump"]


@pytest.mark.parametrize("times", [10, pytest.param(2_000, marks=pytest.mark.long)])
def test_stores_that_are_dropped_leave_nothing_behind(tmp_path: Path, times: int):
    name = fresh_name()
    with HybridChroma(name, WordEmbeddings(), str(tmp_path)) as store:
        store.add_texts(["a pump"], ids=["pump"])
    kept = chromadb.PersistentClient(str(tmp_path))  # as plain Chroma, which never lets go
    for _ in range(change_token._MOST_OPENINGS):
        open_and_ask(tmp_path, name)
    before = held()
    for _ in range(times):
        open_and_ask(tmp_path, name)
    after = held()
    assert after["descriptors"] <= before["descriptors"] + 4
    assert after["threads"] <= before["threads"] + 2
    assert {after[each] - before[each] for each in ("halves", "handles", "openings")} == {0}
    kept.close()


def test_retrievers_over_one_store_share_what_is_open():
    store = filled()
    before = held()
    for _ in range(10):
        retriever = ChromaHybridRetriever.from_vectorstore(store)
        assert retriever.invoke("pump")
    assert held()["handles"] == before["handles"]
    assert held()["threads"] <= before["threads"] + threads.LASTING


def test_threads_of_slow_queries_end():
    class Slow(WordEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            barrier.wait(30)
            return super().embed_query(text)

    def ours() -> int:
        return sum(t.name.startswith("chroma-hybrid") for t in threading.enumerate())

    before = ours()  # such as the threads of a pool of connections
    barrier = threading.Barrier(60)
    store = filled()
    store._embedding_function = Slow()

    def waits(query: Any) -> Any:
        return ids_of(store.similarity_search(str(query), k=1))

    with ThreadPoolExecutor(60) as pool:
        found = list(pool.map(waits, ["pump"] * 60))
    assert len(found) == 60

    wait_until(lambda: ours() <= before + threads.LASTING)


def test_more_work_than_lasting_threads_never_waits_for_each_other():
    barrier = threading.Barrier(3 * threads.LASTING)
    futures = [threads.submit(lambda: barrier.wait(30)) for _ in range(3 * threads.LASTING)]
    assert sorted(future.result() for future in futures) == list(range(3 * threads.LASTING))


def test_what_work_raises_comes_back():
    def fail() -> None:
        raise KeyError("gone")

    gate = threading.Event()
    busy = [threads.submit(gate.wait) for _ in range(threads.LASTING)]
    with pytest.raises(KeyError, match="gone"):
        threads.submit(fail).result()
    gate.set()
    assert all(each.result() for each in busy)


@pytest.mark.parametrize("own", [True, False], ids=["own client", "client of the caller"])
def test_closing(tmp_path: Path, own: bool):
    name = fresh_name()
    client = None if own else chromadb.PersistentClient(str(tmp_path))
    options: dict[str, Any] = {"persist_directory": str(tmp_path)} if own else {"client": client}
    with HybridChroma(name, WordEmbeddings(), **options) as store:
        store.add_texts(["a pump"], ids=["pump"])
        assert store.similarity_search("pump")
    store.close()
    for use in (
        lambda: store.similarity_search("pump"),
        lambda: store.add_texts(["words"]),
        store.get,
        lambda: store.delete(["pump"]),
        store.verify,
        lambda: asyncio.run(store.asimilarity_search("pump")),
    ):
        with pytest.raises(CollectionError, match="closed"):
            use()
    if client is not None:
        assert client.get_collection(name).count() == 1
        client.close()


def test_closing_one_of_two_leaves_the_other(tmp_path: Path):
    one = filled(tmp_path)
    other = HybridChroma(one._collection.name, WordEmbeddings(), str(tmp_path))
    retriever = ChromaHybridRetriever(vectorstore=other)
    assert other.similarity_search("pump")
    one.add_texts(["a zebra"], ids=["zebra"])
    one.close()
    assert ids_of(other.similarity_search("zebra", mode="lexical")) == ["zebra"]
    retriever.close()
    retriever.close()
    assert ids_of(retriever.invoke("zebra", mode="lexical")) == ["zebra"]
    with ChromaHybridRetriever(vectorstore=other) as another:
        assert another.invoke("pump")
    assert ids_of(other.similarity_search("zebra", mode="lexical")) == ["zebra"]


def test_closing_brings_in_what_waits(tmp_path: Path):
    store = filled(tmp_path)
    path = store._index.lexical.path
    store.add_texts(["a zebra"], ids=["zebra"])
    store.close()
    assert all(not file.read_text() for file in (path / "journal").glob("*.jsonl"))


def test_a_retriever_over_plain_chroma_closes_and_goes_on(tmp_path: Path):
    chroma = Chroma(fresh_name(), WordEmbeddings(), str(tmp_path))
    chroma.add_texts(["a pump"], ids=["pump"])
    for _ in range(3):
        with ChromaHybridRetriever(vectorstore=chroma) as retriever:
            assert ids_of(retriever.invoke("pump")) == ["pump"]
    assert chroma.get()["ids"] == ["pump"]


def test_closing_while_others_ask(tmp_path: Path):
    store = filled(tmp_path)
    others = [HybridChroma(store._collection.name, client=store._client) for _ in range(20)]
    failed: list[BaseException] = []
    ends = time.monotonic() + 2

    def ask() -> None:
        while time.monotonic() < ends:
            try:
                assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]
            except BaseException as error:  # noqa: BLE001  # told below
                failed.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for other in others:
        other.similarity_search("pump", mode="lexical")
        other.close()
    for thread in asking:
        thread.join()
    assert not failed


def test_opening_and_closing_beside_each_other():
    store = filled()
    client, name = store._client, store._collection.name
    store.close()
    failed: list[BaseException] = []
    ends = time.monotonic() + 3

    def open_and_close() -> None:
        while time.monotonic() < ends and not failed:
            try:
                with HybridChroma(name, WordEmbeddings(), client=client) as one:
                    assert ids_of(one.similarity_search("R123-78", k=1)) == ["pump"]
                    one.add_texts(["a zebra"], ids=["zebra"])
            except BaseException as error:  # noqa: BLE001  # told below
                failed.append(error)

    threads_ = [threading.Thread(target=open_and_close) for _ in range(6)]
    for thread in threads_:
        thread.start()
    for thread in threads_:
        thread.join()
    assert not failed


async def test_cancelled_work_gives_its_thread_back():
    tasks = [asyncio.ensure_future(threads.in_thread(lambda: time.sleep(0))) for _ in range(100)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    free = threads._threads()._free
    await asyncio.to_thread(wait_until, lambda: free._value == threads.LASTING)


def test_a_retriever_over_a_closed_store_says_so(tmp_path: Path):
    store = filled(tmp_path)
    retriever = ChromaHybridRetriever(vectorstore=store)
    store.close()
    with pytest.raises(CollectionError, match="closed"):
        retriever.invoke("pump")


def test_leaving_a_block_does_not_hide_its_error(tmp_path: Path):
    def leave() -> None:
        with filled(tmp_path) as store:
            store.add_texts(["words"])
            store._client.delete_collection(store._collection.name)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        leave()
