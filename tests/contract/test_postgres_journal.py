"""The journal in PostgreSQL, as every journal has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.testing.lexical_journal_suite import JournalSuite

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import PostgresIndex
    from langchain_chroma_hybrid.lexical.protocol import Journal


class TestPostgresJournal(JournalSuite):
    @pytest.fixture
    def writer(self, make_postgres: Callable[..., PostgresIndex]) -> Callable[[], Journal]:
        index = make_postgres()
        return index.journal
