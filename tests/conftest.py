"""Fixtures for tests that need a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import helpers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid import HybridChroma


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
