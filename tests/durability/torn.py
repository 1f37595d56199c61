"""Data folders whose vector files are torn: by `kill -9` for real, or file by file."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np

from langchain_chroma_hybrid.engine.rescue.segments import places
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATABASE = "default_database"
SIZE = 32
EMBEDDINGS = WordEmbeddings(SIZE)
HNSW = {"space": "cosine", "sync_threshold": 200, "batch_size": 100, "ef_search": 77}
COUNT = 330
KEPT = 131
"""Of `COUNT` records, those that Chroma has in its log alone."""
# What a kill may have made of a file.
TEARS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
}
_OPEN = """
import chromadb, sys
client = chromadb.PersistentClient(sys.argv[1])
for collection in client.list_collections():
    client.get_collection(collection.name, embedding_function=None).get(include=["embeddings"])
"""


def text(n: int, version: int = 0) -> str:
    return f"number {n} has the words w{n % 7} x{n % 11} y{n % 13} of version {version}"


def client_at(folder: Path, **options: Any) -> chromadb.ClientAPI:
    return chromadb.PersistentClient(str(folder), **options)


def fill(folder: Path, name: str = "documents", count: int = COUNT, **options: Any) -> None:
    """A collection of which the first 200 records are in vector files; closes the folder."""
    settings = {"embedding_function": None, "configuration": {"hnsw": HNSW}, **options}
    client = client_at(folder)
    collection = client.get_or_create_collection(name, **settings)
    for start in range(0, count, 50):
        numbers = range(start, min(start + 50, count))
        texts = [text(n) for n in numbers]
        collection.add(
            [f"id{n}" for n in numbers],
            EMBEDDINGS.embed_documents(texts),
            documents=texts,
            metadatas=[{"n": n, "tags": ["a", "ü"], "even": n % 2 == 0} for n in numbers],
        )
    client.close()


def tear(
    folder: Path, name: str = "documents", file: str = "header.bin", how: str = "empty"
) -> None:
    """Damage a file of that collection's vectors."""
    own = next(p.folder for p in places(folder) if (p.database, p.name) == (DATABASE, name))
    path = folder / own / file
    path.write_bytes(TEARS[how](path.read_bytes()))


def torn(folder: Path, **options: Any) -> Path:
    """A folder with one collection, which no client opens."""
    fill(folder, **options)
    tear(folder, options.get("name", "documents"))
    return folder


def small(folder: Path) -> None:
    """One for the pages of the documentation."""
    options = {"hnsw": {"space": "cosine", "sync_threshold": 20, "batch_size": 20}}
    client = client_at(folder)
    collection = client.create_collection(
        "manuals", embedding_function=None, configuration=options
    )
    for start in range(0, 24, 4):
        texts = [text(n) for n in range(start, start + 4)]
        ids = [f"id{n}" for n in range(start, start + 4)]
        collection.add(ids, WordEmbeddings().embed_documents(texts), documents=texts)
    client.close()
    tear(folder, "manuals")


def torn_for_real(folder: Path, seed: int = 0) -> Path:
    """The same by a kill, at the moment at which a vector file is seen to change."""
    chance = random.Random(seed)  # noqa: S311
    for attempt in range(30):
        shutil.rmtree(folder, ignore_errors=True)
        process = started(_write, folder, chance.random())
        seen = _vector_files(folder)
        for _ in range(chance.randrange(2, 12)):
            seen = _changed(folder, seen)
        time.sleep(chance.uniform(0.0, 0.002))
        process.kill()
        process.join()
        copy = folder.with_name(f"{folder.name}-opened-{attempt}")
        shutil.copytree(folder, copy)  # opening it changes it
        done = subprocess.run([sys.executable, "-c", _OPEN, copy], capture_output=True, check=False)
        shutil.rmtree(copy)
        if done.returncode:
            return folder
    raise AssertionError("no kill has torn anything")


def hashes(folder: Path) -> dict[str, str]:
    """Everything in a folder, byte by byte, and when it was changed."""
    return {
        path.relative_to(folder).as_posix(): f"{path.stat().st_mtime_ns} {_digest(path)}"
        for path in sorted(folder.rglob("*"))
    }


class Close(list[float]):
    """A vector that is equal to those that are nearly so."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return bool(np.allclose(self, other, atol=1e-5))  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other


def everything(folder: Path, name: str = "documents", **options: Any) -> dict[str, tuple[Any, ...]]:
    """Text, metadata, URI and vector of all records, by id; closes the folder."""
    client = client_at(folder, **options)
    found = client.get_collection(name, embedding_function=None).get(
        include=["documents", "metadatas", "uris", "embeddings"]
    )
    client.close()
    columns = (found[name] for name in ("documents", "metadatas", "uris", "embeddings"))
    return {
        id_: (text, metadata, uri, Close(map(float, vector)))
        for id_, text, metadata, uri, vector in zip(found["ids"], *columns, strict=True)
    }


def _write(folder: Path, seed: float) -> None:
    """Change half of the records again and again."""
    chance, version = random.Random(seed), 0  # noqa: S311
    collection = client_at(folder).get_or_create_collection(
        "documents", embedding_function=None, configuration={"hnsw": HNSW}
    )
    while True:
        version += 1
        some = chance.sample(range(1_000), 500)
        texts = [text(n, version) for n in some]
        collection.upsert(
            [f"id{n}" for n in some],
            EMBEDDINGS.embed_documents(texts),
            documents=texts,
            metadatas=[{"n": n, "version": version} for n in some],
        )
        collection.delete([f"id{n}" for n in chance.sample(range(1_000), 50)])


def _changed(folder: Path, seen: dict[str, int]) -> dict[str, int]:
    """Wait until a vector file is another one than `seen`."""
    deadline = time.monotonic() + 60
    while (now := _vector_files(folder)) == seen:
        assert time.monotonic() < deadline, "nothing is written"
    return now


def _vector_files(folder: Path) -> dict[str, int]:
    found = {}
    for path in folder.glob("*/*.*"):
        try:
            found[path.name] = path.stat().st_mtime_ns
        except OSError:
            continue
    return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
