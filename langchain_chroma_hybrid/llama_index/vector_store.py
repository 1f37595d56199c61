"""ChromaHybridVectorStore: `ChromaVectorStore` with a BM25 index that is always in step."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Self

from llama_index.core.bridge.pydantic import Field, ValidationError

from langchain_chroma_hybrid.core.checks import refused_value
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.core.validate import check
from langchain_chroma_hybrid.engine.chroma.clients import check_collection, make_collection
from langchain_chroma_hybrid.engine.config import settings_of
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.engine.migrate.names import finish_names
from langchain_chroma_hybrid.llama_index.embeddings import model_of
from langchain_chroma_hybrid.llama_index.nodes import NodeReader
from langchain_chroma_hybrid.llama_index.operations import StoreOperations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    import chromadb
    from langchain_core.embeddings import Embeddings
    from llama_index.core.base.embeddings.base import BaseEmbedding

    from langchain_chroma_hybrid.core.search import OnLegError
    from langchain_chroma_hybrid.engine.config import LexicalSettings
    from langchain_chroma_hybrid.engine.handle import Follow

_CONSTANT = ("stores_text", "is_embedding_query")


class ChromaHybridVectorStore(StoreOperations):
    """A drop-in for LlamaIndex' `ChromaVectorStore` that also searches words.

    Same constructors, same stored layout: a collection that either has written is read by the
    other. `DEFAULT` and `MMR` go by vectors, with `exp(-distance)` as similarity; `TEXT_SEARCH` and
    `SPARSE` by BM25, `HYBRID` by both (`alpha`: 0 words, 1 vectors; None suits the weights to each
    query), `SEMANTIC_HYBRID` takes BM25's candidates in the order of their vectors: with the
    relevance, 0..1. `similarity_top_k`, or `hybrid_top_k`, is the number of results,
    `sparse_top_k` the most that words contribute. Other modes raise.

    A node whose id is there is replaced. Without an embedding of its own a node is embedded by
    `embed_model`; LlamaIndex' indexes bring embeddings along.

    Thread safety: may be used from many threads; the async methods never block the loop.
    """

    stores_text: bool = True
    flat_metadata: bool = True

    collection_name: str | None = None
    host: str | None = None
    port: str | int | None = None
    ssl: bool = False
    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    persist_dir: str | None = None
    collection_kwargs: dict[str, Any] = Field(default_factory=dict)

    def __init__(
        self,
        chroma_collection: chromadb.Collection | None = None,
        collection_name: str | None = None,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,  # as ChromaVectorStore has it
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        *,
        flat_metadata: bool = True,
        embed_model: BaseEmbedding | Embeddings | None = None,
        weights: Mapping[str, float] | Sequence[float] | None = None,
        fusion: str = DEFAULT_FUSION,
        c: float = DEFAULT_C,
        fetch_k: int | None = None,
        query_syntax: str = "plain",
        on_leg_error: OnLegError = "raise",
        **settings: Unpack[LexicalSettings],
    ) -> None:
        """Open or create the collection; its lexical index is opened at the first use.

        Args:
            chroma_collection: the collection; None makes one by the next arguments.
            collection_name: what it is to be called.
            host: of a server.
            port: of a server; None means 8000.
            ssl: whether the server is asked by https.
            headers: of each request.
            persist_dir: a folder, in place of a server.
            collection_kwargs: for Chroma's `get_or_create_collection`.
            flat_metadata: refuse lists as values of metadata, as `ChromaVectorStore` does.
            embed_model: embeds nodes and queries that come without a vector, and samples of the
                records, which HYBRID's relevance is held against. None means
                `Settings.embed_model` if that was set.
            weights: of HYBRID without `alpha`, as for `HybridChroma`. A query may change this and
                the next ones by keywords (`vector_store_kwargs` of an index).
            fusion: as for `HybridChroma`.
            c: constant of `rrf`.
            fetch_k: depth of each leg; None means 100, or 32 for a leg alone.
            query_syntax: `plain`, or `simple` for phrases, prefixes, `+must`, `-not`.
            on_leg_error: `raise`, or `degrade` to the legs that answered.
            **settings: of the lexical index, as for `HybridChroma`: `analyzer`, `lexical_fields`,
                `lexical`, `lexical_directory`, `sync`, `writers` and the others.

        Raises:
            InvalidArgumentError: a value that cannot be used.
        """
        options = collection_kwargs or {}
        place: dict[str, Any] = {
            "host": host,
            "port": port,
            "ssl": ssl,
            "headers": headers,
            "persist_dir": persist_dir,
        }
        named: dict[str, Any] = {"collection_name": collection_name, "collection_kwargs": options}
        try:
            super().__init__(**named, **place, flat_metadata=flat_metadata)
        except ValidationError as error:
            raise refused_value(error, type(self).__name__, ("headers",)) from error
        self._defaults = SearchRequest(
            "",
            weights=weights,
            fusion=fusion,
            c=c,
            fetch_k=fetch_k,
            query_syntax=query_syntax,  # type: ignore[arg-type]  # checked below
            on_leg_error=on_leg_error,
        )
        check(self._defaults)
        config, model = settings_of(type(self), settings), model_of(embed_model)
        if chroma_collection is None:
            finish_names(persist_dir, None, collection_name)
            chroma_collection = make_collection(collection_name, options=options, **place)
        self._collection = check_collection(chroma_collection, "chroma_collection")
        self._reader = NodeReader()
        self._handle = CollectionHandle.over(self._collection, config, model, _follower(self))

    @classmethod
    def from_collection(cls, collection: chromadb.Collection, **options: Any) -> Self:
        """A store over a collection object; `options` as for the constructor."""
        return cls(chroma_collection=collection, **options)

    @classmethod
    def from_params(
        cls,
        collection_name: str,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,  # as ChromaVectorStore has it
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> Self:
        """A store over a collection in a folder, or on a server; made if it is not there."""
        place = (collection_name, host, port, ssl, headers, persist_dir, collection_kwargs)
        return cls(None, *place, **options)

    @classmethod
    def class_name(cls) -> str:
        """The name that LlamaIndex stores."""
        return "ChromaHybridVectorStore"

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """The store that `to_dict` told of, opened by its place.

        Args:
            data: what `to_dict` gave. It has no headers, no model and no settings of searches.
            **kwargs: those, or a `chroma_collection`, as for the constructor.

        Raises:
            InvalidArgumentError: the store was made of a collection object, and none is given.
        """
        known = {key: value for key, value in data.items() if key not in _CONSTANT}
        return super().from_dict(known, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to be pickled: half of it would be lost without a word.

        Raises:
            TypeError: always.
        """
        message = "a ChromaHybridVectorStore is not pickled: open it by `from_params` over there"
        raise TypeError(message)


def _follower(store: ChromaHybridVectorStore) -> Follow:
    reference = weakref.ref(store)

    def follow(collection: chromadb.Collection, _: Any = None, /) -> None:
        if (found := reference()) is not None:
            found._collection = collection  # noqa: SLF001  # its own module

    return follow
