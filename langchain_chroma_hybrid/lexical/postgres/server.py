"""A PostgreSQL server: its address without secrets, connections, retries, what its errors mean."""

from __future__ import annotations

import math
import os
import random
import re
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import (
    IndexFormatError,
    IndexLockedError,
    InvalidArgumentError,
    LexicalIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection, Error
    from psycopg_pool import ConnectionPool

    Check = Callable[[Connection[Any]], None]

_T = TypeVar("_T")
_PAUSE, _MOST_CONNECTIONS = 0.2, 8
_SETTINGS = {
    # Candidates come from pg_textsearch in order: to score all rows and sort takes seconds.
    "enable_sort": "off",
    "enable_seqscan": "off",
    "jit": "off",
    "client_min_messages": "warning",
    # What a role may have set otherwise.
    "default_transaction_isolation": "'read committed'",
    "gin_fuzzy_search_limit": "0",
}
# Nothing of what others may make is in it: the schema of pg_textsearch is its owner's.
_SEARCH_PATH = """
    select set_config('search_path', concat_ws(', ', 'pg_catalog', %s::text, (
        select extnamespace::regnamespace::text from pg_extension where extname = 'pg_textsearch'
    )), false)
"""
# Within a minute a host that has gone without a word counts as gone.
_ALIVE = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}
# Connections, operators, transactions that gave way, and a server that is full: all may be better
# a moment later.
_PASSING = ("08", "57", "40", "53300")
_URL = re.compile(
    r"postgres(ql)?://([^@/?#]*@)?"
    r"(\[[^\]]*\]|[^@/?#:,\[]*)(:\d*)?(,(\[[^\]]*\]|[^@/?#:,\[]*)(:\d*)?)*"
    r"(/[^@/?#]*)?(\?([^@?#=]+=[^@?#]*)?)?"
)
SPELLED = "what is no letter or digit in a password spelled out: %40 for @, %2F for /, %23 for #"


