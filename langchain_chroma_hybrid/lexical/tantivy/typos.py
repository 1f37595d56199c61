"""Words in the index that are like one which occurs nowhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tantivy import Occur, Query

from langchain_chroma_hybrid.core.analysis.sounds import sound
from langchain_chroma_hybrid.lexical.requirement import edits, whole_forms
from langchain_chroma_hybrid.lexical.tantivy.hits import count
from langchain_chroma_hybrid.lexical.tantivy.schema import SURFACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tantivy import Searcher

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
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

LEAST_PART = 3
"""Letters of each of two words that were written as one."""

# Letters of a word that may sound like another, with one edit, with two, and with none again.
_LEAST, _ONE, _TWO, _LONGEST = 4, 5, 8, 64
_SOUNDS = 3  # of a word that may sound like one with another sound
_MOST_KNOWN = 20_000


def form_of(word: QueryWord, analyzer: Analyzer) -> str | None:
    """A word as it is compared with others; None for one that can only be meant as it is typed."""
    forms = whole_forms(analyzer, word.text)
    if word.identifier or len(forms) != 1 or not _LEAST <= len(forms[0]) <= _LONGEST:
        return None
    return forms[0]


class Vocabulary:
    """The words of an index by their first letter, read when they are asked for."""

    def __init__(self, layout: Layout, searcher: Searcher) -> None:
        self._layout = layout
        self._searcher = searcher
        self._known: dict[str, _Words] = {}
        self._sounds: _Sounds | None = None

    def neighbours(self, word: str, where: Query | None) -> tuple[str, ...]:
        """The words nearest to `word` in records that `where` lets pass, the most frequent; few.

        They begin alike and are one edit away, or, if the word is long and there are none, two.
        """
        if len(word) < _ONE:
            return ()
        words = self._words(word[0])
        near = list(words.near(word, 2 if len(word) >= _TWO else 1))
        for distance in (1, 2):
            found = {other: words.records[other] for away, other in near if away == distance}
            if meant := self._most_frequent(found, where):
                return meant
        return ()

    def alike(self, word: str, where: Query | None) -> tuple[str, ...]:
        """The words that sound like `word` in records that `where` lets pass; few.

        They have the same sounds or, if these are some and there are no such words, all but one;
        of those that are written with half of its letters changed at most, the nearest.
        """
        records, own = self._words("").records, sound(word)
        if self._sounds is None:
            self._sounds = _Sounds(records)
        near: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
        for apart, other in self._sounds.near(own, 1 if len(own) >= _SOUNDS else 0) if own else ():
            if 2 * (changed := edits(word, other)) <= len(word):
                near[apart, changed][other] = records[other]
        found = (self._most_frequent(near[distance], where) for distance in sorted(near))
        return next(filter(None, found), ())

    def _most_frequent(
        self, found: Mapping[str, int], where: Query | None
    ) -> tuple[str, ...]:
        """Of words that are one to the analyzer the most frequent stands for all."""
        words = found if where is None else {word: self._passing(word, where) for word in found}
        words = {word: records for word, records in words.items() if records}
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
        """Words that begin so, with "" all; of too many the most frequent."""
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


class _Sounds:
    """Words by what they sound like."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: dict[str, list[str]] = defaultdict(list)
        for word in words:
            self._words[sound(word)].append(word)
        self._known = _Words(dict.fromkeys(self._words, 1))

    def near(self, sounds: str, most: int) -> Iterator[tuple[int, str]]:
        """Those at most so many sounds away, and how many."""
        for apart, known in self._known.near(sounds, most):
            yield from ((apart, word) for word in self._words[known])


def _letters(word: str) -> int:
    """The letters of a word as bits; some share one."""
    bits = 0
    for letter in word:
        bits |= 1 << ord(letter) % 64
    return bits
