"""The lexical index in a PostgreSQL that several hosts share."""

from __future__ import annotations

import json
import math
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.analysis.analyzer import (
    DEFAULT_LANGUAGE,
    Analyzer,
    analyzer_of,
)
from langchain_chroma_hybrid.core.filters import QueryMatch
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import IndexLockedError
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.corrections import Corrector
from langchain_chroma_hybrid.lexical.filter_terms import supports
from langchain_chroma_hybrid.lexical.postgres import crash, writing
from langchain_chroma_hybrid.lexical.postgres.journal import PostgresJournal
from langchain_chroma_hybrid.lexical.postgres.reading import Reader
from langchain_chroma_hybrid.lexical.postgres.rows import key_of, row
from langchain_chroma_hybrid.lexical.postgres.schema import (
    INFO,
    Names,
    bind,
    check_extension,
    drop,
    prepare,
    touch,
    unused,
)
from langchain_chroma_hybrid.lexical.postgres.server import (
    ConnectionLostError,
    DamagedError,
    Server,
)
from langchain_chroma_hybrid.lexical.postgres.typos import PostgresVocabulary
from langchain_chroma_hybrid.lexical.protocol import Capabilities
from langchain_chroma_hybrid.lexical.seen import Seen
from langchain_chroma_hybrid.lexical.texts import (
    PAGE_CONTENT,
    checked,
    checked_fields,
    matched_terms,
)
from langchain_chroma_hybrid.lexical.tokens import Tokens
from langchain_chroma_hybrid.lexical.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.postgres.schema import Info
    from langchain_chroma_hybrid.lexical.protocol import Hits, Passing, QuerySyntax


