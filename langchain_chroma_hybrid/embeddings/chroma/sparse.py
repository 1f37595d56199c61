"""BM25 for a server with a sparse index of its own: our analyzer as Chroma's sparse function.

A term is a dimension, by a hash of 31 bits that is the same everywhere; its value in a document is
BM25's saturated frequency, in a query its boost. The server multiplies with the inverse document
frequency (`bm25=True` of its index).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from chromadb.api.types import Documents, SparseEmbeddingFunction, SparseVector
from chromadb.utils.embedding_functions import register_sparse_embedding_function

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chromadb.api.types import SparseVectors

NAME = "langchain_chroma_hybrid_bm25"
"""What collections call this function."""

FORMAT = 1
# Chroma's own BM25 takes the same: a server that keeps no lengths cannot tell the true one.
AVERAGE_LENGTH = 256.0
_KEYS = frozenset(
    {"format", "language", "stop_words", "version", "fingerprint", "k1", "b", "average_length"}
)
_MOST_STOP_WORDS = 10_000


class AnalyzedBm25(SparseEmbeddingFunction[Documents]):
    """Sparse vectors of texts. A collection stores its `get_config()`: settings, never code.

    May be called from many threads; takes time linear in the text.

    Args:
        analyzer: turns texts and queries into terms; one with `preprocess_func` is code, which no
            database may name.
        k1: saturation of term frequency.
        b: influence of the length of a document, 0..1.
        average_length: terms that a document has on average.

    Raises:
        InvalidArgumentError: such an analyzer, or a number out of range.
    """

    @known_keywords
    def __init__(
        self,
        analyzer: Analyzer,
        *,
        k1: float = 1.2,
        b: float = 0.75,
        average_length: float = AVERAGE_LENGTH,
    ) -> None:
        if analyzer.preprocess_func is not None:
            expected = "one without `preprocess_func`, which is code: a collection stores settings"
            raise InvalidArgumentError.of_kind("analyzer", analyzer, expected)
        number("k1", k1, 0.0, 100.0)
        number("b", b, 0.0, 1.0)
        number("average_length", average_length, 1.0, 1e9)
        self.analyzer = analyzer
        self.k1, self.b, self.average_length = float(k1), float(b), float(average_length)

    def __call__(self, input: Documents) -> SparseVectors:
        """Of documents: what a frequency adds to a score but for how rare the term is."""
        return [self._document(text) for text in input]

    def embed_query(self, input: Documents) -> SparseVectors:
        """Of queries, whose stop words are left out."""
        return [self.query(text) for text in input]

    def query(self, text: str) -> SparseVector:
        """Of one query."""
        return self.of_terms({term.text: term.boost for term in self.analyzer.query(text)})

    def of_terms(self, weights: Mapping[str, float]) -> SparseVector:
        """Of terms as the analyzer gives them, with their values."""
        found: dict[int, float] = {}
        for term, weight in weights.items():
            place = dimension(term)
            found[place] = max(weight, found.get(place, 0.0))
        places = sorted(found)
        return SparseVector(places, [found[place] for place in places])

    def _document(self, text: str) -> SparseVector:
        terms = self.analyzer.document(text)
        counts = Counter(map(dimension, terms))
        norm = self.k1 * (1.0 - self.b + self.b * len(terms) / self.average_length)
        places = sorted(counts)
        values = [counts[p] * (self.k1 + 1.0) / (counts[p] + norm) for p in places]
        return SparseVector(places, values)

    @staticmethod
    def name() -> str:
        """The name in Chroma's registry."""
        return NAME

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> AnalyzedBm25:
        """The function that a collection remembers, whoever has written that there.

        Raises:
            InvalidArgumentError: `config` holds what none may hold.
            AnalyzerMismatchError: this process makes other terms by the same settings.
        """
        AnalyzedBm25.validate_config(config)
        stop_words = config["stop_words"]
        analyzer = Analyzer(
            config["language"], stop_words=stop_words, version=config["version"]
        )
        if analyzer.fingerprint != config["fingerprint"]:
            raise AnalyzerMismatchError(
                f"the collection's words were made by {config['fingerprint']}, here they would be "
                f"made by {analyzer.fingerprint}: install the version of PyStemmer that made them"
            )
        numbers = {name: config[name] for name in ("k1", "b", "average_length")}
        return AnalyzedBm25(analyzer, **numbers)

    def get_config(self) -> dict[str, Any]:
        """What a collection is to remember."""
        analyzer = self.analyzer
        usual = Analyzer(analyzer.language, version=analyzer.version).stop_words
        own = sorted(analyzer.stop_words) or False
        return {
            "format": FORMAT,
            "language": analyzer.language,
            "stop_words": None if analyzer.stop_words == usual else own,
            "version": analyzer.version,
            "fingerprint": analyzer.fingerprint,
            "k1": self.k1,
            "b": self.b,
            "average_length": self.average_length,
        }

    def validate_config_update(
        self, old_config: dict[str, Any], new_config: dict[str, Any]
    ) -> None:
        """The words of a collection stay those that it was filled with."""
        if old_config != new_config:
            raise InvalidArgumentError.of("sparse embedding function", new_config, "the old one")

    @staticmethod
    def validate_config(config: dict[str, Any]) -> None:
        """Refuse what this version cannot read, or what no collection may hold."""
        if not isinstance(config, dict) or config.get("format") is not FORMAT:
            raise InvalidArgumentError.of("config", config, f"format {FORMAT} of {NAME}")
        if config.keys() != _KEYS:
            raise InvalidArgumentError.of("config", sorted(config), f"the keys {sorted(_KEYS)}")
        for name, kinds in (("language", str | None), ("fingerprint", str), ("version", int)):
            if not isinstance(config[name], kinds):
                raise InvalidArgumentError.of(f"config: {name}", config[name], str(kinds))
        for name in ("k1", "b", "average_length"):
            number(f"config: {name}", config[name], 0.0, math.inf)
        words = config["stop_words"]
        listed = isinstance(words, list) and len(words) <= _MOST_STOP_WORDS
        if not (words in (None, False) or (listed and all(isinstance(w, str) for w in words))):
            raise InvalidArgumentError.of("config: stop_words", words, "words, null or false")


def dimension(term: str) -> int:
    """The place of a term in every sparse vector, 0..2**31 - 1."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def register() -> None:
    """Make Chroma rebuild the function for who writes straight to it; may be called again."""
    register_sparse_embedding_function(AnalyzedBm25)  # type: ignore[no-untyped-call]


register()
