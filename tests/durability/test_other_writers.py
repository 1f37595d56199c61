"""What others write straight to Chroma: when it is found, and that it always is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, TantivyIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.chroma import vector_reader
from langchain_chroma_hybrid.engine.chroma.change_token import opening
from langchain_chroma_hybrid.engine.chroma.second_client import SecondClient
from langchain_chroma_hybrid.errors import CollectionError, IndexLockedError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.durability.workers import NAME, open_store
from tests.helpers import documents, fresh_name, ids_of, plain_chroma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def wrapped(folder: Path | None) -> Iterator[Chroma]:
    chroma = plain_chroma(folder)
    yield chroma
    if folder:
        chroma._client.close()


def lexical(store: Chroma | ChromaHybridRetriever, text: str) -> list[str | None]:
    if isinstance(store, ChromaHybridRetriever):
        return ids_of(store.invoke(text, mode="lexical"))
    return ids_of(store.similarity_search(text, mode="lexical"))


def test_through_the_very_object_that_a_retriever_wraps(wrapped):
    retriever = ChromaHybridRetriever(vectorstore=wrapped)
    assert lexical(retriever, "zebra") == []
    wrapped.add_texts(["a zebra crossing"], ids=["zebra"])
    assert lexical(retriever, "zebra") == ["zebra"]
    wrapped.update_documents(["zebra"], [Document("a quagga crossing", metadata={"k": 0})])
    assert (lexical(retriever, "zebra"), lexical(retriever, "quagga")) == ([], ["zebra"])
    # One goes and another comes: the count stays the same.
    wrapped._collection.delete(where_document={"$contains": "quagga"})
    wrapped._collection.add("okapi", [0.1] * 64, {"k": 1}, "an okapi crossing")
    assert (lexical(retriever, "quagga"), lexical(retriever, "okapi")) == ([], ["okapi"])
    wrapped._collection.update(ids="okapi", metadatas={"k": 2})
    assert ids_of(retriever.invoke("okapi", mode="lexical", filter={"k": 2})) == ["okapi"]
    wrapped.delete(["okapi"])
    assert lexical(retriever, "okapi") == []
    assert retriever._handle.index().verify().ok


def test_a_watched_object_stays_what_it_was(wrapped):
    ChromaHybridRetriever(vectorstore=wrapped).invoke("pump")
    collection = wrapped._collection
    assert type(collection) is chromadb.Collection
    with pytest.raises(ValueError, match="At least one"):
        collection.delete()
    with pytest.raises(TypeError):
        collection.upsert(nonsense=1)
    assert collection.add.__doc__ == chromadb.Collection.add.__doc__
    wrapped.delete_collection()


def test_through_another_object_of_the_same_process(folder):
    chroma = plain_chroma(folder)
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, max_age=0)
    other = chroma._client.get_collection(chroma._collection.name)
    assert lexical(retriever, "zebra") == []
    other.add(ids=["zebra"], embeddings=[[0.1] * 64], documents=["a zebra"])
    assert lexical(retriever, "zebra") == ["zebra"]
    other.delete(ids=["zebra"])
    assert lexical(retriever, "zebra") == []
    # The index itself forgets it, not only the answer.
    assert "zebra" not in set(retriever._handle.index().lexical.ids())


def test_with_equal_count_on_disk(tmp_path):
    chroma = plain_chroma(tmp_path)
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, max_age=0)
    retriever.invoke("pump")
    other = chroma._client.get_collection(chroma._collection.name)
    other.delete(ids=["pump"])
    other.add(ids=["zebra"], embeddings=[[0.1] * 64], documents=["a zebra"])
    assert lexical(retriever, "zebra") == ["zebra"]
    assert retriever._handle.index().verify().ok


def test_a_retriever_that_comes_later_trusts_no_earlier_count(folder):
    chroma = plain_chroma(folder)
    first = ChromaHybridRetriever.from_vectorstore(chroma, max_age=3600)
    first.invoke("pump")
    second = Chroma(chroma._collection.name, WordEmbeddings(), client=chroma._client)
    second.add_texts(["a zebra"], ids=["zebra"])
    assert lexical(ChromaHybridRetriever(vectorstore=second), "zebra") == ["zebra"]


def test_maximum_age():
    chroma = plain_chroma()
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, max_age=3600)
    retriever.invoke("pump")
    other = chroma._client.get_collection(chroma._collection.name)
    other.add(ids=["zebra"], embeddings=[[0.1] * 64], documents=["a zebra"])
    assert lexical(retriever, "zebra") == []
    assert retriever._handle.index().sync().added == 1
    assert lexical(retriever, "zebra") == ["zebra"]


@pytest.mark.parametrize("policy", ["on_open", "manual"])
def test_policies_that_do_not_look(folder, policy):
    chroma = plain_chroma(folder)
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, sync=policy, max_age=0)
    retriever.invoke("pump")
    other = chroma._client.get_collection(chroma._collection.name)
    other.add(ids=["zebra"], embeddings=[[0.1] * 64], documents=["a zebra"])
    chroma.add_texts(["a quagga"], ids=["quagga"])
    assert lexical(retriever, "zebra") == []
    assert lexical(retriever, "quagga") == ["quagga"]
    retriever._handle.index().sync()
    assert lexical(retriever, "zebra") == ["zebra"]


def test_sync_finds_ids_and_deep_sync_content(folder):
    store = HybridChroma(
        fresh_name(), WordEmbeddings(), str(folder) if folder else None, sync="manual"
    )
    store.add_documents(documents())
    store.similarity_search("pump")
    other = store._client.get_collection(store._collection.name)
    other.update(ids=["cat"], documents=["A blue dog"], embeddings=[[0.1] * 64])
    other.update(ids=["river"], metadatas=[{"year": 1}])
    other.delete(ids=["bank"])
    other.add(ids=["new"], embeddings=[[0.1] * 64], documents=["A green bird"])
    found = store.verify()
    assert (found.missing, found.extra, sorted(found.stale)) == (
        ("new",), ("bank",), ["cat", "river"],
    )  # fmt: skip
    report = store.sync()
    assert (report.added, report.removed, report.updated) == (1, 1, 0)
    assert lexical(store, "bird") == ["new"]
    assert lexical(store, "blue dog") == []
    report = store.sync(deep=True)
    assert (report.added, report.removed, report.updated) == (0, 0, 2)
    assert lexical(store, "blue dog") == ["cat"]
    assert store.verify().ok


def test_verify_and_fix(folder):
    store = HybridChroma(
        fresh_name(), WordEmbeddings(), str(folder) if folder else None, sync="manual"
    )
    store.add_documents(documents())
    store.similarity_search("pump")
    index = store._index.lexical
    index.apply([Record("ghost", "a ghost"), Record("cat", "something else")], ["bank"])
    found = store.verify(fix=True)
    assert (found.missing, found.extra, found.stale) == (("bank",), ("ghost",), ("cat",))
    assert store.verify().ok
    assert lexical(store, "ghost") == []


def test_deleted_and_made_anew_under_the_same_name(folder):
    chroma = plain_chroma(folder)
    name, client = chroma._collection.name, chroma._client
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    store = HybridChroma(name, WordEmbeddings(), client=client)
    for mode in ("hybrid", "lexical", "vector", "two_step"):
        assert retriever.invoke("pump", mode=mode)
        client.delete_collection(name)
        anew = client.create_collection(name, configuration={"hnsw": {"space": "cosine"}})
        vector = WordEmbeddings().embed_query("a zebra")
        anew.add(ids=[f"zebra {mode}"], embeddings=[vector], documents=["a zebra"])
        assert ids_of(retriever.invoke("zebra", mode=mode)) == [f"zebra {mode}"]
        assert ids_of(store.similarity_search("zebra", mode=mode)) == [f"zebra {mode}"]
        store.add_texts(["a blocked pump"], ids=["pump"])
    assert len(store.get_by_ids(["pump"])) == 1


async def test_made_anew_is_noticed_by_asynchronous_methods(folder):
    chroma = plain_chroma(folder)
    name, client = chroma._collection.name, chroma._client
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    assert await retriever.ainvoke("pump")
    client.delete_collection(name)
    Chroma(name, WordEmbeddings(), client=client).add_texts(["a zebra"], ids=["zebra"])
    assert ids_of(await retriever.ainvoke("zebra")) == ["zebra"]


def test_deleted_and_not_made_anew(folder):
    chroma = plain_chroma(folder)
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    retriever.invoke("pump")
    chroma._client.delete_collection(chroma._collection.name)
    for mode in ("hybrid", "lexical", "vector"):
        with pytest.raises(CollectionError, match="gone"):
            retriever.invoke("pump", mode=mode)


# Other processes on one folder


def write_as_a_stranger(folder: Path, count: int) -> None:
    chroma = Chroma(NAME, WordEmbeddings(8), str(folder))
    chroma.delete(["mine1"])
    numbers = range(count)
    chroma.add_texts([f"stranger {n}" for n in numbers], ids=[f"stranger{n}" for n in numbers])


@pytest.mark.parametrize("count", [10, pytest.param(1500, marks=pytest.mark.long)])
@pytest.mark.parametrize("owner", ["store", "caller"])
def test_another_process_writes(tmp_path, caplog, count, owner):
    if owner == "store":
        store = open_store(tmp_path, max_age=0)
    else:
        client = chromadb.PersistentClient(str(tmp_path))
        store = HybridChroma(NAME, WordEmbeddings(8), client=client, max_age=0)
    store.add_texts([f"mine {n}" for n in range(20)], ids=[f"mine{n}" for n in range(20)])
    store.similarity_search("mine")
    assert ended(started(write_as_a_stranger, tmp_path, count)) == 0
    last = f"stranger {count - 1}"
    for mode in ("lexical", "vector", "two_step", "hybrid"):
        (best, *_) = store.similarity_search_with_score(last, k=1, mode=mode)
        assert best[0].id == last.replace(" ", "")
        assert best[1] == pytest.approx(0.0, abs=1e-5)
    # What the other one has deleted is gone from every leg.
    assert "mine1" not in ids_of(store.similarity_search("mine 1", k=100, mode="vector"))
    # Own writes are seen at once, and so is what the other writes next.
    store.add_texts(["mine again"], ids=["again"])
    assert ids_of(store.similarity_search("mine again", k=1, mode="vector")) == ["again"]
    assert store.verify().ok
    # The caller's client is as it was, and told about once.
    assert store._collection.count() == 20 + count
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
    assert "chroma run" in caplog.records[0].message
    store._index.close()
    store._client.close()


def write_as_a_peer(folder: Path) -> None:
    """Through this library, which leaves both halves in step."""
    store = open_store(folder)
    store.delete(["mine1"])
    store.update_document("mine2", Document("quite changed", metadata={"of": "peer"}))
    numbers = range(5)
    texts = [f"stranger {n}" for n in numbers]
    store.add_texts(texts, [{"of": "peer"}] * 5, [f"stranger{n}" for n in numbers])
    store._index.close()


def update_as_a_peer(folder: Path) -> None:
    store = open_store(folder)
    store.update_document("mine2", Document("quite changed", metadata={"of": "peer"}))
    store._index.close()


def test_another_process_updates_one_of_many(tmp_path):
    """So many that no query ranks all of them."""
    store = open_store(tmp_path)
    store.add_texts([f"mine {n}" for n in range(400)], ids=[f"mine{n}" for n in range(400)])
    store.similarity_search("mine")
    assert ended(started(update_as_a_peer, tmp_path)) == 0
    for mode in ("vector", "lexical"):
        assert ids_of(store.similarity_search("quite changed", k=1, mode=mode)) == ["mine2"]
    store.update_document("mine3", Document("otherwise altered", metadata={"of": "me"}))
    assert ids_of(store.similarity_search("otherwise altered", k=1, mode="vector")) == ["mine3"]
    store._index.close()
    store._client.close()


def stay_as_a_peer(folder: Path, written: Path, over: Path) -> None:
    store = open_store(folder)
    store.update_document("mine2", Document("quite changed", metadata={"of": "peer"}))
    store.add_texts(["stranger 3"], ids=["stranger3"])
    written.touch()
    wait_until(over.exists)


def test_another_process_writes_and_stays(tmp_path):
    """What it has put off, nobody else would bring in."""
    store = open_store(tmp_path / "data", max_age=0)
    store.add_texts([f"mine {n}" for n in range(400)], ids=[f"mine{n}" for n in range(400)])
    store.similarity_search("mine")
    written, over = tmp_path / "written", tmp_path / "over"
    peer = started(stay_as_a_peer, tmp_path / "data", written, over)
    wait_until(written.exists)
    try:
        for text, id_ in (("quite changed", "mine2"), ("stranger 3", "stranger3")):
            for mode in ("lexical", "vector", "two_step", "hybrid"):
                assert ids_of(store.similarity_search(text, k=1, mode=mode)) == [id_]
        opened = store._index.store.reader._shared.second
        store.similarity_search("mine 1")
        assert store._index.store.reader._shared.second is opened
    finally:
        over.touch()
        assert ended(peer) == 0
    assert store.verify().ok
    store._index.close()
    store._client.close()


def test_another_process_writes_and_is_killed(tmp_path):
    """What it had put off is repaired here, and its vectors are shown as well."""
    store = open_store(tmp_path / "data", max_age=0)
    store.add_texts([f"mine {n}" for n in range(400)], ids=[f"mine{n}" for n in range(400)])
    store.similarity_search("mine")
    written = tmp_path / "written"
    peer = started(stay_as_a_peer, tmp_path / "data", written, tmp_path / "never")
    wait_until(written.exists)
    peer.kill()
    ended(peer)
    for text, id_ in (("quite changed", "mine2"), ("stranger 3", "stranger3")):
        for mode in ("lexical", "vector", "two_step", "hybrid"):
            assert ids_of(store.similarity_search(text, k=1, mode=mode)) == [id_]
    assert store.verify().ok
    store._index.close()
    store._client.close()


@pytest.mark.parametrize(
    "policy",
    [
        "before_query",
        pytest.param("on_open", marks=pytest.mark.long),
        pytest.param("manual", marks=pytest.mark.long),
    ],
)
def test_another_process_writes_both_halves(tmp_path, caplog, policy):
    store = open_store(tmp_path, sync=policy)
    numbers = range(20)
    store.add_texts([f"mine {n}" for n in numbers], ids=[f"mine{n}" for n in numbers])
    store.similarity_search("mine")
    assert ended(started(write_as_a_peer, tmp_path)) == 0
    everything = {f"mine{n}" for n in numbers if n != 1} | {f"stranger{n}" for n in range(5)}
    for condition in (None, {"of": "peer"}):
        for text, id_ in (("stranger 3", "stranger3"), ("quite changed", "mine2")):
            for mode in ("vector", "two_step", "hybrid", "lexical"):
                (best, *_) = store.similarity_search_with_score(text, 1, condition, mode=mode)
                assert best[0].id == id_
                assert best[1] == pytest.approx(0.0, abs=1e-5)
    assert set(ids_of(store.similarity_search("mine", k=50, mode="vector"))) == everything
    # Own writes are seen at once, and so is what the other one writes next.
    store.add_texts(["mine again"], ids=["again"])
    assert ids_of(store.similarity_search("mine again", k=1, mode="vector")) == ["again"]
    store.delete(["stranger4"])
    assert ended(started(write_as_a_peer, tmp_path)) == 0
    assert ids_of(store.similarity_search("stranger 4", k=1, mode="vector")) == ["stranger4"]
    assert len([r for r in caplog.records if "chroma run" in r.message]) == 1
    store._index.close()
    store._client.close()


def test_what_a_client_lacks_and_another_process_changes_is_mended(tmp_path):
    store = open_store(tmp_path)
    store.add_texts(["mine 0", "mine 1"], ids=["mine0", "mine1"])
    store.similarity_search("mine")
    assert ended(started(write_as_a_peer, tmp_path)) == 0
    assert ended(started(change_as_a_stranger, tmp_path, "stranger3")) == 0
    assert store.sync(deep=True).updated == 1
    for mode in ("lexical", "vector"):
        assert ids_of(store.similarity_search("quite changed", k=1, mode=mode)) == ["stranger3"]
    store._index.close()
    store._client.close()


def test_what_a_query_meets_before_it_is_told_of_is_read_all_the_same(tmp_path, monkeypatch):
    """Another process may write between a query's look and its legs."""
    store = open_store(tmp_path, sync="manual")
    store.add_texts(["mine 0", "mine 2"], ids=["mine0", "mine2"])
    store.similarity_search("mine")
    monkeypatch.setattr(TantivyIndex, "foreign_commits", lambda _: 0)
    assert ended(started(write_as_a_peer, tmp_path)) == 0
    for mode in ("two_step", "vector", "hybrid"):
        found = store.similarity_search("stranger 3", 1, {"of": "peer"}, mode=mode)
        assert ids_of(found) == ["stranger3"]
    store._index.close()
    store._client.close()


