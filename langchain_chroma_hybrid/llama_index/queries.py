"""A `VectorStoreQuery` as a request of the engine, and its answer as LlamaIndex takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.vector_stores.types import (
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.filters import NOTHING, Filter, Ids, all_of, condition, parse
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.validate import CALL_OPTIONS, number
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.chroma.rows import listed
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.llama_index.filters import read
from langchain_chroma_hybrid.llama_index.nodes import DOCUMENT_ID, NodeReader, relevance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.search import Hit, Mode, SearchRequest, SearchResult

OPTIONS = ("where", *(name for name in CALL_OPTIONS if name != "mode"))
"""What a query's keywords may say."""

MODES: Mapping[VectorStoreQueryMode, Mode] = {
    VectorStoreQueryMode.DEFAULT: "vector",
    VectorStoreQueryMode.MMR: "vector",
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
    VectorStoreQueryMode.SPARSE: "lexical",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "two_step",
}
_BY_VECTOR = (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR)
_MMR_OPTIONS = ("mmr_prefetch_factor", "mmr_prefetch_k", "mmr_threshold")
_PREFETCH = 4.0  # as many candidates for each result has ChromaVectorStore
_HUGE = 700.0  # what `math.exp` still takes


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with what its answer is to be made of.

    Attributes:
        k: number of results.
        by_distance: the similarity is `exp(-distance)`, else the relevance.
        listed: nothing is asked for but what passes; such results have no similarity.
        threshold: of LlamaIndex' MMR, towards 0 more diversity; None for no MMR.
    """

    request: SearchRequest
    k: int
    by_distance: bool = False
    listed: bool = False
    threshold: float | None = None

    def answer(self, result: SearchResult, reader: NodeReader) -> VectorStoreQueryResult:
        """Nodes, similarities and ids, best first."""
        hits: Sequence[Hit] = result.hits
        if self.threshold is not None:
            hits = _diverse(result, self.threshold, self.k)
        scores = [_similarity(hit) if self.by_distance else relevance(hit) for hit in hits]
        return VectorStoreQueryResult(
            nodes=[reader.shown(hit) for hit in hits],
            similarities=None if self.listed else scores,
            ids=[hit.id for hit in hits],
        )


def asked(query: VectorStoreQuery, defaults: SearchRequest, options: Mapping[str, Any]) -> Asked:
    """Check a query and make the request that answers it.

    Raises:
        InvalidArgumentError: a value, or a mode, that cannot be used.
        UnknownArgumentError: a keyword that nothing would read.
    """
    if not isinstance(query, VectorStoreQuery):
        expected = "a VectorStoreQuery (the `retrieve` of a retriever takes a text)"
        raise InvalidArgumentError.of_kind("query", query, expected)
    mode = _mode(query.mode)
    mmr = mode is VectorStoreQueryMode.MMR
    reject_unknown("query", options, (*OPTIONS, *_MMR_OPTIONS) if mmr else OPTIONS)
    if query.filters is not None and "where" in options:
        raise InvalidArgumentError.of("where", options["where"], "filters or `where`, not both")
    given = {name: value for name, value in options.items() if name in OPTIONS}
    parse(given.get("where"), given.get("where_document"))
    positive("similarity_top_k", query.similarity_top_k)
    base = all_of(defaults.base, _restriction(query))
    request = replace(
        defaults,
        text=query.query_str,
        embedding=_vector(query),
        k=query.similarity_top_k,
        mode=MODES[mode],
        base=base,
        **given,
    )
    if mode in _BY_VECTOR:
        return _by_vector(query, request, options, mmr=mmr)
    return _by_words(query, request, mode, options)


def _mode(given: Any) -> VectorStoreQueryMode:
    for mode in MODES:
        if given == mode:  # or the name, which is equal
            return mode
    names = ", ".join(known.value for known in MODES)
    raise InvalidArgumentError.of("mode", getattr(given, "value", given), f"one of {names}")


def _vector(query: VectorStoreQuery) -> Sequence[float] | None:
    vector = query.query_embedding
    return None if vector is None or len(vector) == 0 else vector


def _restriction(query: VectorStoreQuery) -> Filter | None:
    """Filters, nodes and documents that the query is limited to; no document admits nothing."""
    parts = [read(query.filters)]
    if query.node_ids:  # an index hands an empty list over where it limits nothing
        parts.append(Ids(frozenset(_names("node_ids", query.node_ids))))
    if query.doc_ids is not None:
        parts.append(condition(DOCUMENT_ID, "in", _names("doc_ids", query.doc_ids)))
    return NOTHING if NOTHING in parts else all_of(*parts)


def _names(name: str, given: Any) -> list[str]:
    several = listed(name, given, "several strings")
    for i, each in enumerate(several):
        if not isinstance(each, str):
            raise InvalidArgumentError.of(f"{name}[{i}]", each, "a string")
    return several


def _by_vector(
    query: VectorStoreQuery, request: SearchRequest, options: Mapping[str, Any], *, mmr: bool
) -> Asked:
    """By vector alone; without vector and text the first records that pass, as Chroma's `get`."""
    k = query.similarity_top_k
    if request.embedding is None and not (query.query_str or "").strip():
        return Asked(replace(request, text=""), k, listed=True)
    if request.embedding is not None:
        request = replace(request, text=None)
    request = replace(request, with_distance=True)
    if not mmr:
        return Asked(request, k, by_distance=True)
    threshold, wide = _mmr(query, options, k)
    request = replace(request, k=wide, with_embedding=True)
    return Asked(request, k, by_distance=True, threshold=threshold)


