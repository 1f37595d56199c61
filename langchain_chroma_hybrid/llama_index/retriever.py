"""ChromaHybridRetriever for LlamaIndex: hybrid retrieval over any Chroma collection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.filters import Filter, all_of, parse
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.keywords import known_keywords, reject_unknown
from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult
from langchain_chroma_hybrid.core.validate import CALL_OPTIONS, check
from langchain_chroma_hybrid.engine.chroma.clients import check_collection
from langchain_chroma_hybrid.engine.config import settings_of
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.llama_index.embeddings import model_of
from langchain_chroma_hybrid.llama_index.filters import Filters, read
from langchain_chroma_hybrid.llama_index.nodes import NodeReader, highlighted, relevance
from langchain_chroma_hybrid.llama_index.operations import StoreOperations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    import chromadb
    from langchain_core.embeddings import Embeddings
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import BaseNode, IndexNode, NodeWithScore, QueryBundle

    from langchain_chroma_hybrid.core.context import Expand
    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.search import Mode, OnLegError, Typos
    from langchain_chroma_hybrid.engine.config import LexicalSettings
    from langchain_chroma_hybrid.llama_index.vector_store import ChromaHybridVectorStore

_CALL_OPTIONS = ("explain", "filters", "similarity_top_k", *CALL_OPTIONS)


class ChromaHybridRetriever(BaseRetriever):
    """BM25 and vectors over a Chroma collection, fused, filtered, scored, explained.

    Over any collection, whoever has written it: what LlamaIndex wrote comes as the node that it
    was, everything else as a `TextNode` of text and metadata. Scores are the relevance, 0..1,
    higher is better. Making one reads nothing; unknown names raise.

    Thread safety: may be used from many threads; `aretrieve` never blocks the loop.
    """

    def __init__(
        self,
        collection: chromadb.Collection | ChromaHybridVectorStore,
        *,
        similarity_top_k: int = DEFAULT_SIMILARITY_TOP_K,
        filters: Filters = None,
        base_filter: Filters = None,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | Sequence[float] | None = None,
        fusion: str = DEFAULT_FUSION,
        c: float = DEFAULT_C,
        fetch_k: int | Mapping[str, int] | None = None,
        where_document: Mapping[str, Any] | None = None,
        base_where_document: Mapping[str, Any] | None = None,
        score_threshold: float | None = None,
        dedupe_key: str | None = None,
        group_by: str | None = None,
        group_limit: int = 1,
        expand: Expand | None = None,
        typos: Typos = True,
        query_syntax: str = "plain",
        on_leg_error: OnLegError = "raise",
        explain: bool = False,
        embed_model: BaseEmbedding | Embeddings | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
        **settings: Unpack[LexicalSettings],
    ) -> None:
        """A retriever over a collection that exists; nothing is read until the first query.

        Args:
            collection: of chromadb, or a store over one (`ChromaVectorStore` too).
            similarity_top_k: number of nodes, >= 1; may be set later.
            filters: `MetadataFilters`, or a `where` of Chroma's.
            base_filter: the same, ANDed with every call; nothing can widen it later.
            mode: `hybrid`, `vector`, `lexical` or `two_step` (lexical candidates, by vector).
            weights: share of (lexical, vector), or by name; a leg of weight 0 is not run.
            fusion: as for LangChain's retriever.
            c: constant of `rrf`.
            fetch_k: depth of each leg, or by name; None means 100, or 32 for a leg alone.
            where_document: Chroma's.
            base_where_document: the same, ANDed with every call.
            score_threshold: drop nodes whose score is lower, 0..1.
            dedupe_key: metadata key; of several results with one value the best stays.
            group_by: metadata key; of several results with one value `group_limit` stay.
            group_limit: results per value of `group_by`.
            expand: `neighbours` or `parent`, see `core.context`: the node's text is that of the
                records around it, or of the one that it is a part of.
            typos: words that occur nowhere may find those next to them, see `docs/scores.md`.
            query_syntax: `plain`, or `simple` for phrases, prefixes, `+must`, `-not`.
            on_leg_error: `raise`, or `degrade` to the legs that answered.
            explain: put each leg's view into the nodes' metadata, under
                `chroma_hybrid_explanation`, for no prompt and no embedding.
            embed_model: embeds the query. None means a hybrid store's own, else
                `Settings.embed_model` if that was set, else what the collection remembers.
            callback_manager: as for every LlamaIndex retriever.
            object_map: as for every LlamaIndex retriever.
            objects: as for every LlamaIndex retriever.
            verbose: as for every LlamaIndex retriever.
            **settings: of the lexical index, as for `ChromaHybridVectorStore`; none means those of
                a hybrid store.

        Raises:
            InvalidArgumentError, FilterError: a value that cannot be used.
        """
        found = check_collection(getattr(collection, "client", collection), "collection")
        self._base = all_of(
            read(base_filter, "base_filter", base=True),
            parse(None, base_where_document, names=("", "base_where_document"), base=True),
        )
        self._filters, self._explain = read(filters), explain
        self._request = SearchRequest(
            "",
            k=similarity_top_k,
            mode=mode,
            weights=weights,
            fusion=fusion,
            c=c,
            fetch_k=fetch_k,
            where_document=where_document,
            score_threshold=score_threshold,
            dedupe_key=dedupe_key,
            group_by=group_by,
            group_limit=group_limit,
            expand=expand,
            typos=typos,
            query_syntax=query_syntax,  # type: ignore[arg-type]  # checked below
            on_leg_error=on_leg_error,
            with_relevance=True,
        )
        positive("similarity_top_k", similarity_top_k)
        check(self._request)
        parse(None, where_document)
        own = collection._handle if isinstance(collection, StoreOperations) else None  # noqa: SLF001
        model = model_of(embed_model, lambda: found.configuration_json)
        config = settings_of(type(self), settings)
        if own is not None:
            model = own.embeddings if embed_model is None else model
            config = config if settings else own.config
        self._handle = CollectionHandle.over(found, config, model)
        self._reader = NodeReader()
        super().__init__(callback_manager, object_map, objects, verbose)

    @property
    def similarity_top_k(self) -> int:
        """Number of nodes."""
        return self._request.k

    @similarity_top_k.setter
    def similarity_top_k(self, value: int) -> None:
        positive("similarity_top_k", value)
        self._request = replace(self._request, k=value)

    def search(self, query: str, **options: Any) -> SearchResult:
        """The same query as a `SearchResult`, with each leg's view, matched terms and timings.

        Args:
            query: what to search for.
            **options: `filters`, `similarity_top_k`, `mode`, `weights` and all others but the base
                filters, for this query.
        """
        request = self._asked(query, None, {"explain": True, **options})
        return self._handle.run(lambda index: index.search(request))

    async def asearch(self, query: str, **options: Any) -> SearchResult:
        """`search` without blocking the event loop."""
        request = self._asked(query, None, {"explain": True, **options})
        return await self._handle.arun(lambda index: index.asearch(request))

    @known_keywords
    def highlight(self, query: str, node: BaseNode | NodeWithScore) -> list[tuple[int, int]]:
        """Spans `(start, end)` of the node's text, in characters, that words of `query` match."""
        return highlighted(self._handle, query, node)

    @known_keywords
    def describe(self, records: int = 1000) -> Description:
        """Metadata keys, types, ranges and common values of what passes `base_filter`.

        `records`: how many are looked at, >= 1.
        """
        return self._handle.describe(self._base, records)

    def close(self) -> None:
        """Give the index back; a later query opens it anew."""
        self._handle.close()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None and query_bundle.custom_embedding_strs:
            embed = self._handle.index().queries.embed_query
            vector = _mean([list(embed(text)) for text in query_bundle.custom_embedding_strs])
        request = self._asked(query_bundle.query_str, vector, {})
        return self._nodes(self._handle.run(lambda index: index.search(request)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None and query_bundle.custom_embedding_strs:
            embed = self._handle.index().queries.aembed_query
            texts = query_bundle.custom_embedding_strs
            vector = _mean([list(v) for v in await asyncio.gather(*map(embed, texts))])
        request = self._asked(query_bundle.query_str, vector, {})
        return self._nodes(await self._handle.arun(lambda index: index.asearch(request)))

    def _asked(
        self, text: str, vector: Sequence[float] | None, options: Mapping[str, Any]
    ) -> SearchRequest:
        """The settings as a request, the call's options in their place; the base always holds."""
        reject_unknown("ChromaHybridRetriever", options, _CALL_OPTIONS)
        given = dict(options)
        filters: Filter | None = read(given.pop("filters")) if "filters" in given else self._filters
        k = given.pop("similarity_top_k", self._request.k)
        positive("similarity_top_k", k)
        given.setdefault("explain", self._explain)
        base = all_of(self._base, filters)
        return replace(self._request, text=text, embedding=vector, k=k, base=base, **given)

    def _nodes(self, result: SearchResult) -> list[NodeWithScore]:
        explain = self._explain
        return [
            self._reader.with_score(hit, result, relevance(hit), explain=explain)
            for hit in result.hits
        ]


def _mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]
