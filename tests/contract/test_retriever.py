"""ChromaHybridRetriever in hybrid mode passes LangChain's own suite, over each kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests

from langchain_chroma_hybrid import ChromaHybridRetriever
from tests.helpers import filled, plain_chroma

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma import Chroma


class Suite(RetrieversIntegrationTests):
    made: Chroma

    @property
    def retriever_constructor(self) -> type[ChromaHybridRetriever]:
        return ChromaHybridRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"vectorstore": self.made, "mode": "hybrid"}

    @property
    def retriever_query_example(self) -> str:
        return "the pump is blocked"


class TestOverHybridChromaInMemory(Suite):
    @pytest.fixture(autouse=True)
    def _store(self) -> None:
        self.made = filled()


class TestOverHybridChromaOnDisk(Suite):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.made = filled(tmp_path)


class TestOverPlainChromaInMemory(Suite):
    @pytest.fixture(autouse=True)
    def _store(self) -> None:
        self.made = plain_chroma()


class TestOverPlainChromaOnDisk(Suite):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.made = plain_chroma(tmp_path)


@pytest.mark.parametrize("suite", [Suite, *Suite.__subclasses__()])
def test_nothing_of_the_suite_is_overridden_or_switched_off(suite):
    assert [name for name in vars(suite) if name.startswith("test_")] == []
    assert not getattr(suite, "pytestmark", [])
