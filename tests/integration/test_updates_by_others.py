"""What other clients of a server write is seen when docs/durability.md says so."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import chromadb
import numpy as np
import pytest
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.utils.embedding_functions import register_embedding_function
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.engine.chroma.announced import PREFIX
from langchain_chroma_hybrid.engine.chroma.change_token import TokenReading
from langchain_chroma_hybrid.engine.sync import announcements, watch
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import CORPUS, COSINE, MODES, documents, fresh_name, ids_of
from tests.integration.proxy import proxy_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cache")

PUMP = [0.1] * 64


def make(port: int, name: str, **options: Any) -> HybridChroma:
    return HybridChroma(
        name,
        WordEmbeddings(),
        host="127.0.0.1",
        port=port,
        collection_configuration=COSINE,
        **options,
    )


def filled(port: int, **options: Any) -> HybridChroma:
    store = make(port, fresh_name() + "-others", **options)
    store.add_documents(documents())
    assert store.similarity_search("pump")
    return store


def raw(port: int, store: HybridChroma) -> chromadb.Collection:
    """The same collection through another client, which knows nothing of us."""
    return chromadb.HttpClient("127.0.0.1", port).get_collection(store._collection.name)


def ask(store: Chroma, query: str, **options: Any) -> list[str | None]:
    return ids_of(store.similarity_search(query, k=10, **options))


# Anybody writes


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_a_filter_is_true_of_what_others_have_changed_at_once(port: int, mode: str):
    store = filled(port, check_rate=0)
    other = raw(port, store)
    other.update(ids=["pump"], metadatas=[{"tenant": "z"}])
    found = {"k": 8, "mode": mode, "filter": {"tenant": "z"}}
    assert ids_of(store.similarity_search("water", **found)) == ["pump"]
    assert ids_of(asyncio.run(store.asimilarity_search("water", **found))) == ["pump"]
    assert ids_of(ChromaHybridRetriever(vectorstore=store).invoke("water", **found)) == ["pump"]
    assert "pump" not in ask(store, "pump", mode=mode, filter={"tenant": "a"})
    explained = store.explain("water", **found)
    assert {leg.name: leg.filtered_by for leg in explained.legs}["vector"] == "chroma"


@pytest.mark.parametrize("mode", MODES)
def test_no_filter_lets_through_what_no_longer_passes(port: int, mode: str):
    store = filled(port, check_rate=0)
    raw(port, store).update(ids=["pump"], metadatas=[{"tenant": "z", "year": 1}])
    for where in ({"tenant": "a"}, {"year": {"$gte": 2000}}, {"tenant": {"$ne": "z"}}):
        assert "pump" not in ask(store, "Error R123-78 pump", mode=mode, filter=where)


def test_contents_are_compared_until_an_update_is_found(port: int):
    store = filled(port, check_rate=100_000)
    other = raw(port, store)
    assert ask(store, "zebra", mode="lexical") == []
    other.update(ids=["pump"], documents=["a zebra crossing"], embeddings=[PUMP])
    wait_until(lambda: ask(store, "zebra", mode="lexical") == ["pump"], 20)
    assert ask(store, "zebra", mode="lexical", filter={"tenant": "a"}) == ["pump"]
    # As many deleted as added: the count is the same.
    other.delete(ids=["pump"])
    other.add(ids=["okapi"], documents=["an okapi"], embeddings=[PUMP])
    wait_until(lambda: ask(store, "okapi", mode="lexical") == ["okapi"], 20)
    assert store.verify().ok
    store.delete_collection()


def test_a_page_is_asked_for_by_known_ids_and_at_the_rate(port: int):
    waits: list[float] = []
    with proxy_of(port) as proxy:
        store = filled(proxy.port, check_rate=4)
        check = store._index.half.check
        pages = list(check.pages())
        assert sorted(map(len, pages)) == [4, 4]
        proxy.forget()
        waits += [check.compare(page) for page in pages]
    assert waits == [1.0, 1.0]
    asked = [path.rsplit("/", 1)[1] for _, _, path in proxy.asked if "/get" in path]
    assert len(asked) >= 2


@pytest.mark.parametrize("options", [{"check_rate": 0}, {"sync": "manual"}, {"writers": "ours"}])
def test_it_can_be_turned_off(port: int, options: dict[str, Any]):
    store = filled(port, **options)
    assert store._index.half.check.stopped


def test_the_thread_ends_with_the_store(port: int):
    def checking() -> int:
        return sum(t.name == watch.THREAD for t in threading.enumerate())

    gc.collect()
    wait_until(lambda: checking() == 0)
    stores = [filled(port), filled(port)]
    assert checking() == 1, "one thread for all"
    stores[0].close()
    assert checking() == 1
    del stores[:]
    wait_until(lambda: checking() == 0)


def test_many_small_collections_ask_a_server_for_little(port: int):
    with proxy_of(port) as proxy:
        stores = [filled(proxy.port) for _ in range(8)]
        proxy.forget()
        began = time.monotonic()
        wait_until(lambda: len(proxy.asked) >= 2)
        time.sleep(1.0)
        asked, waited = len(proxy.asked), time.monotonic() - began
        assert asked <= waited / watch._PAUSE + 1
    assert len(stores) == 8


def test_a_vector_query_on_a_server_is_one_request(port: int):
    with proxy_of(port) as proxy:
        store = filled(proxy.port, check_rate=0, max_age=1000)
        for where in (None, {"tenant": "a"}):
            plain = Chroma(
                store._collection.name, WordEmbeddings(), host="127.0.0.1", port=proxy.port
            )
            expected = plain.similarity_search_with_score("pump", k=4, filter=where)
            proxy.forget()
            found = store.similarity_search_with_score("pump", k=4, filter=where, mode="vector")
            assert [path.rsplit("/", 1)[1] for _, _, path in proxy.asked] == ["query"]
            assert [(d.id, d.page_content, d.metadata) for d, _ in found] == [
                (d.id, d.page_content, d.metadata) for d, _ in expected
            ]


def test_opening_and_one_search_are_five_requests(port: int, monkeypatch):
    monkeypatch.setattr(watch._turns, "take", lambda _: None)  # in the background
    with proxy_of(port) as proxy:
        first = filled(proxy.port)
        name = first._collection.name
        first.close()
        client = chromadb.HttpClient("127.0.0.1", proxy.port)
        for mode in MODES:
            proxy.forget()
            store = HybridChroma(name, WordEmbeddings(), client=client)
            store.similarity_search("pump", mode=mode)
            assert len(proxy.asked) <= 5, (mode, proxy.asked)
            store.close()


def test_equally_many_deleted_and_added_while_nobody_was_here(port: int):
    store = filled(port, check_rate=100_000)
    other = raw(port, store)
    store.close()
    other.delete(ids=["pump"])
    other.add(ids=["okapi"], documents=["an okapi"], embeddings=[PUMP])
    again = make(port, other.name, check_rate=100_000)
    assert "pump" not in ask(again, "R123-78")
    wait_until(lambda: ask(again, "okapi", mode="lexical") == ["okapi"], 20)


def test_looking_when_it_is_opened_finds_them(port: int):
    store = filled(port)
    other = raw(port, store)
    store.close()
    other.delete(ids=["pump"])
    other.add(ids=["okapi"], documents=["an okapi"], embeddings=[PUMP])
    again = make(port, other.name, sync="on_open")
    assert ask(again, "okapi", mode="lexical") == ["okapi"]


# All writers use this library


def ours(port: int, name: str, folder: Path | None = None, **options: Any) -> HybridChroma:
    settings = {"writers": "ours", "max_age": 0.05, "lexical_directory": folder}
    return make(port, name, **{**settings, **options})


def changes(port: int, name: str, folder: Path | None) -> None:
    """Another worker: adds, updates, deletes, through our methods and through the object."""
    store = ours(port, name, folder)
    store.add_texts(["a zebra"], [{"tenant": "new"}], ["zebra"])
    store.update_documents(["pump"], [Document("a quagga", metadata={"tenant": "new"})])
    store.delete(["cat"])
    store._collection.update(ids=["bank"], metadatas=[{"tenant": "new"}])
    store.add_texts([f"many {n}" for n in range(300)], ids=[f"m{n}" for n in range(300)])


@pytest.mark.parametrize("shared", [True, False], ids=["one folder", "folders of their own"])
def test_workers_see_everything_that_others_write(port: int, tmp_path: Path, shared: bool):
    name = fresh_name() + "-ours"
    here, there = (None, None) if shared else (tmp_path / "here", tmp_path / "there")
    store = ours(port, name, here)
    store.add_documents(documents())
    assert ask(store, "pump", filter={"tenant": "a"})
    assert ended(started(changes, port, name, there)) == 0
    time.sleep(0.06)  # the maximum age
    for mode in MODES:
        query = "quagga zebra bank"
        found = ask(store, query, mode=mode, filter={"tenant": "new"})
        assert {"zebra", "pump", "bank"} >= set(found) >= {"zebra", "pump"}
        assert "cat" not in ask(store, "cat", mode=mode)
    assert ask(store, "quagga", mode="lexical") == ["pump"]
    assert len(store.similarity_search("many", k=400, mode="lexical")) == 300
    assert {leg.filtered_by for leg in store.explain("pump", filter={"tenant": "a"}).legs} <= {
        "lexical", "exact", "overfetch", "ids",
    }  # fmt: skip
    assert store.verify().ok
    store.delete_collection()


def test_after_a_restart_only_the_difference_is_read(port: int, tmp_path: Path):
    name = fresh_name() + "-restart"
    store = ours(port, name, tmp_path / "here")
    store.add_documents(documents())
    assert ask(store, "pump")
    store.close()
    assert ended(started(changes, port, name, tmp_path / "there")) == 0
    with proxy_of(port) as proxy:
        again = ours(proxy.port, name, tmp_path / "here")
        assert ask(again, "quagga", mode="lexical") == ["pump"]
        assert "cat" not in ask(again, "cat")
        assert again.verify().ok
        again.close()


def begins_and_dies(port: int, name: str, folder: Path) -> None:
    """Killed after Chroma has the records, before anybody else was told so."""
    store = ours(port, name, folder)
    assert store.similarity_search("pump")

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    announcements.Announcements.end = die  # type: ignore[method-assign]
    store.update_documents(["pump"], [Document("a quagga")])


def test_what_a_killed_worker_had_begun_is_looked_at(port: int, tmp_path: Path):
    name = fresh_name() + "-killed"
    store = ours(port, name, tmp_path / "here")
    store.add_documents(documents())
    assert ask(store, "pump")
    assert ended(started(begins_and_dies, port, name, tmp_path / "there")) != 0
    time.sleep(0.06)
    assert ask(store, "quagga", mode="lexical") == ["pump"]


@pytest.mark.long
def test_writers_at_one_time_lose_nothing(port: int, tmp_path: Path):
    """Counters that clients increment kept 41 of 120."""
    name = fresh_name() + "-many"
    reader = ours(port, name, tmp_path / "reader")
    assert ask(reader, "word") == []
    writers = [started(writes, port, name, tmp_path / f"w{n}", n) for n in range(2)]
    while any(writer.is_alive() for writer in writers):
        ask(reader, "word", mode="lexical")
    assert [ended(writer) for writer in writers] == [0, 0]
    time.sleep(0.06)
    assert len(reader.similarity_search("word", k=100, mode="lexical")) == 30
    assert len(reader.similarity_search("changed", k=100, mode="lexical")) == 30
    assert reader.verify().ok


def writes(port: int, name: str, folder: Path, number: int) -> None:
    store = ours(port, name, folder)
    for n in range(15):
        store.add_texts(["word"], ids=[f"{number}-{n}"])
        store.update_documents([f"{number}-{n}"], [Document("word changed")])


def test_the_telling_collection_exists_only_where_it_is_needed(port: int):
    client = chromadb.HttpClient("127.0.0.1", port)

    def there(store: HybridChroma) -> bool:
        names = [collection.name for collection in client.list_collections()]
        return PREFIX + str(store._collection.id) in names

    plain = filled(port)
    assert not there(plain)
    store = ours(port, fresh_name() + "-telling")
    assert ask(store, "pump") == []
    assert not there(store), "who only reads makes nothing"
    store.add_documents(documents())
    assert there(store)
    place = PREFIX + str(store._collection.id)
    told = client.get_collection(place).get(include=["metadatas", "documents"])
    assert len(told["ids"]) == 1
    store.reset_collection()
    assert place not in [collection.name for collection in client.list_collections()]
    store.add_documents(documents())
    place = PREFIX + str(store._collection.id)
    store.delete_collection()
    assert place not in [collection.name for collection in client.list_collections()]


def test_who_was_away_for_long_compares_everything(port: int, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(announcements, "_MOST_IDS", 3)
    name = fresh_name() + "-away"
    one, other = (ours(port, name, tmp_path / who) for who in ("one", "other"))
    one.add_documents(documents())
    assert ask(other, "pump")
    # Two handles of one process share a half: the other one is another process' in effect.
    assert one._index.half is other._index.half
    raw(port, one).update(ids=["pump"], documents=["a quagga"], embeddings=[PUMP])
    tell = announcements.Announcements()
    for n in range(6):
        tell.begin(one._index.store, n, [f"id{n}"])
        tell.end(one._index.store, n)
    time.sleep(0.06)
    assert ask(other, "quagga", mode="lexical") == ["pump"]


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"last": 3}', "[" * 100_000])
def test_what_cannot_be_read_of_others_means_everything(port: int, content: str):
    store = ours(port, fresh_name() + "-garbled")
    store.add_documents(documents())
    assert ask(store, "pump")
    raw(port, store).update(ids=["pump"], documents=["a quagga"], embeddings=[PUMP])
    told = {"token": "token", "busy": False, "at": 0.0, "content": content}
    store._index.store.announced.put("stranger", told)
    time.sleep(0.06)
    assert ask(store, "quagga", mode="lexical") == ["pump"]


class Evil(EmbeddingFunction[Documents]):
    """An embedding function that says when it is built."""

    built: ClassVar[list[object]] = []

    def __init__(self) -> None:
        self.built.append(self)

    def __call__(self, input: Documents) -> Embeddings:  # Chroma's name
        return [np.ones(1, dtype=np.float32) for _ in input]

    @staticmethod
    def name() -> str:
        return "evil"

    def get_config(self) -> dict[str, Any]:
        return {}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Evil:
        return Evil()


def test_the_telling_collection_of_a_stranger_runs_nothing(port: int):
    register_embedding_function(Evil)
    store = ours(port, fresh_name() + "-evil")
    place = PREFIX + str(store._collection.id)
    chromadb.HttpClient("127.0.0.1", port).create_collection(place, embedding_function=Evil())
    Evil.built.clear()
    store.add_documents(documents())
    assert ask(store, "pump")
    store.delete(["pump"])
    assert not Evil.built


def test_one_setting_for_all_in_a_process(port: int):
    store = filled(port)
    other = make(port, store._collection.name, writers="ours")
    with pytest.raises(InvalidArgumentError, match="writers: expected 'any'"):
        other.similarity_search("pump")
    chroma = Chroma(store._collection.name, WordEmbeddings(), host="127.0.0.1", port=port)
    assert ChromaHybridRetriever.from_vectorstore(chroma).invoke("pump")
    with pytest.raises(InvalidArgumentError, match="writers: expected 'any'"):
        ChromaHybridRetriever.from_vectorstore(chroma, writers="ours").invoke("pump")


def test_a_build_that_was_stopped_takes_nothing_old_in(port: int, tmp_path: Path, monkeypatch):
    name = fresh_name() + "-stopped"
    store = ours(port, name, tmp_path / "here")
    store.add_documents(documents())
    assert ask(store, "pump")
    index = store._index
    index.half._checkpoint.set(ready=False, reading=TokenReading())  # as when a build was stopped
    store.close()
    assert ended(started(changes, port, name, tmp_path / "there")) == 0
    again = ours(port, name, tmp_path / "here")
    assert ask(again, "quagga", mode="lexical") == ["pump"]
    assert again.verify().ok


def test_what_was_forgotten_meanwhile_means_everything(port: int, tmp_path: Path, monkeypatch):
    name = fresh_name() + "-forgotten"
    reader = ours(port, name, tmp_path / "reader")
    reader.add_documents(documents())
    assert ask(reader, "pump")
    reader.close()
    assert ended(started(changes, port, name, tmp_path / "first")) == 0
    monkeypatch.setattr(announcements, "_FORGOTTEN_AFTER", -10.0)
    writer = ours(port, name, tmp_path / "second")
    writer.add_texts(["words"], ids=["words"])
    writer.close()
    again = ours(port, name, tmp_path / "reader")
    assert ask(again, "quagga", mode="lexical") == ["pump"]


def test_a_late_writer_brings_nothing_back(port: int):
    store = ours(port, fresh_name() + "-late")
    store.add_documents(documents())
    place = PREFIX + str(store._collection.id)
    client = chromadb.HttpClient("127.0.0.1", port)
    client.delete_collection(place)
    client.delete_collection(store._collection.name)
    with pytest.raises(CollectionError):
        store.add_texts(["words"])
    assert place not in [collection.name for collection in client.list_collections()]


# What a proxy lets through


@pytest.mark.parametrize("refused", [("get", "count"), ("get",), ("count",)], ids=str)
@pytest.mark.parametrize("writers", ["any", "ours"])
def test_only_queries_are_let_through(port: int, writers: str, refused: tuple[str, ...]):
    with proxy_of(port) as proxy:
        store = filled(proxy.port, max_age=0, writers=writers)
        expected = ask(store, "Error R123-78", mode="vector")
        proxy.forbids = lambda _, path: path.split("?")[0].rsplit("/", 1)[1] in refused
        with pytest.raises(Exception, match="refused by the proxy"):
            ask(store, "Error R123-78")
        result = store.explain("Error R123-78", k=10, on_leg_error="degrade")
        assert [hit.id for hit in result.hits] == expected
        assert result.notes[0].startswith("vectors only: ")
        where = {"k": 8, "filter": {"tenant": "b"}, "on_leg_error": "degrade"}
        assert set(ids_of(store.similarity_search("pump", **where))) == {"valve", "water"}
        found = asyncio.run(store.asimilarity_search("pump", **where))
        assert set(ids_of(found)) == {"valve", "water"}


@pytest.mark.parametrize(
    "bad",
    [{"writers": "theirs"}, {"writers": None}, {"check_rate": -1}, {"check_rate": "fast"},
     {"max_age": "x"}, {"max_age": -1}, {"max_age": float("nan")}, {"progress": 3}],
    ids=str,
)  # fmt: skip
def test_bad_settings_are_named(bad: dict[str, Any]):
    name = next(iter(bad))
    with pytest.raises(InvalidArgumentError, match=f"^{name}: expected"):
        HybridChroma("docs", WordEmbeddings(), **bad)
    chroma = Chroma(fresh_name(), WordEmbeddings())
    with pytest.raises(InvalidArgumentError, match=f"^{name}: expected"):
        ChromaHybridRetriever.from_vectorstore(chroma, **bad)


# Cancelling


async def test_cancelling_stops_the_waiting_at_once(port: int):
    with proxy_of(port, delay=1.5) as proxy:
        store = await asyncio.to_thread(partial(filled, proxy.port, check_rate=0))
        proxy.slow = lambda path: path.endswith("/query")
        proxy.forget()
        slow = asyncio.ensure_future(store.asimilarity_search("pump", mode="vector"))
        while not [path for _, _, path in proxy.asked if path.endswith("/query")]:
            await asyncio.sleep(0.01)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        # Its request is still on its way; no further one follows, and nobody waits behind it.
        assert ids_of(await store.asimilarity_search("R123-78", k=1, mode="lexical")) == ["pump"]
        seen = len(proxy.asked)
        await asyncio.sleep(1.8)
        assert len(proxy.asked) == seen
    assert len(CORPUS) == 8
