"""Pictures as LangChain message content, for a model that sees."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.requests import positive
from langchain_chroma_hybrid.embeddings.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.documents import Document
    from PIL.Image import Image

_QUALITIES = (85, 70, 50)
_SMALLEST = 64


def as_content_blocks(
    documents: Sequence[Document],
    *,
    max_bytes: int = 4_000_000,
    max_edge: int = 1024,
    policy: PicturePolicy | None = None,
) -> list[dict[str, Any]]:
    """Documents as standard content blocks of a LangChain message, within a size budget.

    A picture becomes a text block with its caption, if it has one, and an image block (JPEG,
    base64); other documents become text blocks. Every picture gets the same share of the budget and
    is made smaller until it fits; what one leaves over goes to the next. A picture that cannot be
    read is named in a text block, so that the model does not speak of what it has not seen.

    Args:
        documents: what a search returned; `metadata["uri"]` says where a picture is.
        max_bytes: most base64 characters of all pictures together.
        max_edge: most pixels of a longer edge.
        policy: what may be opened; None means files and data URIs only.

    Raises:
        InvalidArgumentError: a number below 1.
    """
    positive("max_bytes", max_bytes)
    positive("max_edge", max_edge)
    blocks: list[dict[str, Any]] = []
    left = sum(1 for document in documents if _uri(document))
    for document in documents:
        if document.page_content:
            blocks.append({"type": "text", "text": document.page_content})
        uri = _uri(document)
        if uri is None:
            continue
        block = _picture(uri, max_bytes // left, max_edge, policy or PicturePolicy())
        max_bytes, left = max_bytes - len(block.get("base64", "")), left - 1
        blocks.append(block)
    return blocks


def _uri(document: Document) -> str | None:
    uri = document.metadata.get("uri")
    return uri if isinstance(uri, str) and uri else None


def _picture(uri: str, budget: int, max_edge: int, policy: PicturePolicy) -> dict[str, Any]:
    try:
        image = load(uri, policy, at_least=max_edge).image
    except PictureError as error:
        return {"type": "text", "text": f"[a picture that cannot be shown: {error}]"}
    encoded = _fitting(image, budget // 4 * 3, max_edge)
    if encoded is None:
        return {"type": "text", "text": "[a picture that does not fit into the budget]"}
    data = base64.b64encode(encoded).decode("ascii")
    return {"type": "image", "base64": data, "mime_type": "image/jpeg"}


def _fitting(image: Image, budget: int, max_edge: int) -> bytes | None:
    """JPEG of at most `budget` bytes; None if not even a very small one is."""
    edge = min(max_edge, max(image.size))
    while True:
        small = image.copy()
        small.thumbnail((edge, edge))
        for quality in _QUALITIES:
            target = io.BytesIO()
            small.save(target, "JPEG", quality=quality)
            if target.tell() <= budget:
                return target.getvalue()
        if edge <= _SMALLEST:
            return None
        edge = max(_SMALLEST, edge * 7 // 10)
