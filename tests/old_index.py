"""A collection as an older version has left it, with the index folder under `data/old-index`."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.sync.build import THREAD
from langchain_chroma_hybrid.testing import WordEmbeddings

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.search import SearchResult

OLD = Path(__file__).parent / "data" / "old-index"
NAME = "old"
FIELDS = {"page_content": 1.0, "title": 0.5}
MODEL = WordEmbeddings(16)
ROWS = [json.loads(line) for line in (OLD / "records.jsonl").read_text("utf-8").splitlines()]
RECORDS = [Record(row["id"], row["text"], row["metadata"]) for row in ROWS]
WITHOUT_TEXT = {"wordless", "empty", "signs"}


def write_collection(folder: Path) -> str:
    """The records in Chroma, without an index; the collection's id."""
    client = chromadb.PersistentClient(str(folder))
    collection = client.create_collection(NAME, embedding_function=None)
    for record in RECORDS:
        collection.add(
            record.id,
            MODEL.embed_query(record.text or ""),
            documents=record.text,
            metadatas=record.metadata or None,
        )
    client.close()
    return str(collection.id)


def leave_behind(folder: Path) -> Path:
    """The same with an index of format 1; the folder of that."""
    uuid = write_collection(folder)
    return shutil.copytree(OLD / "format-1", folder / "lexical" / uuid)


def open_old(folder: Path, **options: Any) -> HybridChroma:
    return HybridChroma(NAME, MODEL, str(folder), **{"lexical_fields": FIELDS, **options})


def ask(store: HybridChroma, query: str = "pump valve water", **options: Any) -> SearchResult:
    """One query with everything that it has to tell."""
    retriever = ChromaHybridRetriever.from_vectorstore(store)
    return retriever.search(query, **{"k": 6, **options})


def hits(result: SearchResult) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in result.hits]


class Gate:
    """Holds the thread that builds at a step, for as long as a test wants."""

    def __init__(self, step: str, times: int = 1) -> None:
        self.step, self.times = step, times
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, step: str) -> None:
        if step == self.step and threading.current_thread() is not threading.main_thread():
            self.times -= 1
            if self.times <= 0:
                self.reached.set()
                assert self.opened.wait(60)


def builders() -> list[threading.Thread]:
    """Threads that are building an index in the background."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD]
