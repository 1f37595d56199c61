"""Collections whose server keeps a sparse index of the words: making them, knowing them again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chromadb import Schema, SparseVectorIndexConfig, VectorIndexConfig
from chromadb.errors import ChromaError

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.embeddings.chroma.bridge import chromas_function
from langchain_chroma_hybrid.embeddings.chroma.sparse import (
    AVERAGE_LENGTH,
    NAME,
    AnalyzedBm25,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import chromadb
    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.embeddings.chroma.bridge import AnyModel
    from langchain_chroma_hybrid.engine.chroma.distances import Space

KEY = "lexical_bm25"
"""Metadata key of the sparse vectors."""

_DOCUMENT = "#document"
_SPACES: tuple[Space, ...] = ("cosine", "l2", "ip")
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
    embedding_function: AnyModel | None = None,
    *,
    analyzer: Analyzer | str | None = "english",
    space: Space = "cosine",
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
        embedding_function: what the collection remembers as its model, LangChain's `Embeddings`
            (see `to_chroma`) or Chroma's; None for vectors that are always given.
        analyzer: or its language; stays with the collection, for everybody who opens it.
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
    function = chromas_function(embedding_function)
    words = AnalyzedBm25(analyzer, average_length=average_length)
    options: Any = {"metadata": dict(metadata) if metadata else None}
    options["get_or_create"] = get_or_create
    try:
        return _with_words(client, name, words, function, space, **options)
    except ChromaError as error:
        if _LOCAL not in str(error):
            raise
    _log.info("%s: this Chroma has no sparse index, the lexical index serves", name)
    configuration: Any = {"hnsw": {"space": space}}
    return client.create_collection(
        name, configuration=configuration, embedding_function=function, **options
    )


def create_like(
    client: ClientAPI, name: str, source: chromadb.Collection, function: Any, metadata: Any
) -> chromadb.Collection | None:
    """A collection with the sparse index that `source` has; None where it has none of ours."""
    schema = stored_schema(source)
    sparse = sparse_index_of(schema)
    if sparse is None:
        return None
    space = space_in(schema) or "l2"
    return _with_words(client, name, sparse.function, function, space, metadata=metadata)


def _with_words(
    client: ClientAPI, name: str, words: AnalyzedBm25, function: Any, space: Space, **options: Any
) -> chromadb.Collection:
    schema = Schema()
    schema.create_index(VectorIndexConfig(space=space, embedding_function=function))
    index = SparseVectorIndexConfig(source_key=_DOCUMENT, embedding_function=words, bm25=True)
    schema.create_index(index, key=KEY)
    # The model is in the schema: given twice, a server refuses.
    return client.create_collection(name, schema=schema, embedding_function=None, **options)


def stored_schema(collection: chromadb.Collection) -> Mapping[str, Any]:
    """The schema as it is stored: Chroma would build whatever functions that names."""
    return _within(getattr(vars(collection)["_model"], "serialized_schema", None))


def stored_sparse(schema: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Key and configuration of the sparse index of ours, if there is one; builds nothing."""
    for key, kinds in _within(schema, "keys").items():
        index = _within(kinds, "sparse_vector", "sparse_vector_index")
        config = _within(index, "config")
        function = _within(config, "embedding_function")
        wanted = config.get("source_key") == _DOCUMENT and config.get("bm25") is True
        if index.get("enabled") and wanted and function.get("name") == NAME:
            return key, function.get("config")
    return None


def sparse_index_of(schema: Mapping[str, Any]) -> SparseIndex | None:
    """The sparse index of ours; None for none, or somebody else's.

    Raises:
        LexicalIndexError: it cannot be used as it is stored.
    """
    found = stored_sparse(schema)
    if found is None:
        return None
    try:
        return SparseIndex(found[0], AnalyzedBm25.build_from_config(found[1]))
    except InvalidArgumentError as error:
        raise LexicalIndexError(f"the sparse index {found[0]!r}: {error}") from error


def space_in(schema: Mapping[str, Any]) -> Space | None:
    """The distance function that the schema names."""
    config = _within(schema, "keys", "#embedding", "float_list", "vector_index", "config")
    return next((space for space in _SPACES if space == config.get("space")), None)


def _within(found: Any, *path: str) -> dict[str, Any]:
    """What lies there, if it is an object; else an empty one."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
