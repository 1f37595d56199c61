"""PostgreSQL that is killed, goes away and comes back; writers that are killed beside it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import IndexLockedError, LexicalIndexError
from langchain_chroma_hybrid.lexical.postgres import reading
from langchain_chroma_hybrid.lexical.protocol import Journaled
from tests.durability.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import PostgresIndex
    from tests.postgres import LocalServer

RECORDS = [Record(f"id{n}", f"pump number{n}", {"n": n}) for n in range(200)]


@pytest.fixture
def index(
    make_postgres: Callable[..., PostgresIndex], monkeypatch: pytest.MonkeyPatch
) -> PostgresIndex:
    """One that takes its candidates from pg_textsearch, however few there are."""
    monkeypatch.setattr(reading, "FEW", 0)
    built = make_postgres(connect_timeout=1.0)
    for at in range(0, len(RECORDS), 50):
        built.apply(RECORDS[at : at + 50])
    built.apply([], [RECORDS[0].id])
    return built


def found(index: PostgresIndex, query: str) -> list[str]:
    return [hit.id for hit in index.search(query, 5)]


def by_pg_textsearch(dsn: str, index: PostgresIndex, token: str) -> int:
    """How many records it brings for a token, asked past our own check."""
    table, bm25 = f"chroma_hybrid.{index.name}_records", f"chroma_hybrid.{index.name}_bm25"
    order = f"order by indexed <@> to_bm25query(%s, '{bm25}') limit 1000"
    query = f"select key from {table} {order}"  # noqa: S608  # names of the test's own
    with psycopg.connect(dsn) as connection:
        connection.execute("set enable_seqscan = off")
        connection.execute("set enable_sort = off")
        return len(connection.execute(query, [token]).fetchall())


def test_what_a_crash_of_the_server_takes_is_brought_back(
    postgres: LocalServer, index: PostgresIndex
):
    """pg_textsearch 1.0.0 keeps its latest rows in memory alone, and says nothing afterwards."""
    known = by_pg_textsearch(postgres.dsn, index, "x00pump")
    assert known == len(RECORDS) - 1
    before = found(index, "number7 number150"), index.count()
    postgres.kill()
    postgres.start()
    assert by_pg_textsearch(postgres.dsn, index, "x00pump") < known, "there is nothing to mend"
    assert (found(index, "number7 number150"), index.count()) == before
    assert found(index, "number199") == ["id199"]
    assert by_pg_textsearch(postgres.dsn, index, "x00pump") == known
    index.apply([Record("new", "zebra")])
    assert found(index, "zebra") == ["new"]


def test_a_server_that_is_away_is_one_clear_error_and_then_answers(
    postgres: LocalServer, index: PostgresIndex
):
    postgres.kill()
    try:
        for call in (
            lambda: index.search("pump", 1),
            lambda: index.apply([Record("lost", "zebra")]),
            lambda: index.set_state("state", {}),
            lambda: index.journal().begin(["lost"]),
        ):
            with pytest.raises(LexicalIndexError, match=r"`dsn`: PostgreSQL at 127\.0\.0\.1:\d+"):
                call()
        index.journal().done([1])
    finally:
        postgres.start()
    assert found(index, "number7") == ["id7"]


def test_a_server_that_comes_back_is_waited_for(postgres: LocalServer, index: PostgresIndex):
    postgres.kill()
    threading.Timer(0.3, postgres.start).start()
    index.apply([Record("new", "zebra")])
    assert found(index, "zebra") == ["new"]
    with index.locked():
        postgres.kill()
        postgres.start()
        with pytest.raises(LexicalIndexError, match="cannot be reached"):
            index.apply([Record("newer", "gnu")])  # the lock has gone with the connection
    index.apply([Record("newer", "gnu")])
    assert found(index, "gnu") == ["newer"]


def test_a_transaction_that_was_taken_back_leaves_nothing(index: PostgresIndex, dsn: str):
    before = index.version(), index.digests()
    with psycopg.connect(dsn, autocommit=True) as connection:
        table = f"chroma_hybrid.{index.name}_words"
        no_zebra = "constraint no_zebra check (token <> 'x00zebra')"
        connection.execute(f"alter table {table} add {no_zebra}")
        with pytest.raises(LexicalIndexError, match="could not answer"):
            index.apply([Record("a", "pump " * 5_000), Record("b", "zebra")], ["id7"])
        connection.execute(f"alter table {table} drop constraint no_zebra")
    assert (index.version(), index.digests()) == before
    assert found(index, "number7") == ["id7"]
    index.apply([Record("a", "pump"), Record("b", "zebra")], ["id7"])
    assert (found(index, "zebra"), found(index, "number7")) == (["b"], [])
    assert index.match_count(parse({"n": {"$gte": 0}})) == len(RECORDS) - 2


def test_writers_of_two_hosts_wait_for_each_other(
    index: PostgresIndex, make_postgres: Callable[..., PostgresIndex]
):
    other = make_postgres(index.name, lock_timeout=0.1)
    with index.locked():
        with pytest.raises(IndexLockedError, match=r"another writer.*0\.1 s"):
            other.apply([Record("new", "zebra")])
        assert other.search("number7", 1)[0].id == "id7"
    other.apply([Record("new", "zebra")])
    assert found(index, "zebra") == ["new"]


class TestJournal:
    @pytest.fixture
    def hosts(self, make_postgres: Callable[..., PostgresIndex]) -> list[PostgresIndex]:
        """Three over one index, whose writers are dead after two seconds without a sign."""
        first = make_postgres(lease=2.0)
        return [first, *(make_postgres(first.name, lease=2.0) for _ in range(2))]

    def test_what_a_writer_has_begun_is_seen_by_others(self, hosts: list[PostgresIndex]):
        assert all(isinstance(host, Journaled) for host in hosts)
        writer, other = hosts[0].journal(), hosts[1].journal()
        with other.take_over() as left:
            assert (left.ids, left.living, left.put_off) == (frozenset(), False, frozenset())
        numbers = [writer.begin(["a", "b\0\ud800"]), writer.begin(["c"])]
        with other.take_over() as left:
            assert (left.ids, left.living) == (frozenset(), True)
            assert left.put_off == {"a", "b\0\ud800", "c"}
        writer.done(numbers[:1])
        with other.take_over() as left:
            assert left.put_off == {"c"}
        with writer.take_over() as left:
            assert (left.ids, left.living) == (frozenset(), False), "its own are nobody's"
        writer.done(numbers)
        with other.take_over() as left:
            assert not left.living

    def test_a_living_writer_keeps_its_lease(self, hosts: list[PostgresIndex]):
        writer, other = hosts[0].journal(), hosts[1].journal()
        writer.begin(["a"])
        first = end_of_lease(hosts[1])
        wait_until(lambda: end_of_lease(hosts[1]) > first)
        with other.take_over() as left:
            assert (left.ids, left.put_off) == (frozenset(), {"a"})

    def test_what_a_closed_writer_has_left_is_taken_over_by_one(self, hosts: list[PostgresIndex]):
        writer = hosts[0].journal()
        writer.begin(["a"])
        writer.begin(["b"])
        writer.close()
        second, third = hosts[1].journal(), hosts[2].journal()
        with suppress(ZeroDivisionError), second.take_over() as left:
            assert left.ids == {"a", "b"}
            with third.take_over() as none:
                assert none.ids == frozenset(), "two hosts have got the same ids"
            raise ZeroDivisionError
        with third.take_over() as left:
            assert left.ids == {"a", "b"}
        with second.take_over() as left:
            assert left.ids == frozenset()

    def test_who_comes_back_to_life_notes_anew_what_is_under_way(self, hosts: list[PostgresIndex]):
        writer, other = hosts[0].journal(), hosts[1].journal()
        writer.begin(["a"])
        with psycopg_of(hosts[0]) as connection:
            connection.execute("update chroma_hybrid.journal set lease_until = '-infinity'")
        with other.take_over() as left:
            assert left.ids == {"a"}
        writer.renew()
        with other.take_over() as left:
            assert (left.ids, left.put_off) == (frozenset(), {"a"})


def psycopg_of(index: PostgresIndex) -> psycopg.Connection[tuple[object, ...]]:
    place = index.signature.split("/")[0]
    return psycopg.connect(f"postgresql://postgres@{place}/postgres", autocommit=True)


def end_of_lease(index: PostgresIndex) -> object:
    with psycopg_of(index) as connection:
        query = "select max(lease_until) from chroma_hybrid.journal where name = %s"
        row = connection.execute(query, [index.name]).fetchone()
        return row and row[0]
