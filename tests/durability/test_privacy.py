"""Folders of the index: whose they are, and when they go."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from typing import TYPE_CHECKING

import chromadb
import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.engine import registry
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.workers import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HybridChroma]:
    store = open_store(tmp_path)
    store.add_texts(["an unmistakable secret"], [{"owner": "someone"}], ["a"])
    store.similarity_search("secret")
    yield store
    store._client.close()


def folder_of(store: HybridChroma) -> Path:
    path: Path = store._index.lexical.path
    return path


def segments(folder: Path) -> set[str]:
    """Names of the parts of the index: terms of a deleted record are there as long as its part."""
    return {path.stem[:32] for path in folder.glob("*.term")}


def test_folders_are_for_the_owner_alone(store):
    folder = folder_of(store)
    for path in [folder.parent, folder, *folder.rglob("*")]:
        if path.is_dir():
            assert os.name != "posix" or path.stat().st_mode & 0o077 == 0, path


def test_deleting_the_collection_removes_the_folder(store):
    folder = folder_of(store)
    assert segments(folder)
    store.delete_collection()
    assert not folder.exists()


def test_resetting_the_collection_removes_the_folder(store):
    folder = folder_of(store)
    store.reset_collection()
    assert not folder.exists()
    assert store.similarity_search("secret") == []


def test_terms_of_deleted_records_go_with_their_segment(store):
    folder = folder_of(store)
    (old,) = segments(folder)
    store.delete(["a"])
    store.similarity_search("secret")
    assert old not in segments(folder)


def test_a_rebuild_writes_every_segment_anew(store):
    store.add_texts([f"other words {n}" for n in range(200)])
    store.delete(["a"])
    old = segments(folder_of(store))
    store.rebuild()
    assert old
    assert not old & segments(folder_of(store))


def in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody has looked for dead folders yet."""
    end_of_sweep()
    monkeypatch.setattr(registry, "_swept", set())


def end_of_sweep() -> None:
    for thread in threading.enumerate():
        if thread.name == "chroma-hybrid-sweep":
            thread.join()


def test_folders_of_dead_collections_are_swept(store, tmp_path, monkeypatch):
    dead = folder_of(store)
    store._index.close()
    kept = shutil.copytree(dead, tmp_path / "kept")
    chromadb.PersistentClient(str(tmp_path)).delete_collection("documents")
    assert dead.exists()
    open_store(tmp_path, lexical_directory=tmp_path / "elsewhere").similarity_search("words")
    assert dead.exists(), "only who keeps his index there looks there"
    in_another_process(monkeypatch)
    Chroma("others", WordEmbeddings(8), client=store._client)
    other = HybridChroma("others", WordEmbeddings(8), client=store._client)
    other.similarity_search("words")
    end_of_sweep()
    assert not dead.exists()
    assert kept.exists()


def test_nothing_else_is_ever_swept(store, tmp_path, monkeypatch):
    lexical = folder_of(store).parent
    store._index.close()
    # Without our note, with another name, of another database.
    unknown = lexical / str(uuid.uuid4())
    unknown.mkdir()
    (unknown / "something.txt").write_text("not ours")
    named = shutil.copytree(folder_of(open_again(tmp_path)), lexical / "a-backup")
    client = chromadb.PersistentClient(str(tmp_path))
    client._admin_client.create_database("second")
    elsewhere = chromadb.PersistentClient(str(tmp_path), database="second")
    second = HybridChroma("documents", WordEmbeddings(8), client=elsewhere)
    second.add_texts(["words of another database"])
    second.similarity_search("words")
    living = [folder_of(second), folder_of(open_again(tmp_path))]
    in_another_process(monkeypatch)
    third = HybridChroma("third", WordEmbeddings(8), client=client)
    third.similarity_search("words")
    end_of_sweep()
    for folder in (unknown, named, *living):
        assert folder.exists(), folder


def open_again(folder: Path) -> HybridChroma:
    store = open_store(folder)
    store.similarity_search("words")
    return store


def test_making_a_retriever_makes_no_folder(tmp_path):
    chroma = Chroma("documents", WordEmbeddings(8), str(tmp_path))
    ChromaHybridRetriever(vectorstore=chroma)
    ChromaHybridRetriever.from_vectorstore(chroma, backfill="background")
    assert not (tmp_path / "lexical").exists()
    chroma._client.close()
