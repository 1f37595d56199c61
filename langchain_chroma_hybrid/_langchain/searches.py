"""The reading half of HybridChroma: every search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.arguments import check_search_type
from langchain_chroma_hybrid._langchain.base import HybridBase
from langchain_chroma_hybrid._langchain.rerank import Choice
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.validate import CALL_OPTIONS, check, number
from langchain_chroma_hybrid.errors import ChromaHybridWarning, InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import Hit, SearchRequest, SearchResult

Filters = Mapping[str, Any] | None


class HybridSearch(HybridBase):
    """A Chroma whose searches go over both halves."""

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

    def similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The best `k` documents with their relevance, 0..1, higher is better, in fused order.

        Relevance says how likely it is that a document answers the query, and can be compared
        between queries. `score_threshold=` drops what is less relevant before the cut to `k`. In
        the modes `vector` and `two_step` a `relevance_score_fn` of the constructor gives the
        score instead, from Chroma's distance.
        """
        request = self._request_for_scores(query, k, kwargs)
        return self._with_scores(request, self._search(request), kwargs)

    @overload
    def search(self, query: str, search_type: str, **kwargs: Any) -> list[Document]: ...

    @overload
    def search(self, query: str, **kwargs: Any) -> SearchResult: ...

    def search(
        self, query: str, search_type: str | None = None, **kwargs: Any
    ) -> list[Document] | SearchResult:
        """With a `search_type`, LangChain's search; without one, `explain`.

        Raises:
            InvalidArgumentError: LangChain knows no such type.
        """
        if search_type is None:
            return self.explain(query, **kwargs)
        check_search_type(search_type)
        return super().search(query, search_type, **kwargs)

    async def asearch(self, query: str, search_type: str, **kwargs: Any) -> list[Document]:
        """LangChain's search without blocking the event loop; errors as for `search`."""
        check_search_type(search_type)
        return await super().asearch(query, search_type, **kwargs)

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
        return [(bridge.shown(hit), hit.embedding) for hit in hits]

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
        request = self._request(query, min(k, fetch_k), filter, kwargs, where_document)
        return self._diverse(request, choice)

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
        request = self._request_near(embedding, min(k, fetch_k), filter, where_document, kwargs)
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

    async def asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same without blocking the event loop."""
        request = self._request_for_scores(query, k, kwargs)
        return self._with_scores(request, await self._asearch(request), kwargs)

    def _request(
        self,
        query: str | None,
        k: int,
        where: Filters,
        options: Mapping[str, Any],
        where_document: Filters = None,
    ) -> SearchRequest:
        reject_unknown("a search", options, ("query", "k", "filter", *CALL_OPTIONS))
        given = {"where_document": where_document, **options}
        return replace(self._defaults, text=query, k=k, where=where, **given)

    def _request_for_scores(
        self, query: str, k: int, options: Mapping[str, Any]
    ) -> SearchRequest:
        request = self._request(query, k, options.get("filter"), _without_filter(options))
        if not self.rescores(request):
            return replace(request, with_relevance=True)
        check(request)  # the threshold, too, which is not for relevance
        return replace(request, with_distance=True, score_threshold=None)

    def rescores(self, request: SearchRequest) -> bool:
        """Whether `relevance_score_fn` makes the scores; warns once where it has no say."""
        if self.override_relevance_score_fn is None:
            return False
        by_vector = request.mode in ("vector", "two_step")
        if not by_vector and not self._warned:
            self._warned = True
            message = (
                "relevance_score_fn: made for Chroma's distances, it has no say in mode "
                f"{request.mode!r}, whose relevance it leaves as it is; mode='vector' uses it"
            )
            warnings.warn(message, ChromaHybridWarning, stacklevel=4)
        return by_vector and not request.blank

    def _with_scores(
        self, request: SearchRequest, result: SearchResult, options: Mapping[str, Any]
    ) -> list[tuple[Document, float]]:
        """Documents with their relevance, or what a function of the caller's makes of distances."""
        documents = _documents(result)
        own = self.override_relevance_score_fn if self.rescores(request) else None
        if own is None:
            scores = [hit.relevance or 0.0 for hit in result.hits]
            return list(zip(documents, scores, strict=True))
        scores = [own(_distance(hit)) for hit in result.hits]
        least = options.get("score_threshold")
        pairs = zip(documents, scores, strict=True)
        return [(found, score) for found, score in pairs if least is None or score >= least]

    def _request_near(
        self,
        embedding: Sequence[float],
        k: int,
        where: Filters,
        where_document: Filters,
        options: Mapping[str, Any],
    ) -> SearchRequest:
        if embedding is None:
            raise InvalidArgumentError.of("embedding", None, "a vector, as embed_query gives it")
        mode = options.get("mode", "vector")
        if mode not in ("vector", "hybrid"):
            raise InvalidArgumentError.of("mode", mode, "`vector`: there is no query text")
        request = self._request(None, k, where, options, where_document)
        return replace(request, embedding=embedding, mode="vector", with_distance=True)

    def _diverse(self, request: SearchRequest, choice: Choice) -> list[Document]:
        result = self._search(choice.widened(request))
        return choice.made(_documents(result), result, request, None)

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


def _without_filter(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "filter"}


def _documents(result: SearchResult) -> list[Document]:
    return [bridge.shown(hit) for hit in result.hits]


def _with_distances(result: SearchResult) -> list[tuple[Document, float]]:
    return [(bridge.shown(hit), _distance(hit)) for hit in result.hits]


def _distance(hit: Hit) -> float:
    # Only a query without vector has none, and those who ask for distances have asked for one.
    return float("nan") if hit.distance is None else hit.distance
