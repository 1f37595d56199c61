"""Words of a query that occur nowhere, and what may be meant: for engines that are asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from langchain_chroma_hybrid.core.analysis.query_words import query_words
from langchain_chroma_hybrid.lexical.scoring import MAX_QUERY_CHARS, MAX_TERMS
from langchain_chroma_hybrid.lexical.typos import (
    LEAST_RECORDS,
    MOST_NEIGHBOURS,
    MOST_WORDS,
    KnownSounds,
    KnownWords,
    form_of,
    most_frequent,
    parted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter

MOST_NEAR = 64
"""Of those like one word so many are looked for among records that pass a filter."""


@dataclass(frozen=True, slots=True)
class Likely:
    """What may be meant.

    Attributes:
        near: words that begin as one that was typed.
        pairs: two words in a row that a record which passes has.
        sounds: gives words by their sounds; may ask.
    """

    near: KnownWords
    pairs: Collection[str]
    sounds: Callable[[], KnownSounds]


class Vocabulary(Protocol):
    """What an engine tells of the words of its index, each time in one round trip."""

    @property
    def analyzer(self) -> Analyzer:
        """Turns words into terms."""

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""

    def unmatched(self, words: Sequence[QueryWord], where: Filter | None) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes; known ones take no question."""

    def likely(
        self, words: Sequence[str], pairs: Sequence[str], where: Filter | None, *, sounds: bool
    ) -> Likely:
        """What may be meant by words; `sounds`: also words that sound so."""

    def passing(self, words: Mapping[str, int], where: Filter | None) -> Mapping[str, int]:
        """In how many records that pass each of the words is; given is in how many at all."""


def words_to_check(analyzer: Analyzer, query: str) -> list[QueryWord]:
    """The words of a query that may occur nowhere."""
    return query_words(analyzer, query[:MAX_QUERY_CHARS])[:MAX_TERMS]


class Corrector:
    """Finds other spellings of words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._analyzer = vocabulary, vocabulary.analyzer

    def corrections(
        self, query: str, where: Filter | None, *, sounds: bool
    ) -> dict[str, tuple[str, ...]]:
        """Words that occur in no record which passes, and a few like each that do."""
        words = words_to_check(self._analyzer, query)
        nowhere = {*self._vocabulary.unmatched(words, where)} if words else ()
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
        near = sounds or self._vocabulary.total >= LEAST_RECORDS
        every = [pair for some in pairs.values() for pair in some]
        likely = self._vocabulary.likely(
            [form for _, form in asked if near], every, where, sounds=sounds
        )
        found: dict[str, list[Mapping[str, int]]] = {}
        for word, form in asked:
            if rows := [pair for pair in pairs[form] if pair in likely.pairs]:
                found[word] = [dict.fromkeys(rows[:MOST_NEIGHBOURS], 1)]
                continue
            found[word] = [*likely.near.neighbours(form)]
            if sounds:
                found[word] += likely.sounds().alike(form)
        return self._chosen(found, where)

    def _chosen(
        self, found: Mapping[str, Sequence[Mapping[str, int]]], where: Filter | None
    ) -> dict[str, tuple[str, ...]]:
        """By each word the most frequent of its nearest of which records that pass have some."""
        passing = self._passing(found, where)
        chosen: dict[str, tuple[str, ...]] = {}
        for word, groups in found.items():
            for group in groups:
                if any(" " in each for each in group):
                    chosen[word] = tuple(group)
                    break
                counts = {each: passing.get(each, 0) for each in group}
                if meant := most_frequent(counts, self._analyzer):
                    chosen[word] = meant
                    break
        return chosen

    def _passing(
        self, found: Mapping[str, Sequence[Mapping[str, int]]], where: Filter | None
    ) -> Mapping[str, int]:
        """In how many records that pass each of the likely words is."""
        asked: dict[str, int] = {}
        for groups in found.values():
            nearest = [
                (word, n)
                for group in groups
                for word, n in sorted(group.items(), key=lambda each: (-each[1], each[0]))
                if " " not in word
            ]
            asked |= dict(nearest[:MOST_NEAR])
        return self._vocabulary.passing(asked, where) if asked else {}
