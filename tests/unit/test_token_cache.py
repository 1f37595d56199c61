"""What was read from Chroma once is not read again, and never outlives a change."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.chroma import change_token
from langchain_chroma_hybrid.engine.chroma.change_token import read_token
from langchain_chroma_hybrid.engine.chroma.token_cache import TokenCache
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import COSINE, ids_of

if TYPE_CHECKING:
    from pathlib import Path

EAST, NORTH, WEST = [1.0, 0.0], [0.2, 1.0], [-1.0, 0.0]
NAME = "points"


@pytest.fixture
def store(tmp_path: Path) -> HybridChroma:
    """`a` in the east, `b` in the north, both let pass by one filter."""
    store = HybridChroma(
        NAME, WordEmbeddings(2), str(tmp_path), collection_configuration=COSINE, max_age=0
    )
    store._collection.add(
        ids=["a", "b", "c"],
        embeddings=[EAST, NORTH, EAST],
        documents=["one", "two", "three"],
        metadatas=[{"tenant": 1}, {"tenant": 1}, {"tenant": 2}],
    )
    store.similarity_search("one")
    time.sleep(0.1)  # longer than a tick
    return store


def nearest(store: HybridChroma) -> list[str | None]:
    return ids_of(store.similarity_search_by_vector(EAST, filter={"tenant": 1}))


def vectors_read(store: HybridChroma, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids whose vectors Chroma is asked for from now on."""
    read: list[str] = []
    collection = store._index.store._collection
    get = collection.get

    def watched(**options: object):
        if "embeddings" in options["include"]:
            read.extend(options["ids"])
        return get(**options)

    monkeypatch.setattr(collection, "get", watched, raising=False)
    return read


def test_the_same_filter_reads_vectors_once(store, monkeypatch):
    read = vectors_read(store, monkeypatch)
    assert [nearest(store) for _ in range(3)] == [["a", "b"]] * 3
    assert sorted(read) == ["a", "b"]


def turned_by_another_object(store: HybridChroma, folder: Path) -> None:
    other = store._client.get_collection(NAME)
    other.update(ids=["a"], embeddings=[WEST])


def turned_by_langchain(store: HybridChroma, folder: Path) -> None:
    Chroma(NAME, WordEmbeddings(2), str(folder))._collection.update(ids=["a"], embeddings=[WEST])


def turned_by_another_process(store: HybridChroma, folder: Path) -> None:
    program = (
        "import chromadb, sys; client = chromadb.PersistentClient(sys.argv[1]);"
        f"client.get_collection({NAME!r}).upsert(ids=['a', 'd'], embeddings=[{WEST}, {NORTH}],"
        "documents=['one', 'four'], metadatas=[{'tenant': 1}, {'tenant': 2}])"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)


@pytest.mark.parametrize(
    "turn", [turned_by_another_object, turned_by_langchain, turned_by_another_process]
)
def test_a_vector_that_others_change_is_read_again(store, tmp_path, turn):
    assert nearest(store) == nearest(store) == ["a", "b"]
    turn(store, tmp_path)
    assert nearest(store) == ["b", "a"]
    time.sleep(0.15)
    assert nearest(store) == nearest(store) == ["b", "a"]


def test_a_text_filter_is_asked_once_and_again_after_a_change(store, monkeypatch):
    collection, asked = store._index.store._collection, []
    get = collection.get

    def watched(**options: object):
        asked.append(options.get("where_document"))
        return get(**options)

    monkeypatch.setattr(collection, "get", watched, raising=False)
    search = partial(store.similarity_search_by_vector, EAST)
    absent, present = {"$not_contains": "one"}, {"$contains": "o"}
    for _ in range(3):
        assert ids_of(search(where_document=absent)) == ["c", "b"]
        assert ids_of(search(where_document=present)) == ["a", "b"]
    assert [question for question in asked if question] == [{"$contains": "one"}, present]
    store._client.get_collection(NAME).update(ids=["b"], documents=["one"], embeddings=[NORTH])
    assert ids_of(search(where_document=absent)) == ["c"]


def test_changes_in_quick_succession_are_all_seen(store):
    other = store._client.get_collection(NAME)
    for _ in range(20):
        other.update(ids=["a"], embeddings=[WEST])
        assert nearest(store) == ["b", "a"]
        other.update(ids=["a"], embeddings=[EAST])
        assert nearest(store) == ["a", "b"]


def test_a_token_that_a_write_may_not_change_keeps_nothing(store, monkeypatch):
    read = vectors_read(store, monkeypatch)
    monkeypatch.setattr(change_token, "_FINE_TICK_NS", 60_000_000_000)
    monkeypatch.setattr(change_token, "_COARSE_TICK_NS", 60_000_000_000)
    assert [nearest(store) for _ in range(3)] == [["a", "b"]] * 3
    assert sorted(read) == ["a"] * 3 + ["b"] * 3


def test_what_is_kept_is_bounded():
    cache, token = TokenCache[str, str](1_000, len), (1, 0, 0)
    for n in range(10):
        cache.keep(token, {f"{n}a": "x", f"{n}b": ""})
        assert cache.known(token, [f"{n}a", f"{n}b"]) == {f"{n}a": "x", f"{n}b": ""}
        assert len(cache.known(token, [f"{m}{c}" for m in range(10) for c in "ab"])) <= 5
    cache.keep(token, {"long": "x" * 1_000})
    assert not cache.known(token, ["long", "9a"])
    cache.keep(token, {"a": "x"})
    assert not cache.known((2, 0, 0), ["a"])
    assert not cache.known(None, ["a"])
    assert cache.known(token, ["a"])
    cache.keep(None, {"b": "x"})
    assert not cache.known(token, ["b"])


def test_what_a_caller_does_to_his_vectors_stays_with_him(store):
    request = SearchRequest(
        None, embedding=EAST, where={"tenant": 1}, mode="vector", with_embedding=True
    )
    for _ in range(2):
        for hit in store._index.search(request).hits:
            np.negative(hit.embedding, out=hit.embedding)
    assert nearest(store) == ["a", "b"]


def test_a_database_in_wal_mode(store, tmp_path):
    with sqlite3.connect(tmp_path / "chroma.sqlite3") as database:
        database.execute("PRAGMA journal_mode=WAL")
    assert nearest(store) == nearest(store) == ["a", "b"]
    store._client.get_collection(NAME).update(ids=["a"], embeddings=[WEST])
    assert nearest(store) == ["b", "a"]
    time.sleep(0.1)
    assert not read_token(tmp_path).settled, (
        "a commit in the log may be stamped long before it is seen"
    )
