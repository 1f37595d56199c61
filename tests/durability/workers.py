"""What the killed processes do: every way to change a store, with a log of what was acknowledged.

The log is written with one `write` per line: what is in it survives `kill -9`.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.testing import WordEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "documents"
MANY = 160
"""More than a write may defer: it goes into the lexical index at once."""


# Chroma writes its vector files in place, every 1,000 records by default: a kill in the middle of
# that leaves a collection that no client opens again. What is tested here is ours alone.
NO_FILES = {"hnsw": {"sync_threshold": 1_000_000}}


def open_store(folder: Path, **options: Any) -> HybridChroma:
    settings = {"collection_configuration": NO_FILES, **options}
    return HybridChroma(NAME, WordEmbeddings(8), str(folder), **settings)


def fill(folder: Path) -> None:
    """The state that every mutator starts from."""
    store = open_store(folder)
    texts = [f"old words of number {i}" for i in range(12)]
    store.add_texts(texts, [{"n": i, "even": i % 2 == 0} for i in range(12)], numbered(range(12)))
    store.similarity_search("words")
    store._index.close()
    store._client.close()


def numbered(numbers: Any) -> list[str]:
    return [f"id{n}" for n in numbers]


class Log:
    """Which ids are about to change, and what they are once that was acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, kind: str, content: Any) -> None:
        with self._path.open("ab", buffering=0) as file:
            # A line that a kill has torn must not swallow the next one.
            file.write(b"\n" + json.dumps([kind, content]).encode() + b"\n")

    def read(self) -> list[tuple[str, Any]]:
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        return [tuple(json.loads(line)) for line in lines if _is_whole(line)]


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and bool(json.loads(line))
    except ValueError:
        return False


def add(store: HybridChroma) -> dict[str, str | None]:
    store.add_texts(["new words", "newer words"], [{"n": 100}, {"n": 101}], ["new0", "new1"])
    return {"new0": "new words", "new1": "newer words"}


def add_many(store: HybridChroma) -> dict[str, str | None]:
    texts = {f"many{i}": f"one of many {i}" for i in range(MANY)}
    store.add_texts(list(texts.values()), [{"n": i} for i in range(MANY)], list(texts))
    return dict(texts)


def upsert(store: HybridChroma) -> dict[str, str | None]:
    texts = {"id1": "other words", "id2": "quite other words", "id99": "more words"}
    store.add_texts(list(texts.values()), [{"n": -1}] * 3, list(texts))
    return dict(texts)


def update(store: HybridChroma) -> dict[str, str | None]:
    ids, texts = ["id3", "id4"], ["changed words", "changed words too"]
    documents = [Document(text, metadata={"changed": True}) for text in texts]
    store.update_documents(ids, documents)
    return dict(zip(ids, texts, strict=True))


def delete(store: HybridChroma) -> dict[str, str | None]:
    store.delete(["id5", "id6", "unknown"])
    return {"id5": None, "id6": None}


def delete_where(store: HybridChroma) -> dict[str, str | None]:
    store.delete(where={"even": True})
    return {f"id{n}": None for n in range(0, 12, 2)}


def clean_up(store: HybridChroma) -> dict[str, str | None]:
    """LangChain's `index`: the second run deletes what the first has written."""
    manager = InMemoryRecordManager("kills")
    manager.create_schema()
    options = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    for text in ("indexed at first", "indexed at last"):
        index([Document(text, metadata={"source": "s"})], manager, store, **options)
    return {}


def reset(store: HybridChroma) -> dict[str, str | None]:
    store.reset_collection()
    return {f"id{n}": None for n in range(12)}


def drop(store: HybridChroma) -> dict[str, str | None]:
    store.delete_collection()
    return {f"id{n}": None for n in range(12)}


WRITES: dict[str, Callable[[HybridChroma], dict[str, str | None]]] = {
    f.__name__: f for f in (add, add_many, upsert, update, delete, delete_where, clean_up)
}
DROPS = {"reset": reset, "drop": drop}


def kill_myself() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def mutate_until(folder: Path, mutator: str, step: str, log: Path) -> None:
    """Do `mutator`, then a search that brings in what waits, and die at `step`."""
    store, notes = open_store(folder), Log(log)
    store.similarity_search("words")
    if step != "journal opened":  # which only the first write of a process does
        store.add_texts(["written before"], ids=["before"])
        notes.write("done", {"before": "written before"})

    def watch(name: str) -> None:
        if name == step:
            kill_myself()

    failpoints.watcher = watch
    notes.write("done", {**WRITES, **DROPS}[mutator](store))
    store.similarity_search("words")


def count_steps(folder: Path, mutator: str, log: Path) -> None:
    """Do the same unharmed and write down how often each step was passed."""
    seen: Counter[str] = Counter()
    store = open_store(folder)
    store.similarity_search("words")

    def watch(name: str) -> None:
        seen[name] += 1

    failpoints.watcher = watch
    {**WRITES, **DROPS}[mutator](store)
    if mutator != "drop":
        store.similarity_search("words")
    Log(log).write("steps", seen)


def work_for_ever(folder: Path, seed: int, log: Path) -> None:
    """Change records at random until killed."""
    choose = random.Random(seed)  # noqa: S311  # no secret
    notes = Log(log)
    store = open_store(folder)
    store.similarity_search("words")  # from here on the object is watched
    notes.write("ready", None)
    while True:
        size = choose.choice([1, 1, 2, 5, 20, MANY])
        ids = numbered(sorted(choose.sample(range(400), size)))
        text = f"words of {choose.randrange(10**6)} and more"
        kind = choose.choice(["add", "add", "update", "delete", "direct", "search"])
        if kind == "search":
            store.similarity_search("words", k=2)
            continue
        notes.write("begin", ids)
        notes.write("done", CHANGES[kind](store, ids, text))


def _add(store: HybridChroma, ids: list[str], text: str) -> dict[str, str | None]:
    store.add_texts([text] * len(ids), [{"n": 1}] * len(ids), ids)
    return dict.fromkeys(ids, text)


def _update(store: HybridChroma, ids: list[str], text: str) -> dict[str, str | None]:
    there = [document.id for document in store.get_by_ids(ids)]
    store.update_documents([id_ for id_ in there if id_], [Document(text) for _ in there])
    return {id_: text if id_ in there else None for id_ in ids}


def _delete(store: HybridChroma, ids: list[str], text: str) -> dict[str, str | None]:
    del text
    store.delete(ids)
    return dict.fromkeys(ids)


def _direct(store: HybridChroma, ids: list[str], text: str) -> dict[str, str | None]:
    """Through Chroma's own method of the wrapped object."""
    Chroma.add_texts(store, [text] * len(ids), ids=ids)
    return dict.fromkeys(ids, text)


CHANGES = {"add": _add, "update": _update, "delete": _delete, "direct": _direct}
