"""The same over `chroma run`: every search, what others write, several workers, asyncio."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, TantivyIndex
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import CORPUS, COSINE, MODES, documents, filled, fresh_name, ids_of
from tests.old_index import FIELDS, MODEL, OLD, RECORDS, WITHOUT_TEXT, Gate, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("cache")


def make(port: int, name: str | None = None, **options: Any) -> HybridChroma:
    return HybridChroma(
        name or fresh_name(),
        WordEmbeddings(),
        host="127.0.0.1",
        port=port,
        collection_configuration=COSINE,
        **options,
    )


@pytest.fixture
def store(port: int) -> Iterator[HybridChroma]:
    store = make(port)
    store.add_documents(documents())
    yield store
    if store._chroma_collection is not None:
        store.delete_collection()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", [None, {"tenant": "a"}, {"year": {"$gte": 2023}}])
async def test_every_mode_gives_what_an_embedded_store_gives(store, mode, where):
    embedded = filled()
    for query in ("Error R123-78", "red leaves of the maple", "water in the river", "zebra"):
        options = {"k": 5, "mode": mode, "filter": where}
        expected = embedded.similarity_search_with_relevance_scores(query, **options)
        found = store.similarity_search_with_relevance_scores(query, **options)
        asynchronous = await store.asimilarity_search_with_relevance_scores(query, **options)
        assert ids_of(found) == ids_of(expected) == ids_of(asynchronous)
        scores = [score for _, score in expected]
        assert [score for _, score in found] == pytest.approx(scores, abs=1e-5)
    embedded.delete_collection()


def test_writing(store, tmp_path):
    store.add_texts(["a zebra crossing"], [{"k": 1}], ["zebra"])
    assert ids_of(store.similarity_search("zebra", mode="lexical")) == ["zebra"]
    store.delete(where={"k": 1})
    assert store.similarity_search("zebra", mode="lexical") == []
    store.add_texts([f"many {n}" for n in range(300)], ids=[f"m{n}" for n in range(300)])
    assert store.verify().ok
    assert store._index.lexical.path.is_relative_to(tmp_path / "cache")
    folder = store._index.lexical.path
    store.delete_collection()
    assert not folder.exists()


def test_through_the_object_that_a_retriever_wraps(store, port):
    chroma = Chroma(store._collection.name, WordEmbeddings(), host="127.0.0.1", port=port)
    retriever = ChromaHybridRetriever(vectorstore=chroma, mode="lexical")
    assert ids_of(retriever.invoke("zebra")) == []
    chroma.add_texts(["a zebra"], ids=["zebra"])
    assert ids_of(retriever.invoke("zebra")) == ["zebra"]
    chroma._collection.update(ids=["zebra"], documents=["a quagga"], embeddings=[[0.1] * 64])
    assert ids_of(retriever.invoke("quagga")) == ["zebra"]
    chroma.delete(["zebra"])
    assert ids_of(retriever.invoke("quagga")) == []


def test_another_client_is_found_within_the_maximum_age(store, port):
    strict = make(port, store._collection.name, max_age=0, lexical_directory=None)
    store.similarity_search("pump")
    strict.similarity_search("pump")
    assert strict._index.half is store._index.half
    store.similarity_search("pump")
    other = chromadb.HttpClient("127.0.0.1", port).get_collection(store._collection.name)
    other.add(ids=["zebra"], embeddings=[[0.1] * 64], documents=["a zebra"])
    wait_until(lambda: ids_of(store.similarity_search("zebra", mode="lexical")) == ["zebra"], 10)


def test_deleted_and_made_anew(store, port):
    client = chromadb.HttpClient("127.0.0.1", port)
    name = store._collection.name
    store.similarity_search("pump")
    client.delete_collection(name)
    anew = Chroma(name, WordEmbeddings(), client=client)
    anew.add_texts(["a zebra"], ids=["zebra"])
    for mode in MODES:
        assert ids_of(store.similarity_search("zebra", mode=mode)) == ["zebra"]


async def test_asynchronously_deleted_and_made_anew(store, port):
    client = chromadb.HttpClient("127.0.0.1", port)
    name = store._collection.name
    assert await store.asimilarity_search("pump")
    client.delete_collection(name)
    with pytest.raises(CollectionError):
        await store.asimilarity_search("pump")
    Chroma(name, WordEmbeddings(), client=client).add_texts(["a zebra"], ids=["zebra"])
    assert ids_of(await store.asimilarity_search("zebra")) == ["zebra"]


async def test_a_cancelled_query_leaves_the_others_alone(store):
    retriever = ChromaHybridRetriever(vectorstore=store)
    tasks = [asyncio.ensure_future(retriever.ainvoke("pump")) for _ in range(4)]
    await asyncio.sleep(0)
    for task in tasks[:3]:
        task.cancel()
    assert len(await tasks[3]) == 4
    assert len(await retriever.ainvoke("pump")) == 4


async def test_an_asynchronous_client_is_one_clear_error(port):
    waiting = chromadb.AsyncHttpClient(host="127.0.0.1", port=port)
    for client in (waiting, await chromadb.AsyncHttpClient(host="127.0.0.1", port=port)):
        with pytest.raises(InvalidArgumentError, match="client: expected a synchronous client"):
            HybridChroma(client=client)


# Several workers, each with an index of its own


def follow(port: int, name: str, folder: Path, words: int) -> None:
    """A worker that asks until it has found the last of `words`, within its maximum age."""
    store = make(port, name, max_age=0.1, lexical_directory=folder)
    deadline = time.monotonic() + 30
    while not store.similarity_search(f"word{words - 1}", mode="lexical"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for n in range(words):
        assert ids_of(store.similarity_search(f"word{n}", mode="lexical")) == [f"id{n}"]


def test_workers_follow_a_writer(port, tmp_path):
    name = fresh_name() + "-workers"
    store = make(port, name, lexical_directory=tmp_path / "writer")
    store.add_documents(documents())
    words = 10
    workers = [started(follow, port, name, tmp_path / f"worker{n}", words) for n in range(3)]
    for n in range(words):
        store.add_texts([f"word{n}"], ids=[f"id{n}"])
    assert [ended(worker) for worker in workers] == [0, 0, 0]
    assert store._index.store.count() == len(CORPUS) + words
    store.delete_collection()


def test_a_query_among_given_ids(store):
    half = store._index.store
    vector = WordEmbeddings().embed_query("pump")
    assert {hit.id for hit in half.query_among(vector, 9, ["cat", "pump"])} == {"cat", "pump"}
    assert half.query_among(vector, 9, ["cat", "nobody"]) is None


@pytest.mark.parametrize("lexical", ["cache", "own"])
@pytest.mark.parametrize("writers", ["any", "ours"])
def test_an_index_of_an_older_version_answers_until_it_is_rebuilt(
    port, tmp_path, monkeypatch, writers, lexical
):
    client = chromadb.HttpClient("127.0.0.1", port)
    name = fresh_name()
    collection = client.create_collection(name, embedding_function=None)
    for record in RECORDS:
        vector, metadata = MODEL.embed_query(record.text or ""), record.metadata or None
        collection.add(record.id, vector, metadata, record.text)
    options: dict[str, Any] = {"writers": writers, "lexical_fields": FIELDS}

    def opened() -> HybridChroma:
        own = {**options, "lexical": TantivyIndex(folder, lexical_fields=FIELDS)}
        own.pop("lexical_fields")
        settings = own if lexical == "own" else options
        return HybridChroma(name, MODEL, host="127.0.0.1", port=port, **settings)

    folder = tmp_path / "own"
    first = opened()
    first.similarity_search("pump")
    folder = first._index.lexical.path
    first.close()
    shutil.rmtree(folder)
    shutil.copytree(OLD / "format-1", folder)
    gate = Gate("successor built")
    monkeypatch.setattr(failpoints, "watcher", gate)
    store = opened()
    for mode in MODES:
        (note,) = ask(store, "R123-78", mode=mode, filter={"live": True}).notes
        assert "of an older version" in note
    store.add_texts(["written meanwhile"], ids=["meanwhile"])
    gate.opened.set()
    wait_until(lambda: not ask(store).notes)
    assert [hit.id for hit in ask(store, "meanwhile", mode="lexical").hits] == ["meanwhile"]
    assert store.verify().ok
    assert store._index.lexical.without_text() == WITHOUT_TEXT
    store.delete_collection()
