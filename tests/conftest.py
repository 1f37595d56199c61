"""Fixtures for tests that need a store."""

from __future__ import annotations

import gc
import logging
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromadb.api.shared_system_client import SharedSystemClient

from langchain_chroma_hybrid import OpenSearchIndex, PostgresIndex
from tests import helpers
from tests.opensearch import fresh
from tests.postgres import any_dsn, own_server
from tests.skips import (  # noqa: F401  # the hooks
    pytest_collectreport,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid import HybridChroma
    from tests.postgres import LocalServer

LONG = Path(__file__).with_name("long.md")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What CI leaves out is listed, with its reason and what CI runs instead."""
    if not os.environ.get("CHROMA_API_KEY"):  # nobody asks for it: no skip
        live = [item for item in items if item.get_closest_marker("cloud")]
        items[:] = [item for item in items if item not in live]
        config.hook.pytest_deselected(items=live)
    listed = LONG.read_text(encoding="utf-8")
    for item in items:
        name = item.nodeid.partition("[")[0].removeprefix("tests/")
        if item.get_closest_marker("long") and f"`{name}`" not in listed:
            raise pytest.UsageError(f"{name} is marked `long`: say why in {LONG.name}")


def pytest_collection_finish() -> None:
    """What is imported stays: collecting garbage among it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Programs that run inside a test may quieten the log: not that of the next test."""
    loggers = [logging.getLogger(name) for name in (None, "langchain_chroma_hybrid")]
    before = [(each.level, each.disabled, each.propagate) for each in loggers]
    yield
    for each, (level, disabled, propagate) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.disabled, each.propagate = disabled, propagate


@pytest.fixture(autouse=True, scope="module")
def memory_of_its_own() -> Iterator[None]:
    """All clients in memory share one Chroma, which keeps megabytes of each collection for good."""
    yield
    SharedSystemClient.clear_system_cache()
    gc.collect()


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Both kinds of client: None for memory, a folder for disk."""
    return tmp_path / "db" if request.param == "disk" else None


@pytest.fixture
def empty() -> Iterator[HybridChroma]:
    """An empty store in memory."""
    store = helpers.make_store()
    yield store
    _drop(store)


@pytest.fixture
def store() -> Iterator[HybridChroma]:
    """The corpus in a store in memory."""
    store = helpers.filled()
    yield store
    _drop(store)


@pytest.fixture
def chroma() -> Iterator[Chroma]:
    """The corpus in a Chroma of LangChain's, in memory."""
    chroma = helpers.plain_chroma()
    yield chroma
    _drop(chroma)


def _drop(store: Chroma) -> None:
    # Collections in memory outlive the objects that made them.
    if store._chroma_collection is not None:
        store.delete_collection()


@pytest.fixture(scope="session")
def postgres() -> LocalServer:
    """A server that may be killed; one for all tests of this process."""
    try:
        return own_server()
    except LookupError as error:
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def dsn() -> str:
    """Of that server, or of the one that `LCH_POSTGRES_DSN` says."""
    return any_dsn()


@pytest.fixture
def make_postgres(dsn: str) -> Iterator[Callable[..., PostgresIndex]]:
    """Makes an index with a name of its own, or with one that is given; removed at the end."""
    made: list[PostgresIndex] = []

    def build(name: str | None = None, **options: Any) -> PostgresIndex:
        name = name or f"t{uuid.uuid4().hex}"
        made.append(PostgresIndex(dsn, name=name, allow_unsafe=True, **options))
        return made[-1]

    yield build
    for index in made:
        index.close()


@pytest.fixture
def make_opensearch() -> Iterator[Callable[..., OpenSearchIndex]]:
    """Makes an index of a product with a name of its own, or with one that is given."""
    made: list[OpenSearchIndex] = []

    def build(product: str, name: str | None = None, **options: Any) -> OpenSearchIndex:
        made.append(fresh(product, name, **options))
        return made[-1]

    yield build
    for index in made:
        index.close()
