"""Words in the index that are like one which occurs nowhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tantivy import Occur, Query

from langchain_chroma_hybrid.lexical.requirement import edits, whole_forms
from langchain_chroma_hybrid.lexical.tantivy.hits import count
from langchain_chroma_hybrid.lexical.tantivy.schema import SURFACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tantivy import Searcher

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.lexical.tantivy.schema import Layout

LEAST_RECORDS = 1_000
"""In fewer a word that occurs nowhere is more often missing than mistyped."""

MOST_WORDS = 8
"""Words of one query that are looked for in other spellings."""

TYPO = 0.5
"""What a word counts that stands for one which occurs nowhere."""

MOST_NEIGHBOURS = 3
"""Words that stand for one."""

_ONE, _TWO, _LONGEST = 5, 8, 64  # letters of a word with one edit, with two, and with none again
_MOST_KNOWN = 20_000


class Vocabulary:
    """The words of an index by their first letter, read when they are asked for."""

    def __init__(self, layout: Layout, searcher: Searcher) -> None:
        self._layout = layout
        self._searcher = searcher
        self._known: dict[str, _Words] = {}

    def neighbours(self, word: QueryWord, where: Query | None) -> tuple[str, ...]:
        """The words nearest to `word` in records that `where` lets pass, the most frequent; few.

        They begin alike and are one edit away, or, if the word is long and there are none, two.
        """
        forms = whole_forms(self._layout.analyzer, word.text)
        if word.identifier or len(forms) != 1 or not _ONE <= len(forms[0]) <= _LONGEST:
            return ()
        words = self._words(forms[0][0])
        near = list(words.near(forms[0], 2 if len(forms[0]) >= _TWO else 1))
        for distance in (1, 2):
            found = {other: words.records[other] for away, other in near if away == distance}
            if where is not None:
                found = {other: self._passing(other, where) for other in found}
            if any(found.values()):
                return self._most_frequent({w: count for w, count in found.items() if count})
        return ()

    def _most_frequent(self, words: Mapping[str, int]) -> tuple[str, ...]:
        """Of words that are one to the analyzer the most frequent stands for all."""
        terms: dict[str, str] = {}
        for word in sorted(words, key=lambda word: (-words[word], word)):
            for term in self._layout.analyzer.phrase(word)[:1]:
                # A stem alone is no word that anybody writes.
                if terms.get(term) in (None, term):
                    terms[term] = word
        return tuple(terms.values())[:MOST_NEIGHBOURS]

    def _passing(self, word: str, where: Query) -> int:
        """In how many records that `where` lets pass a word is."""
        fields = (*self._layout.fields, SURFACE)
        terms = [Query.term_query(self._layout.schema, name, word, "basic") for name in fields]
        known = Query.boolean_query([(Occur.Should, term) for term in terms])
        found = Query.boolean_query([(Occur.Must, known), (Occur.Must, where)])
        return count(self._searcher, found)

    def _words(self, letter: str) -> _Words:
        """Words that begin so; of too many the most frequent."""
        known = self._known.get(letter)
        if known is None:
            found: Counter[str] = Counter()
            for name in (*self._layout.fields, SURFACE):
                for word, records in self._searcher.terms_with_prefix(
                    name, letter, limit=_MOST_KNOWN
                ):
                    found[word] = max(found[word], records)
            known = self._known[letter] = _Words(found)
        return known


class _Words:
    """Words without digits, and in how many records each is."""

    def __init__(self, records: Mapping[str, int]) -> None:
        self.records = records
        self._by_length: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for word in records:
            if not any(map(str.isdigit, word)):
                self._by_length[len(word)].append((word, _letters(word)))

    def near(self, word: str, most: int) -> Iterator[tuple[int, str]]:
        """Those that are at most so many edits away, and how many."""
        own = _letters(word)
        for length in range(len(word) - most, len(word) + most + 1):
            # An edit takes a letter away at most, and brings one.
            likely = [
                other
                for other, letters in self._by_length.get(length, ())
                if (own & ~letters).bit_count() <= most and (letters & ~own).bit_count() <= most
            ]
            for other in likely:
                if (distance := edits(word, other)) <= most:
                    yield distance, other


def _letters(word: str) -> int:
    """The letters of a word as bits; some share one."""
    bits = 0
    for letter in word:
        bits |= 1 << ord(letter) % 64
    return bits