class Server:
    """Connections to one database, shared between threads, made anew after a fork.

    What fails for want of a connection is tried again, some times and with pauses of random length.

    Args:
        dsn: a connection string of libpq's, as a URL or as `key=value` pairs.
        schema: where our tables are.
        statement_timeout: seconds that one statement may take.
        connect_timeout: seconds to wait for a connection.
        name: of our sessions.

    Raises:
        MissingDependencyError: psycopg is not installed.
        InvalidArgumentError: `dsn` is no connection string.
    """

    def __init__(
        self,
        dsn: str,
        schema: str,
        *,
        statement_timeout: float,
        connect_timeout: float,
        name: str = "chroma-hybrid",
    ) -> None:
        self._psycopg = require("psycopg", "postgres")
        self._pooling = require("psycopg_pool", "postgres")
        self._dsn, self.schema = _checked(self._psycopg, dsn), schema
        self._said = self._psycopg.conninfo.conninfo_to_dict(dsn)
        self.place = _place(self._said)
        self._settings = {
            **_SETTINGS,
            "statement_timeout": _milliseconds(statement_timeout),
        }
        self._connect_timeout, self._name = connect_timeout, name
        self._check: Check = lambda _: None
        self._mend: Check = lambda _: None
        self._pool: ConnectionPool[Any] | None = None
        self._owner, self._closed = 0, False
        self._mutex = threading.Lock()

    def __repr__(self) -> str:
        return f"Server({self.place!r})"

    def checked_by(self, check: Check, mend: Check) -> None:
        """Call `check` on every new connection from now on, and `mend` after a DamagedError."""
        self._check, self._mend = check, mend

    def run(self, work: Callable[[Connection[Any]], _T]) -> _T:
        """`work` on a connection of the pool, again where that was lost: it changes nothing twice.

        Raises:
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        deadline, mended = self.deadline(), False
        while True:
            try:
                with self.explained(), self.connection() as connection:
                    return work(connection)
            except DamagedError:
                if mended:
                    raise
                mended = True
                with self.explained(), self.connection() as connection:
                    self._mend(connection)
            except ConnectionLostError:
                if not self.again(deadline):
                    raise

    def deadline(self) -> float:
        """Until when to try again what a lost connection made fail; see `again`."""
        return time.monotonic() + self._connect_timeout

    def again(self, deadline: float) -> bool:
        """Whether there is time to try again; after a pause, since a server has to start anew."""
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311  # no secret
        if self._pool is not None:
            self._pool.check()  # the others are lost, too
        return True

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """One of the pool's, each statement of which commits by itself."""
        pool = self._opened()
        try:
            connection = pool.getconn(self._connect_timeout)
        except self._pooling.PoolTimeout:
            # It says why, unless the server has just come back.
            with self._connect() as connection:
                self._check(connection)
                yield connection
            return
        try:
            yield connection
        finally:
            pool.putconn(connection)

    @contextmanager
    def locked(self, number: int, timeout: float) -> Iterator[Connection[Any]]:
        """A connection that has an advisory lock, which no other of any host has meanwhile.

        Raises:
            IndexLockedError: another one kept it for longer than `timeout` seconds.
        """
        with self.explained(), self.connection() as connection:
            try:
                with connection.transaction():
                    connection.execute("set local statement_timeout = 0")
                    # 0 would be for ever.
                    wait = max(1, _milliseconds(timeout)) if timeout < math.inf else 0
                    connection.execute(f"set local lock_timeout = {wait}")
                    connection.execute("select pg_advisory_lock(%s)", [number])
            except self._psycopg.errors.LockNotAvailable as error:
                message = f"another writer kept the lexical index at {self.place} for {timeout:g} s"
                raise IndexLockedError(message) from error
            try:
                yield connection
            finally:
                kept: object = (True,)
                with suppress(self._psycopg.Error):  # the lock has gone with the connection
                    row = connection.execute("select pg_advisory_unlock(%s)", [number])
                    kept = row.fetchone()
            if kept != (True,):
                raise LexicalIndexError(
                    f"the lock of the writers at {self.place} was lost on the way: expected a "
                    "connection pooler that keeps sessions whole (PgBouncer: pool_mode=session), "
                    "or none"
                )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors of the server's as ours, which hold no password.

        Raises:
            LexicalIndexError: in words what is the matter.
        """
        psycopg = self._psycopg
        try:
            yield
        except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as error:
            message = f"pg_textsearch at {self.place} cannot read its index: {_said(error)}"
            raise DamagedError(message) from error
        except psycopg.errors.UndefinedTable as error:
            message = f"the lexical index at {self.place} was removed: open the collection anew"
            raise IndexFormatError(message) from error
        except psycopg.errors.InsufficientPrivilege as error:
            message = (
                f"the role of `dsn` may not do this at {self.place}: {_said(error)}; expected one "
                f"that may create and use tables in `schema` {self.schema!r}"
            )
            raise LexicalIndexError(message) from error
        except psycopg.errors.QueryCanceled as error:
            message = f"PostgreSQL at {self.place} took longer than `statement_timeout`"
            raise LexicalIndexError(message) from error
        except (psycopg.OperationalError, self._pooling.PoolTimeout) as error:
            state = getattr(error, "sqlstate", None)
            if state is not None and not state.startswith(_PASSING):
                message = f"PostgreSQL at {self.place} could not answer: {_said(error)}"
                raise LexicalIndexError(message) from error
            message = f"`dsn`: PostgreSQL at {self.place} cannot be reached: {_said(error)}"
            raise ConnectionLostError(message) from error
        except psycopg.Error as error:
            message = f"PostgreSQL at {self.place} could not answer: {_said(error)}"
            raise LexicalIndexError(message) from error

    def first(self, work: Callable[[Connection[Any]], _T]) -> _T:
        """`work` on a connection of its own, before there is a pool: says why there is none."""
        with self.explained(), self._connect() as connection:
            return work(connection)

    def open(self) -> None:
        """See that it was not closed.

        Raises:
            LexicalIndexError: it was.
        """
        self._opened()

    def close(self) -> None:
        """Close all connections; whatever is asked afterwards is an error."""
        with self._mutex:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None and self._owner == os.getpid():
            pool.close()

    def _connect(self) -> Connection[Any]:
        found: Connection[Any] = self._psycopg.connect(self._dsn, **self._options())
        self._set(found)
        return found

    def _options(self) -> dict[str, Any]:
        """What a connection is made with, beside what the connection string says."""
        wait = max(2, math.ceil(self._connect_timeout))
        # Prepared statements would end as plans that do not know how many rows are wanted.
        return {
            "autocommit": True,
            "prepare_threshold": None,
            "connect_timeout": wait,
            "application_name": self._name,
            **{name: value for name, value in _ALIVE.items() if name not in self._said},
        }

    def _opened(self) -> ConnectionPool[Any]:
        """The pool, made at the first use in this process."""
        with self._mutex:
            if self._closed:
                raise LexicalIndexError("the lexical index is closed")
            if self._pool is None or self._owner != os.getpid():
                self._owner = os.getpid()
                self._pool = self._pooling.ConnectionPool(
                    self._dsn,
                    kwargs=self._options(),
                    min_size=1,
                    max_size=_MOST_CONNECTIONS,
                    configure=self._configure,
                    timeout=self._connect_timeout,
                    reconnect_timeout=self._connect_timeout,
                    name=self._name,
                    open=True,
                )
            return self._pool

    def _configure(self, connection: Connection[Any]) -> None:
        self._set(connection)
        self._check(connection)

    def _set(self, connection: Connection[Any]) -> None:
        settings = [f"set {name} = {value}" for name, value in self._settings.items()]
        connection.execute("; ".join(settings))
        connection.execute(_SEARCH_PATH, [f'"{self.schema}"'])


class ConnectionLostError(LexicalIndexError):
    """The server is not there, or has gone."""


class DamagedError(LexicalIndexError):
    """The index of pg_textsearch has to be built anew from the records."""


def _checked(psycopg: Any, dsn: object) -> str:
    """A connection string that can be read; an error tells nothing of what is in it."""
    expected = f"a connection string such as 'postgresql://user@host:5432/database', {SPELLED}"
    if not isinstance(dsn, str) or not dsn.strip() or "\0" in dsn or not is_clear(dsn):
        raise InvalidArgumentError.of_kind("dsn", dsn, expected)
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except (psycopg.Error, UnicodeError, ValueError):
        # Its message may hold the password.
        raise InvalidArgumentError.of_kind("dsn", dsn, expected) from None
    return dsn


def is_clear(dsn: str) -> bool:
    """Whether no part of the password in a URL can be taken for a host, which is no secret."""
    return "://" not in dsn or _URL.fullmatch(dsn.strip()) is not None


def _place(parts: dict[str, Any]) -> str:
    """Host, port and database."""
    host = parts.get("host") or parts.get("hostaddr") or os.environ.get("PGHOST", "localhost")
    port = parts.get("port") or os.environ.get("PGPORT", "5432")
    database = parts.get("dbname") or os.environ.get("PGDATABASE") or parts.get("user") or ""
    return f"{host}:{port}/{database}"


def _said(error: Error) -> str:
    """The first line of a message, which is the server's or libpq's."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _milliseconds(seconds: float) -> int:
    return 0 if seconds == math.inf else min(2**31 - 1, max(1, int(seconds * 1_000)))
