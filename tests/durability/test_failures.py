"""A write that fails half-way: one clear error that says what is in, and both halves equal."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.errors import (
    CollectionError,
    EmbeddingError,
    LexicalIndexError,
    WriteError,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, halves, started
from tests.durability.workers import Log, numbered, open_store
from tests.helpers import FaultyEmbeddings, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = [f"words of number {i}" for i in range(30)]
IDS = numbered(range(30))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HybridChroma]:
    store = open_store(tmp_path / "db")
    store.add_texts(["words from before"], ids=["before"])
    store.similarity_search("words")
    yield store
    store._client.close()


def equal(store: HybridChroma) -> set[str]:
    """Ids, once both halves are shown to be equal, by their own accounts."""
    store.similarity_search("words", mode="lexical")
    assert store.verify().ok
    chroma = set(store.get()["ids"])
    assert chroma == set(store._index.lexical.ids())
    return chroma


class FaultError(Exception):
    pass


def break_chroma(
    monkeypatch: pytest.MonkeyPatch, method: str, *, at: int, done: bool = False
) -> None:
    """Call number `at` of a method of Chroma's collections fails, before or after its work."""
    original, calls = getattr(chromadb.Collection, method), iter(range(10_000))

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(calls) != at:
            return original(self, *args, **kwargs)
        if done:
            original(self, *args, **kwargs)
        raise FaultError("the connection is lost")

    monkeypatch.setattr(chromadb.Collection, method, broken)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [0, 1])
def test_chroma_fails_in_a_batch(store, monkeypatch, at, done):
    break_chroma(monkeypatch, "upsert", at=at, done=done)
    with pytest.raises(WriteError, match=r"\d+ of 30 records are written .*connection") as raised:
        store.add_texts(TEXTS, ids=IDS, batch_size=10)
    written = IDS[: 10 * (at + done)]
    assert list(raised.value.written) == written
    assert isinstance(raised.value.__cause__, FaultError)
    assert equal(store) == {"before", *written}


async def test_chroma_fails_in_an_asynchronous_batch(store, monkeypatch):
    break_chroma(monkeypatch, "upsert", at=1)
    with pytest.raises(WriteError) as raised:
        await store.aadd_texts(TEXTS, ids=IDS, batch_size=10)
    assert list(raised.value.written) == IDS[:10]
    assert equal(store) == {"before", *IDS[:10]}


def test_chroma_fails_in_an_update(store, monkeypatch):
    from langchain_core.documents import Document

    store.add_texts(TEXTS, ids=IDS)
    break_chroma(monkeypatch, "update", at=0)
    with pytest.raises(WriteError) as raised:
        store.update_documents(IDS[:2], [Document("changed")] * 2)
    assert raised.value.written == ()
    assert equal(store) == {"before", *IDS}
    assert not store.similarity_search("changed", mode="lexical")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_chroma_fails_in_a_delete(store, monkeypatch, done):
    store.add_texts(TEXTS, ids=IDS)
    break_chroma(monkeypatch, "delete", at=0, done=done)
    with pytest.raises(WriteError, match="deleted") as raised:
        store.delete(IDS[:3])
    assert list(raised.value.written) == (IDS[:3] if done else [])
    assert equal(store) == {"before", *IDS[3 if done else 0 :]}


def test_a_vector_of_another_length_is_refused_as_such(store):
    wrong = HybridChroma("documents", WordEmbeddings(3), client=store._client)
    with pytest.raises(EmbeddingError):
        wrong.add_texts(TEXTS, ids=IDS)
    assert equal(store) == {"before"}


