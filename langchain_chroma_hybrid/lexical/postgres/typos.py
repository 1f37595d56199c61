"""Words of the index that are like some which occur nowhere, in few round trips."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.corrections import Likely
from langchain_chroma_hybrid.lexical.postgres.filters import Values
from langchain_chroma_hybrid.lexical.tokens import SURFACE, Tokens
from langchain_chroma_hybrid.lexical.typos import (
    MOST_KNOWN,
    KnownSounds,
    KnownWords,
    most_edits,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.postgres.reading import Reader

# An edit brings one letter at most: few of a word's are foreign to one that is near.
_NEAR = """
    select array_agg(token), array_agg(n) from (
        select w.token, w.n
        from unnest({low}, {high}, {shortest}, {longest}, {letters}, {most})
            q(low, high, shortest, longest, letters, most),
        lateral (
            select token, n from {table} where token >= q.low and token < q.high and n > 0
                and length(token) between q.shortest and q.longest
                and length(translate(substr(token, 4), q.letters, '')) <= q.most
            order by n desc, token limit {limit}
        ) w
    ) x
"""
_FREQUENT = """
    select array_agg(token), array_agg(n) from (
        select token, n from {table} where n > 0 order by n desc, token limit {limit}
    ) x
"""


class PostgresVocabulary:
    """The words of the index of one reader, which knows which of them occur.

    What sounds alike takes a question of its own, since all words are read, once for each commit.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader, self.analyzer, self._tokens = reader, reader.analyzer, reader.tokens
        self._sounds: tuple[object, KnownSounds] | None = None

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""
        return self._reader.total

    def unmatched(self, words: Sequence[QueryWord], where: Filter | None) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes."""
        return self._reader.unmatched(words, where)

    def likely(
        self,
        words: Sequence[str],
        pairs: Sequence[str],
        where: Filter | None,
        *,
        sounds: bool,  # noqa: ARG002
    ) -> Likely:
        """What may be meant by words; what sounds so is read when it is wanted."""
        values = Values()
        rows = self._reader.stand(map(self.analyzer.phrase, pairs), where, values)
        reaches = [self._reach(word) for word in words if most_edits(word)]
        columns = list(zip(*(row for reach in reaches for row in reach), strict=True))
        nothing = "select null::text[], null::bigint[]"
        near = self._near(columns, values) if columns else nothing
        statement = f"select array[{', '.join(rows)}]::bool[], y.* from ({near}) y"
        there, tokens, counts = self._reader.ask(statement, values)
        found = {pair for pair, stands in zip(pairs, there, strict=True) if stands}
        return Likely(KnownWords(_records(tokens, counts)), found, self._heard)

    def passing(self, words: Mapping[str, int], where: Filter | None) -> Mapping[str, int]:
        """In how many records that pass each of the words is."""
        if where is None:
            return words
        return self._reader.counts({word: self._everywhere(word) for word in words}, where)

    def _reach(self, word: str) -> Iterable[tuple[str, str, int, int, str, int]]:
        """From where up to where tokens are, how long, and of what letters, that may be near."""
        most = most_edits(word)
        for field in (*self._tokens.fields, SURFACE):
            for low, high in self._tokens.beginning(field, word[0]):
                if low[0] == "x":
                    letters = "".join(sorted({*word}))
                    yield low, high, len(word) - most + 3, len(word) + most + 3, letters, most
                else:  # spelled by bytes, of which a letter has up to four
                    size = 2 * len(word.encode("utf-8", "surrogatepass"))
                    digits = "0123456789abcdef"
                    yield low, high, max(0, size - 8 * most) + 3, size + 8 * most + 3, digits, most

    def _near(self, columns: Sequence[Sequence[Any]], values: Values) -> str:
        """The statement of words that may be near."""
        low, high, shortest, longest, letters, most = map(list, columns)
        return _NEAR.format(
            table=self._reader.table,
            limit=MOST_KNOWN,
            low=values.put(low, "text[]"),
            high=values.put(high, "text[]"),
            shortest=values.put(shortest, "int[]"),
            longest=values.put(longest, "int[]"),
            letters=values.put(letters, "text[]"),
            most=values.put(most, "int[]"),
        )

    def _heard(self) -> KnownSounds:
        """The most frequent words by their sounds."""
        if self._sounds is None or self._sounds[0] != self._reader.version:
            statement = _FREQUENT.format(table=self._reader.table, limit=MOST_KNOWN)
            records = _records(*self._reader.ask(statement, Values()))
            self._sounds = self._reader.version, KnownSounds(records)
        return self._sounds[1]

    def _everywhere(self, word: str) -> list[str]:
        return [self._tokens.token(field, word) for field in (*self._tokens.fields, SURFACE)]


def _records(tokens: Sequence[str] | None, counts: Sequence[int] | None) -> dict[str, int]:
    """Words, and in how many records each is at least."""
    found: dict[str, int] = defaultdict(int)
    for token, n in zip(tokens or (), counts or (), strict=True):
        word = Tokens.term(token)
        found[word] = max(found[word], n)
    return found
