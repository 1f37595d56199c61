"""Text to vectors: any model for LangChain and for Chroma. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.embeddings.base import CheckedEmbeddings
    from langchain_chroma_hybrid.embeddings.cache import VectorCache
    from langchain_chroma_hybrid.embeddings.chroma.bridge import (
        ChromaHybridEmbeddingFunction,
        from_chroma,
        provide,
        to_chroma,
    )
    from langchain_chroma_hybrid.embeddings.chroma.trust import trust_stored_models
    from langchain_chroma_hybrid.embeddings.function import FunctionEmbeddings
    from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
    from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy
    from langchain_chroma_hybrid.embeddings.text.packaged import minilm
    from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
        SentenceTransformerEmbeddings,
    )

__all__ = [
    "CheckedEmbeddings",
    "ChromaHybridEmbeddingFunction",
    "FunctionEmbeddings",
    "MultimodalEmbeddings",
    "PicturePolicy",
    "SentenceTransformerEmbeddings",
    "VectorCache",
    "from_chroma",
    "minilm",
    "provide",
    "to_chroma",
    "trust_stored_models",
]

_MODULES = {
    "CheckedEmbeddings": "base",
    "ChromaHybridEmbeddingFunction": "chroma.bridge",
    "FunctionEmbeddings": "function",
    "MultimodalEmbeddings": "images.clip",
    "PicturePolicy": "images.pictures",
    "SentenceTransformerEmbeddings": "text.sentence_transformer",
    "VectorCache": "cache",
    "from_chroma": "chroma.bridge",
    "minilm": "text.packaged",
    "provide": "chroma.config",
    "to_chroma": "chroma.bridge",
    "trust_stored_models": "chroma.trust",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
