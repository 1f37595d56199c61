"""Another model for a collection that is in use."""

from __future__ import annotations

import shutil
import threading
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import (
    CollectionError,
    EmbeddingError,
    IndexLockedError,
    InvalidArgumentError,
    ModelChangedError,
    WriteError,
)
from langchain_chroma_hybrid.migration import drop_previous, migrate, rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from pathlib import Path

N = 60
QUERY = "pump 7"
CONFIGURATION = {"hnsw": {"space": "cosine", "ef_search": 77, "max_neighbors": 9}}


def texts(n: int = N) -> list[str]:
    return [f"A pump {i} of plant {i % 7}" for i in range(n)]


def model(name: str | None, size: int = 64, function: Any = None) -> FunctionEmbeddings:
    words = WordEmbeddings(size)
    return FunctionEmbeddings(function or words.embed_documents, fingerprint=name)


def opened(name: str, embeddings: Any, folder: Path | None = None, **options: Any) -> HybridChroma:
    directory = None if folder is None else str(folder)
    options = {"collection_configuration": CONFIGURATION, **options}
    return HybridChroma(name, embeddings, directory, **options)


def filled(folder: Path | None = None, name: str | None = None) -> HybridChroma:
    store = opened(name or fresh_name(), model("old-model"), folder,
                   collection_metadata={"owner": "we"})  # fmt: skip
    store.add_texts(texts(), [{"i": i, "tags": ["a", "b"]} for i in range(N)],
                    [f"R{i}" for i in range(N)])  # fmt: skip
    assert store.similarity_search(QUERY)[0].id == "R7"
    return store


def state(store: HybridChroma) -> Any:
    found = store.get(include=["documents", "metadatas", "uris"])
    rows = zip(found["ids"], found["documents"], found["metadatas"], found["uris"], strict=True)
    return sorted((id_, text, str(sorted((m or {}).items())), uri) for id_, text, m, uri in rows)


def dimension(store: HybridChroma) -> int:
    return len(store.get(limit=1, include=["embeddings"])["embeddings"][0])


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "folder" else None


# All goes well


def test_the_store_goes_on_with_the_new_model(place: Path | None) -> None:
    store = filled(place)
    before, old = state(store), store._collection

    plan = migrate(store, model("new-model", 32), dry_run=True, price=0.02)
    assert (plan.records, plan.done, plan.characters) == (N, False, sum(map(len, texts())))
    assert plan.cost == pytest.approx(0.02 * plan.characters / 4e6)
    assert "old-model" in str(plan)
    assert "new-model" in str(plan)
    assert store._collection.id == old.id

    report = migrate(store, model("new-model", 32), batch_size=7)
    assert (report.records, report.done, report.collection) == (N, True, old.name)
    assert store._collection.id != old.id
    assert store._collection.name == report.target
    assert state(store) == before
    assert dimension(store) == 32
    assert store._collection.configuration_json["hnsw"] == old.configuration_json["hnsw"]
    assert store._collection.metadata["owner"] == "we"
    for mode in ("hybrid", "vector", "lexical", "two_step"):
        assert store.similarity_search(QUERY, mode=mode)[0].id == "R7"
    store.add_texts(["A new valve"], ids=["new"])
    assert store.similarity_search("new valve")[0].id == "new"
    assert store.verify().ok
    assert old.count() == N


def test_who_opens_it_later_finds_the_new_one(tmp_path: Path) -> None:
    name = fresh_name()
    with filled(tmp_path, name) as store:
        migrate(store, model("new-model", 32))
    with opened(name, model("new-model", 32), tmp_path) as store:
        assert store.similarity_search(QUERY)[0].id == "R7"
        assert dimension(store) == 32
    with (
        opened(name, model("old-model"), tmp_path) as store,
        pytest.raises(ModelChangedError, match="new-model"),
    ):
        store.similarity_search(QUERY)
    plain = Chroma(name, model("new-model", 32), str(tmp_path))
    assert ChromaHybridRetriever.from_vectorstore(plain).invoke(QUERY)[0].id == "R7"


