"""Our tables in a PostgreSQL schema, in numbered steps, and which pg_textsearch may be used.

Records and words of an index lie in tables of its own; `indexes` has a row for each, with all that
its readers have to know of the latest commit.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.postgres.rows import lock_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

MIGRATIONS = (
    """
    create table {schema}.indexes (
        name text primary key,
        instance uuid not null default gen_random_uuid(),
        analyzer text not null,
        fields text not null,
        version bigint not null default 0,
        total bigint not null default 0,
        textless bigint not null default 0,
        lengths bigint[] not null,
        unused int[] not null,
        owner text not null default '{{}}'
    );
    create table {schema}.notes (
        name text, key text, content text not null, primary key (name, key)
    );
    create table {schema}.journal (
        name text, writer uuid, number bigint, ids bytea[] not null,
        lease_until timestamptz not null, primary key (name, writer, number)
    );
    """,
    "alter table {schema}.indexes add used timestamptz not null default now()",
    # Words in the order of their bytes, each with its count.
    """
    set local statement_timeout = 0;
    do $$ declare each text; begin
        for each in select name from {schema}.indexes loop
            execute format($q$ update %s.%I r set (words, counts) = (
                select coalesce(array_agg(w order by w collate "C"), '{{}}'),
                    coalesce(array_agg(coalesce(r.counts[n], 0) order by w collate "C"), '{{}}')
                from unnest(r.words) with ordinality u(w, n)
            ) $q$, '{schema}', each || '_records');
        end loop;
    end $$
    """,
)
"""What makes the schema of each version out of that of the one before."""

COLUMNS = 7
INFO = "instance::text, version, total, textless, lengths, unused, owner"
SAFE = (1, 4)
"""The first pg_textsearch of which no crash has lost anything."""

_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,39}")
_TABLES = """
    create table {schema}.{name}_records (
        key bytea primary key,
        long_id bytea,
        seq bigint not null,
        digest bigint not null,
        has_text bool not null,
        terms text not null,
        indexed text not null,
        words text[] storage main not null,
        counts int[] storage main not null,
        lengths int[] storage main not null,
        facts text[] storage main not null,
        numbers jsonb storage main not null
    );
    create index {name}_seq on {schema}.{name}_records (seq);
    create index {name}_digest on {schema}.{name}_records (digest);
    create index {name}_words_in on {schema}.{name}_records using gin (words);
    create index {name}_facts_in on {schema}.{name}_records using gin (facts);
    create index {name}_bm25 on {schema}.{name}_records
        using bm25 (indexed) with (text_config = 'simple');
    create table {schema}.{name}_words (token text collate "C" primary key, n bigint not null);
    create index {name}_unused on {schema}.{name}_words (token) where n <= 0;
"""
_DROP = """
    drop table if exists {schema}.{name}_records, {schema}.{name}_words;
    delete from {schema}.indexes where name = '{name}';
    delete from {schema}.notes where name = '{name}';
    delete from {schema}.journal where name = '{name}';
"""
_USED = """
    update {schema}.indexes set used = now() where name = (
        select name from {schema}.indexes where name = '{name}' and used < now() - interval '1 day'
        for update skip locked)
"""
_UNUSED = """
    select name, owner from {schema}.indexes where used < now() - make_interval(secs => %s)