class PostgresIndex:
    """A `LexicalIndex` in PostgreSQL with pg_textsearch, for hosts that share no disk.

    BM25 with k1 = 1.2 and b = 0.75, computed from exact numbers; pg_textsearch only brings the
    candidates. In an index of more than some thousand records the hits are the best of four times
    as many candidates, so that one may be missed whose lengths it has rounded unluckily.

    Connections come from a pool of psycopg's, which threads share: the engine asks its index in
    threads, from `async` code, too. Reads see what any host has committed. Writers of all hosts
    wait for each other by an advisory lock, which a connection pooler in front of the server has to
    keep with its session. What fails for want of a connection is tried again for a few seconds.

    Args:
        dsn: a connection string of libpq's: `postgresql://user@host:5432/database`. Its password is
            in no message, name or log.
        schema: of our tables; made if it is not there.
        name: of this index among those in the schema. Each has tables of its own.
        analyzer: turns texts and queries into terms, or its language; English by default.
        lexical_fields: what is searched, with boosts > 0, as for `TantivyIndex`.
        lock_timeout: seconds to wait for another writer.
        statement_timeout: seconds that one statement may take.
        connect_timeout: seconds to wait for a connection.
        lease: seconds without a sign of life after which a writer counts as dead, and another host
            finishes what it began.
        allow_unsafe: use a pg_textsearch before 1.4, which loses what it has acknowledged when its
            server is killed. Losses are looked for on each new connection, and mended.

    Raises:
        MissingDependencyError: psycopg is not installed.
        InvalidArgumentError: an argument that cannot be used.
        AnalyzerMismatchError: the index was built with another analyzer or other fields.
        IndexFormatError: the schema is of a newer version.
        LexicalIndexError: the server cannot be reached, lacks the extension, or refuses.
    """

    @known_keywords
    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "chroma_hybrid",
        name: str = "lexical",
        analyzer: Analyzer | str | None = None,
        lexical_fields: Mapping[str, float] | None = None,
        lock_timeout: float = 30.0,
        statement_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        lease: float = 30.0,
        allow_unsafe: bool = False,
    ) -> None:
        number("lock_timeout", lock_timeout, 0.0, math.inf)
        for argument, value in (
            ("statement_timeout", statement_timeout),
            ("connect_timeout", connect_timeout),
            ("lease", lease),
        ):
            number(argument, value, 0.01, math.inf)
        self.analyzer = analyzer_of(DEFAULT_LANGUAGE if analyzer is None else analyzer)
        self.lexical_fields = checked_fields(lexical_fields)
        self.capabilities = Capabilities(durable=True, syntax=True, remote=True)
        self._tokens, self._words = Tokens(self.lexical_fields), Words(self.analyzer)
        self.name = name
        self._names = Names(schema, name)
        self._lock_timeout, self._lease = lock_timeout, lease
        self._server = Server(
            dsn,
            schema,
            statement_timeout=statement_timeout,
            connect_timeout=connect_timeout,
            name=crash.APPLICATION,
        )
        self._holding = threading.RLock()
        self._held: Connection[Any] | None = None
        self._seen = Seen(self._server.first(lambda c: self._open(c, allow_unsafe=allow_unsafe)))
        self._server.checked_by(
            lambda connection: crash.check(connection, self._names),
            lambda connection: crash.mend(connection, self._names),
        )
        self._reader = Reader(
            self._server, self._names, self.analyzer, self.lexical_fields, self._seen
        )
        self._corrector = Corrector(PostgresVocabulary(self._reader))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place!r})"

    @property
    def _place(self) -> str:
        return f"{self._server.place} {self._names.schema}.{self._names.name}"

    @property
    def signature(self) -> str:
        """Equal for objects over one index with the same analyzer, fields and boosts."""
        fields = sorted(self.lexical_fields.items())
        return f"{self._place} {self.analyzer.fingerprint}, lexical_fields {fields}"

    @property
    def folder(self) -> None:
        """None: it has none, and its writers note in the database what they begin."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer out, of all hosts; may be nested.

        Raises:
            IndexLockedError: another writer kept the lock for longer than `lock_timeout`.
        """
        with self._connection():
            yield

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """Make `upserts` the content of their ids and remove `deletes`, in one transaction.

        Of several records with one id the last counts; an id in both is upserted. All or nothing.

        Raises:
            InvalidArgumentError: a record that Chroma could not hold either.
            IndexLockedError: another writer kept the lock too long.
            LexicalIndexError: the server has gone, and did not come back.
        """
        stamps = checked(upserts)
        latest = {record.id: record for record in upserts}
        if not latest and not deletes:
            self._server.open()
            return
        rows = [row(r, stamps[r.id], self._words, self._tokens) for r in latest.values()]
        keys = sorted({key_of(record_id) for record_id in {*latest, *deletes}})
        self._write(lambda c: writing.write(c, self._names, rows, keys, self._seen.begin))

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Filter | None = None,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Hits:
        """The best `k` records that contain a query term and pass `where`.

        Scores are > 0, higher is better; ties are in the order of ids. In one round trip; a fuzzy
        word, more than 256 words, and a filter that nobody has planned with take another one.
        Without `corrections` that which of the words occur comes along, so that `corrections` of
        the same query need not ask, where all do.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """
        return self._reader.search(query, k, where, syntax, corrections)

    def weights(
        self,
        query: str,
        *,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score, unknown ones included."""
        return self._reader.weights(query, syntax, corrections or {})

    def corrections(
        self, query: str, where: Filter | None = None, *, sounds: bool = False
    ) -> Mapping[str, tuple[str, ...]]:
        """Words of `query` that occur in no record which passes `where`, and a few like each.

        As `TantivyIndex.corrections` has them. One round trip tells which words occur, none where
        `search` has told; those of a mistyped word are up to three.
        """
        return self._corrector.corrections(query, where, sounds=sounds)

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""
        return self._reader.unmatched(words, where) if words else ()

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's indexed fields that match `query`, each once."""
        return matched_terms(self.analyzer, query, record, self.lexical_fields)

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""
        return self.analyzer.highlight(query, text)

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        return self._reader.plan(where, limit)

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""
        return self._reader.match(where, limit)

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        return self._reader.match_count(where)

    def supports(self, leaf: Leaf) -> bool:
        """Everything but conditions on the document and on Chroma's own rows."""
        return isinstance(leaf, QueryMatch) or supports(leaf)

    def count(self) -> int:
        """Number of records."""
        self._reader.refresh()
        return self._seen.info.total

    def ids(self) -> Iterable[str]:
        """All ids, in no order; those that others write meanwhile may be among them."""
        self._server.open()
        return self._reader.ids()

    def sample(self, n: int) -> list[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""
        return self._reader.sample(n)

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id; None means all."""
        return self._reader.digests(ids)

    def unused_fields(self) -> Collection[str]:
        """Names among `lexical_fields`, but for the text, under which no record has a term."""
        unused = [self._tokens.names[n] for n in self._seen.info.unused]
        return [name for name in unused if name != PAGE_CONTENT]

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) with no term in any of the searched fields."""
        return self._reader.without_text(ids)

    def foreign_commits(self) -> int:
        """How many commits of others the answers so far have told of."""
        return self._seen.foreign

    def version(self) -> object:
        """Another value after each commit that an answer has told of."""
        return self._seen.version

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """Belong to one collection from now on, by its id.

        Raises:
            IndexBoundError: it belongs to another one, and not to `instead_of`.
            IndexLockedError: it belongs to none yet, and another writer kept the lock.
        """
        wanted = Owner(collection, place)
        if self._bound().give_way(wanted, instead_of):
            with self._connection() as connection, self._server.explained():
                if (was := self._bound()).give_way(wanted, instead_of):
                    bind(connection, self._names, wanted, forget=bool(was.collection))
        if self._seen.owner.collection != collection:
            self._seen.owner = wanted

    def _bound(self) -> Owner:
        query = self._names.fill("select owner from {schema}.indexes where name = '{name}'")
        found = self._server.run(lambda c: c.execute(query).fetchone())
        return Owner() if found is None else Owner.of(json.loads(found[0]))

    def state(self, name: str) -> Mapping[str, Any]:
        """What `set_state` was given last under `name`, by whichever host; else empty."""
        table = self._names.fill("{schema}.notes where name = '{name}' and key = %s")
        query = f"select content from {table}"
        found = self._server.run(lambda c: c.execute(query, [name]).fetchone())
        content = {} if found is None else json.loads(found[0])
        return content if isinstance(content, dict) else {}

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a small JSON object under `name`.

        Raises:
            LexicalIndexError: it cannot be written, or another collection has the index by now.
        """
        self._seen.owner.check(self._bound())
        query = self._names.fill(
            "insert into {schema}.notes values ('{name}', %s, %s)"
            " on conflict (name, key) do update set content = excluded.content"
        )
        self._server.run(lambda c: c.execute(query, [name, json.dumps(dict(content))]))

    def journal(self) -> PostgresJournal:
        """A new writer's. Who renews nothing for `lease` seconds counts as dead."""
        return PostgresJournal(self._server, self._names, self._lease)

    def clear(self) -> None:
        """Remove all records at once."""
        self._write(lambda c: writing.clear(c, self._names, self._seen.begin))

    @staticmethod
    def destroy(
        dsn: str,
        *,
        schema: str = "chroma_hybrid",
        name: str = "lexical",
        lock_timeout: float = 30.0,
        connect_timeout: float = 10.0,
    ) -> None:
        """Remove the tables of an index, whatever their state; without them it is no error.

        Raises:
            IndexLockedError: another process is writing.
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        names = Names(schema, name)
        with (
            _reached(dsn, schema, connect_timeout) as server,
            server.explained(),
            server.locked(names.lock, lock_timeout) as connection,
        ):
            drop(connection, names)

    @staticmethod
    def exists(
        dsn: str,
        *,
        schema: str = "chroma_hybrid",
        name: str = "lexical",
        connect_timeout: float = 10.0,
    ) -> bool:
        """Whether there is an index of that name.

        Raises:
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        table = Names(schema, name).fill("{schema}.{name}_records")
        with _reached(dsn, schema, connect_timeout) as server:
            return server.first(
                lambda c: c.execute("select to_regclass(%s)", [table]).fetchone() != (None,)
            )

    @staticmethod
    def unused(
        dsn: str, seconds: float, *, schema: str = "chroma_hybrid", connect_timeout: float = 10.0
    ) -> Mapping[str, tuple[str, str]]:
        """Names of indexes that nobody has opened or written for so long.

        By each the collection that it is bound to, by id, and the place of that.

        Raises:
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        names = Names(schema, "lexical")
        with _reached(dsn, schema, connect_timeout) as server:
            found = server.first(lambda c: unused(c, names, seconds))
        return {name: (owner.collection, owner.place) for name, owner in found.items()}

    def close(self) -> None:
        """Close the connections; reading afterwards raises LexicalIndexError."""
        self._server.close()

    def _open(self, connection: Connection[Any], *, allow_unsafe: bool) -> Info:
        """See that everything is there and of use."""
        check_extension(connection, allow_unsafe=allow_unsafe)
        prepare(connection, self._names, self.analyzer.fingerprint, self._tokens.names)
        touch(connection, self._names)
        crash.check(connection, self._names)
        query = self._names.fill(f"select {INFO} from {{schema}}.indexes where name = '{{name}}'")
        return writing.info_of(connection.execute(query).fetchone())

    def _write(self, work: Callable[[Connection[Any]], Info]) -> None:
        """`work` under the lock; where the connection is lost and the lock was not held, again."""
        nested = self._held is not None
        deadline = self._server.deadline()
        while True:
            try:
                with self._connection() as connection:
                    self._seen.note(self._mended(connection, work))
                    return
            except ConnectionLostError:
                if nested or not self._server.again(deadline):
                    raise

    def _mended(
        self, connection: Connection[Any], work: Callable[[Connection[Any]], Info]
    ) -> Info:
        """`work`, once more where pg_textsearch cannot read what is in its way.

        Before 1.4 a transaction that was taken back may leave it so.
        """
        try:
            with self._server.explained():
                return work(connection)
        except DamagedError:
            with self._server.explained():
                crash.mend(connection, self._names)
                return work(connection)

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        """The connection that has the lock, of this thread."""
        wait = self._lock_timeout if self._lock_timeout < threading.TIMEOUT_MAX else -1
        if not self._holding.acquire(timeout=wait):
            message = f"another thread kept the lexical index for {self._lock_timeout:g} s"
            raise IndexLockedError(message)
        try:
            if self._held is not None:
                yield self._held
                return
            with self._server.locked(self._names.lock, self._lock_timeout) as connection:
                self._held = connection
                try:
                    yield connection
                finally:
                    self._held = None
        finally:
            self._holding.release()


@contextmanager
def _reached(dsn: str, schema: str, connect_timeout: float) -> Iterator[Server]:
    """A server for one question."""
    server = Server(dsn, schema, statement_timeout=math.inf, connect_timeout=connect_timeout)
    try:
        yield server
    finally:
        server.close()
