"""A migration on a server, as other hosts see it: processes with cache folders of their own.

Of a name they have all the same one, as other users of one machine have.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma, TantivyIndex
from langchain_chroma_hybrid.errors import (
    IndexLockedError,
    InvalidArgumentError,
    LexicalIndexError,
    ModelChangedError,
)
from langchain_chroma_hybrid.migration import drop_previous, migrate, rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name
from tests.integration.test_models_on_a_server import host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

N = 40
QUERY = "A pump 7"
SIZES = {"old": 64, "new": 96}


def model(name: str) -> FunctionEmbeddings:
    return FunctionEmbeddings(WordEmbeddings(SIZES[name]).embed_documents, fingerprint=name)


def opened(port: int, name: str, embeddings: Any, **options: Any) -> HybridChroma:
    return HybridChroma(name, embeddings, host="127.0.0.1", port=port, **options)


def filled(port: int, **options: Any) -> HybridChroma:
    store = opened(port, fresh_name(), model("old"), **options)
    store.add_texts([f"A pump {i}" for i in range(N)], [{"i": i} for i in range(N)],
                    [f"R{i}" for i in range(N)])  # fmt: skip
    return store


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """From now on this is that host."""
    return lambda name: host(monkeypatch, tmp_path / name)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Call a function in a process on a host of its own, and give what it gives."""
    context = multiprocessing.get_context("forkserver")
    with context.Pool(1, _on, [str(tmp_path / "elsewhere")]) as pool:
        yield lambda function, *args: pool.apply(function, args)


