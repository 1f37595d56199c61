"""What LangChain users have today, fed with the same vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.retrievers import BM25Retriever
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_chroma_hybrid.evaluation import Dataset


def nearest(corpus: np.ndarray, vector: np.ndarray, depth: int) -> tuple[list[int], list[float]]:
    """Rows of the `depth` highest inner products, best first, and these."""
    cosines = corpus @ vector
    depth = min(depth, len(cosines))
    head = np.argpartition(-cosines, depth - 1)[:depth]
    rows = head[np.lexsort((head, -cosines[head]))]
    return rows.tolist(), cosines[rows].tolist()


def langchain(
    data: Dataset,
    corpus: np.ndarray,
    queries: Mapping[str, np.ndarray],
    depth: int,
    words: Callable[[str], list[str]] = str.split,
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Ids by query of BM25Retriever and of EnsembleRetriever over it and exact vectors.

    `words`: how texts become words; by default LangChain's own way.
    """
    documents = [Document(record.text or "", metadata={"id": record.id}) for record in data.corpus]
    by_text = {data.queries[query]: vector for query, vector in queries.items()}
    bm25 = BM25Retriever.from_documents(documents, k=depth, preprocess_func=words)
    vectors = RunnableLambda(
        lambda text: [documents[row] for row in nearest(corpus, by_text[text], depth)[0]]
    )
    alone, together = {}, {}
    for query in queries:
        text = data.queries[query]
        found = bm25.invoke(text)
        kept = RunnableLambda(lambda _, found=found: found)
        ensemble = EnsembleRetriever(retrievers=[kept, vectors], weights=[0.5, 0.5])
        alone[query] = [document.metadata["id"] for document in found]
        together[query] = [document.metadata["id"] for document in ensemble.invoke(text)]
    return alone, together
