"""Texts as sparse vectors, and what their dimensions say of words.

Of our function a term is a dimension, of Chroma's BM25 a word some, of any other one nobody knows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chromadb.api.types import SparseVector
from chromadb.utils.embedding_functions import ChromaBm25EmbeddingFunction

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.analysis.query_words import query_words
from langchain_chroma_hybrid.embeddings.chroma.sparse import AnalyzedBm25, dimension
from langchain_chroma_hybrid.errors import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chromadb.api.types import SparseEmbeddingFunction, SparseVectors

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord


class SparseWords:
    """By a function of which nothing is known but what it gives.

    Attributes:
        analyzer: tells the words of texts that are shown.
        most: what no value in a document exceeds; None where nobody knows.
    """

    most: float | None = None

    def __init__(self, function: SparseEmbeddingFunction[Any]) -> None:
        self.function = function
        self.analyzer = Analyzer()

    @property
    def name(self) -> str:
        """Of the function, and of its settings where they make another index."""
        return self.function.name()

    def documents(self, texts: Sequence[str]) -> SparseVectors:
        """Of texts that are written.

        Raises:
            EmbeddingError: the function fails, or does not give one vector for each.
        """
        return self._made(self.function, texts) if texts else []

    def query(self, text: str, most: int) -> SparseVector:
        """Of a query: at most so many dimensions, those that count most; errors as above."""
        if not text.strip():
            return SparseVector([], [])
        [vector] = self._made(self.function.embed_query, [text])
        if len(vector.indices) <= most:
            return vector
        pairs = zip(vector.indices, vector.values, strict=True)
        best = sorted(sorted(pairs, key=lambda pair: -pair[1])[:most])
        return SparseVector([place for place, _ in best], [value for _, value in best])

    def weighed(self, text: str) -> Mapping[str, Mapping[int, float]]:  # noqa: ARG002  # nobody knows
        """The dimensions, with their values, of each term of the analyzer's."""
        return {}

    def ways(self, word: QueryWord) -> list[frozenset[int]]:  # noqa: ARG002  # nobody knows
        """Dimensions all of which a record has that has the word in one way; empty: unknown."""
        return []

    def _made(self, make: Any, texts: Sequence[str]) -> SparseVectors:
        """What the function makes of texts, in characters that everybody can write."""
        plain = [text.encode("utf-8", "replace").decode() for text in texts]
        try:
            made = make(plain)
        except Exception as error:  # what it says may hold a key
            said = f"{type(error).__name__} was raised"
            raise EmbeddingError(f"sparse embedding function {self.name!r}: {said}") from error
        vectors = made if isinstance(made, list) else []
        if len(vectors) != len(texts) or not all(map(_is_finite, vectors)):
            expected = f"{len(texts)} finite SparseVectors, one for each text"
            raise EmbeddingError.of_kind(f"sparse embedding function {self.name!r}", made, expected)
        return vectors


class AnalyzedWords(SparseWords):
    """By our function: its analyzer's terms."""

    function: AnalyzedBm25

    def __init__(self, function: AnalyzedBm25) -> None:
        super().__init__(function)
        self.analyzer = function.analyzer
        self.most = function.k1 + 1.0

    @property
    def name(self) -> str:
        """The analyzer."""
        return f"analyzer {self.analyzer.fingerprint}"

    def documents(self, texts: Sequence[str]) -> SparseVectors:
        """See `SparseWords`."""
        return self.function(list(texts)) if texts else []

    def query(self, text: str, most: int) -> SparseVector:
        """Of the first terms."""
        terms = self.analyzer.query(text)[:most]
        return self.function.of_terms({term.text: term.boost for term in terms})

    def weighed(self, text: str) -> Mapping[str, Mapping[int, float]]:
        """A dimension for each term."""
        return {t.text: {dimension(t.text): t.boost} for t in self.analyzer.query(text)}

    def ways(self, word: QueryWord) -> list[frozenset[int]]:
        """Each of its terms, or all of a phrase: whether these follow each other nobody tells."""
        alone = [frozenset([dimension(term)]) for term in word.terms]
        return [*alone, *(frozenset(map(dimension, phrase)) for phrase in word.phrases)]


class ChromaWords(SparseWords):
    """By Chroma's BM25, to which a text is the sum of its words."""

    function: ChromaBm25EmbeddingFunction

    def __init__(self, function: ChromaBm25EmbeddingFunction) -> None:
        super().__init__(function)
        self.most = function.k + 1.0

    def weighed(self, text: str) -> Mapping[str, Mapping[int, float]]:
        """The dimensions of each word, by its first term."""
        words = [word for word in query_words(self.analyzer, text) if word.terms]
        parts = self.documents([word.text for word in words])
        vectors = zip(words, parts, strict=True)
        return {w.terms[0]: dict(zip(v.indices, v.values, strict=True)) for w, v in vectors}

    def ways(self, word: QueryWord) -> list[frozenset[int]]:
        """All that the word becomes there; a stop word becomes nothing."""
        [vector] = self.documents([word.text])
        return [frozenset(vector.indices)] if vector.indices else []


def _is_finite(vector: object) -> bool:
    return isinstance(vector, SparseVector) and all(map(math.isfinite, vector.values))


def words_of(function: SparseEmbeddingFunction[Any]) -> SparseWords:
    """What is known of that function's words."""
    if isinstance(function, AnalyzedBm25):
        return AnalyzedWords(function)
    if isinstance(function, ChromaBm25EmbeddingFunction):
        return ChromaWords(function)
    return SparseWords(function)
