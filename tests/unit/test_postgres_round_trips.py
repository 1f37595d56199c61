"""How often a query asks PostgreSQL, counted on the wire."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from langchain_chroma_hybrid import PostgresIndex
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.protocol import Passing
from langchain_chroma_hybrid.lexical.typos import LEAST_RECORDS
from tests.helpers import filled, ids_of
from tests.postgres import any_dsn
from tests.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from langchain_chroma_hybrid import HybridChroma
    from tests.wire import Wire

SOME = {"tenant": {"$ne": "c"}}


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Wire, PostgresIndex]]:
    """An index behind a proxy."""
    name, given = f"t{uuid.uuid4().hex}", conninfo_to_dict(any_dsn())
    with wire(given.get("host", "127.0.0.1"), int(given.get("port", 5432))) as between:
        dsn = make_conninfo(**{**given, "host": "127.0.0.1", "port": between.port})
        index = PostgresIndex(dsn, name=name, allow_unsafe=True)
        yield between, index
        index.close()


@pytest.fixture(scope="module")
def filled_store(
    tmp_path_factory: pytest.TempPathFactory, behind: tuple[Wire, PostgresIndex]
) -> Iterator[HybridChroma]:
    with filled(tmp_path_factory.mktemp("db"), lexical=behind[1]) as made:
        texts = [f"number {n}" for n in range(LEAST_RECORDS)]
        made.add_texts(texts, [{"tenant": "b"}] * len(texts), [f"n{n}" for n in range(len(texts))])
        made.similarity_search("manual", filter=SOME)
        yield made


@pytest.fixture
def store(filled_store: HybridChroma, far: Wire) -> HybridChroma:
    """After a commit, so that nothing is known of any word."""
    filled_store.add_texts(["number"], [{"tenant": "b"}], ["n0"])
    filled_store.similarity_search("number")
    far.trips = 0
    return filled_store


@pytest.fixture
def far(behind: tuple[Wire, PostgresIndex]) -> Wire:
    return behind[0]


@pytest.mark.parametrize("typos", [True, False, "sound"])
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "two_step"])
def test_one_without_a_filter_two_with_one(
    store: HybridChroma, far: Wire, mode: str, typos: Any
):
    """Words that nobody has asked for since the latest commit, by the one who looks for others."""
    how = {"k": 2, "mode": mode, "typos": typos}
    assert ids_of(store.similarity_search("error means", **how))[0] in ("pump", "valve")
    assert far.trips == 1
    far.trips = 0
    assert ids_of(store.similarity_search("water pump", filter=SOME, **how))[0] == "water"
    assert far.trips == 2


@pytest.mark.parametrize(("where", "most"), [(None, 3), (SOME, 5)])
def test_other_spellings_are_looked_for_where_a_word_is_missing(
    store: HybridChroma, far: Wire, where: Any, most: int
):
    """A search without and one with them, one for near words, and for those that pass a filter."""
    how = {"k": 1, "mode": "lexical", "filter": where}
    assert ids_of(store.similarity_search("manuel", **how)) == ["manual"]
    assert far.trips == most


def test_what_is_known_to_let_many_pass_is_not_asked_again(
    behind: tuple[Wire, PostgresIndex], far: Wire
):
    """A plan for that looks at the nearest first: how many pass need not be of today."""
    index, where = behind[1], parse({"n": {"$gt": 3}})
    index.apply([Record(f"{n}", "a pump", {"n": n}) for n in range(10)])
    count, far.trips = index.count(), 0
    plans = [index.plan(where, 5) for _ in range(2)]
    assert plans == [Passing(6, count)] * 2
    assert far.trips == 1
    assert sorted(index.plan(where, 6).ids or ()) == list("456789")
    assert index.plan(where) == plans[0]
    assert far.trips == 3
    index.apply([], ["9"])
    assert (index.plan(where, 5).passing, len(index.plan(where, 5).ids or ())) == (5, 5)
