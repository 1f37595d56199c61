"""Intentions of writers, in the database that their index lies in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.journal import LeasedJournal
from langchain_chroma_hybrid.lexical.protocol import Unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from psycopg import Connection

    from langchain_chroma_hybrid.lexical.postgres.schema import Names
    from langchain_chroma_hybrid.lexical.postgres.server import Server

_NOTE = """
    insert into {schema}.journal (name, writer, number, ids, lease_until)
    values ('{name}', %(writer)s, %(number)s, %(ids)s::bytea[],
        clock_timestamp() + make_interval(secs => %(lease)s))
    on conflict (name, writer, number) do update set lease_until = excluded.lease_until
"""
_DONE = """
    delete from {schema}.journal
    where name = '{name}' and writer = %(writer)s and number = any(%(numbers)s::bigint[])
"""
_END_LEASE = """
    update {schema}.journal set lease_until = '-infinity'
    where name = '{name}' and writer = %(writer)s
"""
_DEAD = """
    select writer, number, ids from {schema}.journal
    where name = '{name}' and writer <> %(writer)s and lease_until < clock_timestamp()
    for update skip locked
"""
_LIVING = """
    select ids from {schema}.journal
    where name = '{name}' and writer <> %(writer)s and lease_until >= clock_timestamp()
"""
_FORGET = """
    delete from {schema}.journal j using unnest(%(writers)s::uuid[], %(numbers)s::bigint[])
        u(writer, number)
    where j.name = '{name}' and j.writer = u.writer and j.number = u.number
"""


class PostgresJournal(LeasedJournal[list[bytes]]):
    """A writer's rows, each with a lease by the server's clock.

    Thread safety: may be called from many threads.
    """

    def __init__(self, server: Server, names: Names, lease: float) -> None:
        """`lease` in seconds."""
        super().__init__(lease)
        self._server, self._names = server, names

    @contextmanager
    def take_over(self) -> Iterator[Unfinished]:
        """What dead writers left undone; their rows are gone when the block ends well.

        Raises:
            LexicalIndexError: the server has gone; then all of it is left as it was.
        """
        self._be_this_process()
        if not self._server.run(self._others):
            yield Unfinished()
            return
        with (
            self._server.explained(),
            self._server.connection() as connection,
            connection.transaction(),
        ):
            rows = self._execute(connection, _DEAD).fetchall()
            living = self._execute(connection, _LIVING).fetchall()
            dead = [(writer, number) for writer, number, _ in rows]
            ids = frozenset(_decoded(row[2] for row in rows))
            yield Unfinished(ids, bool(living), frozenset(_decoded(row[0] for row in living)))
            if dead:
                writers, numbers = zip(*dead, strict=True)
                self._execute(connection, _FORGET, writers=list(writers), numbers=list(numbers))

    def _encoded(self, ids: Collection[str]) -> list[bytes]:
        return [id_.encode("utf-8", "surrogatepass") for id_ in ids]

    def _note(self, entries: Mapping[int, list[bytes]]) -> None:
        def work(connection: Connection[Any]) -> None:
            with connection.transaction():
                for number, ids in entries.items():
                    self._execute(connection, _NOTE, number=number, ids=ids, lease=self._lease)

        self._server.run(work)

    def _forget(self, numbers: Collection[int]) -> None:
        self._server.run(lambda c: self._execute(c, _DONE, numbers=list(numbers)))

    def _end_lease(self, entries: Mapping[int, list[bytes]]) -> None:
        del entries
        self._server.run(lambda connection: self._execute(connection, _END_LEASE))

    def _others(self, connection: Connection[Any]) -> bool:
        query = self._names.fill(
            "select exists(select from {schema}.journal where name = '{name}' and writer <> %s)"
        )
        row = connection.execute(query, [self._writer]).fetchone()
        return row is not None and bool(row[0])

    def _execute(self, connection: Connection[Any], statement: str, **values: object) -> Any:
        return connection.execute(self._names.fill(statement), {"writer": self._writer, **values})


def _decoded(rows: Any) -> Iterator[str]:
    return (bytes(id_).decode("utf-8", "surrogatepass") for ids in rows for id_ in ids)
