"""The sparse embedding function that a collection remembers: Chroma's BM25, or by somebody's word.

Ours and Chroma's own BM25 are settings, which are checked and used. Any other one may load code, a
model, or send texts away: it is handed over, or somebody trusts its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chromadb.utils.embedding_functions import (
    ChromaBm25EmbeddingFunction,
    sparse_known_embedding_functions,
)

from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.embeddings.chroma.sparse import NAME, AnalyzedBm25
from langchain_chroma_hybrid.embeddings.chroma.trust import NOBODY, TrustedModels, is_trusted
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from chromadb.api.types import SparseEmbeddingFunction

_CHROMAS = ChromaBm25EmbeddingFunction.name()
_MOST_STOP_WORDS = 10_000
_RANGES = {"k": (0.0, 100.0), "b": (0.0, 1.0), "avg_doc_length": (1.0, 1e9),
           "token_max_length": (1.0, 1e9)}  # fmt: skip
_METHODS = ("name", "get_config", "embed_query", "__call__")


@dataclass(frozen=True, slots=True)
class SparseFunctions:
    """How a caller lets sparse vectors be made.

    Attributes:
        given: what was handed over, for the collection whose function has its name.
        trusted: whose stored configuration may be built, beside what the process trusts.
    """

    given: SparseEmbeddingFunction[Any] | None = None
    trusted: TrustedModels = NOBODY

    def function(self, stored: Mapping[str, Any] | None) -> SparseEmbeddingFunction[Any]:
        """The function that a collection remembers as `stored`, or the one in its place.

        Raises:
            EmbeddingError: there is no such function here, or nobody has said that it may be used.
            InvalidArgumentError: the settings are none, or another function was handed over.
        """
        name, config = (stored or {}).get("name"), (stored or {}).get("config")
        if self.given is not None:
            return _fitting(self.given, name, config)
        if name == NAME:
            return AnalyzedBm25.build_from_config(config)  # type: ignore[arg-type]  # checked there
        if name == _CHROMAS:
            return _chromas(config)
        known: Any = sparse_known_embedding_functions.get(name) if isinstance(name, str) else None
        if known is None:
            raise EmbeddingError(
                f"the sparse embedding function {name!r} is not known in this process: hand it "
                "over as sparse_embedding_function="
            )
        if not is_trusted(str(name), self.trusted):
            raise EmbeddingError(
                f"only the database names the sparse embedding function {name!r}: hand it over as "
                "sparse_embedding_function=, or write "
                f"langchain_chroma_hybrid.trust_stored_models({name!r})"
            )
        return _built(known, config)


def checked_sparse_function(given: object) -> SparseEmbeddingFunction[Any] | None:
    """What was handed over, if it can be one; None for None.

    Raises:
        InvalidArgumentError: it cannot.
    """
    lacks = [name for name in _METHODS if not callable(getattr(given, name, None))]
    if given is not None and (lacks or isinstance(given, type)):
        expected = "a SparseEmbeddingFunction of chromadb, or None"
        raise InvalidArgumentError.of_kind("sparse_embedding_function", given, expected)
    return given  # type: ignore[return-value]  # by its methods


def _fitting(
    given: SparseEmbeddingFunction[Any], name: object, config: object
) -> SparseEmbeddingFunction[Any]:
    """What was handed over, where the collection remembers none, or one of that name."""
    own = given.name()
    if name not in (None, own) or (own == NAME and given.get_config() != config):
        expected = f"{name!r}, by which the collection's sparse index was filled"
        got = own if own != name else "one with other settings"
        raise InvalidArgumentError.of("sparse_embedding_function", got, expected)
    return given


def _chromas(config: object) -> SparseEmbeddingFunction[Any]:
    """Chroma's own BM25 by settings that are in range."""
    if not isinstance(config, Mapping):
        raise InvalidArgumentError.of(f"{_CHROMAS}: config", config, "an object of settings")
    known = {*_RANGES, "stopwords", "include_tokens"}
    if unknown := sorted(map(str, config.keys() - known)):
        raise InvalidArgumentError.of(f"{_CHROMAS}: config", unknown, f"keys of {sorted(known)}")
    for name, (least, most) in _RANGES.items():
        if name in config:
            number(f"{_CHROMAS}: {name}", config[name], least, most)
    words = config.get("stopwords")
    listed = isinstance(words, list) and len(words) <= _MOST_STOP_WORDS
    if words is not None and not (listed and all(isinstance(w, str) for w in words)):
        raise InvalidArgumentError.of_kind(f"{_CHROMAS}: stopwords", words, "a list of words")
    function = _built(ChromaBm25EmbeddingFunction, dict(config))
    try:
        function(["word"])
    except ValueError as error:  # a package that it needs
        raise EmbeddingError(f"the sparse embedding function {_CHROMAS!r}: {error}") from error
    return function


def _built(known: Any, config: Any) -> SparseEmbeddingFunction[Any]:
    """What Chroma makes of a stored configuration."""
    try:
        return known.build_from_config(config)  # type: ignore[no-any-return]
    except Exception as error:
        raise EmbeddingError(
            f"the sparse embedding function {known.name()!r} cannot be built here by what the "
            f"database says ({type(error).__name__}): hand it over as sparse_embedding_function="
        ) from error
