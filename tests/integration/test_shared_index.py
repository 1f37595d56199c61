"""Hosts over one Chroma server and one lexical index that all of them reach."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import HybridChroma, TantivyIndex
from langchain_chroma_hybrid.engine.sync import failpoints, watch
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import fresh_name, ids_of
from tests.unit.test_round_trips import Far

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDS = 3_000


class Elsewhere(TantivyIndex):
    """Has no folder for its users, and keeps their journals itself, as a server would."""

    folder = None  # type: ignore[assignment]

    def journal(self) -> WriteAheadLog:
        """Within its own folder."""
        return WriteAheadLog(Path(str(self.path)) / "notes")


@pytest.fixture
def host(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., HybridChroma]]:
    """Opens the collection as a host does that has never seen it: with a cache of its own."""
    name, opened = fresh_name(), []

    def build(kind: type[TantivyIndex] = TantivyIndex, **options: Any) -> HybridChroma:
        for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
            monkeypatch.setenv(variable, str(tmp_path / f"cache{len(opened)}"))
        client = chromadb.HttpClient("127.0.0.1", port)
        index = kind(tmp_path / "shared")
        store = HybridChroma(name, WordEmbeddings(8), client=client, lexical=index, **options)
        opened.append(store)
        return opened[-1]

    yield build
    for store in opened:
        store.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each call of `get` brought; the check of contents goes on all the time."""
    counts: list[int] = []
    get = chromadb.Collection.get

    def counted(self: chromadb.Collection, *args: Any, **options: Any) -> Any:
        found = get(self, *args, **options)
        if threading.current_thread().name != watch.THREAD:
            counts.append(len(found["ids"]))
        return found

    monkeypatch.setattr(chromadb.Collection, "get", counted)
    return counts


@pytest.fixture
def filled(host: Callable[..., HybridChroma]) -> Callable[..., HybridChroma]:
    """The same after one host has written everything and gone."""
    with host() as store:
        numbers = range(RECORDS)
        texts = [f"record {n} of the {'pump' if n == 7 else 'valve'}" for n in numbers]
        store.add_texts(texts, [{"n": n} for n in numbers], [f"id{n}" for n in numbers])
        assert ids_of(store.similarity_search("pump", k=1)) == ["id7"]
    return host


def test_a_new_host_reads_next_to_nothing(filled: Callable[..., HybridChroma], read: list[int]):
    with filled() as store:
        assert ids_of(store.similarity_search("pump", k=1, mode="lexical")) == ["id7"]
        assert ids_of(store.similarity_search("pump", k=1)) == ["id7"]
        assert sum(read) <= 10
        assert store.verify().ok
        assert sum(read) > RECORDS, "the test counts"


def test_it_finds_what_others_did_while_no_host_ran(
    filled: Callable[..., HybridChroma], port: int
):
    """Adds and deletes at the first query; updates by the check of contents."""
    with filled() as store:
        name = store._collection.name
    collection = chromadb.HttpClient("127.0.0.1", port).get_collection(name)
    vector = WordEmbeddings(8).embed_query("zebra")
    collection.add("new", vector, {"n": -1}, "a zebra")
    collection.add("newer", vector, {"n": -2}, "a gnu")
    collection.delete(["id7"])
    collection.update("id8", vector, {"n": 8}, "an okapi")
    with filled(check_rate=100_000) as store:
        assert ids_of(store.similarity_search("zebra", k=1, mode="lexical")) == ["new"]
        assert ids_of(store.similarity_search("gnu", k=1, mode="lexical")) == ["newer"]
        assert store.similarity_search("pump", mode="lexical") == []
        wait_until(lambda: ids_of(store.similarity_search("okapi", mode="lexical")) == ["id8"])


def test_a_query_asks_an_index_elsewhere_once(port: int):
    """Whether the server holds as many records is compared with what its last answer said."""
    far, client = Far(), chromadb.HttpClient("127.0.0.1", port)
    # Without the check of contents, whose thread asks for itself.
    made = {"client": client, "lexical": far, "max_age": 0, "check_rate": 0}
    with HybridChroma(fresh_name(), WordEmbeddings(), **made) as store:
        store.add_texts(["a pump", "a valve"], ids=["pump", "valve"])
        store.similarity_search("pump")
        far.trips.clear()
        assert ids_of(store.similarity_search("pump", k=1)) == ["pump"]
        assert far.trips == ["search"]
        collection = client.get_collection(store._collection.name)
        collection.add("seal", WordEmbeddings().embed_query("seal"), documents="a seal")
        assert ids_of(store.similarity_search("seal", k=1, mode="lexical")) == ["seal"]


def write_and_die(
    port: int, name: str, folder: Path, step: str, kind: type[TantivyIndex]
) -> None:
    """A host with a cache of its own that is killed in the middle of an update."""
    os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = str(folder / "cache of the dead")
    client = chromadb.HttpClient("127.0.0.1", port)
    index = kind(folder / "shared")
    store = HybridChroma(name, WordEmbeddings(8), client=client, lexical=index)
    store.similarity_search("valve", k=1)
    failpoints.watcher = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None
    store.add_texts(["an okapi"], [{"n": 8}], ["id8"])


@pytest.mark.parametrize("kind", [TantivyIndex, Elsewhere])
@pytest.mark.parametrize("step", ["journal synced", "chroma written"])
def test_the_next_host_finishes_what_a_killed_one_began(
    filled: Callable[..., HybridChroma],
    port: int,
    tmp_path: Path,
    step: str,
    kind: type[TantivyIndex],
):
    """An update, of which neither a count nor a comparison of ids tells."""
    with filled(kind, check_rate=0) as store:
        assert store.similarity_search("okapi", mode="lexical") == []
        killed = started(write_and_die, port, store._collection.name, tmp_path, step, kind)
        assert ended(killed) == -signal.SIGKILL
        written = store._collection.get("id8")["documents"] == ["an okapi"]
        assert written == (step == "chroma written")
        if written:
            wait_until(lambda: ids_of(store.similarity_search("okapi", mode="lexical")) == ["id8"])
        assert store.verify().ok
        assert not list((tmp_path / "cache of the dead").rglob("*.jsonl"))