def change_as_a_stranger(folder: Path, id_: str = "mine2") -> None:
    changed = Document("quite changed", metadata={"of": "stranger"})
    Chroma(NAME, WordEmbeddings(8), str(folder)).update_document(id_, changed)


@pytest.mark.parametrize("mend", ["sync", "verify"])
def test_vectors_that_another_process_has_changed_are_mended_with_the_texts(tmp_path, mend):
    store = open_store(tmp_path)
    store.add_texts([f"mine {n}" for n in range(20)], ids=[f"mine{n}" for n in range(20)])
    store.similarity_search("mine")
    assert ended(started(change_as_a_stranger, tmp_path)) == 0
    if mend == "sync":
        assert store.sync(deep=True).updated == 1
    else:
        assert store.verify(fix=True).stale == ("mine2",)
    for mode in ("lexical", "vector", "two_step", "hybrid"):
        assert ids_of(store.similarity_search("quite changed", k=1, mode=mode)) == ["mine2"]
    store._index.close()
    store._client.close()


@pytest.fixture
def coarse_clock(tmp_path: Path) -> Callable[[], None]:
    """Stamps the data folder as a file system that notes whole seconds: equally for all of now."""
    second = int(time.time() + 60) * 10**9
    return lambda: os.utime(tmp_path / "chroma.sqlite3", ns=(second, second))


