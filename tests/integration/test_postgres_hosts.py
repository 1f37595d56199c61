"""Two hosts with caches of their own over one Chroma server and one PostgreSQL."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import chromadb
import pytest

from langchain_chroma_hybrid import HybridChroma, PostgresIndex
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started, wait_until
from tests.helpers import fresh_name, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_and_die(
    port: int, collection: str, dsn: str, index: str, cache: str, step: str
) -> None:
    """A host that is killed in the middle of an update."""
    os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = cache
    lexical = PostgresIndex(dsn, name=index, lease=1.0, allow_unsafe=True)
    client = chromadb.HttpClient("127.0.0.1", port)
    store = HybridChroma(collection, WordEmbeddings(8), client=client, lexical=lexical)
    store.similarity_search("valve", k=1)
    failpoints.watcher = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None
    store.add_texts(["an okapi"], [{"n": 8}], ["id8"])
    store.similarity_search("okapi", k=1)


def noted(index: PostgresIndex) -> int:
    with index._server.connection() as connection:
        query = "select count(*) from chroma_hybrid.journal where name = %s"
        (count,) = connection.execute(query, [index.name]).fetchone()
        return count


@pytest.mark.parametrize(
    "step", ["chroma written", pytest.param("index applied", marks=pytest.mark.long)]
)
def test_the_other_host_finishes_what_a_killed_one_began(
    port: int,
    dsn: str,
    tmp_path: Path,
    cache: Path,
    make_postgres: Callable[..., PostgresIndex],
    step: str,
):
    """An update, of which neither a count nor a comparison of ids tells.

    What is in the index already, and still noted as begun, is read in the collection once more.
    """
    name, lexical = fresh_name(), make_postgres(lease=1.0)
    client = chromadb.HttpClient("127.0.0.1", port)
    options = {"client": client, "lexical": lexical, "check_rate": 0}
    with HybridChroma(name, WordEmbeddings(8), **options) as store:
        store.add_texts([f"valve {n}" for n in range(20)], ids=[f"id{n}" for n in range(20)])
        assert store.similarity_search("okapi", mode="lexical") == []
        other = str(tmp_path / "another cache")
        killed = started(write_and_die, port, name, dsn, lexical.name, other, step)
        assert ended(killed) == -signal.SIGKILL
        assert store._collection.get("id8")["documents"] == ["an okapi"]
        assert [hit.id for hit in lexical.search("okapi", 1)] == ["id8"] * (step == "index applied")
        assert noted(lexical) == 1
        wait_until(lambda: ids_of(store.similarity_search("okapi", mode="lexical")) == ["id8"])
        wait_until(lambda: ids_of(store.similarity_search("valve", k=1)) and not noted(lexical))
        assert store.verify().ok
