"""Words that are like one which occurs nowhere: what engines share."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.sounds import sound
from langchain_chroma_hybrid.lexical.requirement import edits, whole_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord

LEAST_RECORDS = 1_000
"""In fewer a word that occurs nowhere is more often missing than mistyped."""

MOST_WORDS = 8
"""Words of one query that are looked for in other spellings."""

MOST_NEIGHBOURS = 3
"""Words that stand for one."""

LEAST_PART = 3
"""Letters of each of two words that were written as one."""

MOST_KNOWN = 20_000
"""Words that are compared with one; of more the most frequent."""

# Letters of a word that may sound like another, with one edit, with two, and with none again.
_LEAST, _ONE, _TWO, _LONGEST = 4, 5, 8, 64
_SOUNDS = 3  # of a word that may sound like one with another sound


def form_of(word: QueryWord, analyzer: Analyzer) -> str | None:
    """A word as it is compared with others; None for one that can only be meant as it is typed."""
    forms = whole_forms(analyzer, word.text)
    if word.identifier or len(forms) != 1 or not _LEAST <= len(forms[0]) <= _LONGEST:
        return None
    return forms[0]


def parted(word: str, analyzer: Analyzer) -> Iterator[str]:
    """Two words in a row that may have been written as one.

    A stop word before or behind another says nothing.
    """
    for at in range(LEAST_PART, len(word) - LEAST_PART + 1):
        pair = f"{word[:at]} {word[at:]}"
        searched = {term.text for term in analyzer.query(pair)}
        if searched.issuperset(analyzer.phrase(pair)):
            yield pair


def most_edits(word: str) -> int:
    """How many edits away from `word` another one may be, which begins alike."""
    return 0 if len(word) < _ONE else 1 if len(word) < _TWO else 2


def most_frequent(words: Mapping[str, int], analyzer: Analyzer) -> tuple[str, ...]:
    """A few, by how many records have each; of words that are one to the analyzer the first."""
    there = sorted((word for word in words if words[word]), key=lambda w: (-words[w], w))
    terms: dict[str, str] = {}
    for word in there:
        for term in analyzer.phrase(word)[:1]:
            # A stem alone is no word that anybody writes.
            if terms.get(term) in (None, term):
                terms[term] = word
    return tuple(terms.values())[:MOST_NEIGHBOURS]


class KnownWords:
    """Words without digits, and in how many records each is."""

    def __init__(self, records: Mapping[str, int]) -> None:
        self.records = records
        self._by_length: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for word in records:
            if not any(map(str.isdigit, word)):
                self._by_length[len(word)].append((word, _letters(word)))

    def neighbours(self, word: str) -> list[dict[str, int]]:
        """Those that are one edit away, and, if the word is long, those that are two."""
        found: dict[int, dict[str, int]] = defaultdict(dict)
        for away, other in self.near(word, most_edits(word)):
            found[away][other] = self.records[other]
        return [found[away] for away in sorted(found) if away]

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


class KnownSounds:
    """Words by what they sound like."""

    def __init__(self, records: Mapping[str, int]) -> None:
        self._records = records
        self._words: dict[str, list[str]] = defaultdict(list)
        for word in records:
            self._words[sound(word)].append(word)
        self._known = KnownWords(dict.fromkeys(self._words, 1))

    def alike(self, word: str) -> list[dict[str, int]]:
        """The words that sound like `word`, and in how many records each is; the nearest first.

        They have the same sounds or, if these are some, all but one, and are written with half of
        its letters changed at most.
        """
        own = sound(word)
        near: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
        for apart, other in self._near(own, 1 if len(own) >= _SOUNDS else 0) if own else ():
            if 2 * (changed := edits(word, other)) <= len(word):
                near[apart, changed][other] = self._records[other]
        return [near[distance] for distance in sorted(near)]

    def _near(self, sounds: str, most: int) -> Iterable[tuple[int, str]]:
        """Those at most so many sounds away, and how many."""
        for apart, known in self._known.near(sounds, most):
            yield from ((apart, word) for word in self._words[known])


def _letters(word: str) -> int:
    """The letters of a word as bits; some share one."""
    bits = 0
    for letter in word:
        bits |= 1 << ord(letter) % 64
    return bits
