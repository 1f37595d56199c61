"""Starting and killing processes, and looking at what they have left."""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.values import Record, digest
from tests.durability.workers import Log, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

# One process imports everything once; the others are forked from it before Chroma has started.
_METHOD = "spawn" if sys.platform == "win32" else "forkserver"
_context = multiprocessing.get_context(_METHOD)
if _METHOD == "forkserver":
    _context.set_forkserver_preload(["tests.durability.workers"])


def started(target: Callable[..., None], *args: Any) -> BaseProcess:
    process = _context.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    process.join(60)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def halves(folder: Path) -> tuple[dict[str, str], dict[str, str], dict[str, str | None]]:
    """After reopening and one query: digests in Chroma and in the index, and the texts."""
    store = open_store(folder)
    try:
        store.similarity_search("words", mode="lexical")
        found = store._collection.get()
        columns = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        records = [Record(id_, text, metadata or {}) for id_, text, metadata in columns]
        chroma = {record.id: digest(record) for record in records}
        return chroma, dict(store._index.lexical.digests()), {r.id: r.text for r in records}
    finally:
        store._index.close()
        store._client.close()


def acknowledged(log: Path) -> tuple[dict[str, str | None], set[str]]:
    """What has to be there, by id (None: gone), and ids of a write that was not acknowledged."""
    state: dict[str, str | None] = {}
    open_ids: set[str] = set()
    for kind, content in Log(log).read():
        if kind == "done":
            state.update(content)
            open_ids = set()
        elif kind == "begin":
            open_ids = set(content)
    return state, open_ids
