"""`lexical copy` into a PostgreSQL, out of it, and from one schema to another."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid import PostgresIndex
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.engine.sync import failpoints, reconcile
from langchain_chroma_hybrid.errors import IndexBoundError
from tests.durability.processes import ended, started
from tests.durability.test_copied_index import N, copy, found, opened, place

if TYPE_CHECKING:
    from pathlib import Path

assert place, "a fixture"


def address(dsn: str, schema: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}schema={schema}&allow_unsafe=true"


def index_of(folder: Path) -> str:
    """The name of a collection's index."""
    with opened(folder) as store:
        return f"c{store._collection.id.hex}"


def test_from_engine_to_engine(place: Path, dsn: str) -> None:
    first, second = address(dsn, "copy_a"), address(dsn, "copy_b")
    folder = f"tantivy:{place / 'shared'}"
    for source, target in ((None, first), (first, second), (second, folder)):
        report = copy(place, target, source)
        assert (report.records, report.read) == (N, "collection")
    with opened(place, second) as store:
        assert len(found(store, "words")) == N
        store.add_texts(["a zebra"], ids=["new"])
        assert store.verify().ok
    for source, target in ((second, first), (first, folder)):  # what has fallen behind
        assert copy(place, target, source).records == N + 1
        with opened(place, target) as store:
            assert found(store, "zebra") == {"new"}
            assert store.verify().ok


def copy_and_die(folder: Path, to: str, step: str) -> None:
    reconcile.PAGE = 15
    failpoints.watcher = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None
    copy(folder, to)


def test_a_killed_copy_goes_on(place: Path, dsn: str) -> None:
    to = address(dsn, "copy_c")
    assert ended(started(copy_and_die, place, to, "index applied")) == -signal.SIGKILL
    assert copy(place, to).records == N
    with opened(place, to) as store:
        assert store.verify().ok


def test_what_is_refused_changes_nothing(place: Path, dsn: str) -> None:
    there = {"schema": "copy_d", "name": index_of(place)}
    to = address(dsn, "copy_d").replace("postgres@", "postgres:hunter2@")
    run = ["lexical", "copy", "--path", str(place / "db"), "-c", "documents"]
    runner = CliRunner()
    for source, target, said in (
        (to, "data", "FROM: expected an index that was built"),
        (to.replace("true", "perhaps"), "data", "allow_unsafe: expected true or false"),
        ("data", "postgresql://me:hunter2@[x", "lexical: expected an address"),
        ("data", to.replace("5432", "x").replace("/postgres?", "/nothing?"), "does not exist"),
    ):
        result = runner.invoke(app, [*run, source, target])
        assert result.exit_code != 0
        assert said in " ".join(result.output.split())
        assert "hunter2" not in result.output
    assert not PostgresIndex.exists(dsn, **there), "the question has made it"
    copied = runner.invoke(app, [*run, "data", to])
    assert f"{N} records, read in the collection" in copied.output
    same = runner.invoke(app, [*run, to, to])
    assert "TO: expected another one" in same.output
    assert "hunter2" not in same.output + copied.output

    index = PostgresIndex(dsn, **there, allow_unsafe=True)
    index.bind("another", "server", instead_of=str(opened(place)._collection.id))
    with pytest.raises(IndexBoundError, match="another at server"):
        copy(place, PostgresIndex(dsn, **there, allow_unsafe=True))
    assert index.count() == N
