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
from langchain_chroma_hybrid.embeddings.chroma.sparse import AVERAGE_LENGTH, AnalyzedBm25
from langchain_chroma_hybrid.embeddings.chroma.sparse_words import (
    AnalyzedWords,
    SparseWords,
    words_of,
)
from langchain_chroma_hybrid.errors import (
    EmbeddingError,
    InvalidArgumentError,
    LexicalIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import chromadb
    from chromadb.api import ClientAPI
    from chromadb.api.types import SparseEmbeddingFunction

    from langchain_chroma_hybrid.embeddings.chroma.bridge import AnyModel
    from langchain_chroma_hybrid.embeddings.chroma.sparse_stored import SparseFunctions
    from langchain_chroma_hybrid.engine.chroma.distances import Space

KEY = "lexical_bm25"
"""Metadata key of the sparse vectors."""

_DOCUMENT = "#document"
_SPACES: tuple[Space, ...] = ("cosine", "l2", "ip")
# What a Chroma on one machine says to a sparse index.
_LOCAL = "not enabled in local"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredSparse:
    """What a schema says of the sparse index; nothing of that is built.

    Attributes:
        key: metadata key under which its vectors lie.
        source: what they are made of, `#document` or a metadata key; None: writers bring them.
        bm25: whether the server multiplies with the inverse document frequency.
        function: name and settings of what makes them, if that is known.
    """

    key: str
    source: str | None
    bm25: bool
    function: Mapping[str, Any] | None

    @property
    def made(self) -> bool:
        """Whether whoever writes a record has to make its vector."""
        return self.source is not None and self.function is not None


@dataclass(frozen=True, slots=True)
class SparseIndex:
    """A sparse index whose vectors can be made here."""

    stored: StoredSparse
    words: SparseWords

    @property
    def key(self) -> str:
        """Metadata key under which its vectors lie."""
        return self.stored.key

    @property
    def of_texts(self) -> bool:
        """Whether it is over the text of the records."""
        return self.stored.source in (None, _DOCUMENT)

    @property
    def analyzer(self) -> Analyzer | None:
        """Ours, where its terms are what is indexed."""
        return self.words.analyzer if isinstance(self.words, AnalyzedWords) else None

    def filled(self, given: dict[str, Any]) -> dict[str, Any]:
        """The columns of a write with the vectors of what is indexed.

        Raises:
            EmbeddingError: they cannot be made.
        """
        key, source = self.key, self.stored.source
        rows = list(given.get("metadatas") or [None] * len(given["ids"]))
        texts = given.get("documents") or [None] * len(rows)
        if not self.of_texts:
            texts = [(row or {}).get(source) for row in rows]
        wanted = [n for n, text in enumerate(texts) if isinstance(text, str)]
        made = self.words.documents([texts[n] for n in wanted])
        for n, vector in zip(wanted, made, strict=True):
            rows[n] = {**(rows[n] or {}), key: vector}
        return {**given, "metadatas": rows} if wanted else given


_OURS = StoredSparse(KEY, _DOCUMENT, bm25=True, function=None)


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
        return _with_words(client, name, _OURS, words, function, space, **options)
    except ChromaError as error:
        if _LOCAL not in str(error):
            raise
    _log.info("%s: this Chroma has no sparse index, the lexical index serves", name)
    configuration: Any = {"hnsw": {"space": space}}
    return client.create_collection(
        name, configuration=configuration, embedding_function=function, **options
    )


def create_like(
    client: ClientAPI,
    name: str,
    source: chromadb.Collection,
    function: Any,
    metadata: Any,
    functions: SparseFunctions,
) -> chromadb.Collection | None:
    """A collection with the sparse index that `source` has; None where it has none.

    Raises:
        EmbeddingError: its vectors cannot be made here.
    """
    schema = stored_schema(source)
    sparse = sparse_index_of(schema, functions)
    if sparse is None:
        return None
    stored, words, space = sparse.stored, sparse.words.function, space_in(schema) or "l2"
    return _with_words(client, name, stored, words, function, space, metadata=metadata)


def _with_words(
    client: ClientAPI,
    name: str,
    like: StoredSparse,
    words: SparseEmbeddingFunction[Any],
    function: Any,
    space: Space,
    **options: Any,
) -> chromadb.Collection:
    """A collection with a vector index, and a sparse one like that."""
    schema = Schema()
    schema.create_index(VectorIndexConfig(space=space, embedding_function=function))
    index = SparseVectorIndexConfig(
        source_key=like.source, embedding_function=words, bm25=like.bm25
    )
    schema.create_index(index, key=like.key)
    # The model is in the schema: given twice, a server refuses.
    return client.create_collection(name, schema=schema, embedding_function=None, **options)


def stored_schema(collection: chromadb.Collection) -> Mapping[str, Any]:
    """The schema as it is stored: Chroma would build whatever functions that names."""
    return _within(getattr(vars(collection)["_model"], "serialized_schema", None))


def stored_sparse(schema: Mapping[str, Any]) -> StoredSparse | None:
    """What the schema says of a sparse index, if there is one; builds nothing."""
    for key, kinds in _within(schema, "keys").items():
        index = _within(kinds, "sparse_vector", "sparse_vector_index")
        if not index.get("enabled"):
            continue
        config = _within(index, "config")
        function, source = _within(config, "embedding_function"), config.get("source_key")
        known = function if isinstance(function.get("name"), str) else None
        return StoredSparse(
            key, source if isinstance(source, str) else None, config.get("bm25") is True, known
        )
    return None


def sparse_index_of(
    schema: Mapping[str, Any], functions: SparseFunctions
) -> SparseIndex | None:
    """The sparse index, with what makes its vectors; None for none.

    Raises:
        EmbeddingError: nobody here may make its vectors, or can.
        InvalidArgumentError: another function was handed over than it is filled by.
        LexicalIndexError: the settings that are stored cannot be used.
    """
    found = stored_sparse(schema)
    if found is None:
        return None
    if functions.given is None and not found.made:
        raise EmbeddingError(
            "the collection does not say what makes its sparse vectors: hand it over as "
            "sparse_embedding_function="
        )
    try:
        return SparseIndex(found, words_of(functions.function(found.function)))
    except EmbeddingError:
        raise
    except InvalidArgumentError as error:
        if functions.given is not None:
            raise
        raise LexicalIndexError(f"the sparse index {found.key!r}: {error}") from error


def space_in(schema: Mapping[str, Any]) -> Space | None:
    """The distance function that the schema names."""
    config = _within(schema, "keys", "#embedding", "float_list", "vector_index", "config")
    return next((space for space in _SPACES if space == config.get("space")), None)


def _within(found: Any, *path: str) -> dict[str, Any]:
    """What lies there, if it is an object; else an empty one."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
