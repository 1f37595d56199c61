"""The reading half of HybridChroma: its settings and every search."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.arguments import (
    DEFAULT_LANGUAGE,
    check_embeddings,
    lexical_config,
    named,
)
from langchain_chroma_hybrid._langchain.rerank import Choice
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.search import Mode, OnLegError, SearchRequest, SearchResult
from langchain_chroma_hybrid.core.validate import (
    CALL_OPTIONS,
    check,
    number,
    positive,
    reject_unknown,
)
from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
from langchain_chroma_hybrid.engine.chroma.change_token import opening
from langchain_chroma_hybrid.engine.chroma.clients import close_client
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.search import Hit
    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.engine.sync.policy import Backfill, SyncMode, Writers
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

Filters = Mapping[str, Any] | None
Trusted = str | PathLike[str] | bool | Iterable[str | PathLike[str]] | None


class HybridSearch(Chroma):
    """A Chroma whose searches go over both halves."""

    def __init__(
        self,
        collection_name: str = "langchain",
        embedding_function: Embeddings | None = None,
        persist_directory: str | None = None,
        *further: Any,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | Sequence[float] | None = None,
        fusion: str = DEFAULT_FUSION,
        c: float = DEFAULT_C,
        fetch_k: int | None = None,
        query_syntax: str = "plain",
        on_leg_error: OnLegError = "raise",
        analyzer: Analyzer | str | None = DEFAULT_LANGUAGE,
        lexical_fields: Mapping[str, float] | None = None,
        lexical: LexicalIndex | None = None,
        lexical_directory: str | Path | None = None,
        lock_timeout: float = 30.0,
        sync: SyncMode = "before_query",
        max_age: float | None = None,
        backfill: Backfill = "now",
        progress: Progress | None = None,
        writers: Writers = "any",
        check_rate: float = 500.0,
        trust_stored_models: Trusted = None,
        **chroma: Any,
    ) -> None:
        """Open or create the collection; its lexical index is opened at the first use.

        Args:
            collection_name: as for Chroma.
            embedding_function: as for Chroma.
            persist_directory: as for Chroma.
            *further: everything else that Chroma's constructor takes, in its order.
            mode: `hybrid`, `vector`, `lexical`, or `two_step` (lexical candidates, vector ranking).
            weights: share of (lexical, vector), as a sequence or by name; a leg of weight 0 is not
                run.
            fusion: `adaptive` (weights that suit each query, unless `weights` are given),
                `rrf`, `min_max`, `three_sigma` or `theoretical_min_max`; see docs/scores.md.
            c: constant of `rrf`.
            fetch_k: depth of each leg; None means 100, or 32 for a leg alone.
            query_syntax: `plain` words, or `simple`: `"phrases"`, `prefix*`, `fuzzy~1`, `+must`,
                `-not`.
            on_leg_error: `raise`, or `degrade` to the legs that answered.
            analyzer: an `Analyzer`, or a language (its stemmer), or None for no stemming.
            lexical_fields: boost by field; `page_content` is the text, others are metadata keys.
            lexical: an index of your own in place of the one beside the data; it has an analyzer,
                fields and a place of its own, so that the arguments for those must be left out.
            lexical_directory: parent folder of the index; None means beside the data.
            lock_timeout: seconds to wait for another process that writes to the index.
            sync: when to look for what others wrote straight to Chroma: `before_query`, `on_open`
                or `manual` (only when `sync()` is called). Own writes are always seen.
            max_age: seconds for which a count of the collection is trusted where Chroma gives no
                cheaper sign of change; None means 1 for a server and 0 in memory.
            backfill: build the index of a collection that has none `now` (the first query waits),
                in the `background` or `manual` (by `sync()`); until then queries go by vector alone
                and say so.
            progress: called with (records done, records to do) while the index is built; None shows
                a bar on a terminal.
            writers: who writes to a collection on a server. `any`: any client, so that a filtered
                vector leg goes by Chroma's own filter, and contents are compared in the background
                for updates by others. `ours`: everybody writes through this library with this
                setting; then the lexical index answers filters, and processes tell each other what
                they write, in a small collection beside this one. See docs/durability.md.
            check_rate: records a second whose contents are compared with `writers="any"`; 0 turns
                that off, as `sync="manual"` does.
            trust_stored_models: without an `embedding_function`, what the collection may name to be
                loaded: names, folders, or True for everything; beside what the function of this
                name was told.
            **chroma: everything else that Chroma's constructor takes, by name. In the modes
                `vector` and `two_step` `relevance_score_fn` makes the scores of
                `similarity_search_with_relevance_scores` out of Chroma's distances; the fused
                scores of the other modes it does not touch.

        Raises:
            UnknownArgumentError: an argument that neither this class nor Chroma knows.
            InvalidArgumentError: a value that cannot be used.
        """
        chroma = named(Chroma, further, chroma)
        reject_unknown("HybridChroma", chroma, tuple(inspect.signature(Chroma).parameters))
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
        self.lexical_config = lexical_config(
            analyzer=analyzer,
            lexical_fields=lexical_fields,
            lexical=lexical,
            lexical_directory=lexical_directory,
            lock_timeout=lock_timeout,
            sync=sync,
            max_age=max_age,
            backfill=backfill,
            progress=progress,
            writers=writers,
            check_rate=check_rate,
        )
        check_embeddings(embedding_function)
        self.trusted_models = TrustedModels.of(trust_stored_models)
        bridge.check_client(chroma.get("client"))
        self._owns_client, self._closed = chroma.get("client") is None, False
        with opening(persist_directory):
            super().__init__(collection_name, embedding_function, persist_directory, **chroma)

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
        request = self._request(query, k, filter, kwargs, where_document)
        return _with_distances(self._search(replace(request, with_distance=True)))

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The best `k` documents with the fused score, 0..1, higher is better.

        In the modes `vector` and `two_step` a `relevance_score_fn` of the constructor gives the
        score instead, from Chroma's distance.
        """
        request = self._request_for_scores(query, k, kwargs)
        return self._with_scores(request, self._search(request))

    def similarity_search_with_vectors(
        self,
        query: str,
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[tuple[Document, np.ndarray]]:
        """The best `k` documents with their vectors `(d,)`, float32."""
        request = self._request(query, k, filter, kwargs, where_document)
        result = self._search(replace(request, with_embedding=True))
        # What was deleted while the query ran has no vector any more.
        hits = [hit for hit in result.hits if hit.embedding is not None]
        return [(bridge.document_of(hit.record), hit.embedding) for hit in hits]

    def explain(
        self, query: str, k: int = 4, filter: Filters = None, **kwargs: Any
    ) -> SearchResult:
        """The same search as a `SearchResult`: scores, each leg's view, matched terms, timings."""
        request = self._request(query, k, filter, kwargs)
        return self._search(replace(request, explain=True, with_distance=True))

    def highlight(self, query: str, document: Document) -> list[tuple[int, int]]:
        """Spans `(start, end)` of the page content, in characters, that words of `query` match."""
        if not isinstance(query, str):
            raise InvalidArgumentError.of("query", query, "a string")
        if not isinstance(document, Document):
            raise InvalidArgumentError.of("document", document, "a Document")
        own = self.lexical_config.index or self.lexical_config.analyzer
        return own.highlight(query, document.page_content)

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The `k` nearest documents to a vector `(d,)`; there is no text, so no lexical leg."""
        return _documents(
            self._search(self._request_near(embedding, k, filter, where_document, kwargs))
        )

    def similarity_search_by_vector_with_relevance_scores(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Filters = None,
        where_document: Filters = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The same with Chroma's distance, lower is nearer (the name is Chroma's)."""
        return _with_distances(
            self._search(self._request_near(embedding, k, filter, where_document, kwargs))
        )

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

        Plain Chroma chooses in the same way and gives them in the order of their distances.

        Args:
            query: what to search for.
            k: number of documents.
            fetch_k: number of fused results to choose from.
            lambda_mult: 0 is all diversity, 1 all relevance.
            filter: Chroma's `where`.
            where_document: Chroma's `where_document`.
            **kwargs: as for `similarity_search`, without `fetch_k`.
        """
        choice = _diversity(k, fetch_k, lambda_mult)
        return self._diverse(self._request(query, k, filter, kwargs, where_document), choice)

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
        choice = _diversity(k, fetch_k, lambda_mult)
        request = self._request_near(embedding, k, filter, where_document, kwargs)
        return self._diverse(request, choice)

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
        request = self._request_for_scores(query, k, kwargs)
        return self._with_scores(request, await self._asearch(request))

    @property
    def _handle(self) -> CollectionHandle:
        return bridge.handle_of(self, self.lexical_config)

    @property
    def _index(self) -> HybridIndex:
        return self._handle.index()

    def close(self) -> None:
        """Bring in writes that wait, give files and threads back; may be called twice.

        The Chroma client is closed if this store has made it itself on disk or for a server. Other
        stores and retrievers over the same collection go on. A closed store raises CollectionError.
        """
        if not self._closed:
            bridge.close(self)
            self._closed = True
            if self._owns_client:
                close_client(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(
        self,
        query: str | None,
        k: int,
        where: Filters,
        options: Mapping[str, Any],
        where_document: Filters = None,
    ) -> SearchRequest:
        reject_unknown("a search", options, ("k", "filter", *CALL_OPTIONS))
        given = {"where_document": where_document, **options}
        return replace(self._defaults, text=query, k=k, where=where, **given)

    def _request_for_scores(self, query: str, k: int, options: dict[str, Any]) -> SearchRequest:
        request = self._request(query, k, options.pop("filter", None), options)
        return replace(request, with_distance=self._rescores(request))

    def _rescores(self, request: SearchRequest) -> bool:
        return bool(self.override_relevance_score_fn) and request.mode in ("vector", "two_step")

    def _with_scores(
        self, request: SearchRequest, result: SearchResult
    ) -> list[tuple[Document, float]]:
        own = self.override_relevance_score_fn if self._rescores(request) else None
        return [
            (
                bridge.document_of(hit.record),
                hit.score if own is None or hit.distance is None else own(hit.distance),
            )
            for hit in result.hits
        ]

    def _request_near(
        self,
        embedding: Sequence[float],
        k: int,
        where: Filters,
        where_document: Filters,
        options: Mapping[str, Any],
    ) -> SearchRequest:
        mode = options.get("mode", "vector")
        if mode not in ("vector", "hybrid"):
            raise InvalidArgumentError.of("mode", mode, "`vector`: there is no query text")
        request = self._request(None, k, where, options, where_document)
        return replace(request, embedding=embedding, mode="vector", with_distance=True)

    def _diverse(self, request: SearchRequest, choice: Choice) -> list[Document]:
        result = self._search(choice.widened(request))
        return choice.made(_documents(result), result, request, None)

    def _search(self, request: SearchRequest) -> SearchResult:
        def run(index: HybridIndex) -> SearchResult:
            return index.search(request, bridge.embed_by(self, index))

        return self._handle.run(run)

    async def _asearch(self, request: SearchRequest) -> SearchResult:
        def run(index: HybridIndex) -> Awaitable[SearchResult]:
            return index.asearch(request, bridge.aembed_by(self, index))

        return await self._handle.arun(run)

    def _embed_image(self, uri: str) -> list[float]:
        embed = getattr(self._embedding_function, "embed_image", None)
        if embed is None:
            expected = "an embedding function with `embed_image`"
            raise InvalidArgumentError.of("embedding_function", self._embedding_function, expected)
        vector: list[float] = embed(uris=[uri])[0]
        return vector


def _diversity(k: int, fetch_k: int, lambda_mult: float) -> Choice:
    positive("k", k)
    positive("fetch_k", fetch_k)
    number("lambda_mult", lambda_mult, 0.0, 1.0)
    return Choice(lambda_mult=lambda_mult, candidates=fetch_k)


def _documents(result: SearchResult) -> list[Document]:
    return [bridge.document_of(hit.record) for hit in result.hits]


def _with_distances(result: SearchResult) -> list[tuple[Document, float]]:
    return [(bridge.document_of(hit.record), _distance(hit)) for hit in result.hits]


def _distance(hit: Hit) -> float:
    # Only a query without vector has none, and those who ask for distances have asked for one.
    return float("nan") if hit.distance is None else hit.distance
