"""What the writer and the freshness of an index remember, seen from outside: nothing is lost."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import HybridChroma, TantivyIndex
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import LexicalIndexError, WriteError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.durability.workers import NAME, numbered, open_store
from tests.helpers import ids_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANY = 200
"""More than a write may put off: it goes into the lexical index at once."""
# Longer than a tick of the clock of files, within which two writes may leave one stamp.
TICK = 0.1


class FullDisk(TantivyIndex):
    """An index that cannot be written as long as `full` is set."""

    full = False

    def apply(self, *args: Any, **kwargs: Any) -> None:
        if self.full:
            raise LexicalIndexError("the lexical index cannot be written: No space left on device")
        super().apply(*args, **kwargs)


def update(store: HybridChroma, ids: list[str]) -> None:
    changed = [Document(f"changed number {n}", metadata={"new": True}) for n in range(len(ids))]
    store.update_documents(ids, changed)


def upsert(store: HybridChroma, ids: list[str]) -> None:
    texts = [f"changed number {n}" for n in range(len(ids))]
    store.add_texts(texts, [{"new": True}] * len(ids), ids)


def upsert_in_batches(store: HybridChroma, ids: list[str]) -> None:
    texts = [f"changed number {n}" for n in range(len(ids))]
    store.add_texts(texts, [{"new": True}] * len(ids), ids, batch_size=len(ids))


def upsert_asynchronously(store: HybridChroma, ids: list[str]) -> None:
    texts = [f"changed number {n}" for n in range(len(ids))]
    asyncio.run(store.aadd_texts(texts, [{"new": True}] * len(ids), ids=ids))


def update_directly(store: HybridChroma, ids: list[str]) -> None:
    texts = [f"changed number {n}" for n in range(len(ids))]
    vectors = WordEmbeddings(8).embed_documents(texts)
    store._collection.update(ids, vectors, [{"new": True}] * len(ids), texts)


WRITES = (update, upsert, upsert_in_batches, upsert_asynchronously, update_directly)


@pytest.mark.parametrize("size", [3, MANY], ids=["few", "many"])
@pytest.mark.parametrize("policy", ["before_query", "manual"])
@pytest.mark.parametrize("write", WRITES)
def test_what_the_index_could_not_take_comes_in_later(tmp_path, write, policy, size):
    """Ids and count stay the same: nothing but the writer's own memory knows of it."""
    index, ids = FullDisk(tmp_path / "index"), numbered(range(size))
    store = open_store(tmp_path / "db", lexical=index, sync=policy)
    store.add_texts([f"old number {n}" for n in range(size)], ids=ids)
    assert len(store.similarity_search("old", k=size, mode="lexical")) == size
    index.full = True
    try:
        write(store, ids)
    except WriteError as error:
        assert len(error.written) == size  # noqa: PT017  # few wait, and nothing is raised
    with pytest.raises(LexicalIndexError, match="No space"):
        store.similarity_search("changed", mode="lexical")
    index.full = False
    assert len(store.similarity_search("changed", k=size, mode="lexical")) == size
    assert len(store.similarity_search("number", k=size, filter={"new": True})) == size
    assert store.similarity_search("old", mode="lexical") == []
    assert store.verify().ok


def swap(store: HybridChroma) -> None:
    """Through another object of Chroma's, which nobody watches; the count stays the same."""
    other = store._client.get_collection(NAME)
    other.delete(["id1"])
    other.add("okapi", WordEmbeddings(8).embed_query("an okapi"), {"k": 1}, "an okapi")


def in_step(store: HybridChroma) -> None:
    """Fill it, until all that has changed is known to be our own doing."""
    for n in range(12):
        store.add_texts([f"old words {n}"], ids=[f"id{n}"])
        store.similarity_search("words")
    time.sleep(TICK)
    store.similarity_search("words")


def own_write(store: HybridChroma, n: int) -> None:
    store.add_texts([f"own words {n}"], ids=[f"own{n}"])