def test_the_lexical_index_is_carried_over(tmp_path: Path) -> None:
    name = fresh_name()
    with filled(tmp_path, name) as store:
        store.similarity_search(QUERY)
        old = tmp_path / "lexical" / str(store._collection.id)
        segments = {path.name for path in old.glob("*.store")}
        analyzed: list[str] = []
        analyzer = store.lexical_config.analyzer
        whole = analyzer.document
        analyzer.document = lambda text: analyzed.append(text) or whole(text)  # type: ignore[method-assign]
        try:
            migrate(store, model("new-model", 32))
            assert store.similarity_search(QUERY, mode="lexical")[0].id == "R7"
        finally:
            analyzer.document = whole  # type: ignore[method-assign]
        new = tmp_path / "lexical" / str(store._collection.id)
    assert segments
    assert segments <= {path.name for path in new.glob("*.store")}
    assert not analyzed


def test_pictures_are_embedded_by_their_files(place: Path | None) -> None:
    class Joint(FunctionEmbeddings):
        def embed_image(self, uris: list[str]) -> list[list[float]]:
            return self.embed_documents([f"picture {uri}" for uri in uris])

    client = chromadb.EphemeralClient() if place is None else chromadb.PersistentClient(str(place))
    collection = client.create_collection(fresh_name(), embedding_function=None)
    collection.add(["a", "b"], [[1.0, 2.0], [2.0, 1.0]], documents=["A cat", None],  # type: ignore[list-item]
                   uris=["a.png", "b.png"])  # fmt: skip
    store = HybridChroma(collection.name, model("old", 2), client=client)
    joint = Joint(WordEmbeddings(16).embed_documents, fingerprint="joint")
    with pytest.raises(EmbeddingError, match="embed_image"):
        migrate(store, model("new", 16))
    report = migrate(store, joint)
    assert (report.records, report.pictures) == (2, 2)
    found = store.get(include=["embeddings", "uris", "documents"])
    assert sorted(found["uris"]) == ["a.png", "b.png"]
    expected = joint.embed_documents(["picture a.png"])[0]
    assert np.allclose(found["embeddings"][found["ids"].index("a")], expected, atol=1e-6)


# While others work


