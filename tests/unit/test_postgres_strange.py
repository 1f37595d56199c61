"""PostgreSQL as others have set it up, and addresses as people write them."""

from __future__ import annotations

import os
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from langchain_chroma_hybrid import HybridChroma, PostgresIndex
from langchain_chroma_hybrid.core.filters import matches, parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.config import lexical_config
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError, WriteError
from tests.helpers import WordEmbeddings, ids_of, make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import LocalServer


@pytest.fixture
def admin(postgres: LocalServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        yield connection


def found(index: PostgresIndex, query: str = "pump") -> list[str]:
    return [hit.id for hit in index.search(query, 9)]


@pytest.mark.parametrize("password", ["hun@ter2", "hun/ter2", "hun#ter2", "hun?ter2", "7/@hunter2"])
def test_a_password_that_is_not_spelled_out_is_taken_for_no_host(password: str):
    address = f"postgresql://me:{password}@127.0.0.1:1/db"
    for call in (
        lambda: PostgresIndex(address, connect_timeout=1.0),
        lambda: lexical_config(lexical=address),
        lambda: lexical_config(lexical=f"{address}?schema=s"),
    ):
        with pytest.raises(InvalidArgumentError, match=r"^(dsn|lexical):.*%40 for @") as told:
            call()
        assert "hun" not in str(told.value)
        assert "ter2" not in str(told.value)
    spelled = "postgresql://me:hun%40ter2@127.0.0.1:1/db?schema=s"
    assert "ter2" not in lexical_config(lexical=spelled).signature


def test_what_is_behind_the_end_of_a_text():
    with pytest.raises(InvalidArgumentError, match="dsn: expected"):
        PostgresIndex("host=127.0.0.1 port=1\0 dbname=x")


def test_an_address_reaches_libpq_as_it_is(postgres: LocalServer):
    """By a socket, without a host, with signs that are spelled out."""
    store = make_store(
        lexical=f"postgresql://postgres@/postgres?host={postgres.folder}&port={postgres.port}"
        "&schema=by_socket&allow_unsafe=true&options=-c%20extra_float_digits%3D2"
    )
    store.add_texts(["a pump"], ids=["a"])
    assert ids_of(store.similarity_search("pump", mode="lexical")) == ["a"]
    with store._index.lexical._server.connection() as connection:
        assert connection.execute("show extra_float_digits").fetchone() == ("2",)
    store.delete_collection()


@pytest.mark.parametrize("schema", ["select", "user", "public"])
def test_a_schema_of_any_name(dsn: str, admin: psycopg.Connection[Any], schema: str):
    with closing(PostgresIndex(dsn, schema=schema, name="any", allow_unsafe=True)) as index:
        index.apply([Record("a", "pump"), Record("b", "valve")], ["c"])
        index.set_state("state", {"a": 1})
        assert (found(index), index.state("state")) == (["a"], {"a": 1})
        index.clear()
        assert found(index) == []
    PostgresIndex.destroy(dsn, schema=schema, name="any")
    assert not PostgresIndex.exists(dsn, schema=schema, name="any")


def test_an_extension_in_a_schema_of_its_own(postgres: LocalServer, admin: psycopg.Connection[Any]):
    admin.execute("create database elsewhere")
    dsn = postgres.dsn.removesuffix("postgres") + "elsewhere"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute('create schema "Its own"')
        connection.execute('create extension pg_textsearch schema "Its own"')
    with closing(PostgresIndex(dsn, allow_unsafe=True)) as index:
        index.apply([Record("a", "pump")])
        assert found(index) == ["a"]
    admin.execute("drop database elsewhere with (force)")


def test_a_role_that_only_reads(
    make_postgres: Callable[..., PostgresIndex],
    postgres: LocalServer,
    admin: psycopg.Connection[Any],
):
    index = make_postgres()
    index.apply([Record("a", "pump", {"n": 1})])
    index.bind("collection", "place")
    role = f"r{uuid.uuid4().hex}"
    admin.execute(f"create role {role} login")
    admin.execute(f"grant usage on schema chroma_hybrid to {role}")
    admin.execute(f"grant select on all tables in schema chroma_hybrid to {role}")
    dsn = postgres.dsn.replace("postgres@", f"{role}@")
    try:
        with closing(PostgresIndex(dsn, name=index.name, allow_unsafe=True)) as reader:
            reader.bind("collection", "place")
            assert found(reader) == ["a"]
            assert reader.match(parse({"n": 1})) == ["a"]
            assert reader.corrections("pumsp") == {}
            with reader.journal().take_over() as left:
                assert left.ids == frozenset()
            for write in (
                lambda: reader.apply([Record("b", "valve")]),
                lambda: reader.set_state("state", {}),
                lambda: reader.journal().begin(["a"]),
                reader.clear,
            ):
                with pytest.raises(LexicalIndexError, match=r"role of `dsn`.*permission denied"):
                    write()
    finally:
        admin.execute(f"drop owned by {role}; drop role {role}")
    assert found(index) == ["a"]


def test_a_store_of_a_role_that_only_reads(
    postgres: LocalServer, admin: psycopg.Connection[Any], tmp_path: Path
):
    role, folder, address = f"r{uuid.uuid4().hex}", tmp_path / "db", "?allow_unsafe=true"
    with make_store(folder, lexical=postgres.dsn + address) as store:
        store.add_texts(["a pump"], ids=["a"])
        assert ids_of(store.similarity_search("pump", mode="lexical")) == ["a"]
    admin.execute(f"create role {role} login")
    admin.execute(f"grant usage on schema chroma_hybrid to {role}")
    admin.execute(f"grant select on all tables in schema chroma_hybrid to {role}")
    lexical = postgres.dsn.replace("postgres@", f"{role}@") + address
    try:
        with HybridChroma(
            store._collection.name,
            WordEmbeddings(),
            str(folder),
            lexical=lexical,
            sync="manual",
        ) as other:
            assert ids_of(other.similarity_search("pump", mode="lexical")) == ["a"]
            with pytest.raises(WriteError, match=r"0 of 1 records.*permission denied"):
                other.add_texts(["a valve"], ids=["b"])
            assert other._collection.count() == 1
    finally:
        admin.execute(f"drop owned by {role}; drop role {role}")


def test_a_role_whose_transactions_only_read(
    make_postgres: Callable[..., PostgresIndex],
    postgres: LocalServer,
    admin: psycopg.Connection[Any],
):
    index = make_postgres()
    index.apply([Record("a", "pump")])
    admin.execute("update chroma_hybrid.indexes set used = now() - interval '9 days'")
    dsn = f"{postgres.dsn}?options=-c%20default_transaction_read_only%3Don"
    with closing(PostgresIndex(dsn, name=index.name, allow_unsafe=True)) as reader:
        assert found(reader) == ["a"]
        with pytest.raises(LexicalIndexError, match="read-only transaction"):
            reader.apply([Record("b", "pump")])


def test_a_full_disk_is_no_lost_connection(
    make_postgres: Callable[..., PostgresIndex], admin: psycopg.Connection[Any]
):
    index = make_postgres()
    admin.execute(
        "create or replace function no_room() returns trigger language plpgsql as"
        " $$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$"
    )
    table = f"chroma_hybrid.{index.name}_records"
    run = "for each row execute function no_room()"
    admin.execute(f"create trigger t before insert on {table} {run}")
    with pytest.raises(LexicalIndexError, match="could not answer: no space left"):
        index.apply([Record("a", "pump")])
    admin.execute(f"drop trigger t on {table}")
    index.apply([Record("a", "pump")])
    assert found(index) == ["a"]


def test_a_pooler_that_does_not_keep_sessions(make_postgres: Callable[..., PostgresIndex]):
    """PgBouncer by transactions: the lock stays with a session that is another one's by now."""
    index = make_postgres()
    lost = pytest.raises(LexicalIndexError, match=r"lock.*was lost.*pool_mode=session")
    with lost, index.locked():
        assert index._held is not None
        index._held.execute("select pg_advisory_unlock_all()")
    index.apply([Record("a", "pump")])
    assert found(index) == ["a"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows")
def test_a_process_that_was_forked_has_connections_of_its_own(
    make_postgres: Callable[..., PostgresIndex],
):
    index = make_postgres()
    index.apply([Record("a", "pump")])
    journal = index.journal()
    journal.begin(["of the parent"])
    child = os.fork()
    if child == 0:
        failed = True
        try:
            index.apply([Record("b", "pump pump")])
            journal.begin(["of the child"])
            failed = found(index) != ["b", "a"]
            index.close()
        finally:
            os._exit(failed)
    assert os.waitpid(child, 0)[1] == 0
    assert found(index) == ["b", "a"]
    with make_postgres(index.name).journal().take_over() as left:
        assert left.put_off == {"of the parent", "of the child"}


@pytest.mark.parametrize("operator", ["$in", "$nin"])
@pytest.mark.parametrize("kind", [int, float, str])
def test_a_long_list_means_what_a_short_one_does(
    make_postgres: Callable[..., PostgresIndex], operator: str, kind: type
):
    index = make_postgres()
    rows = [{"v": kind(n)} for n in range(0, 600, 20)] + [{}, {"v": True}, {"other": kind(20)}]
    records = [Record(f"{n}", "pump", row) for n, row in enumerate(rows)]
    index.apply(records)
    where = parse({"v": {operator: [kind(n) for n in range(300)]}})
    assert where is not None
    passing = {record.id for record in records if matches(where, record)}
    assert 0 < len(passing) < len(records)
    assert {*index.match(where)} == passing
    assert {hit.id for hit in index.search("pump", 99, where=where)} == passing


@pytest.mark.parametrize(("said", "idle"), [("", "20"), ("keepalives_idle=7", "7")])
def test_connections_to_a_host_that_has_gone_end(dsn: str, said: str, idle: str):
    sign = "&" if "?" in dsn else "?"
    with (
        closing(PostgresIndex(f"{dsn}{sign}{said}", allow_unsafe=True)) as index,
        index._server.connection() as connection,
    ):
        assert connection.info.get_parameters()["keepalives_idle"] == idle
