"""Collections of pictures, sound and video: folders, words in the lexical leg, search by all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.multimodal.blocks import as_content_blocks
    from langchain_chroma_hybrid.multimodal.collection import ImageCollection
    from langchain_chroma_hybrid.multimodal.library import MediaCollection
    from langchain_chroma_hybrid.multimodal.media import Media, Opened, Segment
    from langchain_chroma_hybrid.multimodal.mixed import TextImageRetriever
    from langchain_chroma_hybrid.multimodal.moments import FileMoments, MediaRetriever, Moment
    from langchain_chroma_hybrid.multimodal.recordings import Segmentation
    from langchain_chroma_hybrid.multimodal.report import ImageFailure, ImageReport
    from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever
    from langchain_chroma_hybrid.multimodal.speech import Whisper
    from langchain_chroma_hybrid.multimodal.transcripts import Cue, read_transcript

__all__ = [
    "Cue",
    "FileMoments",
    "ImageCollection",
    "ImageFailure",
    "ImageReport",
    "Media",
    "MediaCollection",
    "MediaRetriever",
    "Moment",
    "MultimodalRetriever",
    "Opened",
    "Segment",
    "Segmentation",
    "TextImageRetriever",
    "Whisper",
    "as_content_blocks",
    "read_transcript",
]

_MODULES = {
    "Cue": "transcripts",
    "FileMoments": "moments",
    "ImageCollection": "collection",
    "ImageFailure": "report",
    "ImageReport": "report",
    "Media": "media",
    "MediaCollection": "library",
    "MediaRetriever": "moments",
    "Moment": "moments",
    "MultimodalRetriever": "retriever",
    "Opened": "media",
    "Segment": "media",
    "Segmentation": "recordings",
    "TextImageRetriever": "mixed",
    "Whisper": "speech",
    "as_content_blocks": "blocks",
    "read_transcript": "transcripts",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
