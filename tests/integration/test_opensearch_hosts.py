"""Hosts over one Chroma server and one OpenSearch, one of which dies or stands still."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import HybridChroma, OpenSearchIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import IndexLockedError
from langchain_chroma_hybrid.lexical.journal import LeasedJournal
from langchain_chroma_hybrid.lexical.opensearch import writing
from langchain_chroma_hybrid.lexical.protocol import Journaled
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import fresh_name, ids_of
from tests.opensearch import any_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., OpenSearchIndex]

N = 20
HALF_WRITTEN = "half of a bulk write"
CHANGED = [f"id{n}" for n in range(8)]


def die_at(step: str, now: str) -> None:
    if now == step:
        os.kill(os.getpid(), signal.SIGKILL)


def write_and_die(
    port: int, collection: str, place: tuple[str, str], cache: str, step: str
) -> None:
    """A host that is killed in the middle of an update."""
    os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = cache
    url, name = place
    lexical = OpenSearchIndex(url, prefix="lch-tests", name=name, lease=1.0)
    client = chromadb.HttpClient("127.0.0.1", port)
    store = HybridChroma(collection, WordEmbeddings(8), client=client, lexical=lexical)
    store.similarity_search("valve", k=1)
    failpoints.watcher = partial(die_at, step)
    if step == HALF_WRITTEN:
        send, writing._PART = writing._send, 1  # each operation is a part of its own
        sent: list[Any] = []

        def half(*args: Any) -> None:
            die_at(step, step if len(sent) == len(CHANGED) // 2 else "")
            sent.append(send(*args))

        writing._send = half
    store.add_texts([f"an okapi {n}" for n in range(len(CHANGED))], ids=CHANGED)
    store.similarity_search("okapi", k=1)


@pytest.mark.long
@pytest.mark.parametrize("step", ["chroma written", HALF_WRITTEN, "index applied"])
def test_the_other_host_finishes_what_a_killed_one_began(
    port: int, tmp_path: Path, cache: Path, make_opensearch: Make, step: str
):
    """An update, of which no count tells; the killed one may have had the lock."""
    name, lexical = fresh_name(), make_opensearch("OpenSearch", lease=1.0)
    client = chromadb.HttpClient("127.0.0.1", port)
    options: dict[str, Any] = {"client": client, "lexical": lexical, "check_rate": 0}
    with HybridChroma(name, WordEmbeddings(8), **options) as store:
        store.add_texts([f"valve {n}" for n in range(N)], ids=[f"id{n}" for n in range(N)])
        assert store.similarity_search("okapi", mode="lexical") == []
        place = (any_url("OpenSearch"), lexical.name)
        other = str(tmp_path / "another cache")
        killed = started(write_and_die, port, name, place, other, step)
        assert ended(killed) == -signal.SIGKILL
        assert store._collection.get("id0")["documents"] == ["an okapi 0"]
        indexed = {"chroma written": 0, HALF_WRITTEN: 4, "index applied": 8}[step]
        lexical._cluster.request("POST", f"/lch-tests.{lexical.name}/_refresh")
        assert len(lexical.search("okapi", N)) == indexed
        assert len(lexical._side.documents(["intention"])) == 1
        search = partial(store.similarity_search, mode="lexical", k=N)
        wait_until(lambda: {*ids_of(search("okapi"))} == {*CHANGED})
        wait_until(lambda: search("valve") and not lexical._side.documents(["intention"]))
        assert len(search("valve")) == N - len(CHANGED)
        assert store.verify().ok


def test_what_a_host_that_stands_still_has_begun_is_finished(
    make_opensearch: Make, monkeypatch: pytest.MonkeyPatch
):
    """Its lease runs out; when it goes on, what it has under way is its own again."""
    index = make_opensearch("OpenSearch", lease=0.3)
    assert isinstance(index, Journaled)
    writer, other = index.journal(), make_opensearch("OpenSearch", index.name).journal()
    with monkeypatch.context() as still:
        still.setattr(LeasedJournal, "renew", lambda _: None)
        writer.begin(["a", "b\0\ud800"])
        with other.take_over() as left:
            assert (left.ids, left.put_off) == (frozenset(), {"a", "b\0\ud800"})

        def taken() -> bool:
            with other.take_over() as left:
                return left.ids == {"a", "b\0\ud800"}

        wait_until(taken)
        with other.take_over() as left:
            assert (left.ids, left.living) == (frozenset(), False)
    writer.renew()
    with other.take_over() as left:
        assert (left.ids, left.put_off) == (frozenset(), {"a", "b\0\ud800"})
    writer.close()


def test_the_lock_of_a_host_that_stands_still_goes_to_the_next(make_opensearch: Make):
    index = make_opensearch("OpenSearch", lease=0.3)
    other = make_opensearch("OpenSearch", index.name, lease=0.3)
    update = index._side.update

    def stand_still() -> None:
        with index.locked():
            index._side.update = lambda _: index._side.info()  # it renews nothing
            with pytest.raises(IndexLockedError, match="another writer kept"):
                make_opensearch("OpenSearch", index.name, lock_timeout=0.0).apply([], ["a"])
            other.apply([Record("a", "a pump")])
            index._side.update = update
            index.apply([Record("a", "late"), Record("b", "late")])

    with pytest.raises(IndexLockedError, match="took the lock"):
        stand_still()
    assert [hit.id for hit in index.search("pump", 5)] == ["a"]
    assert index.count() == 1
