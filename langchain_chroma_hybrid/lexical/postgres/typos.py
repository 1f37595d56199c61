"""Words of the index that are like some which occur nowhere, in few round trips."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.postgres.filters import Values
from langchain_chroma_hybrid.lexical.tokens import SURFACE, Tokens
from langchain_chroma_hybrid.lexical.typos import (
    LEAST_RECORDS,
    MOST_KNOWN,
    MOST_NEIGHBOURS,
    MOST_WORDS,
    KnownSounds,
    KnownWords,
    form_of,
    most_edits,
    most_frequent,
    parted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.postgres.reading import Reader

_MOST_NEAR = 64
"""Of those like one word so many are looked for among records that pass a filter."""

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


class Typos:
    """Finds other spellings of words for one reader, which knows which of them occur.

    One question tells which words are near, one how many records that pass a filter have each of
    them; what sounds alike takes another one, since all words are read, once for each commit.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader, self._analyzer, self._tokens = reader, reader.analyzer, reader.tokens
        self._sounds: tuple[object, KnownSounds] | None = None

    def corrections(
        self, query: str, where: Filter | None, *, sounds: bool
    ) -> dict[str, tuple[str, ...]]:
        """Words that occur in no record which passes, and a few like each that do."""
        words = self._reader.words(query)
        nowhere = {*self._reader.unmatched(words, where)} if words else ()
        missing = [word for word in words if word.text in nowhere]
        return self._instead_of(missing, where, sounds) if missing else {}

    def _instead_of(
        self, words: Sequence[QueryWord], where: Filter | None, sounds: bool
    ) -> dict[str, tuple[str, ...]]:
        """By each of the words, which occur in no record that passes, a few like it that do."""
        forms = {word.text: form_of(word, self._analyzer) for word in words}
        asked = [(word, form) for word, form in forms.items() if form][:MOST_WORDS]
        if not asked:
            return {}
        pairs = {form: list(parted(form, self._analyzer)) for _, form in asked}
        near = sounds or self._reader.total >= LEAST_RECORDS
        known, there = self._likely([form for _, form in asked if near], pairs, where)
        found: dict[str, list[Mapping[str, int]]] = {}
        for word, form in asked:
            if rows := [pair for pair in pairs[form] if pair in there]:
                found[word] = [dict.fromkeys(rows[:MOST_NEIGHBOURS], 1)]
                continue
            found[word] = [*known.neighbours(form)]
            if sounds:
                found[word] += self._heard().alike(form)
        return self._chosen(found, where)

    def _likely(
        self, words: Sequence[str], pairs: Mapping[str, Sequence[str]], where: Filter | None
    ) -> tuple[KnownWords, set[str]]:
        """Words that may be near, and those of the pairs that stand in a record that passes."""
        values, every = Values(), [pair for some in pairs.values() for pair in some]
        phrases = [self._analyzer.phrase(pair) for pair in every]
        rows = self._reader.stand(phrases, where, values)
        reaches = [self._reach(word) for word in words if most_edits(word)]
        columns = list(zip(*(row for reach in reaches for row in reach), strict=True))
        nothing = "select null::text[], null::bigint[]"
        near = self._near(columns, values) if columns else nothing
        statement = f"select array[{', '.join(rows)}]::bool[], y.* from ({near}) y"
        there, tokens, counts = self._reader.ask(statement, values)
        found = {pair for pair, stands in zip(every, there, strict=True) if stands}
        return KnownWords(_records(tokens, counts)), found

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

    def _chosen(
        self, found: Mapping[str, Sequence[Mapping[str, int]]], where: Filter | None
    ) -> dict[str, tuple[str, ...]]:
        """By each word the most frequent of its nearest of which records that pass have some."""
        passing = None if where is None else self._passing(found, where)
        chosen: dict[str, tuple[str, ...]] = {}
        for word, groups in found.items():
            for group in groups:
                if any(" " in each for each in group):
                    chosen[word] = tuple(group)
                    break
                counts = group if passing is None else {w: passing.get(w, 0) for w in group}
                if meant := most_frequent(counts, self._analyzer):
                    chosen[word] = meant
                    break
        return chosen

    def _passing(
        self, found: Mapping[str, Sequence[Mapping[str, int]]], where: Filter
    ) -> dict[str, int]:
        """In how many records that pass each of the likely words is."""
        asked: dict[str, None] = {}
        for groups in found.values():
            nearest = [
                word
                for group in groups
                for word in sorted(group, key=lambda w, group=group: (-group[w], w))  # type: ignore[misc]
                if " " not in word
            ]
            asked |= dict.fromkeys(nearest[:_MOST_NEAR])
        return self._reader.counts({word: self._everywhere(word) for word in asked}, where)

    def _everywhere(self, word: str) -> list[str]:
        return [self._tokens.token(field, word) for field in (*self._tokens.fields, SURFACE)]


def _records(tokens: Sequence[str] | None, counts: Sequence[int] | None) -> dict[str, int]:
    """Words, and in how many records each is at least."""
    found: dict[str, int] = defaultdict(int)
    for token, n in zip(tokens or (), counts or (), strict=True):
        word = Tokens.term(token)
        found[word] = max(found[word], n)
    return found