def add_directly(store: HybridChroma, id_: str, text: str) -> None:
    collection = store._client.get_collection(NAME)
    collection.add(id_, WordEmbeddings(8).embed_query(text), {"k": 1}, text)


def test_what_leaves_the_same_stamp_as_what_was_seen_last_is_found(tmp_path, coarse_clock):
    store = open_store(tmp_path, max_age=0)
    store.add_texts(["a zebra crossing"], ids=["zebra"])
    coarse_clock()
    assert lexical(store, "crossing") == ["zebra"]
    add_directly(store, "okapi", "an okapi crossing")
    coarse_clock()
    assert set(lexical(store, "crossing")) == {"zebra", "okapi"}


def test_what_leaves_the_same_stamp_as_closing_is_found_by_the_next_open(tmp_path, coarse_clock):
    store = open_store(tmp_path)
    store.add_texts(["a zebra crossing"], ids=["zebra"])
    coarse_clock()
    assert lexical(store, "crossing") == ["zebra"]
    store._index.close()
    add_directly(store, "okapi", "an okapi crossing")
    coarse_clock()
    assert set(lexical(open_store(tmp_path), "crossing")) == {"zebra", "okapi"}


def test_what_is_written_while_a_client_of_ours_opens_is_found(tmp_path):
    store = open_store(tmp_path, max_age=0)
    store.add_texts(["a zebra crossing"], ids=["zebra"])
    time.sleep(0.1)  # longer than a tick of the file's clock
    assert lexical(store, "crossing") == ["zebra"]
    with opening(str(tmp_path)):
        add_directly(store, "okapi", "an okapi crossing")
    assert set(lexical(store, "crossing")) == {"zebra", "okapi"}


