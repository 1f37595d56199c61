"""Words in the index that are like one which occurs nowhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.lexical.requirement import edits, whole_forms
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
        self._known: dict[str, Mapping[str, int]] = {}

    def neighbours(self, word: QueryWord) -> Mapping[str, str]:
        """Terms of the words nearest to `word`, each with its most frequent word; few.

        They begin alike and are one edit away, or, if the word is long and there are none, two.
        """
        forms = whole_forms(self._layout.analyzer, word.text)
        if word.identifier or len(forms) != 1 or not _ONE <= len(forms[0]) <= _LONGEST:
            return {}
        form, words = forms[0], self._words(forms[0][0])
        near = list(_near(form, words, 2 if len(form) >= _TWO else 1))
        nearest = min((distance for distance, _ in near), default=0)
        terms: dict[str, str] = {}
        for found in sorted(
            (found for distance, found in near if distance == nearest),
            key=lambda found: (-words[found], found),
        ):
            for term in self._layout.analyzer.phrase(found)[:1]:
                # A stem alone is no word that anybody writes.
                if terms.get(term) in (None, term):
                    terms[term] = found
        return dict(list(terms.items())[:MOST_NEIGHBOURS])

    def _words(self, letter: str) -> Mapping[str, int]:
        """Words that begin so, and in how many records each is; of too many the most frequent."""
        known = self._known.get(letter)
        if known is None:
            found: Counter[str] = Counter()
            for name in (*self._layout.fields, SURFACE):
                for word, count in self._searcher.terms_with_prefix(
                    name, letter, limit=_MOST_KNOWN
                ):
                    found[word] = max(found[word], count)
            known = self._known[letter] = found
        return known


def _near(word: str, words: Mapping[str, int], most: int) -> Iterator[tuple[int, str]]:
    """Those of `words` that are at most so many edits away, and how many."""
    letters = set(word)
    for other in words:
        if abs(len(other) - len(word)) > most or len(letters.difference(other)) > most:
            continue
        if not any(map(str.isdigit, other)) and (distance := edits(word, other)) <= most:
            yield distance, other