"""
_INSTEAD = "or another index: lexical='tantivy:FOLDER', or a TantivyIndex()"


@dataclass(frozen=True, slots=True)
class Info:
    """What a commit has left to know of an index.

    Attributes:
        instance: another one for an index that was made anew.
        version: grows with each commit.
        total: records.
        textless: those without any term.
        lengths: terms of all records, by field.
        unused: numbers of fields in which there is none.
        owner: the collection that it belongs to, as JSON.
    """

    instance: str
    version: int
    total: int
    textless: int
    lengths: Sequence[int]
    unused: Sequence[int]
    owner: str

    @property
    def owned_by(self) -> Owner:
        """The collection that it belongs to."""
        return Owner.of(json.loads(self.owner))


@dataclass(frozen=True, slots=True)
class Names:
    """The schema and the name of an index, which stand in statements as they are."""

    schema: str
    name: str

    def __post_init__(self) -> None:
        for argument, value in (("schema", self.schema), ("name", self.name)):
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                expected = "at most 40 of a-z, 0-9 and _, not beginning with a digit or pg_"
                raise InvalidArgumentError.of(argument, value, expected)

    def fill(self, statement: str) -> str:
        """A statement with `{schema}` and `{name}` in place."""
        return statement.format(schema=self.quoted, name=self.name)

    @property
    def quoted(self) -> str:
        """The schema as it stands in a statement, whatever word it is."""
        return f'"{self.schema}"'

    @property
    def lock(self) -> int:
        """The number of the lock of its writers."""
        return lock_number(self.schema, self.name)


def check_extension(connection: Connection[Any], *, allow_unsafe: bool) -> None:
    """See that there is a pg_textsearch, which no crash makes forget.

    Raises:
        LexicalIndexError: there is none, or one before 1.4 without `allow_unsafe`.
    """
    found = connection.execute(
        "select extversion, current_setting('pg_textsearch.library_version', true)"
        " from pg_extension where extname = 'pg_textsearch'"
    ).fetchone()
    if found is None:
        message = (
            "PostgreSQL has no extension pg_textsearch in this database: expected it to be in "
            "`shared_preload_libraries`, and `create extension pg_textsearch`; "
            f"{_INSTEAD}"
        )
        raise LexicalIndexError(message)
    if found[1] is None:
        message = (
            "PostgreSQL has not loaded pg_textsearch: expected it in `shared_preload_libraries`, "
            f"and a restart; {_INSTEAD}"
        )
        raise LexicalIndexError(message)
    version = min(found, key=_number)
    if _number(version) < SAFE and not allow_unsafe:
        message = (
            f"pg_textsearch {version} loses what it has acknowledged when its server is killed: "
            "expected 1.4 or later. `allow_unsafe=True` uses it, looks for losses at each "
            "connection, and builds the index anew after one"
        )
        raise LexicalIndexError(message)


def prepare(
    connection: Connection[Any], names: Names, analyzer: str, fields: Sequence[str]
) -> None:
    """See that the tables of an index are there, by today's schema.

    Raises:
        IndexFormatError: the schema is of a newer version.
        AnalyzerMismatchError: the index was built with another analyzer or other fields.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [lock_number(names.schema)])
        migrate(connection, names)
        said = json.dumps(analyzer), json.dumps(list(fields))
        query = names.fill("select analyzer, fields from {schema}.indexes where name = '{name}'")
        found = connection.execute(query).fetchone()
        if found is None:
            make_tables(connection, names)
            connection.execute(
                names.fill(
                    "insert into {schema}.indexes (name, analyzer, fields, lengths, unused)"
                    " values ('{name}', %s, %s, %s::bigint[], %s::int[])"
                ),
                [*said, [0] * len(fields), list(range(len(fields)))],
            )
        elif found != said:
            message = (
                f"the lexical index {names.name!r} in schema {names.schema!r} was built with "
                f"analyzer {json.loads(found[0])!r} and fields {json.loads(found[1])}, now asked "
                f"for with {analyzer!r} and {list(fields)}: use these, or rebuild()"
            )
            raise AnalyzerMismatchError(message)


def make_tables(connection: Connection[Any], names: Names) -> None:
    """Empty tables in the place of those of an index."""
    connection.execute(
        names.fill("drop table if exists {schema}.{name}_records, {schema}.{name}_words")
    )
    connection.execute(names.fill(_TABLES))


def migrate(connection: Connection[Any], names: Names) -> None:
    """Bring the schema to today's version, within the caller's transaction.

    Raises:
        IndexFormatError: it is of a newer one.
    """
    there = connection.execute("select to_regclass(%s)", [f"{names.quoted}.format"]).fetchone()
    if there == (None,):
        connection.execute(names.fill("create schema if not exists {schema}"))
        connection.execute(names.fill("create table {schema}.format (version int not null)"))
        connection.execute(names.fill("insert into {schema}.format values (0)"))
    row = connection.execute(names.fill("select version from {schema}.format")).fetchone()
    version = row[0] if row else 0
    if version > len(MIGRATIONS):
        message = (
            f"schema {names.schema!r} is of version {version}, this package knows "
            f"{len(MIGRATIONS)}: use a newer langchain-chroma-hybrid, or another `schema`"
        )
        raise IndexFormatError(message)
    for step in MIGRATIONS[version:]:
        connection.execute(names.fill(step))
    if version < len(MIGRATIONS):
        connection.execute(names.fill("update {schema}.format set version = %s"), [len(MIGRATIONS)])


def bind(connection: Connection[Any], names: Names, owner: Owner, *, forget: bool) -> None:
    """Note which collection the index belongs to; `forget` what was noted of the one before."""
    with connection.transaction():
        if forget:
            connection.execute(names.fill("delete from {schema}.notes where name = '{name}'"))
        query = names.fill("update {schema}.indexes set owner = %s where name = '{name}'")
        connection.execute(query, [json.dumps(owner.state)])


def touch(connection: Connection[Any], names: Names) -> None:
    """Note that somebody uses the index, where that was noted long ago and may be."""
    may = (
        "select has_table_privilege('{schema}.indexes', 'update')"
        " and current_setting('transaction_read_only') = 'off'"
    )
    if connection.execute(names.fill(may)).fetchone() == (True,):
        connection.execute(names.fill(_USED))


def unused(connection: Connection[Any], names: Names, seconds: float) -> dict[str, Owner]:
    """Names of indexes that nobody has opened or written for so long, and whose each is."""
    known = connection.execute("select to_regclass(%s)", [f"{names.quoted}.indexes"]).fetchone()
    if known == (None,):
        return {}
    found = connection.execute(names.fill(_UNUSED), [seconds]).fetchall()
    return {name: Owner.of(json.loads(owner)) for name, owner in found}


def drop(connection: Connection[Any], names: Names) -> None:
    """Remove the tables of an index and all that is noted of it; the lock is the caller's."""
    known = connection.execute("select to_regclass(%s)", [f"{names.quoted}.indexes"]).fetchone()
    if known != (None,):
        with connection.transaction():
            connection.execute(names.fill(_DROP))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
