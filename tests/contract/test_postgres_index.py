"""The index in PostgreSQL: the suite that every engine passes, and what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.testing.lexical_suite import SharedIndexSuite
from langchain_chroma_hybrid.testing.lexical_typo_suite import TypoTolerantSuite

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import PostgresIndex


class TestPostgres(SharedIndexSuite, TypoTolerantSuite):
    @pytest.fixture
    def make(self, make_postgres: Callable[..., PostgresIndex]) -> Callable[..., PostgresIndex]:
        return make_postgres

    @pytest.fixture
    def again(
        self, make_postgres: Callable[..., PostgresIndex]
    ) -> Callable[[PostgresIndex], PostgresIndex]:
        return lambda index: make_postgres(index.name)
