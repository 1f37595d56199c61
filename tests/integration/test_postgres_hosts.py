"""Two hosts with caches of their own over one Chroma server and one PostgreSQL."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import chromadb

from langchain_chroma_hybrid import HybridChroma, PostgresIndex
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import fresh_name, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_and_die(port: int, collection: str, dsn: str, index: str, cache: str) -> None:
    """A host that is killed in the middle of an update."""
    os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = cache
    lexical = PostgresIndex(dsn, name=index, lease=1.0, allow_unsafe=True)
    client = chromadb.HttpClient("127.0.0.1", port)
    store = HybridChroma(collection, WordEmbeddings(8), client=client, lexical=lexical)
    store.similarity_search("valve", k=1)
    failpoints.watcher = lambda step: (
        os.kill(os.getpid(), signal.SIGKILL) if step == "chroma written" else None
    )
    store.add_texts(["an okapi"], [{"n": 8}], ["id8"])


def test_the_other_host_finishes_what_a_killed_one_began(
    port: int, dsn: str, tmp_path: Path, cache: Path, make_postgres: Callable[..., PostgresIndex]
):
    """An update, of which neither a count nor a comparison of ids tells."""
    name, lexical = fresh_name(), make_postgres(lease=1.0)
    client = chromadb.HttpClient("127.0.0.1", port)
    options = {"client": client, "lexical": lexical, "check_rate": 0}
    with HybridChroma(name, WordEmbeddings(8), **options) as store:
        store.add_texts([f"valve {n}" for n in range(20)], ids=[f"id{n}" for n in range(20)])
        assert store.similarity_search("okapi", mode="lexical") == []
        other = str(tmp_path / "another cache")
        killed = started(write_and_die, port, name, dsn, lexical.name, other)
        assert ended(killed) == -signal.SIGKILL
        assert store._collection.get("id8")["documents"] == ["an okapi"]
        wait_until(lambda: ids_of(store.similarity_search("okapi", mode="lexical")) == ["id8"])
        assert store.verify().ok
