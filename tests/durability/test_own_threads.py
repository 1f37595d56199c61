"""Threads of one process that delete and add while others search: no error, and no false alarm."""

from __future__ import annotations

import random
import threading

import pytest
from chromadb import Collection, PersistentClient
from chromadb.errors import InternalError

from tests.helpers import MODES, make_store

RECORDS, WRITES, READERS = 40, 100, 4


def fill(store, ids):
    store.add_texts([f"pump number {id_}" for id_ in ids], [{"tenant": "a"}] * len(ids), ids)


@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "memory"])
def test_a_search_beside_own_deletions(tmp_path, caplog, on_disk):
    store = make_store(tmp_path if on_disk else None)
    ids = [f"i{n}" for n in range(RECORDS)]
    fill(store, ids)
    over, wrong, answered = threading.Event(), [], []

    def search(seed):
        draw = random.Random(seed)  # noqa: S311  # reproducible, no secrets
        while not over.is_set() or len(answered) < READERS:
            where = draw.choice([None, {"tenant": "a"}])
            try:
                found = store.similarity_search("pump", k=9, mode=draw.choice(MODES), filter=where)
                store.similarity_search_with_vectors("pump", k=RECORDS)
                store.similarity_search_with_score("pump", k=9, mode="lexical")
            except Exception as error:  # noqa: BLE001  # shown below
                wrong.append(repr(error))
            else:
                answered.append(len(found))

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(READERS)]
    for thread in threads:
        thread.start()
    draw = random.Random(0)  # noqa: S311  # reproducible, no secrets
    for _ in range(WRITES):
        id_ = draw.choice(ids)
        store.delete([id_])
        fill(store, [id_])
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert set(answered) == {9}
    assert "another process" not in caplog.text
    assert store.verify().ok


@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "memory"])
@pytest.mark.parametrize("mode", MODES)
def test_vectors_that_are_lacking_for_a_moment(tmp_path, caplog, monkeypatch, on_disk, mode):
    """As when Chroma finds an id, and its vector has been deleted by then."""
    store = make_store(tmp_path if on_disk else None)
    fill(store, ["a", "b", "c"])
    expected = store.similarity_search_with_vectors("pump", k=3, mode=mode)
    fill(store, ["c"])  # what was read before is forgotten
    get, failed = Collection.get, []

    def once(self, *args, **options):
        if "embeddings" in options.get("include", ()) and not failed:
            failed.append(options["ids"])
            raise InternalError("Error executing plan: Internal error: Error finding id")
        return get(self, *args, **options)

    monkeypatch.setattr(Collection, "get", once)
    found = store.similarity_search_with_vectors("pump", k=3, mode=mode)
    assert [document for document, _ in found] == [document for document, _ in expected]
    assert failed
    assert "another process" not in caplog.text


@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "memory"])
@pytest.mark.parametrize("where", [None, {"tenant": "a"}], ids=["all", "filtered"])
@pytest.mark.parametrize("mode", MODES)
def test_what_a_query_finds_is_deleted_meanwhile(
    tmp_path, caplog, monkeypatch, on_disk, where, mode
):
    store = make_store(tmp_path if on_disk else None)
    fill(store, ["a", "b", "c"])
    expected = store.similarity_search_with_score("pump", k=3, mode=mode, filter=where)
    fill(store, ["c"])  # what was read before is forgotten
    query, failed = Collection.query, []

    def once(self, *args, **options):
        if not failed and "ids" not in options:
            failed.append(options)
            raise InternalError("Error executing plan: Internal error: Error finding id")
        return query(self, *args, **options)

    monkeypatch.setattr(Collection, "query", once)
    assert store.similarity_search_with_score("pump", k=3, mode=mode, filter=where) == expected
    assert "another process" not in caplog.text


def test_what_is_back_is_told_from_what_is_gone(tmp_path):
    """By the client that wrote it, and by another one that has written the same id anew."""
    store = make_store(tmp_path)
    fill(store, ["a", "b", "c"])
    reader = store._index.store.reader
    store.delete(["c"])
    assert reader.shows((), ["c"], ())
    fill(store, ["c"])
    assert reader.shows((), ["c"], ())
    # Chroma shares one path's memory between clients: another spelling is another process.
    other = PersistentClient(f"{tmp_path}/.").get_collection(store._collection_name)
    other.delete(["c"])
    assert not reader.shows((), ["c"], ())
    other.add(["c"], [[1.0] * 64])
    assert not reader.shows((), ["c"], ())
