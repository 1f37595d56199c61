"""Collections of pictures: scanning folders, captions in the lexical leg, search by both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.multimodal.blocks import as_content_blocks
    from langchain_chroma_hybrid.multimodal.collection import ImageCollection
    from langchain_chroma_hybrid.multimodal.mixed import TextImageRetriever
    from langchain_chroma_hybrid.multimodal.report import ImageFailure, ImageReport
    from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever

__all__ = [
    "ImageCollection",
    "ImageFailure",
    "ImageReport",
    "MultimodalRetriever",
    "TextImageRetriever",
    "as_content_blocks",
]

_MODULES = {
    "ImageCollection": "collection",
    "ImageFailure": "report",
    "ImageReport": "report",
    "MultimodalRetriever": "retriever",
    "TextImageRetriever": "mixed",
    "as_content_blocks": "blocks",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
