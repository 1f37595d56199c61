"""Intentions of writers, in the database that their index lies in."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import LexicalIndexError
from langchain_chroma_hybrid.lexical.protocol import Unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

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


class PostgresJournal:
    """A writer's rows, each with a lease by the server's clock, which a thread renews.

    Who does not renew his for `lease` seconds counts as dead, and another finishes what he began:
    one that comes back to life notes anew what he still has under way.

    Thread safety: may be called from many threads.
    """

    def __init__(self, server: Server, names: Names, lease: float) -> None:
        """`lease` in seconds."""
        self._server, self._names, self._lease = server, names, lease
        self._writer, self._owner = uuid.uuid4(), os.getpid()
        self._mutex = threading.Lock()
        self._numbers = itertools.count()
        self._pending: dict[int, list[bytes]] = {}
        self._renewer: threading.Thread | None = None
        self._stopped = threading.Event()

    def begin(self, ids: Collection[str]) -> int:
        """Note that `ids` may change; committed when this returns the number for `done`.

        Raises:
            LexicalIndexError: it could not be written; nothing is noted.
        """
        self._be_this_process()
        encoded = [id_.encode("utf-8", "surrogatepass") for id_ in ids]
        number = next(self._numbers)
        self._server.run(lambda connection: self._note(connection, {number: encoded}))
        with self._mutex:
            self._pending[number] = encoded
            if self._renewer is None:
                self._renewer = threading.Thread(
                    target=_renew,
                    args=(weakref.ref(self), self._stopped, self._lease / 3),
                    name="chroma-hybrid-lease",
                    daemon=True,
                )
                self._renewer.start()
        return number

    def done(self, numbers: Collection[int]) -> None:
        """Forget what has come into the lexical index; what cannot be forgotten is done again."""
        with self._mutex:
            known = [number for number in numbers if self._pending.pop(number, None) is not None]
        if known and self._owner == os.getpid():
            with suppress(LexicalIndexError):
                self._server.run(lambda c: self._execute(c, _DONE, numbers=known))

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

    def close(self) -> None:
        """Write no more; whatever is noted is for the next open."""
        self._stopped.set()
        with self._mutex:
            left, self._pending = bool(self._pending), {}
        if left and self._owner == os.getpid():
            with suppress(LexicalIndexError):
                self._server.run(lambda connection: self._execute(connection, _END_LEASE))

    def renew(self) -> None:
        """Have the lease of all that is under way begin anew."""
        with self._mutex:
            pending = dict(self._pending)
        if pending:
            self._server.run(lambda connection: self._note(connection, pending))
            with self._mutex:
                gone = list(pending.keys() - self._pending.keys())
            if gone:  # it may have been noted once more after it was done
                self._server.run(lambda c: self._execute(c, _DONE, numbers=gone))

    def _note(self, connection: Connection[Any], entries: dict[int, list[bytes]]) -> None:
        with connection.transaction():
            for number, ids in entries.items():
                self._execute(connection, _NOTE, number=number, ids=ids, lease=self._lease)

    def _others(self, connection: Connection[Any]) -> bool:
        query = self._names.fill(
            "select exists(select from {schema}.journal where name = '{name}' and writer <> %s)"
        )
        row = connection.execute(query, [self._writer]).fetchone()
        return row is not None and bool(row[0])

    def _execute(self, connection: Connection[Any], statement: str, **values: object) -> Any:
        return connection.execute(self._names.fill(statement), {"writer": self._writer, **values})

    def _be_this_process(self) -> None:
        """After a fork the parent's entries are the parent's to finish."""
        if self._owner != os.getpid():
            self._writer, self._owner = uuid.uuid4(), os.getpid()
            self._mutex = threading.Lock()
            self._stopped = threading.Event()
            self._pending, self._renewer = {}, None


def _renew(journal: weakref.ref[PostgresJournal], stopped: threading.Event, pause: float) -> None:
    """Renew the leases of a journal for as long as it is there."""
    while not stopped.wait(pause):
        there = journal()
        if there is None:
            return
        with suppress(LexicalIndexError):
            there.renew()
        del there


def _decoded(rows: Any) -> Iterator[str]:
    return (bytes(id_).decode("utf-8", "surrogatepass") for ids in rows for id_ in ids)
