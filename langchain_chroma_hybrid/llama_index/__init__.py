"""Hybrid retrieval over Chroma for LlamaIndex: vector store, retriever, embeddings.

Needs `pip install 'langchain-chroma-hybrid[llama-index]'`.
"""

from __future__ import annotations

from langchain_chroma_hybrid._optional import require

require("llama_index.core", "llama-index")

from langchain_chroma_hybrid.llama_index.embeddings import from_llama, to_llama  # noqa: E402
from langchain_chroma_hybrid.llama_index.pictures import (  # noqa: E402
    MediaNodeRetriever,
    MultimodalNodeRetriever,
)
from langchain_chroma_hybrid.llama_index.retriever import ChromaHybridRetriever  # noqa: E402
from langchain_chroma_hybrid.llama_index.vector_store import ChromaHybridVectorStore  # noqa: E402

__all__ = [
    "ChromaHybridRetriever",
    "ChromaHybridVectorStore",
    "MediaNodeRetriever",
    "MultimodalNodeRetriever",
    "from_llama",
    "to_llama",
]
