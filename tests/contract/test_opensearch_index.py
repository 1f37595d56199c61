"""The index in OpenSearch and Elasticsearch: the suites that every engine passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid.testing.lexical_journal_suite import JournalSuite
from langchain_chroma_hybrid.testing.lexical_suite import SharedIndexSuite
from langchain_chroma_hybrid.testing.lexical_typo_suite import TypoTolerantSuite

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import OpenSearchIndex
    from langchain_chroma_hybrid.lexical.protocol import Journal, LexicalIndex


class TestOpenSearch(SharedIndexSuite):
    product = "OpenSearch"

    @pytest.fixture
    def make(
        self, make_opensearch: Callable[..., OpenSearchIndex]
    ) -> Callable[..., OpenSearchIndex]:
        return lambda **options: make_opensearch(self.product, **options)

    @pytest.fixture
    def again(
        self, make_opensearch: Callable[..., OpenSearchIndex]
    ) -> Callable[[Any], LexicalIndex]:
        return lambda index: make_opensearch(self.product, index.name)


class TestElasticsearch(TestOpenSearch):
    product = "Elasticsearch"


class TestOpenSearchTypos(TypoTolerantSuite):
    product = "OpenSearch"

    @pytest.fixture
    def make(
        self, make_opensearch: Callable[..., OpenSearchIndex]
    ) -> Callable[..., OpenSearchIndex]:
        return lambda: make_opensearch(self.product)


@pytest.mark.long
class TestElasticsearchTypos(TestOpenSearchTypos):
    product = "Elasticsearch"


class TestOpenSearchJournal(JournalSuite):
    @pytest.fixture
    def writer(self, make_opensearch: Callable[..., OpenSearchIndex]) -> Callable[[], Journal]:
        return make_opensearch("OpenSearch").journal
