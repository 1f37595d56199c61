"""Hybrid retrieval on local and self-hosted Chroma, as LangChain vector store and retriever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads
from langchain_chroma_hybrid.embeddings.chroma.registration import register_with_chroma

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.search import Hit, SearchResult
    from langchain_chroma_hybrid.embeddings import (
        FunctionEmbeddings,
        MultimodalEmbeddings,
        SentenceTransformerEmbeddings,
        from_chroma,
        minilm,
        to_chroma,
        trust_stored_models,
    )
    from langchain_chroma_hybrid.engine.chroma.hybrid_schema import create_hybrid_collection
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.rescue import RescueReport, rescue
    from langchain_chroma_hybrid.errors import ChromaHybridError, ChromaHybridWarning
    from langchain_chroma_hybrid.lexical.opensearch.index import (
        ElasticsearchIndex,
        OpenSearchIndex,
    )
    from langchain_chroma_hybrid.lexical.postgres.index import PostgresIndex
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex
    from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
    from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex
    from langchain_chroma_hybrid.multimodal import (
        ImageCollection,
        MediaCollection,
        MediaRetriever,
        MultimodalRetriever,
        TextImageRetriever,
    )
    from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever
    from langchain_chroma_hybrid.vectorstores import HybridChroma

# A collection that was made with our embedding function finds it again in plain chromadb.
register_with_chroma()

__version__ = "0.1.0"

_HOME = {
    "Analyzer": "core.analysis.analyzer",
    "ChromaHybridError": "errors",
    "ChromaHybridRetriever": "retrievers",
    "ChromaHybridWarning": "errors",
    "ElasticsearchIndex": "lexical.opensearch.index",
    "FunctionEmbeddings": "embeddings",
    "Hit": "core.search",
    "HybridChroma": "vectorstores",
    "ImageCollection": "multimodal",
    "LexicalConfig": "engine.config",
    "LexicalIndex": "lexical.protocol",
    "MediaCollection": "multimodal",
    "MediaRetriever": "multimodal",
    "MultimodalEmbeddings": "embeddings",
    "MultimodalRetriever": "multimodal",
    "OpenSearchIndex": "lexical.opensearch.index",
    "PostgresIndex": "lexical.postgres.index",
    "RankBM25Index": "lexical.rank_bm25",
    "RescueReport": "engine.rescue",
    "SearchResult": "core.search",
    "SentenceTransformerEmbeddings": "embeddings",
    "TantivyIndex": "lexical.tantivy.index",
    "TextImageRetriever": "multimodal",
    "create_hybrid_collection": "engine.chroma.hybrid_schema",
    "from_chroma": "embeddings",
    "minilm": "embeddings",
    "rescue": "engine.rescue",
    "to_chroma": "embeddings",
    "trust_stored_models": "embeddings",
}

__all__ = [
    "Analyzer",
    "ChromaHybridError",
    "ChromaHybridRetriever",
    "ChromaHybridWarning",
    "ElasticsearchIndex",
    "FunctionEmbeddings",
    "Hit",
    "HybridChroma",
    "ImageCollection",
    "LexicalConfig",
    "LexicalIndex",
    "MediaCollection",
    "MediaRetriever",
    "MultimodalEmbeddings",
    "MultimodalRetriever",
    "OpenSearchIndex",
    "PostgresIndex",
    "RankBM25Index",
    "RescueReport",
    "SearchResult",
    "SentenceTransformerEmbeddings",
    "TantivyIndex",
    "TextImageRetriever",
    "create_hybrid_collection",
    "from_chroma",
    "minilm",
    "rescue",
    "to_chroma",
    "trust_stored_models",
]

__getattr__ = loads(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
