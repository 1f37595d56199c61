"""The last choice among fused results: a reranker, diversity, the best k."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_chroma.vectorstores import maximal_marginal_relevance

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult


@dataclass(frozen=True, slots=True)
class Choice:
    """How results are chosen; checked when it is made.

    Attributes:
        reranker: has `compress_documents` (LangChain) or `predict` (Sentence Transformers).
        lambda_mult: 0..1, or None for no diversity.
        candidates: results to choose from, >= 1.
        score_key: where a document's score stands, or None.
    """

    reranker: Any = None
    lambda_mult: float | None = None
    candidates: int = 20
    score_key: str | None = None

    def __post_init__(self) -> None:
        positive("candidates", self.candidates)
        if self.lambda_mult is not None:
            number("lambda_mult", self.lambda_mult, 0.0, 1.0)
        known = ("compress_documents", "predict")
        if self.reranker is not None and not any(hasattr(self.reranker, n) for n in known):
            expected = "None, a BaseDocumentCompressor or a CrossEncoder"
            raise InvalidArgumentError.of("reranker", self.reranker, expected)

    def widened(self, request: SearchRequest) -> SearchRequest:
        """The request for as many results as there is to choose from."""
        if self.reranker is None and self.lambda_mult is None:
            return request
        positive("k", request.k)
        diverse = self.lambda_mult is not None
        return replace(
            request,
            k=max(request.k, self.candidates),
            with_distance=diverse,
            with_embedding=diverse,
        )

    def made(
        self,
        documents: Sequence[Document],
        result: SearchResult,
        request: SearchRequest,
        callbacks: Callbacks,
    ) -> list[Document]:
        """The documents that were chosen, best first."""
        query = request.text or ""
        if self.reranker is not None and documents and not request.blank:
            if hasattr(self.reranker, "compress_documents"):
                documents = self.reranker.compress_documents(documents, query, callbacks)
            else:
                documents = self._predicted(documents, query)
        return self._diverse(documents, result, request.k)

    async def amade(
        self,
        documents: Sequence[Document],
        result: SearchResult,
        request: SearchRequest,
        callbacks: Callbacks,
    ) -> list[Document]:
        """The same without blocking the event loop."""
        query = request.text or ""
        if self.reranker is not None and documents and not request.blank:
            if hasattr(self.reranker, "acompress_documents"):
                documents = await self.reranker.acompress_documents(documents, query, callbacks)
            elif hasattr(self.reranker, "compress_documents"):
                compress = self.reranker.compress_documents
                documents = await asyncio.to_thread(compress, documents, query, callbacks)
            else:
                documents = await asyncio.to_thread(self._predicted, documents, query)
        return self._diverse(documents, result, request.k)

    def _predicted(self, documents: Sequence[Document], query: str) -> list[Document]:
        """In order of a cross-encoder's scores, higher is better."""
        pairs = [(query, document.page_content) for document in documents]
        scores = np.asarray(self.reranker.predict(pairs), dtype=np.float64)
        if scores.shape != (len(documents),):
            expected = f"one score for each of {len(documents)} pairs"
            raise InvalidArgumentError.of("reranker", f"scores of shape {scores.shape}", expected)
        order = np.argsort(-scores, kind="stable")
        if self.score_key is not None:
            for document, score in zip(documents, scores, strict=True):
                document.metadata[self.score_key] = float(score)
        return [documents[i] for i in order]

    def _diverse(
        self, documents: Sequence[Document], result: SearchResult, k: int
    ) -> list[Document]:
        """The best `k`, or with `lambda_mult` those that MMR selects, in the order of selection."""
        if self.lambda_mult is None or result.embedding is None:
            return list(documents[:k])
        vectors = {hit.id: hit.embedding for hit in result.hits}
        known = [document for document in documents if vectors.get(document.id or "") is not None]
        chosen = maximal_marginal_relevance(
            np.asarray(result.embedding, dtype=np.float32),
            [vectors[document.id or ""] for document in known],
            self.lambda_mult,
            k,
        )
        return [known[i] for i in chosen]