def test_the_embedding_fails_in_the_second_batch(tmp_path):
    calls = iter(range(10))

    def fault(vectors: list[list[float]]) -> list[list[float]]:
        return vectors if next(calls) == 0 else vectors[:-1]

    store = HybridChroma("documents", FaultyEmbeddings(fault), str(tmp_path))
    with pytest.raises(WriteError) as raised:
        store.add_texts(TEXTS, ids=IDS, batch_size=20)
    assert list(raised.value.written) == IDS[:20]
    assert isinstance(raised.value.__cause__, EmbeddingError)
    assert set(store.get()["ids"]) == set(IDS[:20])
    store._client.close()


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_no_space_for_the_intention(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", no_space)
        with pytest.raises(WriteError, match=r"0 of 30 .*No space") as raised:
            store.add_texts(TEXTS, ids=IDS)
    assert raised.value.written == ()
    assert equal(store) == {"before"}
    store.add_texts(TEXTS, ids=IDS)
    assert equal(store) == {"before", *IDS}


def break_index(patch: pytest.MonkeyPatch, store: HybridChroma) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise LexicalIndexError("the lexical index cannot be written: No space left on device")

    patch.setattr(store._index.lexical, "apply", broken)


def test_no_space_for_the_index_when_it_is_written_at_once(store, monkeypatch):
    many = numbered(range(1000, 1200))
    with monkeypatch.context() as patch:
        break_index(patch, store)
        with pytest.raises(WriteError, match=r"200 of 200 .*No space") as raised:
            store.add_texts(["plenty"] * 200, ids=many)
        assert list(raised.value.written) == many
        # Until the index is whole again a query says so, or does without.
        with pytest.raises(LexicalIndexError):
            store.similarity_search("plenty")
        retriever = ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade", explain=True)
        (first, *_) = retriever.invoke("plenty")
        assert "No space" in first.metadata["chroma_hybrid_explanation"]["notes"][0]
    assert equal(store) == {"before", *many}
    assert len(store.similarity_search("plenty", k=200, mode="lexical")) == 200


def test_no_space_for_the_index_when_it_has_to_wait(store, monkeypatch):
    with monkeypatch.context() as patch:
        break_index(patch, store)
        store.add_texts(TEXTS, ids=IDS)
        with pytest.raises(LexicalIndexError):
            store.similarity_search("words")
    assert equal(store) == {"before", *IDS}


def test_a_folder_that_cannot_be_written(tmp_path):
    store = open_store(tmp_path / "db")
    folder = store._index.lexical.path
    (folder / "journal").write_text("a file where the folder should be")
    with pytest.raises(WriteError) as raised:
        store.add_texts(TEXTS, ids=IDS)
    assert raised.value.written == ()
    assert store.get()["ids"] == []
    (folder / "journal").unlink()
    store.add_texts(TEXTS, ids=IDS)
    assert equal(store) == set(IDS)
    store._client.close()


def fill_a_small_disk(folder: Path, log: Path) -> None:
    import resource

    store, notes = open_store(folder), Log(log)
    store.add_texts(["words"], ids=["first"])
    store.similarity_search("words")
    largest = max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 300_000,) * 2)
    for n in range(1000):
        ids = numbered(range(n * 20, n * 20 + 20))
        try:
            store.add_texts([f"words {id_} " * 200 for id_ in ids], ids=ids)
        except WriteError as error:
            notes.write("failed", [ids, error.written])
            return
        notes.write("done", ids)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_is_full(tmp_path):
    folder, log = tmp_path / "db", tmp_path / "log"
    assert ended(started(fill_a_small_disk, folder, log)) == 0
    *done, (kind, (ids, written)) = Log(log).read()
    assert kind == "failed"
    chroma, index, _ = halves(folder)
    assert index == chroma
    sure = {id_ for _, batch in done for id_ in batch}
    assert sure | {"first", *written} <= set(chroma) <= sure | {"first", *ids}


async def test_a_cancelled_write_leaves_no_difference(store, monkeypatch):
    original = chromadb.Collection.upsert
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(self: Any, *args: Any, **kwargs: Any) -> Any:
        import time

        loop.call_soon_threadsafe(entered.set)
        time.sleep(0.1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(chromadb.Collection, "upsert", slow)
    ids = numbered(range(2000, 2300))
    task = asyncio.ensure_future(store.aadd_texts(["plenty"] * 300, ids=ids))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    # The step that was under way has come to its end, and both halves have it.
    found = await asyncio.to_thread(equal, store)
    assert found == {"before", *ids[:100]}


def test_after_the_collection_is_deleted(store):
    index = store._index
    store.delete_collection()
    with pytest.raises(CollectionError):
        store.similarity_search("words")
    with pytest.raises(CollectionError):
        store.add_texts(["words"])
    assert index.opened is None


def test_two_objects_one_rebuilds(tmp_path):
    one, other = open_store(tmp_path / "db"), open_store(tmp_path / "db")
    one.add_texts(TEXTS, ids=IDS)
    assert one._index.half is other._index.half
    assert other.similarity_search("words")
    one.rebuild()
    other.add_texts(["something else"], ids=["else"])
    assert ids_of(one.similarity_search("else", mode="lexical")) == ["else"]
    assert one._index.half is other._index.half
    assert equal(one) == {"else", *IDS}
    one._index.close()
    one._index.close()
    assert equal(other) == {"else", *IDS}
    assert other._index.search(SearchRequest("else", mode="lexical"))
    one._client.close()
    other._client.close()
