"""The suite that ships with the package, over every engine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid import Analyzer, RankBM25Index, TantivyIndex
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.testing.lexical_suite import (
    RECORDS,
    LexicalIndexSuite,
    SharedIndexSuite,
)
from langchain_chroma_hybrid.testing.lexical_typo_suite import TypoTolerantSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


class TestTantivyOnDisk(SharedIndexSuite):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[Callable[..., LexicalIndex]]:
        made: list[LexicalIndex] = []

        def build(**options: object) -> LexicalIndex:
            made.append(TantivyIndex(tmp_path / f"index{len(made)}", **options))
            return made[-1]

        yield build
        for index in made:
            index.close()

    @pytest.fixture
    def again(self) -> Callable[[TantivyIndex], TantivyIndex]:
        return lambda index: TantivyIndex(index.path)


class TestTantivyInRAM(LexicalIndexSuite, TypoTolerantSuite):
    @pytest.fixture
    def make(self) -> Callable[..., LexicalIndex]:
        return TantivyIndex


class TestRankBM25(LexicalIndexSuite):
    @pytest.fixture(params=["okapi", "l", "plus"])
    def make(self, request: pytest.FixtureRequest) -> Callable[..., LexicalIndex]:
        return lambda **options: RankBM25Index(request.param, **options)


@pytest.mark.parametrize("engine", ["tantivy", "rank_bm25", "postgres", "opensearch"])
def test_a_language_is_an_analyzer(engine: str, request: pytest.FixtureRequest) -> None:
    make: Callable[..., LexicalIndex]
    if engine in ("tantivy", "rank_bm25"):
        make = TantivyIndex if engine == "tantivy" else RankBM25Index
    elif engine == "postgres":
        make = request.getfixturevalue("make_postgres")
    else:
        make = partial(request.getfixturevalue("make_opensearch"), "OpenSearch")
    assert make(analyzer="german").analyzer.fingerprint == Analyzer("german").fingerprint
    for bad, message in ((7, "an Analyzer, a language or None"), ("klingon", "language: expected")):
        with pytest.raises(InvalidArgumentError, match=message):
            make(analyzer=bad)


def test_the_suite_notices_an_engine_that_forgets_to_delete() -> None:
    class Forgetful(RankBM25Index):
        def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
            super().apply(upserts)

    index = Forgetful()
    index.apply(RECORDS)
    with pytest.raises(AssertionError):
        LexicalIndexSuite().test_deletes(index)
