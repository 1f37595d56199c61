"""What is wrong with a PostgreSQL is said in one line, which holds no password."""

from __future__ import annotations

import logging
import socket
import traceback
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from langchain_chroma_hybrid import Analyzer, PostgresIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    InvalidArgumentError,
    LexicalIndexError,
)
from tests.helpers import ids_of, make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres import LocalServer

SECRET = "hunter2"  # noqa: S105  # nobody's


@pytest.fixture
def admin(postgres: LocalServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        yield connection


def told(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """All that anybody sees of it."""
    return "".join(traceback.format_exception(error)) + caplog.text


@pytest.mark.parametrize(
    "dsn",
    [None, "", 7, "postgresql://me:hunter2@[host/db", "nonsense hunter2", "password=hunter2 x=1"],
)
def test_what_is_no_connection_string(dsn: Any, caplog: pytest.LogCaptureFixture):
    with pytest.raises(InvalidArgumentError, match="dsn: expected a connection string") as error:
        PostgresIndex(dsn)
    assert SECRET not in told(error.value, caplog)


def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}/db"
        expected = f"`dsn`: PostgreSQL at {place} cannot be reached"
        with pytest.raises(LexicalIndexError, match=expected) as error:
            PostgresIndex(f"postgresql://me:{SECRET}@{place}", connect_timeout=2.0)
        address = f"postgresql://me:{SECRET}@{place}?connect_timeout=2"
        store = make_store(lexical=address)
        with pytest.raises(LexicalIndexError, match=place):
            store.similarity_search("pump", mode="lexical")
        assert SECRET not in told(error.value, caplog) + store.lexical_config.signature
        assert SECRET not in repr(store.lexical_config) + store.lexical_config.description


def test_a_certificate_that_nobody_has(postgres: LocalServer):
    with pytest.raises(LexicalIndexError, match=r"`dsn`.*SSL"):
        PostgresIndex(f"{postgres.dsn}?sslmode=verify-full", allow_unsafe=True)


def test_an_unknown_database_or_role(postgres: LocalServer):
    for dsn in (postgres.dsn + "x", postgres.dsn.replace("postgres@", "nobody@")):
        with pytest.raises(LexicalIndexError, match=r"`dsn`.*does not exist"):
            PostgresIndex(dsn, allow_unsafe=True)


def test_a_pg_textsearch_that_forgets_is_refused(postgres: LocalServer):
    with pytest.raises(LexicalIndexError, match=r"1\.0\.0 loses.*1\.4 or later.*allow_unsafe=True"):
        PostgresIndex(postgres.dsn)


def test_without_the_extension(postgres: LocalServer, admin: psycopg.Connection[Any]):
    admin.execute("create database bare")
    try:
        with pytest.raises(LexicalIndexError, match=r"no extension pg_textsearch.*tantivy:FOLDER"):
            PostgresIndex(postgres.dsn.removesuffix("postgres") + "bare", allow_unsafe=True)
    finally:
        admin.execute("drop database bare with (force)")


def test_without_permission(postgres: LocalServer, admin: psycopg.Connection[Any]):
    admin.execute("create role reader login")
    try:
        dsn = postgres.dsn.replace("postgres@", "reader@")
        with pytest.raises(LexicalIndexError, match=r"role of `dsn`.*permission denied.*`schema`"):
            PostgresIndex(dsn, schema="forbidden", allow_unsafe=True)
    finally:
        admin.execute("drop role reader")


def test_a_schema_of_a_newer_version(dsn: str, admin: psycopg.Connection[Any]):
    schema = f"s{uuid.uuid4().hex}"
    PostgresIndex(dsn, schema=schema, allow_unsafe=True).close()
    admin.execute(f"update {schema}.format set version = 99")  # noqa: S608  # of the test's own
    with pytest.raises(IndexFormatError, match=rf"{schema}.*version 99, this package knows"):
        PostgresIndex(dsn, schema=schema, allow_unsafe=True)
    admin.execute(f"drop schema {schema} cascade")


def test_a_schema_of_an_older_version(dsn: str, admin: psycopg.Connection[Any]):
    schema = f"s{uuid.uuid4().hex}"
    with closing(PostgresIndex(dsn, schema=schema, allow_unsafe=True)) as index:
        index.apply([Record("a", "pump")])
    admin.execute(f"alter table {schema}.indexes drop used")
    admin.execute(f"update {schema}.format set version = 1")  # noqa: S608  # of the test's own
    with closing(PostgresIndex(dsn, schema=schema, allow_unsafe=True)) as index:
        index.apply([Record("b", "pump")])
        assert [hit.id for hit in index.search("pump", 5)] == ["a", "b"]
    admin.execute(f"drop schema {schema} cascade")


def test_words_as_an_older_version_wrote_them(dsn: str, admin: psycopg.Connection[Any]):
    schema = f"s{uuid.uuid4().hex}"
    texts = {"a": "zebras running, zebras", "b": "apple, running apples apple", "c": ""}
    queries = ("zebra apple", "running", "runn*", "+apples")

    def found(index: PostgresIndex) -> list[Any]:
        return [[*index.search(query, 5, syntax="simple")] for query in queries]

    with closing(PostgresIndex(dsn, schema=schema, allow_unsafe=True)) as index:
        index.apply([Record(*row) for row in texts.items()])
        before, table = found(index), f"{schema}.{index.name}_records"
    assert all(before)
    # In no order, unstemmed ones behind the others, without a count.
    admin.execute(f"""
        update {table} set (words, counts) = (
            select coalesce(array_agg(w order by n = 0, w desc), '{{}}'),
                coalesce(array_agg(n order by w desc) filter (where n > 0), '{{}}')
            from unnest(words, counts) u(w, n))
    """)  # noqa: S608  # of the test's own
    admin.execute(f"update {schema}.format set version = 2")  # noqa: S608  # as above
    with closing(PostgresIndex(dsn, schema=schema, allow_unsafe=True)) as index:
        assert found(index) == before
    admin.execute(f"drop schema {schema} cascade")


def test_two_analyzers_on_one_index(make_postgres: Callable[..., PostgresIndex]):
    index = make_postgres()
    for options in ({"analyzer": Analyzer("german")}, {"lexical_fields": {"title": 1.0}}):
        with pytest.raises(AnalyzerMismatchError, match=rf"{index.name}.*rebuild\(\)"):
            make_postgres(index.name, **options)
    assert make_postgres(index.name, lexical_fields={"page_content": 2.0}).count() == 0


@pytest.mark.parametrize(
    ("argument", "value"),
    [("schema", "a-b"), ("schema", 'x"; drop'), ("name", ""), ("name", "A"), ("name", "a" * 41),
     ("lease", 0.0), ("lock_timeout", -1.0), ("statement_timeout", 0.0), ("connect_timeout", "1")],
)  # fmt: skip
def test_other_arguments(argument: str, value: Any):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}: expected"):
        PostgresIndex("postgresql://localhost/db", **{argument: value})


