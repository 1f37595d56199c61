"""The first build of an index: at once, aside or on demand; resumed, and complete."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import (
    ChromaHybridRetriever,
    HybridChroma,
    RankBM25Index,
    TantivyIndex,
)
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.sync import reconcile
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.durability.workers import NAME, kill_myself, numbered, open_store
from tests.helpers import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 60


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "PAGE", 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection that was written without us."""
    chroma = Chroma(NAME, WordEmbeddings(8), str(tmp_path / "db"))
    texts = [f"words of number {n}" for n in range(MANY)]
    chroma.add_texts(texts, [{"n": n} for n in range(MANY)], numbered(range(MANY)))
    chroma._client.close()
    return tmp_path / "db"


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    stores: list[HybridChroma] = []

    def opener(**options: Any) -> HybridChroma:
        stores.append(open_store(folder, **options))
        return stores[-1]

    yield opener
    for store in stores:
        close(store)


def close(store: HybridChroma) -> None:
    store._index.close()
    store._client.close()


def query(store: HybridChroma, text: str = "number", **options: Any) -> Any:
    return store._index.search(SearchRequest(text, **{"k": 3, **options}))


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids whose records are read from Chroma from now on."""
    read: list[str] = []
    original = ChromaStore.fetch

    def fetch(self: ChromaStore, ids: Any, *more: Any, **options: Any) -> Any:
        listed = list(ids)
        read.extend(listed)
        return original(self, listed, *more, **options)

    monkeypatch.setattr(ChromaStore, "fetch", fetch)
    return read


def test_at_once(opened, capsys):
    told: list[tuple[int, int]] = []
    store = opened(progress=lambda done, total: told.append((done, total)))
    result = query(store, mode="lexical")
    assert len(result.hits) == 3
    assert result.notes == ()
    assert store._index.lexical.count() == MANY
    assert told == [(n, MANY) for n in range(0, MANY + 1, 10)]
    assert capsys.readouterr() == ("", "")


def test_a_later_open_reads_nothing_again(opened, folder, monkeypatch):
    store = opened()
    query(store)
    close(store)
    read, scans = count_reads(monkeypatch), []
    original = ChromaStore.ids
    monkeypatch.setattr(ChromaStore, "ids", lambda self: scans.append(1) or original(self))
    store = opened()
    assert len(query(store, mode="lexical").hits) == 3
    assert len(read) == 3
    assert scans == []


def change_offline(folder: Path) -> None:
    """Delete one record and add another: the count stays the same."""
    chroma = Chroma(NAME, WordEmbeddings(8), str(folder))
    chroma.delete(["id1"])
    chroma.add_texts(["brand new words"], ids=["new"])


def test_an_offline_change_of_equal_count_is_found_by_comparing_ids(opened, folder, monkeypatch):
    store = opened()
    query(store)
    close(store)
    assert ended(started(change_offline, folder)) == 0
    read = count_reads(monkeypatch)
    store = opened()
    assert ids_of(store.similarity_search("brand", mode="lexical")) == ["new"]
    assert set(read) == {"id1", "new"}
    assert store.verify().ok


def test_with_manual_sync_an_open_looks_at_nothing(opened, folder):
    store = opened()
    query(store)
    close(store)
    assert ended(started(change_offline, folder)) == 0
    for _ in range(2):
        store = opened(sync="manual")
        assert not store.similarity_search("brand", mode="lexical")
        close(store)
    store = opened(sync="manual")
    report = store.sync()
    assert (report.added, report.removed) == (1, 1)
    assert ids_of(store.similarity_search("brand", mode="lexical")) == ["new"]


def test_what_manual_sync_left_is_found_by_whoever_looks(opened, folder):
    store = opened()
    query(store)
    close(store)
    assert ended(started(change_offline, folder)) == 0
    store = opened(sync="manual")
    query(store)
    close(store)
    assert ids_of(opened().similarity_search("brand", mode="lexical")) == ["new"]


@pytest.mark.parametrize("kind", [RankBM25Index, TantivyIndex])
def test_an_index_of_ones_own(opened, folder, tmp_path, kind):
    index = kind() if kind is RankBM25Index else kind(tmp_path / "own")
    store = opened(lexical=index)
    assert len(store.similarity_search("number", mode="lexical")) == 4
    assert store.rebuild().added == MANY
    store.add_texts(["fresh words"], ids=["fresh"])
    close(store)
    store = opened(lexical=index)
    assert ids_of(store.similarity_search("fresh", mode="lexical")) == ["fresh"]
    assert store.verify().ok
    assert index.count() == MANY + 1


def test_without_the_note_content_is_compared_too(opened, folder):
    store = opened()
    query(store)
    close(store)
    (state,) = folder.rglob("state.json")
    for damage in ("", "{", '{"format": 99}', "[]"):
        state.write_text(damage)
        chroma = Chroma(NAME, WordEmbeddings(8), str(folder))
        chroma.update_documents(["id1"], [chroma.get_by_ids(["id2"])[0]])
        chroma._client.close()
        store = opened()
        query(store)
        assert store.verify().ok
        close(store)


def test_on_demand(opened):
    store = opened(backfill="manual")
    retriever = ChromaHybridRetriever(vectorstore=store, explain=True, filter={"n": {"$lt": 5}})
    (first, *_) = retriever.invoke("number 3")
    assert "sync()" in first.metadata["chroma_hybrid_explanation"]["notes"][0]
    for mode in ("hybrid", "lexical", "two_step", "vector"):
        result = query(store, mode=mode, where={"n": {"$gte": 50}})
        assert {hit.record.metadata["n"] >= 50 for hit in result.hits} == {True}
        assert [leg.name for leg in result.legs] == ["vector"]
        assert result.notes
    assert store._index.lexical.count() == 0
    assert store.sync().added == MANY
    result = query(store)
    assert result.notes == ()
    assert [leg.name for leg in result.legs] == ["lexical", "vector"]


def test_own_writes_before_it_is_built(opened):
    store = opened(backfill="manual")
    store.add_texts(["fresh words"], ids=["fresh"])
    assert query(store).notes
    store.sync()
    assert store._index.lexical.count() == MANY + 1


class Gate:
    """Holds a build at its first page."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, done: int, total: int) -> None:
        del total
        if done == 10:
            self.reached.set()
            assert self.opened.wait(30)


