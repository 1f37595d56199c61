"""Words of the index that are like some which occur nowhere, by the server's own suggester."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.corrections import MOST_NEAR, Likely
from langchain_chroma_hybrid.lexical.opensearch import queries
from langchain_chroma_hybrid.lexical.opensearch.documents import DocumentTokens
from langchain_chroma_hybrid.lexical.tokens import SURFACE
from langchain_chroma_hybrid.lexical.typos import KnownSounds, KnownWords, most_edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.opensearch.reading import Reader

_MOST_EDITS = 2  # of a suggester
_MOST_HEARD = 1_000


class OpenSearchVocabulary:
    """The words of the index of one reader, which knows which of them occur.

    A suggester knows words by their letters alone: what sounds alike is found among those that are
    two edits away. It knows nothing of filters and counts the deleted, so that how many records
    have a word is always asked for.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader, self.analyzer, self._tokens = reader, reader.analyzer, reader.tokens

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""
        return self._reader.total

    def unmatched(self, words: Sequence[QueryWord], where: Filter | None) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes."""
        return self._reader.unmatched(words, where)

    def likely(
        self, words: Sequence[str], pairs: Sequence[str], where: Filter | None, *, sounds: bool
    ) -> Likely:
        """What may be meant by words."""
        suggesters = [each for word in words for each in self._suggesters(word, sounds=sounds)]
        phrases = [self.analyzer.phrase(pair) for pair in pairs]
        there, found = self._reader.standing(phrases, where, suggesters)
        records = _records(found)
        begun = {word[0] for word in words}
        near = KnownWords({word: n for word, n in records.items() if word[0] in begun})
        standing = {pair for pair, stands in zip(pairs, there, strict=True) if stands}
        return Likely(near, standing, lambda: KnownSounds(records))

    def passing(self, words: Mapping[str, int], where: Filter | None) -> Mapping[str, int]:
        """In how many records that pass each of the words is."""
        return self._reader.counts({word: self._everywhere(word) for word in words}, where)

    def _suggesters(self, word: str, *, sounds: bool) -> Iterator[dict[str, Any]]:
        """One for each field, where there may be what is near."""
        most = _MOST_EDITS if sounds else most_edits(word)
        begins = queries.CODE if sounds else queries.CODE + 1
        for token in self._everywhere(word) if most else ():
            yield queries.near(token, most, begins, _MOST_HEARD if sounds else MOST_NEAR)

    def _everywhere(self, word: str) -> list[str]:
        return [self._tokens.token(field, word) for field in (*self._tokens.fields, SURFACE)]


def _records(tokens: Mapping[str, int]) -> dict[str, int]:
    """Words, and in how many records each is at least."""
    found: dict[str, int] = defaultdict(int)
    for token, n in tokens.items():
        word = DocumentTokens.term(token)
        found[word] = max(found[word], n)
    return found