def own_update(store: HybridChroma, n: int) -> None:
    store.update_document("id2", Document(f"own words {n}"))


def own_delete(store: HybridChroma, n: int) -> None:
    store.delete([f"id{5 + n}"])


def direct_write(store: HybridChroma, n: int) -> None:
    Chroma.add_texts(store, [f"own words {n}"], ids=[f"direct{n}"])


OWN = (own_write, own_update, own_delete, direct_write)


@pytest.mark.parametrize(
    ("own", "place"),
    [
        pytest.param(own, place, marks=[pytest.mark.long] if (n + place) % 4 else [])
        for n, own in enumerate(OWN)
        for place in range(4)
    ],
)
def test_what_others_write_among_own_writes_is_found(tmp_path, own, place):
    store = open_store(tmp_path, max_age=0)
    in_step(store)
    for n in range(3):
        if n == place:
            swap(store)
        time.sleep(TICK)
        own(store, n)
    if place == 3:
        swap(store)
    assert ids_of(store.similarity_search("okapi", k=1, mode="lexical")) == ["okapi"]
    assert store.verify().ok


def test_what_others_write_while_the_index_takes_an_own_write_is_found(tmp_path):
    class Busy(TantivyIndex):
        meanwhile: Callable[[], None] | None = None

        def apply(self, *args: Any, **kwargs: Any) -> None:
            super().apply(*args, **kwargs)
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()

    index = Busy(tmp_path / "index")
    store = open_store(tmp_path / "db", lexical=index, max_age=0)
    in_step(store)
    index.meanwhile = lambda: swap(store)
    store.add_texts(["own words"] * MANY, ids=[f"own{n}" for n in range(MANY)])
    assert ids_of(store.similarity_search("okapi", k=1, mode="lexical")) == ["okapi"]
    assert store.verify().ok


PUT_OFF = 1_100
"""More than others bring in for a writer that is alive."""


def stop_after_chroma(folder: Path, written: Path) -> None:
    """Update everything in Chroma, and never come to the lexical index."""
    store = open_store(folder)
    store.similarity_search("words")

    def watch(step: str) -> None:
        if step == "chroma written":
            written.touch()
            wait_until(lambda: False, 300)

    failpoints.watcher = watch
    update(store, numbered(range(PUT_OFF)))


def query(store: HybridChroma) -> None:
    store.similarity_search("words", mode="lexical")


def query_again(store: HybridChroma) -> None:
    query(store)
    time.sleep(TICK)
    query(store)


def sync(store: HybridChroma) -> None:
    store.sync()


def nothing(_: HybridChroma) -> None:
    pass


@pytest.mark.parametrize(
    ("look", "reopened"),
    [
        (query, True),
        pytest.param(query, False, marks=pytest.mark.long),
        pytest.param(query_again, True, marks=pytest.mark.long),
        pytest.param(query_again, False, marks=pytest.mark.long),
        (sync, True),
        pytest.param(sync, False, marks=pytest.mark.long),
        pytest.param(nothing, True, marks=pytest.mark.long),
        pytest.param(nothing, False, marks=pytest.mark.long),
    ],
)
def test_in_step_is_not_noted_while_another_writer_is_at_work(tmp_path, look, reopened):
    """Whoever noted it would not look again when that writer dies and nothing changes any more."""
    folder, written = tmp_path / "db", tmp_path / "written"
    store = open_store(folder, max_age=0)
    texts = [f"old words {n}" for n in range(PUT_OFF)]
    store.add_texts(texts, ids=numbered(range(PUT_OFF)))
    query(store)
    peer = started(stop_after_chroma, folder, written)
    wait_until(written.exists)
    time.sleep(TICK)
    look(store)
    if reopened:
        store._index.close()
        store.similarity_search("words")
    peer.kill()
    ended(peer)
    assert len(store.similarity_search("changed", k=PUT_OFF, mode="lexical")) == PUT_OFF
    assert store.verify().ok
    store._index.close()
    store._client.close()
