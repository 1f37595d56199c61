"""HybridChroma in hybrid mode passes LangChain's own suite, on disk and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from langchain_chroma_hybrid import HybridChroma
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestInMemory(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[HybridChroma]:
        store = HybridChroma(fresh_name(), self.get_embeddings(), mode="hybrid")
        yield store
        store.delete_collection()


class TestOnDisk(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> HybridChroma:
        return HybridChroma(fresh_name(), self.get_embeddings(), str(tmp_path), mode="hybrid")


@pytest.mark.parametrize("suite", [TestInMemory, TestOnDisk])
def test_nothing_of_the_suite_is_overridden_or_switched_off(suite):
    assert [name for name in vars(suite) if name.startswith(("test_", "has_"))] == []
    assert not getattr(suite, "pytestmark", [])