def test_what_is_written_meanwhile_is_there(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    other = opened(name, model("old-model"), tmp_path)
    written = threading.Event()

    def embed(texts: list[str]) -> Any:
        if len(texts) > 16 and not written.is_set():  # a batch, not the sample
            written.set()
            other.add_texts(["Written meanwhile"], [{"late": True}], ["late"])
            other.delete(["R3"])
            other.update_documents(["R4"], [other.get_by_ids(["R5"])[0]])
            other._collection.update(["R6"], metadatas=[{"i": 600}])
        return WordEmbeddings(32).embed_documents(texts)

    migrate(store, model("new-model", function=embed), batch_size=20)
    assert written.is_set()
    ids = set(store.get(include=[])["ids"])
    assert "late" in ids
    assert "R3" not in ids
    assert store.get(ids=["R4"])["documents"] == [texts()[5]]
    assert store.get(ids=["R6"])["metadatas"][0]["i"] == 600
    assert store.similarity_search("written meanwhile")[0].id == "late"
    assert store.similarity_search(QUERY, filter={"i": 600}, mode="lexical")[0].id == "R6"
    assert store.verify().ok
    # Who was there before reads on, and writes no more.
    assert other.similarity_search(QUERY)[0].id == "R7"
    for act in (lambda: other.add_texts(["x"]), lambda: other.delete(["R1"])):
        with pytest.raises(ModelChangedError, match="new-model"):
            act()


def test_a_write_that_ends_after_the_last_look_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had begun before the writers were told to wait."""
    store = filled(tmp_path)
    plain = chromadb.PersistentClient(str(tmp_path))
    late, batches = plain.get_collection(store._collection.name, embedding_function=None), []

    def watch(step: str) -> None:
        batches.append(step)
        since = batches.index("writers wait") if "writers wait" in batches else len(batches)
        if step == "batch copied" and batches[since:].count(step) == 3:
            late.add(["late"], [[0.1] * 64], documents=["Written late"])

    monkeypatch.setattr(failpoints, "watcher", watch)
    migrate(store, model("new-model", 32), batch_size=20)
    monkeypatch.undo()
    assert store.similarity_search("written late")[0].id == "late"
    assert store.verify().ok


def test_writers_never_lose_a_write(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    acknowledged: list[str] = []
    refused = threading.Event()

    def write() -> None:
        other = opened(name, model("old-model"), tmp_path)
        for i in range(10_000):
            try:
                other.add_texts([f"Written {i}"], ids=[f"w{i}"])
            except ModelChangedError:
                refused.set()
                return
            acknowledged.append(f"w{i}")

    writer = threading.Thread(target=write)
    writer.start()
    migrate(store, model("new-model", 32), batch_size=16)
    writer.join()
    assert refused.is_set()
    assert acknowledged
    assert set(acknowledged) <= set(store.get(include=[])["ids"])
    assert store.verify().ok


# Back, and to the end


def test_the_way_back(place: Path | None) -> None:
    name = fresh_name()
    store = filled(place, name)
    before = state(store)
    migrate(store, model("new-model", 32))
    assert rollback(store, model("old-model")) == 0
    assert dimension(store) == 64
    assert state(store) == before
    assert store.similarity_search(QUERY)[0].id == "R7"
    store.add_texts(["again"], ids=["again"])
    migrate(store, model("new-model", 32))
    assert dimension(store) == 32
    assert "again" in store.get(include=[])["ids"]
    assert store.similarity_search("again")[0].id == "again"
    assert store.verify().ok


def test_what_was_written_since_comes_back_too(tmp_path: Path) -> None:
    store = filled(tmp_path)
    migrate(store, model("new-model", 32))
    store.add_texts(["Since"], ids=["since"])
    store.delete(["R1"])
    with pytest.raises(InvalidArgumentError, match=r"embeddings: .*discard=True"):
        rollback(store)
    assert dimension(store) == 32
    store.add_texts(["Still written"], ids=["still"])
    assert rollback(store, model("old-model")) == 3
    ids = set(store.get(include=[])["ids"])
    assert {"since", "still"} <= ids
    assert "R1" not in ids
    assert dimension(store) == 64
    assert store.similarity_search("since")[0].id == "since"
    assert store.verify().ok


def test_or_stays_behind(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    before = state(store)
    migrate(store, model("new-model", 32))
    store.add_texts(["Since"], ids=["since"])
    rollback(store, discard=True)
    store.close()
    with opened(name, model("old-model"), tmp_path) as store:
        assert state(store) == before
        assert store.similarity_search(QUERY)[0].id == "R7"
        migrate(store, model("new-model", 32))
        assert state(store) == before


def test_the_old_one_goes_when_told(place: Path | None) -> None:
    name = fresh_name()
    store = filled(place, name)
    old = str(store._collection.id)
    client = store._client
    migrate(store, model("new-model", 32))
    assert drop_previous(store) == name
    assert [c.name for c in client.list_collections() if name in c.name] == [name]
    assert store.similarity_search(QUERY)[0].id == "R7"
    with pytest.raises(CollectionError, match="no collection is kept"):
        drop_previous(store)
    if place is not None:
        assert not (place / "lexical" / old).exists()
        store.close()
        with opened(name, model("new-model", 32), place) as store:
            assert store.similarity_search(QUERY)[0].id == "R7"
            migrate(store, model("third-model", 16))
            drop_previous(store)
            assert dimension(store) == 16


def test_names_are_exchanged_for_plain_clients(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    report = migrate(store, model("new-model", 32), swap_names=True)
    plain = Chroma(name, model("new-model", 32), str(tmp_path))
    assert plain.similarity_search(QUERY)[0].id == "R7"
    assert Chroma(report.target, model("old"), str(tmp_path)).similarity_search(QUERY)
    assert store.similarity_search(QUERY)[0].id == "R7"
    rollback(store, model("old-model"))
    assert dimension(store) == 64


def test_a_collection_that_is_deleted_takes_the_old_one_along(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    client = store._client
    migrate(store, model("new-model", 32))
    store.delete_collection()
    assert not [c.name for c in client.list_collections() if name in c.name]
    assert opened(name, model("third"), tmp_path).get()["ids"] == []


# What goes wrong


def test_a_model_that_fails_half_way_can_go_on(tmp_path: Path) -> None:
    name = fresh_name()
    calls: list[int] = []
    failed: list[bool] = []

    def failing(texts: list[str]) -> Any:
        calls.append(len(texts))
        if len(calls) == 5 and not failed:
            failed.append(True)
            raise ConnectionError("the service is away")
        return WordEmbeddings(32).embed_documents(texts)

    store = filled(tmp_path, name)
    before = state(store)
    with pytest.raises(ConnectionError, match="away"):
        migrate(store, model("new-model", function=failing), batch_size=10)
    assert dimension(store) == 64
    assert state(store) == before
    store.add_texts(["meanwhile"], ids=["meanwhile"])
    with pytest.raises(InvalidArgumentError, match=r"new-model.*restart=True"):
        migrate(store, model("third-model", 16))
    calls.clear()
    migrate(store, model("new-model", function=failing), batch_size=100)
    # After the sample: what was missing.
    assert max(calls) == N + 1 - 20
    assert dimension(store) == 32
    assert "meanwhile" in store.get(include=[])["ids"]
    assert store.verify().ok


def test_it_can_be_begun_anew(tmp_path: Path) -> None:
    store = filled(tmp_path)

    def failing(texts: list[str]) -> Any:
        if len(texts) > 16:
            raise ConnectionError
        return WordEmbeddings(32).embed_documents(texts)

    with pytest.raises(ConnectionError):
        migrate(store, model("new-model", function=failing))
    migrate(store, model("third-model", 16), restart=True)
    assert dimension(store) == 16
    names = [c.name for c in store._client.list_collections()]
    assert len(names) == 2


def test_a_resumed_one_by_another_callable_is_refused(tmp_path: Path) -> None:
    store = filled(tmp_path)
    calls: list[int] = []

    def failing(texts: list[str]) -> Any:
        calls.append(len(texts))
        if len(calls) == 5:
            raise ConnectionError
        return WordEmbeddings(32).embed_documents(texts)

    with pytest.raises(ConnectionError):
        migrate(store, model(None, function=failing), batch_size=10)
    other = model(None, function=lambda t: [v[::-1] for v in WordEmbeddings(32).embed_documents(t)])
    with pytest.raises(ModelChangedError, match="restart=True"):
        migrate(store, other)
    assert dimension(store) == 64


def test_only_one_at_a_time(place: Path | None) -> None:
    name = fresh_name()
    store = filled(place, name)
    errors: list[BaseException] = []

    def embed(texts: list[str]) -> Any:
        if len(texts) > 16 and not errors:
            other = opened(name, model("old-model"), place)
            with pytest.raises(IndexLockedError, match=name) as refused:
                migrate(other, model("third-model", 16))
            errors.append(refused.value)
        return WordEmbeddings(32).embed_documents(texts)

    migrate(store, model("new-model", function=embed), batch_size=20)
    assert errors
    assert dimension(store) == 32


def test_a_collection_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    name = fresh_name()
    store = filled(tmp_path, name)
    client = store._client
    gone: list[None] = []

    def embed(texts: list[str]) -> Any:
        if len(texts) > 16 and not gone:
            gone.append(client.delete_collection(name))
        return WordEmbeddings(32).embed_documents(texts)

    with pytest.raises(CollectionError):
        migrate(store, model("new-model", function=embed), batch_size=20)
    assert not client.list_collections()


def test_no_room_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 100))
    with pytest.raises(WriteError, match=r"no room .* nothing was written"):
        migrate(store, model("new-model", 32))
    assert len(store._client.list_collections()) == 1


def test_a_name_that_is_taken(place: Path | None) -> None:
    store = filled(place)
    taken = fresh_name()
    store._client.create_collection(taken)
    with pytest.raises(CollectionError, match=rf"{taken}.*target_name"):
        migrate(store, model("new-model", 32), target_name=taken)
    assert store._client.get_collection(taken).count() == 0
    migrate(store, model("new-model", 32), target_name=f"{taken}-2")
    assert store._collection.name == f"{taken}-2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, model("x")), "store: expected a HybridChroma"),
        (("docs", model("x")), "store: expected a HybridChroma"),
    ],
)
def test_what_is_no_store(arguments: Any, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        migrate(*arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"price": -1}, "price"),
        ({"progress": "bar"}, "progress"),
        ({"embeddings": None}, "embeddings"),
        ({"embeddings": "minilm"}, "SentenceTransformerEmbeddings"),
        ({"embeddings": model("old-model")}, "another model than the one that has filled"),
    ],
)
def test_what_cannot_be_used(options: dict[str, Any], said: str) -> None:
    store = filled()
    with pytest.raises(InvalidArgumentError, match=said):
        migrate(**{"store": store, "embeddings": model("new"), **options})
    name = store._collection.name
    assert [c.name for c in store._client.list_collections() if name in c.name] == [name]


def test_an_empty_collection_and_records_of_nothing() -> None:
    store = opened(fresh_name(), model("old"))
    with pytest.raises(InvalidArgumentError, match="empty"):
        migrate(store, model("new"))
    store._collection.add(["bare"], [[0.0] * 64])
    with pytest.raises(EmbeddingError, match="bare"):
        migrate(store, model("new"))


def test_nothing_to_go_back_to() -> None:
    store = filled()
    for call in (rollback, drop_previous):
        with pytest.raises(CollectionError, match="no collection is kept"):
            call(store)