def test_aside(opened):
    gate = Gate()
    store = opened(backfill="background", progress=gate)
    assert "being built" in query(store).notes[0]
    assert gate.reached.wait(30)
    result = query(store)
    assert [leg.name for leg in result.legs] == ["vector"]
    store.add_texts(["written meanwhile"], ids=["meanwhile"])
    gate.opened.set()
    wait_until(lambda: not query(store).notes)
    assert ids_of(store.similarity_search("meanwhile", mode="lexical")) == ["meanwhile"]
    assert store.verify().ok


def test_closing_stops_a_build(opened, folder):
    gate = Gate()
    store = opened(backfill="background", progress=gate)
    query(store)
    assert gate.reached.wait(30)
    closing = threading.Thread(target=close, args=(store,))
    closing.start()
    gate.opened.set()
    closing.join(30)
    assert not closing.is_alive()
    store = opened()
    assert not query(store).notes
    assert store.verify().ok


def test_a_build_aside_that_fails_is_told_to_every_query(opened, monkeypatch):
    store = opened(backfill="background")
    with monkeypatch.context() as patch:

        def broken(*_: Any, **__: Any) -> None:
            raise LexicalIndexError("no space")

        patch.setattr(store._index.lexical, "apply", broken)
        wait_until(lambda: "no space" in query(store).notes[0])
    assert store.sync().added == MANY
    assert query(store).notes == ()


def build_until(folder: Path, pages: int) -> None:
    reconcile.PAGE = 10

    def progress(done: int, _total: int) -> None:
        if done == pages * 10:
            kill_myself()

    open_store(folder, progress=progress).similarity_search("words")


def test_a_killed_build_goes_on_where_it_was(opened, folder, monkeypatch):
    assert ended(started(build_until, folder, 4)) != 0
    read = count_reads(monkeypatch)
    store = opened()
    query(store, mode="lexical")
    # Four pages were committed; the three records are the query's own.
    assert len(read) == MANY - 40 + 3
    assert store.verify().ok


def test_with_a_concurrent_writer(opened, monkeypatch):
    """Paging by offset misses records when others are deleted meanwhile."""
    store = opened()
    other = Chroma(NAME, WordEmbeddings(8), client=store._client)
    original, scans = ChromaStore.ids, []

    def ids(self: ChromaStore) -> set[str]:
        found = original(self)
        if not scans:
            # As if these had slipped between two pages of the first scan.
            found -= set(numbered(range(20, 30)))
            other.delete(numbered(range(5)))
            other.add_texts([f"late {n}" for n in range(5)], ids=[f"late{n}" for n in range(5)])
        scans.append(len(found))
        return found

    monkeypatch.setattr(ChromaStore, "ids", ids)
    query(store)
    assert len(scans) >= 2
    assert set(store._index.lexical.ids()) == set(store.get()["ids"])
    assert store.verify().ok


def write_on(folder: Path) -> None:
    chroma = Chroma(NAME, WordEmbeddings(8), str(folder))
    for n in range(10_000):
        chroma.add_texts([f"stranger {n}"], ids=[f"stranger{n}"])
        if n % 2:
            chroma.delete([f"stranger{n - 1}"])


def test_while_another_process_writes(opened, folder):
    process = started(write_on, folder)
    try:
        store = opened(max_age=0)
        wait_until(lambda: any(id_.startswith("stranger") for id_ in store.get()["ids"]))
        query(store)
    finally:
        process.kill()
        ended(process)

    def in_step() -> bool:
        query(store)
        return store.verify().ok

    # What Chroma had not finished when its process was killed may appear a query later.
    wait_until(in_step, 10)


@pytest.mark.parametrize(
    ("option", "value"), [("backfill", "later"), ("sync", "never"), ("max_age", -1)]
)
def test_policies_that_do_not_exist(folder, option, value):
    with pytest.raises(InvalidArgumentError, match=option):
        open_store(folder, **{option: value})


def test_an_empty_collection_needs_no_build(tmp_path):
    store = open_store(tmp_path, backfill="manual")
    assert query(store).notes == (f"the collection {store._collection_name!r} is empty",)
    store.add_texts(["first words"], ids=["first"])
    assert ids_of(store.similarity_search("first", mode="lexical")) == ["first"]
    close(store)
