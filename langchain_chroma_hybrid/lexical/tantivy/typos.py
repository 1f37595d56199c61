"""Words in the index that are like one which occurs nowhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tantivy import Occur, Query

from langchain_chroma_hybrid.lexical.tantivy.hits import count
from langchain_chroma_hybrid.lexical.tantivy.schema import SURFACE
from langchain_chroma_hybrid.lexical.typos import (
    MOST_KNOWN,
    KnownSounds,
    KnownWords,
    most_edits,
    most_frequent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tantivy import Searcher

    from langchain_chroma_hybrid.lexical.tantivy.schema import Layout


class Vocabulary:
    """The words of an index by their first letter, read when they are asked for."""

    def __init__(self, layout: Layout, searcher: Searcher) -> None:
        self._layout = layout
        self._searcher = searcher
        self._known: dict[str, KnownWords] = {}
        self._sounds: KnownSounds | None = None

    def neighbours(self, word: str, where: Query | None) -> tuple[str, ...]:
        """The words nearest to `word` in records that `where` lets pass, the most frequent; few.

        They begin alike and are one edit away, or, if the word is long and there are none, two.
        """
        if not most_edits(word):
            return ()
        return self._first(self._words(word[0]).neighbours(word), where)

    def alike(self, word: str, where: Query | None) -> tuple[str, ...]:
        """The words that sound like `word` in records that `where` lets pass; few."""
        if self._sounds is None:
            self._sounds = KnownSounds(self._words("").records)
        return self._first(self._sounds.alike(word), where)

    def _first(self, near: Iterable[Mapping[str, int]], where: Query | None) -> tuple[str, ...]:
        """Of the nearest words of which some are in records that pass, the most frequent."""
        if where is not None:
            near = ({word: self._passing(word, where) for word in words} for words in near)
        found = (most_frequent(words, self._layout.analyzer) for words in near)
        return next(filter(None, found), ())

    def _passing(self, word: str, where: Query) -> int:
        """In how many records that `where` lets pass a word is."""
        fields = (*self._layout.fields, SURFACE)
        terms = [Query.term_query(self._layout.schema, name, word, "basic") for name in fields]
        known = Query.boolean_query([(Occur.Should, term) for term in terms])
        found = Query.boolean_query([(Occur.Must, known), (Occur.Must, where)])
        return count(self._searcher, found)

    def _words(self, letter: str) -> KnownWords:
        """Words that begin so, with "" all; of too many the most frequent."""
        known = self._known.get(letter)
        if known is None:
            found: Counter[str] = Counter()
            for name in (*self._layout.fields, SURFACE):
                for word, records in self._searcher.terms_with_prefix(
                    name, letter, limit=MOST_KNOWN
                ):
                    found[word] = max(found[word], records)
            known = self._known[letter] = KnownWords(found)
        return known
