"""HybridChroma: `langchain_chroma.Chroma` with a BM25 index that is always in step."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from langchain_chroma import Chroma
from langchain_chroma.vectorstores import maximal_marginal_relevance

from langchain_chroma_hybrid import _bridge as bridge
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.records import Mode, OnLegError, SearchRequest, SearchResult
from langchain_chroma_hybrid.core.requests import check, reject_unknown
from langchain_chroma_hybrid.engine.registry import LexicalConfig, drop_index
from langchain_chroma_hybrid.engine.rows import rows_of, with_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.core.analysis import Analyzer
    from langchain_chroma_hybrid.core.records import Hit
    from langchain_chroma_hybrid.engine.hybrid import HybridIndex
    from langchain_chroma_hybrid.engine.sync import Progress, SyncReport, VerifyReport
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Filters = Mapping[str, Any] | None

_CALL_OPTIONS = (
    "c", "dedupe_key", "fetch_k", "fusion", "mode", "on_leg_error", "query_syntax",
    "score_threshold", "weights", "where_document",
)  # fmt: skip


class HybridChroma(Chroma):
    """A drop-in for `langchain_chroma.Chroma` whose searches are hybrid.

    ```python
    store = HybridChroma("docs", embedding_function=embeddings, persist_directory="./db")
    store.add_documents(documents)
    store.similarity_search("error R123-78 after update", k=5, filter={"tenant": "a"})
    ```

    Every method that is given query text honours `mode`, `weights`, `fusion`, `c`, `fetch_k`,
    `where_document`, `score_threshold`, `dedupe_key`, `query_syntax` and `on_leg_error`, from the
    constructor or per call. `similarity_search_with_score` and the `*_by_vector*` and `*_by_image*`
    methods keep Chroma's distance (lower is nearer), in fused order; the fused score (0..1, higher
    is better) comes from `similarity_search_with_relevance_scores`, `explain` and the retriever.

    Thread safety: one store may be used from many threads; searches run side by side.
    """

    def __init__(
        self,
        collection_name: str = Chroma._LANGCHAIN_DEFAULT_COLLECTION_NAME,
        embedding_function: Embeddings | None = None,
        persist_directory: str | None = None,
        *,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | Sequence[float] | None = None,
        fusion: str = DEFAULT_FUSION,
        c: float = DEFAULT_C,
        fetch_k: int | None = None,
        query_syntax: str = "plain",
        on_leg_error: OnLegError = "raise",
        analyzer: Analyzer | str | None = "english",
        lexical_fields: Mapping[str, float] | None = None,
        lexical: LexicalIndex | None = None,
        lexical_directory: str | Path | None = None,
        **chroma: Any,
    ) -> None:
        """Open or create the collection; its lexical index is opened at the first use.

        Args:
            collection_name: as for Chroma.
            embedding_function: as for Chroma.
            persist_directory: as for Chroma.
            mode: `hybrid`, `vector`, `lexical`, or `two_step` (lexical candidates, vector ranking).
            weights: share of (lexical, vector), as a sequence or by name; a leg of weight 0 is not run.
            fusion: `rrf`, `min_max`, `three_sigma` or `theoretical_min_max`.
            c: constant of `rrf`.
            fetch_k: depth of each leg; None means 100.
            query_syntax: `plain` words, or `simple`: `"phrases"`, `prefix*`, `fuzzy~1`, `+must`, `-not`.
            on_leg_error: `raise`, or `degrade` to the legs that answered.
            analyzer: an `Analyzer`, or a language (its stemmer), or None for no stemming.
            lexical_fields: boost by field; `page_content` is the text, other names are metadata keys.
            lexical: an index of your own in place of the one beside the data.
            lexical_directory: parent folder of the index; None means beside the data.
            **chroma: everything else that Chroma's constructor takes, by keyword.

        Raises:
            UnknownArgumentError: a keyword that neither this class nor Chroma knows.
            InvalidArgumentError: a value that cannot be used.
        """
        known = [name for name in inspect.signature(Chroma.__init__).parameters if name != "self"]
        reject_unknown("HybridChroma", _others(chroma, known), known)
        self._defaults = SearchRequest(
            "",
            mode=mode,
            weights=weights,
            fusion=fusion,
            c=c,
            fetch_k=fetch_k,
            query_syntax=query_syntax,  # type: ignore[arg-type]  # checked below
            on_leg_error=on_leg_error,
        )
        check(self._defaults)
        self.lexical_config = LexicalConfig(
            bridge.analyzer_of(analyzer),
            lexical_fields,
            Path(lexical_directory) if lexical_directory else None,
            lexical,
        )
        super().__init__(collection_name, embedding_function, persist_directory, **chroma)

    # Searching

    def similarity_search(
        self, query: str, k: int = 4, filter: Filters = None, **kwargs: Any
    ) -> list[Document]:
        """The best `k` documents, best first, as they are stored.

        Raises:
            UnknownArgumentError: a keyword that nothing would read.
            InvalidArgumentError: a value that cannot be used; no query text raises.
        """
        return _documents(self._search(self._request(query, k, filter, kwargs)))

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The best `k` documents with Chroma's distance (lower is nearer), in fused order."""
        request = self._request(query, k, filter, kwargs, where_document=where_document)
        return _with_distances(self._search(replace(request, with_distance=True)))

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The best `k` documents with the fused score, 0..1, higher is better."""
        request = self._request(query, k, kwargs.pop("filter", None), kwargs)
        return [(bridge.document_of(hit.record), hit.score) for hit in self._search(request).hits]

    def similarity_search_with_vectors(
        self,
        query: str,
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[tuple[Document, np.ndarray]]:
        """The best `k` documents with their vectors `(d,)`, float32."""
        request = self._request(query, k, filter, kwargs, where_document=where_document)
        result = self._search(replace(request, with_embedding=True))
        return [(bridge.document_of(hit.record), hit.embedding) for hit in result.hits]

    def explain(
        self, query: str, k: int = 4, filter: Filters = None, **kwargs: Any
    ) -> SearchResult:
        """The same search as a `SearchResult`: scores, each leg's view, matched terms, timings."""
        request = self._request(query, k, filter, kwargs)
        return self._search(replace(request, explain=True, with_distance=True))

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The `k` nearest documents to a vector `(d,)`; there is no text, so no lexical leg."""
        return _documents(self._near(embedding, k, filter, where_document, kwargs))

    def similarity_search_by_vector_with_relevance_scores(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The same with Chroma's distance, lower is nearer (the name is Chroma's)."""
        return _with_distances(self._near(embedding, k, filter, where_document, kwargs))

    def similarity_search_by_image(
        self, uri: str, k: int = 4, filter: Filters = None, **kwargs: Any
    ) -> list[Document]:
        """The `k` nearest documents to the picture at `uri`."""
        return self.similarity_search_by_vector(self._embed_image(uri), k, filter, **kwargs)

    def similarity_search_by_image_with_relevance_score(
        self, uri: str, k: int = 4, filter: Filters = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same with Chroma's distance, lower is nearer."""
        vector = self._embed_image(uri)
        return self.similarity_search_by_vector_with_relevance_scores(vector, k, filter, **kwargs)

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`k` documents that are relevant and differ from each other, in the order of selection.

        Args:
            query: what to search for.
            k: number of documents.
            fetch_k: number of fused results to choose from.
            lambda_mult: 0 is all diversity, 1 all relevance.
            filter: Chroma's `where`.
            where_document: Chroma's `where_document`.
            **kwargs: as for `similarity_search`, without `fetch_k`.
        """
        vector = self._embed(query)
        request = self._request(query, max(k, fetch_k), filter, kwargs, where_document=where_document)
        return self._diverse(replace(request, embedding=vector), vector, k, lambda_mult)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The same for a vector `(d,)`: the candidates are its nearest documents."""
        request = self._request(None, max(k, fetch_k), filter, kwargs, where_document=where_document)
        request = replace(request, embedding=embedding, mode="vector")
        return self._diverse(request, embedding, k, lambda_mult)

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """`similarity_search` without blocking the event loop; the legs run side by side."""
        request = self._request(query, k, kwargs.pop("filter", None), kwargs)
        return _documents(await self._asearch(request))

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """`similarity_search_with_score` without blocking the event loop."""
        request = self._request(query, k, kwargs.pop("filter", None), kwargs)
        return _with_distances(await self._asearch(replace(request, with_distance=True)))

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        request = self._request(query, k, kwargs.pop("filter", None), kwargs)
        result = await self._asearch(request)
        return [(bridge.document_of(hit.record), hit.score) for hit in result.hits]

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those whose ids exist, in batches that Chroma takes.

        Everything is checked before anything is written; each batch is embedded, then written to
        both halves, so that a failure later on loses no vectors that were paid for.

        Returns:
            The ids, in the order of the texts.

        Raises:
            InvalidArgumentError: names the first entry that cannot be stored; nothing is written.
            EmbeddingError: the embedding function did not give one finite vector per text.
            WriteError: a later batch failed; `written` has the ids before it.
        """
        reject_unknown("add_texts", kwargs, ("texts", "metadatas", "ids"))
        rows = rows_of(texts, metadatas, ids)
        embed = self._embedding_function.embed_documents if self._embedding_function else None
        self._index.upsert(rows, embed)
        return list(rows.ids)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """`add_texts` in small steps between which the event loop goes on."""
        reject_unknown("aadd_texts", kwargs, ("texts", "metadatas", "ids"))
        rows = rows_of(texts, metadatas, ids)
        embed = self._embedding_function.aembed_documents if self._embedding_function else None
        await self._index.aupsert(rows, embed)
        return list(rows.ids)

    def add_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """`add_texts` for documents; those without an id get one."""
        texts, metadatas, ids = _columns(documents)
        return self.add_texts(texts, metadatas, **{"ids": ids, **kwargs})

    async def aadd_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """`aadd_texts` for documents; those without an id get one."""
        texts, metadatas, ids = _columns(documents)
        return await self.aadd_texts(texts, metadatas, **{"ids": ids, **kwargs})

    def add_images(
        self,
        uris: list[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
    ) -> list[str]:
        """Add pictures as Chroma does, with the base64 text as document."""
        rows = rows_of([self.encode_image(uri) for uri in uris], metadatas, ids)
        embed = getattr(self._embedding_function, "embed_image", None)
        vectors = embed(uris=uris) if embed else None
        self._index.upsert(with_vectors(rows, vectors))
        return list(rows.ids)

    def update_documents(self, ids: list[str], documents: list[Document]) -> None:
        """Replace text and vector of records that exist; metadata is merged, as Chroma does.

        Raises:
            InvalidArgumentError: no embedding function, or an entry that cannot be stored.
        """
        if self._embedding_function is None:
            raise InvalidArgumentError.of("embedding_function", None, "one, to update documents")
        texts, metadatas, _ = _columns(documents)
        self._index.update(rows_of(texts, metadatas, ids), self._embedding_function.embed_documents)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> None:
        """Delete records by ids, by `where`, by `where_document`, or by what passes all that is given.

        Raises:
            InvalidArgumentError: nothing is given.
        """
        conditions = ("where", "where_document")
        reject_unknown("delete", _others(kwargs, conditions), ("ids", *conditions))
        passing = parse(kwargs.get("where"), kwargs.get("where_document"))
        if ids is None and passing is None:
            raise InvalidArgumentError.of("ids", None, "ids, `where` or `where_document`")
        if passing is not None:
            found = self._index.store.match(passing)
            ids = found if ids is None else [id_ for id_ in found if id_ in set(ids)]
        if ids:
            self._index.delete(ids)

    def delete_collection(self) -> None:
        """Delete the collection and the folder of its lexical index."""
        store = bridge.store_of(self)
        super().delete_collection()
        bridge.forget(self)
        drop_index(store, self.lexical_config)

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents among `ids` that exist, in that order."""
        records = self._index.store.fetch(ids)
        return [bridge.document_of(records[id_]) for id_ in ids if id_ in records]

    # Keeping both halves in step

    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Bring in what others wrote straight to Chroma.

        Args:
            deep: compare content and metadata too, not only ids; reads every record.
            progress: called with (records done, records to do).
        """
        return self._index.sync(deep=deep, progress=progress)

    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record: missing, extra, stale; `fix` mends them."""
        return self._index.verify(fix=fix)

    def rebuild(self, progress: Progress | None = None) -> SyncReport:
        """Throw the lexical index away, whatever its state, and build it from the collection."""
        bridge.forget(self)
        drop_index(bridge.store_of(self), self.lexical_config)
        return self._index.sync(progress=progress)

    # Making more of them

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store with `texts` in it; `kwargs` are the constructor's."""
        store = cls(embedding_function=embedding, **kwargs)
        store.add_texts(texts, metadatas, ids)
        return store

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        embedding: Embeddings | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store with `documents` in it; `kwargs` are the constructor's."""
        store = cls(embedding_function=embedding, **kwargs)
        store.add_documents(documents, **({"ids": ids} if ids is not None else {}))
        return store

    # Inside

    @property
    def _index(self) -> HybridIndex:
        return bridge.engine_of(self, self.lexical_config)

    def _request(
        self,
        query: str | None,
        k: int,
        where: Filters,
        options: Mapping[str, Any],
        where_document: Filters = None,
    ) -> SearchRequest:
        reject_unknown("a search", _others(options, _CALL_OPTIONS), ("k", "filter", *_CALL_OPTIONS))
        given = {"where_document": where_document, **options}
        return replace(self._defaults, text=query, k=k, where=where, **given)

    def _near(
        self,
        embedding: Sequence[float],
        k: int,
        where: Filters,
        where_document: Filters,
        options: Mapping[str, Any],
    ) -> SearchResult:
        request = self._request(None, k, where, options, where_document)
        return self._search(replace(request, embedding=embedding, mode="vector", with_distance=True))

    def _search(self, request: SearchRequest) -> SearchResult:
        return self._index.search(request, self._embed)

    async def _asearch(self, request: SearchRequest) -> SearchResult:
        index = await asyncio.to_thread(lambda: self._index)
        embed = bridge.aembed_by(self._embedding_function, index.store)
        return await index.asearch(request, embed)

    def _embed(self, query: str) -> Sequence[float]:
        return bridge.embed_by(self._embedding_function, self._index.store)(query)

    def _embed_image(self, uri: str) -> list[float]:
        embed = getattr(self._embedding_function, "embed_image", None)
        if embed is None:
            expected = "an embedding function with `embed_image`"
            raise InvalidArgumentError.of("embedding_function", self._embedding_function, expected)
        vector: list[float] = embed(uris=[uri])[0]
        return vector

    def _diverse(
        self, request: SearchRequest, vector: Sequence[float], k: int, lambda_mult: float
    ) -> list[Document]:
        check(replace(request, k=k))
        hits = self._search(replace(request, with_embedding=True)).hits
        chosen = maximal_marginal_relevance(
            np.asarray(vector, dtype=np.float32), [hit.embedding for hit in hits], lambda_mult, k
        )
        return [bridge.document_of(hits[i].record) for i in chosen]


def _documents(result: SearchResult) -> list[Document]:
    return [bridge.document_of(hit.record) for hit in result.hits]


def _with_distances(result: SearchResult) -> list[tuple[Document, float]]:
    return [(bridge.document_of(hit.record), _distance(hit)) for hit in result.hits]


def _distance(hit: Hit) -> float:
    # Only a query without vector has none, and those who ask for distances have asked for one.
    return float("nan") if hit.distance is None else hit.distance


def _columns(
    documents: Iterable[Document],
) -> tuple[list[str], list[dict[str, Any]], list[str | None]]:
    listed = list(documents)
    return (
        [document.page_content for document in listed],
        [document.metadata for document in listed],
        [document.id for document in listed],
    )


def _others(given: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in known}