def _mmr(query: VectorStoreQuery, options: Mapping[str, Any], k: int) -> tuple[float, int]:
    """Threshold, and number of candidates, never fewer than `k`."""
    threshold = options.get("mmr_threshold")
    threshold = query.mmr_threshold if threshold is None else threshold
    threshold = 0.5 if threshold is None else threshold
    number("mmr_threshold", threshold, 0.0, 1.0)
    factor, wide = options.get("mmr_prefetch_factor"), options.get("mmr_prefetch_k")
    if factor is not None and wide is not None:
        expected = "to be left out beside `mmr_prefetch_factor`"
        raise InvalidArgumentError.of("mmr_prefetch_k", wide, expected)
    if wide is None:
        factor = _PREFETCH if factor is None else factor
        number("mmr_prefetch_factor", factor, 0.0, math.inf)
        return threshold, max(k, int(k * factor))
    positive("mmr_prefetch_k", wide)
    return threshold, max(k, int(wide))


def _by_words(
    query: VectorStoreQuery,
    request: SearchRequest,
    mode: VectorStoreQueryMode,
    options: Mapping[str, Any],
) -> Asked:
    """With words; `alpha` is the vectors' share, the top-k's are counts."""
    if query.query_str is None:
        expected = f"a text: mode {mode.value!r} looks for words"
        raise InvalidArgumentError.of("query_str", None, expected)
    for name in ("sparse_top_k", "hybrid_top_k"):
        if getattr(query, name) is not None:
            positive(name, getattr(query, name))
    if query.alpha is not None:
        number("alpha", query.alpha, 0.0, 1.0)
        if "weights" in options:
            expected = "to be left out beside `alpha`, which says the same"
            raise InvalidArgumentError.of("weights", options["weights"], expected)
    request = replace(request, with_relevance=True)
    k = query.similarity_top_k
    if request.mode == "lexical":
        k = query.sparse_top_k or k
        return Asked(replace(request, k=k), k)
    k = query.hybrid_top_k or k
    request = replace(request, k=k)
    if query.sparse_top_k is not None:
        request = _with_few_words(request, query.sparse_top_k)
    if query.alpha is not None and request.mode == "hybrid":
        weights = {LEXICAL: 1.0 - query.alpha, VECTOR: float(query.alpha)}
        request = replace(request, weights=weights)
    return Asked(request, k)


def _with_few_words(request: SearchRequest, most: int) -> SearchRequest:
    """Words contribute at most `most` records, vectors as many as before."""
    others = {VECTOR: request.fetch_k} if isinstance(request.fetch_k, int) else request.fetch_k
    return replace(request, fetch_k={**(others or {}), LEXICAL: most})


def _similarity(hit: Hit) -> float:
    """As ChromaVectorStore has it; 0 where nobody knows the distance."""
    return 0.0 if hit.distance is None else math.exp(min(-hit.distance, _HUGE))


def _diverse(result: SearchResult, threshold: float, k: int) -> list[Hit]:
    """The `k` hits that LlamaIndex' MMR selects, in that order; those without direction last."""
    if result.embedding is None or not np.any(result.embedding):
        return list(result.hits[:k])
    able = [h for h in result.hits if h.embedding is not None and np.any(h.embedding)]
    _, chosen = get_top_k_mmr_embeddings(
        result.embedding,
        [hit.embedding for hit in able],
        similarity_top_k=k,
        mmr_threshold=threshold,
    )
    picked = [able[i] for i in chosen]
    ids = {hit.id for hit in able}
    return [*picked, *(hit for hit in result.hits if hit.id not in ids)][:k]
