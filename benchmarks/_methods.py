"""The ways to search that the latency benchmark compares, and the clock."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

if TYPE_CHECKING:
    from _corpus import Corpus

    from langchain_chroma_hybrid import HybridChroma

K = 10
NAME = "bench"
Search = Callable[[str, dict[str, Any] | None], list[str]]


class Given(Embeddings):
    """Hands out the vectors of the corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._vectors = dict(zip(corpus.queries, corpus.query_vectors.tolist(), strict=True))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query of the corpus."""
        return self._vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The same for several."""
        return [self._vectors[text] for text in texts]


def fill(corpus: Corpus, name: str = NAME, **place: Any) -> Chroma:
    """The collection, written once, with the vectors of the corpus; `place` as for Chroma."""
    configuration: Any = {"hnsw": {"space": "cosine"}}
    chroma = Chroma(name, Given(corpus), collection_configuration=configuration, **place)
    collection = chroma._client.get_collection(name)  # noqa: SLF001  # to write without embedding
    for start in range(collection.count(), len(corpus.ids), 5000):
        cut = slice(start, start + 5000)
        collection.add(
            ids=corpus.ids[cut],
            embeddings=corpus.vectors[cut],
            documents=corpus.texts[cut],
            metadatas=corpus.metadatas[cut],  # type: ignore[arg-type]
        )
    return chroma


def plain(chroma: Chroma) -> Search:
    """Chroma's own search."""
    return lambda query, filter: [
        document.id or "" for document in chroma.similarity_search(query, k=K, filter=filter)
    ]


def ours(hybrid: HybridChroma, mode: str) -> Search:
    """One of our modes."""
    return lambda query, filter: [
        document.id or ""
        for document in hybrid.similarity_search(query, k=K, filter=filter, mode=mode)
    ]


def ensemble(corpus: Corpus, chroma: Chroma) -> Search:
    """LangChain's own way: rank_bm25 in memory beside Chroma."""
    from langchain_classic.retrievers import EnsembleRetriever  # noqa: PLC0415
    from langchain_community.retrievers import BM25Retriever  # noqa: PLC0415

    metadatas = [{"id": id_} for id_ in corpus.ids]
    words = BM25Retriever.from_texts(corpus.texts, metadatas, ids=corpus.ids, k=K)
    near = chroma.as_retriever(search_kwargs={"k": K})
    both = EnsembleRetriever(retrievers=[words, near], weights=[0.5, 0.5])
    return lambda query, _: [document.id or "" for document in both.invoke(query)]


def clock(
    searches: dict[str, Search], queries: list[str], filter: dict[str, Any] | None
) -> tuple[dict[str, list[float]], dict[str, list[list[str]]]]:
    """Milliseconds and ids by method, in turns, each query in another order.

    The order is random: who comes second finds what the first has read in the machine's caches.
    """
    times: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[list[str]]] = defaultdict(list)
    order = np.random.default_rng(3)
    for query in queries:
        for name in order.permutation(list(searches)):
            start = time.perf_counter()
            ids = searches[name](query, filter)
            times[name].append((time.perf_counter() - start) * 1e3)
            found[name].append(ids)
    return times, found


def unfiltered(corpus: Corpus, searches: dict[str, Search]) -> list[list[str]]:
    """By method p50, p95, and p50 as a multiple of langchain-chroma's."""
    clock(searches, corpus.queries[:1], None)
    times, _ = clock(searches, corpus.queries, None)
    base = np.median(times["langchain-chroma"])
    return [
        [name, f"{np.median(t):.1f}", f"{np.percentile(t, 95):.1f}", f"{np.median(t) / base:.2f}"]
        for name, t in times.items()
    ]


def recall(found: list[list[str]], exact: list[list[str]]) -> float:
    """Mean share of the exact ids that were found."""
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len(set(ids) & set(true)) / max(1, len(true)) for ids, true in pairs]))


def exact_ids(corpus: Corpus, condition: dict[str, Any], chosen: list[int]) -> list[list[str]]:
    key, value = next(iter(condition.items()))
    passing = np.array([i for i, m in enumerate(corpus.metadatas) if m[key] == value])
    scores = corpus.query_vectors[chosen] @ corpus.vectors[passing].T
    best = np.argsort(-scores, axis=1)[:, :K]
    return [[corpus.ids[passing[i]] for i in row] for row in best]