def test_after_another_process_quiet_queries_open_nothing(tmp_path, monkeypatch):
    store = open_store(tmp_path, max_age=0)
    store.add_texts(["mine 0"], ids=["mine0"])
    store.similarity_search("mine")
    opened = []

    class Counted(SecondClient):
        def __init__(self, *args):
            opened.append(args)
            super().__init__(*args)

    monkeypatch.setattr(vector_reader, "SecondClient", Counted)
    assert ended(started(write_as_a_stranger, tmp_path, 3)) == 0
    assert ids_of(store.similarity_search("stranger 2", k=1, mode="vector")) == ["stranger2"]
    time.sleep(0.1)  # longer than a tick of the file's clock
    store.similarity_search("stranger")
    before = len(opened)
    assert before > 0
    for _ in range(3):
        store.similarity_search("stranger 2", mode="vector")
    assert len(opened) == before
    assert ended(started(write_as_a_stranger, tmp_path, 5)) == 0
    assert ids_of(store.similarity_search("stranger 4", k=1, mode="vector")) == ["stranger4"]
    store._index.close()
    store._client.close()


def rebuild_elsewhere(folder: Path) -> None:
    store = open_store(folder)
    store.rebuild()
    store.add_texts(["words from elsewhere"], ids=["elsewhere"])
    store._index.close()


