"""What the index in PostgreSQL answers, each question in one round trip."""

from __future__ import annotations

from functools import reduce
from math import isqrt
from operator import or_
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filters import AllOf, Ids
from langchain_chroma_hybrid.core.values import Scored
from langchain_chroma_hybrid.lexical.asked import QueryCompiler
from langchain_chroma_hybrid.lexical.bounds import bound_of, weights_of
from langchain_chroma_hybrid.lexical.corrections import words_to_check
from langchain_chroma_hybrid.lexical.postgres.filters import Values
from langchain_chroma_hybrid.lexical.postgres.schema import COLUMNS, INFO
from langchain_chroma_hybrid.lexical.postgres.statement import Statements, bits_of
from langchain_chroma_hybrid.lexical.postgres.writing import info_of
from langchain_chroma_hybrid.lexical.protocol import Hits, Passing
from langchain_chroma_hybrid.lexical.requirement import edits
from langchain_chroma_hybrid.lexical.seen import Counts, Occurring, Seen
from langchain_chroma_hybrid.lexical.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.postgres.schema import Info, Names
    from langchain_chroma_hybrid.lexical.postgres.server import Server
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax

FEW = 1_000
"""Records that may all be candidates of one search: each costs some 40 microseconds.

In a large index more of them: to find 200 that pass, `200 * total / passing` are looked at, at some
5 microseconds each.
"""

_PART = 20_000
_ID = "coalesce(long_id, key)"
# One value in place of an array, which takes the driver long; no UTF-8 has this byte.
_ALL = r"string_agg(id, '\xff'::bytea)"


