"""`rebuild()` beside searches and writes, and everything follows a collection that is made anew."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, CollectionError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started
from tests.helpers import COSINE, MODES, filled, ids_of

if TYPE_CHECKING:
    from pathlib import Path


class Crowd:
    """Threads that do something over and over until told to stop, or until it fails."""

    def __init__(self) -> None:
        self.failed: list[BaseException] = []
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def does(self, work: Any, *args: Any) -> None:
        def repeat() -> None:
            try:
                while not self._over.is_set():
                    work(*args)
            except BaseException as error:  # noqa: BLE001  # told by the test
                self.failed.append(error)

        self._threads.append(threading.Thread(target=repeat))
        self._threads[-1].start()

    def ends(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("backfill", ["now", "background"])
def test_it_fails_nobody_who_searches_or_writes(folder: Path | None, backfill: str):
    store = filled(folder, backfill=backfill)
    retriever = ChromaHybridRetriever(vectorstore=store, k=1)
    assert store.sync()
    assert store.similarity_search("pump")

    def search(number: int) -> None:
        options: dict[str, Any] = {"mode": MODES[number % 4], "filter": {"tenant": "a"}, "k": 1}
        if number % 3:
            result = store.explain("Error R123-78", **options)
        else:
            result = asyncio.run(retriever.asearch("Error R123-78", **options))
        assert [hit.id for hit in result.hits] == ["pump"]
        assert not result.notes or backfill == "background"

    def write() -> None:
        name = f"new-{threading.get_ident()}-{time.monotonic_ns()}"
        store.add_texts(["a zebra crossing"], ids=[name])
        assert name in ids_of(store.similarity_search("zebra", k=10_000))
        store.delete([name])

    crowd = Crowd()
    for number in range(11):
        crowd.does(search, number)
    for _ in range(5):
        crowd.does(write)
    for _ in range(8):
        store.rebuild()
    crowd.ends()
    assert not crowd.failed
    assert store.verify().ok


def test_a_search_ends_while_others_rebuild_without_end():
    store = filled()
    crowd = Crowd()
    for _ in range(2):
        crowd.does(store.rebuild)
    for _ in range(3):
        assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]
    crowd.ends()
    assert not crowd.failed


def rebuild_often(folder: Path, name: str) -> None:
    store = HybridChroma(name, WordEmbeddings(), str(folder), collection_configuration=COSINE)
    for _ in range(8):
        store.rebuild()


def test_another_process_rebuilds(tmp_path: Path):
    store = filled(tmp_path)
    assert store.similarity_search("pump")
    other = started(rebuild_often, tmp_path, store._collection.name)
    while other.is_alive():
        assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]
        store.add_texts(["a zebra"], ids=["zebra"])
        assert "zebra" in ids_of(store.similarity_search("zebra"))
    assert ended(other) == 0
    assert store.verify().ok


def test_a_rebuild_with_other_settings(tmp_path: Path):
    one = filled(tmp_path)
    assert one.similarity_search("pump")
    other = HybridChroma(one._collection.name, WordEmbeddings(), str(tmp_path), analyzer=None)
    with pytest.raises(AnalyzerMismatchError):
        other.similarity_search("pump")
    other.rebuild()
    assert ids_of(other.similarity_search("pumps", mode="lexical")) == []
    with pytest.raises(AnalyzerMismatchError):
        one.similarity_search("pump")
    one.rebuild()
    assert ids_of(one.similarity_search("R123-78", k=1, mode="lexical")) == ["pump"]


def test_a_rebuild_that_fails_is_made_good_by_the_next_query(monkeypatch, tmp_path: Path):
    store = filled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(store._index.lexical, "apply", None)
        with pytest.raises(TypeError):
            store.rebuild()
    assert ids_of(store.similarity_search("R123-78", k=1, mode="lexical")) == ["pump"]
    assert store.verify().ok


# The collection is deleted and made anew under its name


def made_anew(store: Chroma) -> None:
    name = store._collection.name
    store._client.delete_collection(name)
    anew = Chroma(name, WordEmbeddings(), client=store._client)
    anew.add_texts(["a zebra crossing"], ids=["zebra"])


FOLLOWS = {
    "get": lambda s: s.get()["ids"],
    "get by id": lambda s: s.get(["zebra"])["ids"],
    "get_by_ids": lambda s: ids_of(s.get_by_ids(["zebra"])),
    "rebuild": lambda s: [s.rebuild().added] and s.get()["ids"],
    "sync": lambda s: s.sync() and s.get()["ids"],
    "verify": lambda s: s.verify(fix=True) and s.get()["ids"],
    "search": lambda s: ids_of(s.similarity_search("zebra")),
    "lexical": lambda s: ids_of(s.similarity_search("zebra", mode="lexical")),
    "by vector": lambda s: ids_of(s.similarity_search_by_vector([0.1] * 64)),
    "async": lambda s: ids_of(asyncio.run(s.asimilarity_search("zebra"))),
    "retriever": lambda s: ids_of(ChromaHybridRetriever(vectorstore=s).invoke("zebra")),
    "explain": lambda s: [hit.id for hit in s.explain("zebra").hits],
    "update": lambda s: s.update_documents(["zebra"], s.get_by_ids(["zebra"])) or s.get()["ids"],
    "delete": lambda s: s.delete(where={"no": "body"}) or s.get()["ids"],
    "add": lambda s: s.add_texts(["a zebra"], ids=["zebra"]),
    "async add": lambda s: asyncio.run(s.aadd_texts(["a zebra"], ids=["zebra"])),
}


@pytest.mark.parametrize("call", FOLLOWS.values(), ids=list(FOLLOWS))
def test_every_method_follows(folder: Path | None, call: Any):
    store = filled(folder)
    assert store.similarity_search("pump")
    made_anew(store)
    assert call(store) == ["zebra"]
    assert ids_of(store.similarity_search("zebra", mode="lexical")) == ["zebra"]
    assert store._collection.count() == 1
    assert store.verify().ok


def test_what_is_gone_for_good_is_said_to_be_gone(folder: Path | None):
    for call in FOLLOWS.values():
        store = filled(folder)
        assert store.similarity_search("pump")
        store._client.delete_collection(store._collection.name)
        with pytest.raises(CollectionError):
            call(store)


def test_deleting_follows_too(tmp_path: Path):
    store = filled(tmp_path)
    assert store.similarity_search("pump")
    made_anew(store)
    store.reset_collection()
    assert store.get()["ids"] == []
    made_anew(store)
    store.delete_collection()
    with pytest.raises(CollectionError):
        store.get()
    assert not store._client.list_collections()


def test_evaluating_follows():
    pytest.importorskip("ir_measures")
    from langchain_chroma_hybrid.evaluation import evaluate

    store = filled()
    assert store.similarity_search("pump")
    made_anew(store)
    found = evaluate(store, {"q": "zebra"}, {"q": {"zebra": 1}})
    assert {found.estimate(mode).mean for mode in found.values} == {1.0}