def drop_elsewhere(folder: Path) -> None:
    open_store(folder).delete_collection()


def test_another_process_rebuilds(tmp_path):
    store = open_store(tmp_path, max_age=0)
    store.add_texts(["first words"], ids=["first"])
    store.similarity_search("words")
    store.add_texts(["waiting words"], ids=["waiting"])
    assert ended(started(rebuild_elsewhere, tmp_path)) == 0
    store.add_texts(["last words"], ids=["last"])
    found = ids_of(store.similarity_search("words", mode="lexical"))
    assert set(found) == {"first", "waiting", "elsewhere", "last"}
    assert store.verify().ok
    store._client.close()


def test_another_process_deletes_the_collection(tmp_path):
    store = open_store(tmp_path)
    store.add_texts(["first words"], ids=["first"])
    store.similarity_search("words")
    store.add_texts(["waiting words"], ids=["waiting"])
    assert ended(started(drop_elsewhere, tmp_path)) == 0
    with pytest.raises(CollectionError):
        store.add_texts(["last words"], ids=["last"])
    with pytest.raises(CollectionError):
        store.similarity_search("words")
    store._client.close()


def hold_the_lock(folder: Path, done: Path) -> None:
    index = TantivyIndex(folder)
    with index.locked():
        (folder / "held").touch()
        wait_until(done.exists)


