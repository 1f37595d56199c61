"""How often a query asks PostgreSQL: each statement is one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.protocol import Passing
from langchain_chroma_hybrid.lexical.typos import LEAST_RECORDS
from tests.helpers import filled, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_chroma_hybrid import HybridChroma, PostgresIndex

SOME = {"tenant": {"$ne": "c"}}


@pytest.fixture
def store(tmp_path: Path, make_postgres: Callable[..., PostgresIndex]) -> Iterator[HybridChroma]:
    with filled(tmp_path, lexical=make_postgres()) as made:
        texts = [f"number {n}" for n in range(LEAST_RECORDS)]
        made.add_texts(texts, [{"tenant": "b"}] * len(texts), [f"n{n}" for n in range(len(texts))])
        made.similarity_search("manual", filter=SOME)
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The statements of all connections."""
    statements: list[Any] = []
    execute = psycopg.Cursor.execute

    def noted(self: psycopg.Cursor[Any], query: Any, *args: Any, **options: Any) -> Any:
        statements.append(query)
        return execute(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return statements


@pytest.mark.parametrize("typos", [True, False, "sound"])
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "two_step"])
def test_one_without_a_filter_two_with_one(
    store: HybridChroma, asked: list[Any], mode: str, typos: Any
):
    """Words that nobody has asked for since the latest commit, by the one who looks for others."""
    how = {"k": 2, "mode": mode, "typos": typos}
    assert ids_of(store.similarity_search("error means", **how))[0] in ("pump", "valve")
    assert len(asked) == 1
    asked.clear()
    assert ids_of(store.similarity_search("water pump", filter=SOME, **how))[0] == "water"
    assert len(asked) == 2


@pytest.mark.parametrize(("where", "most"), [(None, 3), (SOME, 5)])
def test_other_spellings_are_looked_for_where_a_word_is_missing(
    store: HybridChroma, asked: list[Any], where: Any, most: int
):
    """A search without and one with them, one for near words, and for those that pass a filter."""
    how = {"k": 1, "mode": "lexical", "filter": where}
    assert ids_of(store.similarity_search("manuel", **how)) == ["manual"]
    assert len(asked) == most


def test_what_is_known_to_let_many_pass_is_not_asked_again(
    make_postgres: Callable[..., PostgresIndex], asked: list[Any]
):
    """A plan for that looks at the nearest first: how many pass need not be of today."""
    index, where = make_postgres(), parse({"n": {"$gt": 3}})
    index.apply([Record(f"{n}", "a pump", {"n": n}) for n in range(10)])
    asked.clear()
    assert [index.plan(where, 5) for _ in range(2)] == [Passing(6, 10)] * 2
    assert len(asked) == 1
    assert sorted(index.plan(where, 6).ids or ()) == list("456789")
    assert index.plan(where) == Passing(6, 10)
    assert len(asked) == 3
    index.apply([], ["9"])
    assert (index.plan(where, 5).passing, len(index.plan(where, 5).ids or ())) == (5, 5)
