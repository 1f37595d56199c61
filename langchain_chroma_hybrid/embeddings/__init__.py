"""Text to vectors: any model for LangChain and for Chroma. Importing it loads no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_chroma_hybrid.embeddings.base import CheckedEmbeddings
    from langchain_chroma_hybrid.embeddings.cache import VectorCache
    from langchain_chroma_hybrid.embeddings.chroma_bridge import (
        ChromaHybridEmbeddingFunction,
        from_chroma,
        provide,
        to_chroma,
    )
    from langchain_chroma_hybrid.embeddings.function import FunctionEmbeddings
    from langchain_chroma_hybrid.embeddings.multimodal import MultimodalEmbeddings
    from langchain_chroma_hybrid.embeddings.pictures import PicturePolicy
    from langchain_chroma_hybrid.embeddings.sentence_transformer import (
        SentenceTransformerEmbeddings,
    )
    from langchain_chroma_hybrid.embeddings.trust import trust_stored_models

__all__ = [
    "CheckedEmbeddings",
    "ChromaHybridEmbeddingFunction",
    "FunctionEmbeddings",
    "MultimodalEmbeddings",
    "PicturePolicy",
    "SentenceTransformerEmbeddings",
    "VectorCache",
    "from_chroma",
    "provide",
    "to_chroma",
    "trust_stored_models",
]

_MODULES = {
    "CheckedEmbeddings": "base",
    "ChromaHybridEmbeddingFunction": "chroma_bridge",
    "FunctionEmbeddings": "function",
    "MultimodalEmbeddings": "multimodal",
    "PicturePolicy": "pictures",
    "SentenceTransformerEmbeddings": "sentence_transformer",
    "VectorCache": "cache",
    "from_chroma": "chroma_bridge",
    "provide": "chroma_config",
    "to_chroma": "chroma_bridge",
    "trust_stored_models": "trust",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
