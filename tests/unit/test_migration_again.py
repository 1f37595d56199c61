"""A collection that is migrated again and again, renamed, deleted, and read meanwhile."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.migration import drop_previous, migrate, rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from pathlib import Path

N = 30
QUERY = "A pump 7"
SIZES = {"first": 64, "second": 128, "third": 96}


def model(name: str) -> FunctionEmbeddings:
    return FunctionEmbeddings(WordEmbeddings(SIZES[name]).embed_documents, fingerprint=name)


def filled(folder: Path | None = None, **options: Any) -> HybridChroma:
    directory = None if folder is None else str(folder)
    store = HybridChroma(fresh_name(), model("first"), directory, **options)
    store.add_texts([f"A pump {i}" for i in range(N)], ids=[f"R{i}" for i in range(N)])
    return store


def names(client: Any, like: str) -> list[str]:
    return sorted(each.name for each in client.list_collections() if like in each.name)


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "folder" else None


@pytest.mark.parametrize("end", ["drop", "swap", "delete"])
def test_one_migration_after_the_other(tmp_path: Path, end: str) -> None:
    store = filled(tmp_path if end == "drop" else None)
    name, client = store._collection.name, store._client
    migrate(store, model("second"))
    store.add_texts(["A valve"], ids=["valve"])
    store.delete(["R1"])
    report = migrate(store, model("third"), swap_names=end == "swap")
    assert report.records == N
    assert set(store.get(include=[])["ids"]) == {f"R{i}" for i in range(N) if i != 1} | {"valve"}
    for mode in ("hybrid", "vector", "lexical"):
        assert store.similarity_search(QUERY, mode=mode)[0].id == "R7"
    kept = [name, f"{name}-second", f"{name}-third"]
    assert names(client, name) == kept
    if end == "delete":
        store.delete_collection()
        assert names(client, name) == []
        return
    assert store._collection.name == (name if end == "swap" else f"{name}-third")
    assert drop_previous(store) == name
    assert names(client, name) == [name] == [store._collection.name]
    assert store.similarity_search(QUERY)[0].id == "R7"


@pytest.mark.parametrize("how", ["swap_names", "drop_previous", "another store"])
def test_what_is_deleted_by_the_new_name_is_the_new_one(tmp_path: Path, how: str) -> None:
    store = filled(tmp_path if how == "another store" else None)
    name, client = store._collection.name, store._client
    migrate(store, model("second"), swap_names=how == "swap_names")
    if how == "another store":
        drop_previous(HybridChroma(name, model("second"), client=client))
    elif how == "drop_previous":
        drop_previous(store)
    store.reset_collection()
    assert names(client, name) == [name]
    assert store.get()["ids"] == []
    store.add_texts(["A valve"], ids=["valve"])
    assert store.similarity_search("valve")[0].id == "valve"


def test_an_index_of_ones_own_goes_along() -> None:
    store = filled(lexical=RankBM25Index())
    found = lambda: store.similarity_search(QUERY, mode="lexical")[0].id  # noqa: E731
    assert found() == "R7"
    migrate(store, model("second"))
    assert found() == "R7"
    store.update_documents(["R7"], [Document("A valve")])
    store.add_texts(["A pump 7"], ids=["new"])
    assert found() == "new"
    assert rollback(store, model("first")) == 2
    assert found() == "new"
    migrate(store, model("second"))
    drop_previous(store)
    assert found() == "new"
    assert store.verify().ok


def test_whoever_has_the_old_one_open_sees_what_comes_back(place: Path | None) -> None:
    store = filled(place)
    other = HybridChroma(store._collection.name, model("first"), client=store._client)
    assert other.similarity_search(QUERY)[0].id == "R7"
    migrate(store, model("second"))
    store.update_documents(["R4"], [Document("Quite other words")])
    assert rollback(store, model("first")) == 1
    for each in (store, other):
        assert each.similarity_search("quite other", mode="lexical")[0].id == "R4"
        assert each.verify().ok


def test_what_comes_back_is_found_by_its_words(tmp_path: Path) -> None:
    """Also where nobody has the old index open."""
    store = filled(tmp_path)
    name = store._collection.name
    migrate(store, model("second"))
    store.update_documents(["R4"], [Document("Quite other words")])
    store.close()
    with HybridChroma(name, model("second"), str(tmp_path)) as again:
        assert rollback(again, model("first")) == 1
        assert again.similarity_search("quite other", mode="lexical")[0].id == "R4"
        assert again.verify().ok


def test_a_target_that_was_deleted_is_made_again() -> None:
    store = filled()
    client, name = store._client, store._collection.name
    target = migrate(store, model("second")).target
    client.delete_collection(target)
    again = HybridChroma(name, model("first"), client=client)
    assert again.similarity_search(QUERY)[0].id == "R7"
    assert migrate(again, model("second")).records == N
    assert again.similarity_search(QUERY)[0].id == "R7"


def test_a_collection_is_never_copied_into_itself() -> None:
    store = filled()
    target = migrate(store, model("second")).target
    with pytest.raises(CollectionError, match="target_name"):
        migrate(store, model("third"), target_name=target)
    assert rollback(store, model("first")) == 0


def test_what_is_kept_is_never_the_target_again() -> None:
    store = filled()
    name = store._collection.name
    first = migrate(store, model("second"), swap_names=True).target
    with pytest.raises(CollectionError, match="target_name"):
        migrate(store, model("third"), target_name=first)
    migrate(store, model("third"))
    # The very first one has that name by now.
    assert migrate(store, model("second")).target == f"{first}-2"
    assert names(store._client, name) == [name, first, f"{first}-2", f"{name}-third"]
    assert rollback(store, model("third")) == 0
    assert store.similarity_search(QUERY)[0].id == "R7"


def test_the_way_back_is_by_the_old_model_alone() -> None:
    """Of the same dimension nobody would notice what is written by another one."""
    store = filled()
    migrate(store, model("second"))
    store.add_texts(["A valve"], ids=["valve"])
    other = FunctionEmbeddings(WordEmbeddings(SIZES["first"]).embed_documents, fingerprint="x")
    with pytest.raises(InvalidArgumentError, match=r"first.*got '?FunctionEmbeddings \(x\)"):
        rollback(store, other)
    assert rollback(store, model("first")) == 1
    assert store.similarity_search("A valve")[0].id == "valve"


def test_texts_of_which_a_model_knows_no_word() -> None:
    store = HybridChroma(fresh_name(), model("first"))
    store.add_texts([".", "-", "A pump"], ids=["a", "b", "c"])
    known = FunctionEmbeddings(lambda t: [[float("pump" in x), 0.0] for x in t], fingerprint="few")
    assert migrate(store, known).done


@pytest.mark.long
def test_the_new_collection_remembers_the_new_model(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
    from tests.tiny_models import minilm

    store = filled(tmp_path)
    name = store._collection.name
    migrate(store, SentenceTransformerEmbeddings(minilm()), swap_names=True)
    store.close()
    plain = chromadb.PersistentClient(str(tmp_path)).get_collection(name)
    function = plain.configuration_json["embedding_function"]
    assert minilm() in str(function["config"])
    assert plain.query(query_texts=["A pump 7"], n_results=1)["ids"] == [["R7"]]


def test_names_of_any_length_are_exchanged(tmp_path: Path) -> None:
    store = filled(tmp_path)
    name = store._collection.name
    migrate(store, model("second"), target_name="t" * 512, swap_names=True)
    plain = Chroma(name, model("second"), str(tmp_path))
    assert plain.similarity_search(QUERY)[0].id == "R7"


def test_names_that_others_have_left_half_exchanged_are_finished_first(tmp_path: Path) -> None:
    """And do not keep anybody from other collections."""
    from langchain_chroma_hybrid.engine.sync import failpoints

    class Stopped(BaseException):
        pass

    def watch(step: str) -> None:
        if step == "old renamed":
            raise Stopped

    first, second = filled(tmp_path), filled(tmp_path)
    for store in (first, second):
        migrate(store, model("second"))
    mine = [name for name in names(first._client, "collection-") if "second" not in name]
    failpoints.watcher = watch
    try:
        with pytest.raises(Stopped):
            drop_previous(first)
    finally:
        failpoints.watcher = None
    drop_previous(second)
    drop_previous(first)
    assert names(first._client, "collection-") == mine


def test_readers_of_the_same_store_see_one_or_the_other() -> None:
    """Names for models are left out: nobody would notice a vector of the wrong one."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0]
    words = WordEmbeddings(64).embed_documents
    old = FunctionEmbeddings(words)
    new = FunctionEmbeddings(lambda texts: np.array(words(texts)) @ turn)
    store = HybridChroma(fresh_name(), old)
    store.add_texts([f"A pump {i}" for i in range(N)], ids=[f"R{i}" for i in range(N)])
    store.similarity_search(QUERY)
    stop, seen = threading.Event(), set[Any]()

    def read() -> None:
        while not stop.is_set():
            try:
                ((found, far),) = store.similarity_search_with_score(QUERY, k=1, mode="vector")
                seen.add((found.id, abs(round(far, 3))))
            except Exception as error:  # noqa: BLE001  # compared below
                seen.add(repr(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for each in readers:
        each.start()
    try:
        for _ in range(4):
            migrate(store, new)
            rollback(store, old)
    finally:
        stop.set()
        for each in readers:
            each.join()
    assert seen == {("R7", 0.0)}


def test_what_a_plain_client_has_filled(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(str(tmp_path))
    words = WordEmbeddings(64)
    collection = client.create_collection("docs", embedding_function=None,
                                          metadata={"hnsw:space": "ip", "owner": "we"})  # fmt: skip
    texts = [f"Étage {i} 日本" for i in range(9)]
    collection.add([f"é日{i}" for i in range(9)], words.embed_documents(texts), documents=texts)
    store = Chroma("docs", words, client=client)
    migrate(store, model("second"))
    assert store.similarity_search("étage 3", k=1)[0].id == "é日3"
    assert store._collection.metadata["owner"] == "we"
    assert store._collection.configuration_json["hnsw"]["space"] == "ip"
    assert drop_previous(store) == "docs" == store._collection.name
    assert client.get_collection("docs").count() == 9


def test_a_copy_of_a_folder_is_nobody_elses(tmp_path: Path) -> None:
    """A host that has just died in the old folder is at work in no other."""
    made = filled(tmp_path / "old")
    name, asked = made._collection.name, []
    broken = threading.Event()

    def embed(texts: list[str]) -> Any:
        if len(asked) > 15 and not broken.is_set():
            broken.set()
            raise ConnectionError
        asked.extend(texts)
        return model("second").embed_documents(texts)

    second = FunctionEmbeddings(embed, fingerprint="second")
    with pytest.raises(ConnectionError):
        migrate(made, second, batch_size=10)
    made.close()
    made._client.close()
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    store = HybridChroma(name, model("first"), str(tmp_path / "new"))
    assert migrate(store, second, batch_size=10).records == N
    assert store.similarity_search(QUERY)[0].id == "R7"
    store.close()