def test_a_second_writer_waits_and_then_says_so(tmp_path):
    store = open_store(tmp_path / "db", lock_timeout=0.2)
    store.add_texts(["words"], ids=["a"])
    store.similarity_search("words")
    folder = store._index.lexical.path
    process = started(hold_the_lock, folder, tmp_path / "done")
    wait_until((folder / "held").exists)
    (folder / "held").unlink()
    store.add_texts(["other words"], ids=["b"])
    with pytest.raises(IndexLockedError, match=r"gave up after 0\.2 s"):
        store.similarity_search("words")
    (tmp_path / "done").touch()
    assert ended(process) == 0
    assert set(ids_of(store.similarity_search("words", mode="lexical"))) == {"a", "b"}
    store._client.close()


FORKED = """
import os, sys
from pathlib import Path
from tests.durability.workers import open_store
store = open_store(Path(sys.argv[1]))
store.add_texts(["words"], ids=["a"])
store.similarity_search("words")
store.add_texts(["more words"], ids=["b"])
index = store._index
child = os.fork()
if child == 0:
    os._exit(0 if index.opened is None else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert index.opened
assert len(store.similarity_search("words", mode="lexical")) == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_use_its_parents_index(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# Threads


def test_many_threads_on_one_store(folder):
    store = HybridChroma(fresh_name(), WordEmbeddings(), str(folder) if folder else None)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for n in range(6):
                id_ = f"t{thread}n{n}"
                store.add_texts([f"word{id_} common"], [{"t": thread}], [id_])
                # What a thread has written, it finds; whatever the others do meanwhile.
                assert ids_of(store.similarity_search(f"word{id_}", mode="lexical")) == [id_]
                if n % 2:
                    store.delete([id_])
                    assert store.similarity_search(f"word{id_}", mode="lexical") == []
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    left = {f"t{thread}n{n}" for thread in range(6) for n in (0, 2, 4)}
    assert set(ids_of(store.similarity_search("common", k=100, mode="lexical"))) == left
    assert store.verify().ok


def test_two_stores_share_one_engine(folder):
    chroma = plain_chroma(folder)
    store = HybridChroma(chroma._collection.name, WordEmbeddings(), client=chroma._client)
    retriever: Any = ChromaHybridRetriever(vectorstore=chroma)
    assert retriever._handle.index().half is store._index.half
    store.add_texts(["a zebra"], ids=["zebra"])
    assert lexical(retriever, "zebra") == ["zebra"]
    chroma.add_texts(["a quagga"], ids=["quagga"])
    assert lexical(store, "quagga") == ["quagga"]