def test_a_query_that_takes_too_long(
    make_postgres: Callable[..., PostgresIndex], admin: psycopg.Connection[Any]
):
    index = make_postgres(statement_timeout=0.05)
    index.apply([Record("a", "pump")])
    with admin.transaction():
        admin.execute(f"lock table chroma_hybrid.{index.name}_records in access exclusive mode")
        with pytest.raises(LexicalIndexError, match="statement_timeout"):
            index.search("pump", 1)
    assert len(index.search("pump", 1)) == 1


def test_an_index_that_was_removed(make_postgres: Callable[..., PostgresIndex], dsn: str):
    index = make_postgres()
    PostgresIndex.destroy(dsn, name=index.name)
    PostgresIndex.destroy(dsn, name=index.name)
    assert not PostgresIndex.exists(dsn, name=index.name)
    for call in (index.count, lambda: index.search("pump", 1), lambda: index.apply([], ["a"])):
        with pytest.raises(IndexFormatError, match="was removed"):
            call()


def test_tenants_have_tables_of_their_own(make_postgres: Callable[..., PostgresIndex], dsn: str):
    """Nothing of the one is touched by whatever the other does; seen in the rows themselves."""
    one, other = make_postgres(), make_postgres()
    one.apply([Record("same id", "pump of tenant one", {"tenant": "one"})])
    one.set_state("state", {"of": "one"})
    table = f"chroma_hybrid.{one.name}"
    rows = f"select * from {table}_records, {table}_words"  # noqa: S608  # of the test's own
    notes = f"select * from chroma_hybrid.notes where name = '{one.name}'"  # noqa: S608
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = [connection.execute(query).fetchall() for query in (rows, notes)]
        other.apply([Record("same id", "valve of tenant two", {"tenant": "two"})])
        other.set_state("state", {})
        other.apply([], ["same id"])
        other.bind("second", "place")
        assert other.search("pump tenant one", 5) == []
        other.clear()
        PostgresIndex.destroy(dsn, name=other.name)
        assert [connection.execute(query).fetchall() for query in (rows, notes)] == before
        left = connection.execute(
            "select count(*) from pg_class where relname like %s", [f"{other.name}%"]
        ).fetchone()
        assert left == (0,)
    assert [hit.id for hit in one.search("pump", 5)] == ["same id"]


def test_a_store_by_address(dsn: str):
    sign = "&" if "?" in dsn else "?"
    address = f"{dsn}{sign}schema=stores&allow_unsafe=true"
    store, other = make_store(lexical=address), make_store(lexical=address)
    store.add_texts(["a pump", "a valve"], [{"n": 1}, {"n": 2}], ["a", "b"])
    other.add_texts(["a seal"], ids=["c"])
    assert ids_of(store.similarity_search("pumps seals", mode="lexical")) == ["a"]
    assert ids_of(other.similarity_search("pumps seals")) == ["c"]
    assert ids_of(store.similarity_search("valve", filter={"n": 2})) == ["b"]
    name = f"c{store._collection.id.hex}"
    assert PostgresIndex.exists(dsn, schema="stores", name=name)
    assert store.verify().ok
    store.rebuild()
    assert ids_of(store.similarity_search("pumps", mode="lexical")) == ["a"]
    store.delete_collection()
    assert not PostgresIndex.exists(dsn, schema="stores", name=name)
    assert ids_of(other.similarity_search("seal", mode="lexical")) == ["c"]
    with pytest.raises(InvalidArgumentError, match="allow_unsafe"):
        make_store(lexical=f"{dsn}{sign}allow_unsafe=perhaps")


def test_a_query_goes_on_without_a_server_that_has_gone(postgres: LocalServer):
    store = make_store(lexical=f"{postgres.dsn}?schema=stores&allow_unsafe=true")
    store.add_texts(["a pump", "a valve"], ids=["a", "b"])
    assert ids_of(store.similarity_search("pump", k=1)) == ["a"]
    store._index.lexical._server._connect_timeout = 0.5
    postgres.kill()
    try:
        result = store.explain("pump", k=1, on_leg_error="degrade")
        assert [hit.id for hit in result.hits] == ["a"]
        assert any("PostgreSQL" in note or "lexical" in note for note in result.notes)
        with pytest.raises(LexicalIndexError, match="cannot be reached"):
            store.similarity_search("pump", on_leg_error="raise")
    finally:
        postgres.start()
    assert ids_of(store.similarity_search("pump", k=1, mode="lexical")) == ["a"]
