"""Asking a retriever all queries under several settings, each query embedded once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.settings import KNOWN
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.evaluation.metrics import Qrels


class Runner:
    """Runs queries through the same search that `retriever.invoke` uses.

    Args:
        target: a `ChromaHybridRetriever`, whose filters and options hold, or a `Chroma` or
            `HybridChroma`.
        queries: text by query id.

    Raises:
        InvalidArgumentError: `target` is neither.
    """

    def __init__(self, target: ChromaHybridRetriever | Chroma, queries: Mapping[str, str]) -> None:
        if isinstance(target, Chroma):
            target = ChromaHybridRetriever.from_vectorstore(target)
        if not isinstance(target, ChromaHybridRetriever):
            expected = "a ChromaHybridRetriever, a HybridChroma or a Chroma"
            raise InvalidArgumentError.of("target", target, expected)
        self.retriever = target
        self.queries = dict(queries)
        self._embedded: dict[str, Any] = {}

    @property
    def options(self) -> dict[str, Any]:
        """What the retriever was given other than the defaults, among what can be tuned."""
        fields = type(self.retriever).model_fields
        given = {name: getattr(self.retriever, name) for name in KNOWN}
        return {name: value for name, value in given.items() if value != fields[name].default}

    def run(self, k: int, **options: Any) -> dict[str, list[str]]:
        """Ids found by query, best first.

        Raises:
            InvalidArgumentError: an option that a call of the retriever would refuse.
        """
        return {
            query: [hit.id for hit in self.search(text, k, **options).hits]
            for query, text in self.queries.items()
        }

    def search(self, text: str, k: int, *, vectors: bool = False, **options: Any) -> SearchResult:
        """One query, whose vector is made once; with `vectors` the hits bring theirs.

        Raises:
            InvalidArgumentError: an option that a call of the retriever would refuse.
        """
        request = self.retriever._request(text, {**options, "k": k})  # noqa: SLF001  # the retriever's own search
        known = self._embedded.get(text)
        asked = replace(request, embedding=known, with_embedding=vectors or known is None)
        result = self.retriever._handle.run(partial(_search, request=asked))  # noqa: SLF001  # as above
        if result.embedding is not None:
            self._embedded[text] = result.embedding
        return result


def judged(queries: Mapping[str, str], qrels: Qrels) -> dict[str, str]:
    """The queries that have at least one relevant record.

    Raises:
        InvalidArgumentError: there is none.
    """
    kept = {
        query: text
        for query, text in queries.items()
        if max(qrels.get(query, {}).values(), default=0) > 0
    }
    if not kept:
        raise InvalidArgumentError.of(
            "queries", list(queries), "ids with a relevant record in qrels"
        )
    return kept


def _search(index: HybridIndex, request: SearchRequest) -> SearchResult:
    return index.search(request)
