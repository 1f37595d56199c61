"""Collections whose server keeps a sparse index of the words: making them, knowing them again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chromadb import K, Schema, SparseVectorIndexConfig, VectorIndexConfig
from chromadb.errors import ChromaError
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.embeddings.chroma.bridge import to_chroma
from langchain_chroma_hybrid.embeddings.chroma.sparse import (
    AVERAGE_LENGTH,
    NAME,
    AnalyzedBm25,
)
from langchain_chroma_hybrid.embeddings.function import is_embedding_function
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import chromadb
    from chromadb.api import ClientAPI
    from chromadb.api.types import EmbeddingFunction

KEY = "lexical_bm25"
"""Metadata key of the sparse vectors."""

_DOCUMENT, _SPACES = "#document", ("cosine", "l2", "ip")
# What a Chroma on one machine says to a sparse index.
_LOCAL = "not enabled in local"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SparseIndex:
    """The sparse index of a collection over the text of its records.

    Attributes:
        key: metadata key under which its vectors lie.
        function: makes them.
    """

    key: str
    function: AnalyzedBm25


@known_keywords
def create_hybrid_collection(
    client: ClientAPI,
    name: str,
    embedding_function: Embeddings | EmbeddingFunction[Any] | None = None,
    *,
    analyzer: Analyzer | str | None = "english",
    space: Literal["cosine", "l2", "ip"] = "cosine",
    metadata: Mapping[str, Any] | None = None,
    average_length: float = AVERAGE_LENGTH,
    get_or_create: bool = False,
) -> chromadb.Collection:
    """Make a collection that its own server can search by words and by vectors.

    For Chroma Cloud and distributed Chroma: a sparse index over the text, of our analyzer's terms.
    A Chroma on one machine has no such index; the collection is made without one there, and the
    lexical index of this library serves.

    Args:
        client: of the server.
        name: of the collection.
        embedding_function: what the collection remembers as its model, LangChain's `Embeddings` (see
            `to_chroma`) or Chroma's; None for vectors that are always given.
        analyzer: or its language; stays with the collection, and decides for everybody who opens it.
        space: distance of the vectors.
        metadata: of the collection.
        average_length: terms of a record on average, for BM25.
        get_or_create: take a collection of that name as it is.

    Raises:
        InvalidArgumentError: a value that cannot be used.
        ChromaError: Chroma refuses, such as for a name that is taken.
    """
    if not isinstance(analyzer, Analyzer):
        analyzer = Analyzer(analyzer)
    one_of("space", space, _SPACES)
    function = _chromas(embedding_function)
    words = AnalyzedBm25(analyzer, average_length=average_length)
    schema = Schema()
    schema.create_index(VectorIndexConfig(space=space, embedding_function=function))
    schema.create_index(
        SparseVectorIndexConfig(source_key=K.DOCUMENT, embedding_function=words, bm25=True), key=KEY
    )
    options: dict[str, Any] = {
        "metadata": dict(metadata) if metadata else None,
        "embedding_function": function,
        "get_or_create": get_or_create,
    }
    try:
        # The model is in the schema: given twice, a server refuses.
        return client.create_collection(name, schema=schema, **options | {"embedding_function": None})
    except ChromaError as error:
        if _LOCAL not in str(error):
            raise
    _log.info("%s: this Chroma has no sparse index, the lexical index serves", name)
    configuration: Any = {"hnsw": {"space": space}}
    return client.create_collection(name, configuration=configuration, **options)


def sparse_index_of(collection: chromadb.Collection) -> SparseIndex | None:
    """The sparse index that a collection has of ours; None for none, or somebody else's.

    Read from the schema as it is stored: Chroma would build whatever functions that names.

    Raises:
        LexicalIndexError: it has one of ours that cannot be used as it is stored.
    """
    keys = _schema(collection).get("keys")
    for key, kinds in keys.items() if isinstance(keys, dict) else ():
        index = _within(kinds, "sparse_vector", "sparse_vector_index")
        config = _within(index, "config")
        function = _within(config, "embedding_function")
        wanted = config.get("source_key") == _DOCUMENT and config.get("bm25") is True
        if not (index.get("enabled") and wanted and function.get("name") == NAME):
            continue
        try:
            return SparseIndex(key, AnalyzedBm25.build_from_config(function.get("config", {})))
        except InvalidArgumentError as error:
            raise LexicalIndexError(f"sparse index {key!r} of {collection.name!r}: {error}") from error
    return None


def space_in_schema(collection: chromadb.Collection) -> str | None:
    """The distance function that the schema names."""
    keys = _within(_schema(collection), "keys", "#embedding", "float_list", "vector_index", "config")
    space = keys.get("space")
    return space if space in _SPACES else None


def _schema(collection: chromadb.Collection) -> dict[str, Any]:
    return _within(getattr(vars(collection)["_model"], "serialized_schema", None))


def _within(found: Any, *path: str) -> dict[str, Any]:
    """What lies there, if it is an object; else an empty one."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _chromas(given: object) -> EmbeddingFunction[Any] | None:
    if isinstance(given, Embeddings):
        return to_chroma(given)
    if given is not None and not is_embedding_function(given):
        expected = "LangChain Embeddings, a chromadb EmbeddingFunction, or None"
        raise InvalidArgumentError.of("embedding_function", given, expected)
    return given  # type: ignore[return-value]  # just checked