class Reader:
    """Reads one index; notes with each answer what the latest commit was."""

    def __init__(
        self,
        server: Server,
        names: Names,
        analyzer: Analyzer,
        lexical_fields: Mapping[str, float],
        seen: Seen[Info],
    ) -> None:
        self._server, self._names, self._seen = server, names, seen
        self.analyzer, self.tokens = analyzer, Tokens(lexical_fields)
        self._compiler = QueryCompiler(analyzer, self.tokens, self._frequencies, self._near)
        self._statements = Statements(names, self._compiler.required)
        # How many pass, which words these have, and what the words of the last query weigh.
        self._counts = Counts()
        self._occurring = Occurring()
        self._weights: tuple[object, Mapping[str, float]] = None, {}

    def search(
        self,
        query: str,
        k: int,
        where: Filter | None,
        syntax: QuerySyntax,
        corrections: Corrections | None,
    ) -> Hits:
        """The best `k` records for a query, and a bound of all scores.

        Where nobody knows of `corrections`, which of its words occur comes along.
        """
        self._statements.passing(where, Values())  # refuses what cannot be answered
        plain = corrections is None and syntax == "plain"
        words = words_to_check(self.analyzer, query) if plain else []
        corrections = corrections or {}
        asked = self._compiler.compile(query, syntax, corrections)
        if asked.empty:
            return Hits()
        total = self._seen.info.total
        few = min(total, self._at_most(where)) <= max(FEW, isqrt(20 * total))
        every = few or 4 * k >= total
        values = Values()
        known = self._occurring.get(self._seen.version, where, words)
        new = [word for word in words if word not in known]
        occurs = self._occur(new, where, values, bits_of(asked))
        statement = self._statements.search(asked, max(k, 0), where, values, occurs, every=every)
        row = self._execute(statement, values)
        self._learn(new, where, row[9])
        terms = list(zip(*(column or [] for column in row[:4]), strict=True))
        found = {int(group) for group in (row[8] or "").split(",") if group}
        runs = [run for run in zip(row[4] or (), row[5] or (), strict=True) if run[0] in found]
        weights = weights_of(asked, terms, runs, total, self.tokens)
        self._weights = (self._seen.version, query, syntax, *corrections.items()), weights
        ids, scores = (column or [] for column in row[6:8])
        hits = (Scored(_id(each), score) for each, score in zip(ids, scores, strict=True))
        return Hits(hits, bound_of(asked, terms, runs, weights, total))

    def weights(
        self, query: str, syntax: QuerySyntax, corrections: Corrections
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score; known after its search."""
        key = (self._seen.version, query, syntax, *corrections.items())
        if self._weights[0] != key:
            self.search(query, 0, None, syntax, corrections)
        return self._weights[1] if self._weights[0] == key else {}

    def unmatched(self, words: Sequence[QueryWord], where: Filter | None) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed.

        What the latest commit has been asked for before is known.
        """
        self._server.open()
        there = self._occurring.get(self._seen.version, where, words)
        if asked := [word for word in words if word not in there]:
            values = Values()
            found = self._read(self._occur(asked, where, values), values)[0]
            there |= self._learn(asked, where, found)
        return tuple(word.text for word in words if not there[word])

    def stand(
        self, phrases: Iterable[Sequence[str]], where: Filter | None, values: Values
    ) -> list[str]:
        """The condition, for each phrase, that a record which passes has it."""
        passing = self._statements.passing(where, values)
        matches = (self._compiler.standing((), [phrase]) for phrase in phrases)
        return [
            f"exists(select from {self._records} where {self._statements.has(match, values)}"
            f" and {passing})"
            for match in matches
        ]

    def counts(self, words: Mapping[str, Sequence[str]], where: Filter) -> dict[str, int]:
        """In how many records that pass `where` each word is, by its tokens."""
        if not words:
            return {}
        values = Values()
        passing = self._statements.passing(where, values)
        columns = [
            f"(select count(*) from {self._records}"
            f" where words && {values.put([*tokens], 'text[]')} and {passing})"
            for tokens in words.values()
        ]
        found = self._read(f"array[{', '.join(columns)}]::bigint[]", values)[0]
        return dict(zip(words, found, strict=True))

    def plan(self, where: Filter | None, limit: int) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        known = self._counts.get(self._seen.version, where)
        if limit > 0 and known is not None and known > limit:  # steers, and is no answer
            return Passing(known, self._seen.info.total)
        values = Values()
        some = f"from {self._records} where {self._statements.passing(where, values)}"
        count = "total" if where is None else f"(select count(*) {some})"
        most = values.put(max(0, limit) + 1, "bigint")
        ids = f"(select {_ALL} from (select {_ID} id {some} limit {most}) x)"
        passing, found = self._read(f"{count}, {ids if limit > 0 else 'null::bytea'}", values)
        self._counts.note(self._seen.version, where, passing)
        return Passing(passing, self._seen.info.total, _ids(found) if passing <= limit else None)

    def match(self, where: Filter | None, limit: int | None) -> list[str]:
        """Ids that pass `where`."""
        values = Values()
        passing = self._statements.passing(where, values)
        some = f"select {_ID} id from {self._records} where {passing}"
        if limit is not None:
            some += f" limit {min(max(0, limit), 2**62)}"
        return list(_ids(self._read(f"(select {_ALL} from ({some}) x)", values)[0]))

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        return self.plan(where, 0).passing

    def ids(self) -> Iterator[str]:
        """All ids, part by part."""
        last: bytes | None = None
        while True:
            values = Values()
            behind = "true" if last is None else f"key > {values.put(last, 'bytea')}"
            part = f"from {self._records} where {behind} order by key limit {_PART}"
            found, last = self.ask(
                r"select string_agg(id, '\xff'::bytea order by key),"
                " (array_agg(key order by key desc))[1]"
                f" from (select key, {_ID} id {part}) x",
                values,
            )
            if found is None:
                return
            yield from _ids(found)

    def sample(self, n: int) -> list[str]:
        """At most `n` ids, the same ones for the same records."""
        some = f"select {_ID} id from {self._records} order by digest, key limit {max(0, n)}"
        return list(_ids(self._read(f"(select {_ALL} from ({some}) x)", Values())[0]))

    def digests(self, ids: Collection[str] | None) -> dict[str, str]:
        """Digests of records, by id."""
        values = Values()
        where = self._statements.passing(None if ids is None else Ids(frozenset(ids)), values)
        some = f"select {_ID} id, digest from {self._records} where {where}"
        columns = f"select {_ALL}, array_agg(digest) from ({some}) x"
        found, digests = self.ask(columns, values)
        stamps = (value.to_bytes(8, signed=True).hex() for value in digests or ())
        return dict(zip(_ids(found), stamps, strict=True))

    def without_text(self, ids: Collection[str] | None) -> frozenset[str]:
        """Those of `ids` with no term in any field."""
        if not self._seen.info.textless:
            return frozenset()
        values = Values()
        among = self._statements.passing(None if ids is None else Ids(frozenset(ids)), values)
        some = f"select {_ID} id from {self._records} where not has_text and {among}"
        return frozenset(_ids(self._read(f"(select {_ALL} from ({some}) x)", values)[0]))

    def refresh(self) -> None:
        """Look at the latest commit."""
        self._read("1", Values())

    def ask(self, statement: str, values: Values) -> Sequence[Any]:
        """The one row of a statement, beside what is known of the index."""
        table = self._names.fill("from {schema}.indexes where name = '{name}'")
        info = f"select {INFO} {table}"
        return self._execute(f"select i.*, x.* from ({info}) i, ({statement}) x", values)

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""
        return self._seen.info.total

    @property
    def version(self) -> object:
        """Another one after each commit."""
        return self._seen.version

    @property
    def table(self) -> str:
        """The name of that of words."""
        return self._names.fill("{schema}.{name}_words")

    @property
    def _records(self) -> str:
        return self._names.fill("{schema}.{name}_records")

    def _execute(self, statement: str, values: Values) -> Sequence[Any]:
        """The one row of a statement, behind what is known of the index."""

        def work(connection: Connection[Any]) -> Any:
            return connection.cursor(binary=True).execute(statement, values).fetchone()

        row = self._server.run(work)
        self._seen.note(info_of(row))
        found: Sequence[Any] = row[COLUMNS:]
        return found

    def _read(self, columns: str, values: Values) -> Sequence[Any]:
        """Columns that may hold sub-selects, beside what is known of the index."""
        table = "from {schema}.indexes where name = '{name}'"
        return self._execute(f"select {INFO}, {columns} {self._names.fill(table)}", values)

    def _at_most(self, where: Filter | None) -> int:
        """How many records pass a filter, or more; asks where nobody has asked before."""
        if where is None:
            return self._seen.info.total
        parts = where.parts if isinstance(where, AllOf) else (where,)
        given = [len(part.ids) for part in parts if isinstance(part, Ids) and not part.negated]
        if given:
            return min(given)
        known = self._counts.get(self._seen.version, where)
        return self.match_count(where) if known is None else known

    def _occur(
        self,
        words: Iterable[QueryWord],
        where: Filter | None,
        values: Values,
        bits: Mapping[str, int] | None = None,
    ) -> str:
        """The column of whether each word is in a record that passes.

        Beside a search with its `bits`, by token, what a candidate has is not looked for: with a
        filter that takes long.
        """
        passing = self._statements.passing(where, values)
        occurs = [(word, self._occurs(word, where is None, passing, values)) for word in words]
        parts = [
            there if bits is None
            else f"case when h.bits & {self._bits(word, bits)} <> 0 then true else {there} end"
            for word, there in occurs
        ]  # fmt: skip
        return f"array[{', '.join(parts)}]::bool[]"

    def _bits(self, word: QueryWord, bits: Mapping[str, int]) -> int:
        """Those of the tokens that stand for a word."""
        tokens = (token for term in word.terms for token in self.tokens.everywhere(term))
        return reduce(or_, (bits.get(token, 0) for token in tokens), 0)

    def _learn(
        self, words: Sequence[QueryWord], where: Filter | None, found: Iterable[bool]
    ) -> dict[QueryWord, bool]:
        there = dict(zip(words, found, strict=True))
        self._occurring.note(self._seen.version, where, there)
        return there

    def _occurs(self, word: QueryWord, anywhere: bool, passing: str, values: Values) -> str:
        """The condition that a word is in a record that passes."""
        terms = [token for term in word.terms for token in self.tokens.everywhere(term)]
        some = values.put(terms, "text[]")
        known = f"select from {self.table} where n > 0 and token = any({some})"
        match = self._compiler.standing(() if anywhere else word.terms, word.phrases)
        has = self._statements.has(match, values)
        rows = f"exists(select from {self._records} where {has} and {passing})"
        return f"(exists({known}) or {rows})" if anywhere else rows

    def _frequencies(self, tokens: Iterable[str]) -> dict[str, int]:
        """In how many records each of the tokens is."""
        values = Values()
        some = f"{self.table} where n > 0 and token = any({values.put([*tokens], 'text[]')})"
        found, counts = self.ask(f"select array_agg(token), array_agg(n) from {some}", values)
        return dict(zip(found or (), counts or (), strict=True))

    def _near(self, words: Sequence[str], distance: int) -> list[str]:
        """The tokens that are at most `distance` edits away from one of the words."""
        sizes = [len(word) for word in words]
        low, high = min(sizes) - distance + 3, max(sizes) + distance + 3
        likely = f"n > 0 and (token >= 'y' or length(token) between {low} and {high})"
        found = self._read(f"array(select token from {self.table} where {likely})", Values())[0]
        return [
            token
            for token in found
            if any(_edits(word, Tokens.term(token), distance) for word in words)
        ]


def _edits(word: str, other: str, most: int) -> bool:
    return abs(len(word) - len(other)) <= most and edits(word, other) <= most


def _id(encoded: bytes) -> str:
    return bytes(encoded).decode()


def _ids(found: bytes | None) -> tuple[str, ...]:
    """Of `_ALL`."""
    return () if found is None else tuple(map(bytes.decode, bytes(found).split(b"\xff")))