def _on(folder: str) -> None:
    os.environ.update(dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"), folder))


_there: dict[str, HybridChroma] = {}


@pytest.fixture(autouse=True)
def none_of_this_process() -> Iterator[None]:
    """Other tests count the threads of stores."""
    yield
    _there.clear()


def look(port: int, name: str, with_model: str) -> tuple[set[str], int]:
    """Ids by words, by vectors and by Chroma, which have to be the same; and the dimension."""
    store = _there.setdefault(f"{name} {with_model}", opened(port, name, model(with_model)))
    asked = {mode: {d.id for d in store.similarity_search("pump", k=999, mode=mode)}
             for mode in ("lexical", "vector", "hybrid")}  # fmt: skip
    found = store.get(include=["embeddings"])
    ids = set(found["ids"])
    assert asked["vector"] == asked["hybrid"] == ids
    assert asked["lexical"] == {i for i in ids if i.startswith("R")}
    return ids, len(found["embeddings"][0])


def write(port: int, name: str, with_model: str, id_: str) -> str:
    store = _there.setdefault(f"{name} {with_model}", opened(port, name, model(with_model)))
    try:
        store.add_texts(["A valve"], ids=[id_])
    except ModelChangedError as error:
        return str(error)
    return ""


def try_to_migrate(port: int, name: str) -> str:
    try:
        migrate(opened(port, name, model("old")), model("new"))
    except IndexLockedError as error:
        return str(error)
    return ""


def roll_back(port: int, name: str) -> int:
    return rollback(opened(port, name, model("new")), model("old"))


def fail(port: int, name: str) -> None:
    """Migrate with a model that gives up half-way."""
    left = [4]

    def embed(texts: list[str]) -> Any:
        left[0] -= 1
        if not left[0]:
            raise ConnectionError
        return WordEmbeddings(96).embed_documents(texts)

    with pytest.raises(ConnectionError):
        migrate(opened(port, name, model("old")),
                FunctionEmbeddings(embed, fingerprint="new"), batch_size=16)  # fmt: skip


def write_on(port: int, name: str) -> list[str]:
    """Write until that is refused, and give the ids that were acknowledged."""
    done: list[str] = []
    while not write(port, name, "old", f"w{len(done)}"):
        done.append(f"w{len(done)}")
    return done


def test_another_host_sees_the_switch_and_the_way_back(
    port: int, at: Any, elsewhere: Any
) -> None:
    at("here")
    store = filled(port)
    name, ids = store._collection.name, {f"R{i}" for i in range(N)}
    assert elsewhere(look, port, name, "old") == (ids, 64)
    seen: list[str] = []

    def embed(texts: list[str]) -> Any:
        if len(texts) > 16 and not seen:
            seen.append(elsewhere(try_to_migrate, port, name))
            assert elsewhere(write, port, name, "old", "meanwhile") == ""
        return WordEmbeddings(96).embed_documents(texts)

    migrate(store, FunctionEmbeddings(embed, fingerprint="new"))
    assert "by another host" in seen[0]
    ids.add("meanwhile")
    assert set(store.get()["ids"]) == ids
    # Who was there before reads on and writes no more; who comes finds the new one.
    assert elsewhere(look, port, name, "old") == (ids, 64)
    assert "new" in elsewhere(write, port, name, "old", "late")
    assert elsewhere(look, port, name, "new") == (ids, 96)
    assert elsewhere(write, port, name, "new", "since") == ""
    store.delete(["R1", "meanwhile"])
    ids = ids - {"R1", "meanwhile"} | {"since"}

    # What was copied is noted on this host alone.
    assert elsewhere(roll_back, port, name) == 3
    again = opened(port, name, model("old"))
    assert set(again.get()["ids"]) == ids
    assert look(port, name, "old") == (ids, 64)
    assert migrate(again, model("new")).records == len(ids)
    assert set(again.get()["ids"]) == ids
    drop_previous(again)
    assert again._collection.name == name
    left = [c.name for c in chromadb.HttpClient("127.0.0.1", port).list_collections()]
    assert [each for each in left if each.startswith(name)] == [name]


def test_nothing_that_another_host_writes_is_lost(port: int, at: Any, tmp_path: Path) -> None:
    """Nor what it writes in the second for which it believes that nobody migrates."""
    at("here")
    store = filled(port)
    name = store._collection.name
    context = multiprocessing.get_context("forkserver")
    with context.Pool(1, _on, [str(tmp_path / "elsewhere")]) as pool:
        writing = pool.apply_async(write_on, (port, name))
        while store._collection.count() == N:
            time.sleep(0.01)
        migrate(store, model("new"))
        acknowledged = writing.get(60)
    assert acknowledged
    assert set(acknowledged) <= set(store.get()["ids"])


def ask(port: int, name: str, index: Path, query: str) -> tuple[set[str], list[str], str]:
    """Through an index of one's own and the old model: hits, notes, what words alone have said."""
    if name not in _there:
        _there[name] = opened(port, name, model("old"), lexical=TantivyIndex(index), check_rate=1e5)
    store, said = _there[name], ""
    try:
        store.similarity_search(query, mode="lexical")
        store.sync()
    except LexicalIndexError as error:
        said = str(error)
    found = store.explain(query, k=3, on_leg_error="degrade")
    return {hit.id for hit in found.hits}, list(found.notes), said


@pytest.mark.long
def test_who_has_the_old_one_open_takes_nothing_out_of_a_shared_index(
    port: int, at: Any, elsewhere: Any, tmp_path: Path
) -> None:
    """Its records would be leftovers there, and those that the old one lacks the newest."""
    at("here")
    index = tmp_path / "shared"
    store = filled(port, lexical=TantivyIndex(index))
    name, new = store._collection.name, {"R1", "okapi"}
    assert "R7" in elsewhere(ask, port, name, index, QUERY)[0]
    migrate(store, model("new"))
    store.add_texts(["A rare okapi"], ids=["okapi"])
    store.delete(["R7"])
    ids = set(store.get()["ids"])
    assert {d.id for d in store.similarity_search("okapi pump 1", k=2)} == new
    there = TantivyIndex(index)
    assert set(there.ids()) == ids
    for _ in range(3):
        hits, notes, said = elsewhere(ask, port, name, index, QUERY)
        assert "R7" in hits, "by vectors, which the old collection keeps"
        assert "belongs to collection" in said
        assert any(said in note for note in notes)
        assert set(there.ids()) == ids
    assert store.verify().ok

    assert rollback(store, model("old")) > 0
    hits, notes, said = elsewhere(ask, port, name, index, "okapi")
    assert ("okapi" in hits, notes, said) == (True, [], "")


def test_another_host_takes_over(port: int, at: Any, elsewhere: Any) -> None:
    at("here")
    store = filled(port)
    name = store._collection.name
    elsewhere(fail, port, name)
    assert elsewhere(write, port, name, "old", "since") == ""
    with pytest.raises(InvalidArgumentError, match=r"new.*restart=True"):
        migrate(store, FunctionEmbeddings(WordEmbeddings(32).embed_documents, fingerprint="other"))
    assert migrate(store, model("new")).done
    assert look(port, name, "new") == ({f"R{i}" for i in range(N)} | {"since"}, 96)
