"""`lexical copy` into an OpenSearch, out of it, and on to Elasticsearch."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid import OpenSearchIndex
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.engine.sync import failpoints, reconcile
from langchain_chroma_hybrid.errors import IndexBoundError
from tests.durability.processes import ended, started
from tests.durability.test_copied_index import N, copy, found, opened, place
from tests.opensearch import any_url, fresh

if TYPE_CHECKING:
    from pathlib import Path

assert place, "a fixture"


def address(prefix: str) -> str:
    return f"opensearch+{any_url('OpenSearch')}/{prefix}?replicas=0"


def index_of(folder: Path) -> str:
    """The name of a collection's index."""
    with opened(folder) as store:
        return f"c{store._collection.id.hex}"


def test_into_it_and_on(place: Path) -> None:
    first, second = address("copy-a"), address("copy-b")
    for source, target in ((None, first), (first, second)):
        report = copy(place, target, source)
        assert (report.records, report.read) == (N, "collection")
    with opened(place, second) as store:
        assert len(found(store, "words")) == N
        assert store.verify().ok


@pytest.mark.long
def test_what_has_fallen_behind(place: Path) -> None:
    first, second = address("copy-a"), address("copy-b")
    folder = f"tantivy:{place / 'shared'}"
    elsewhere = fresh("Elasticsearch", index_of(place), prefix="copy-e")
    for source, target in ((None, first), (first, second), (second, folder), (first, elsewhere)):
        assert copy(place, target, source).records == N
    with opened(place, second) as store:
        store.add_texts(["a zebra"], ids=["new"])
    for source, target in ((second, first), (first, folder)):
        assert copy(place, target, source).records == N + 1
        with opened(place, target) as store:
            assert found(store, "zebra") == {"new"}
            assert store.verify().ok


def copy_and_die(folder: Path, url: str, name: str, step: str) -> None:
    reconcile.PAGE = 15
    failpoints.watcher = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None
    copy(folder, OpenSearchIndex(url, prefix="copy-c", name=name, replicas=0, lease=1.0))


@pytest.mark.long
def test_a_killed_copy_goes_on(place: Path) -> None:
    """The lock of the killed one is free when its lease ends."""
    name, url = index_of(place), any_url("OpenSearch")
    killed = started(copy_and_die, place, url, name, "index applied")
    assert ended(killed) == -signal.SIGKILL
    assert 0 < fresh("OpenSearch", name, prefix="copy-c").count() < N
    to = address("copy-c")
    assert copy(place, to).records == N
    with opened(place, to) as store:
        assert store.verify().ok


@pytest.mark.long
def test_what_is_refused_changes_nothing(place: Path) -> None:
    url = any_url("OpenSearch")
    there = {"prefix": "copy-d", "name": index_of(place)}
    to = address("copy-d").replace("://", "://me:hunter2@", 1)
    run = ["lexical", "copy", "--path", str(place / "db"), "-c", "documents"]
    runner = CliRunner()
    for source, target, said in (
        (to, "data", "FROM: expected an index that was built"),
        (to.replace("replicas=0", "replicas=x"), "data", "replicas: expected a whole number"),
        ("data", "opensearch+https://me:hunter2@[x", "server: expected an address"),
        ("data", "elasticsearch+http://me:hunter2@127.0.0.1:1", "cannot be reached"),
    ):
        result = runner.invoke(app, [*run, source, target])
        assert result.exit_code != 0
        assert said in " ".join(result.output.split())
        assert "hunter2" not in result.output
    assert not OpenSearchIndex.exists(url, **there), "the question has made it"
    copied = runner.invoke(app, [*run, "data", to])
    assert f"{N} records, read in the collection" in copied.output
    same = runner.invoke(app, [*run, to, to])
    assert "TO: expected another one" in same.output
    assert "hunter2" not in same.output + copied.output

    index = fresh("OpenSearch", **there)
    index.bind("another", "server", instead_of=str(opened(place)._collection.id))
    with pytest.raises(IndexBoundError, match="another at server"):
        copy(place, fresh("OpenSearch", **there))
    assert index.count() == N
