"""Pictures as LangChain message content, for a model that sees."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.errors import ChromaHybridError
from langchain_chroma_hybrid.multimodal.roots import Folder, Roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.documents import Document
    from PIL.Image import Image

_QUALITIES = (85, 70, 50)
_SMALLEST = 64
_LONGEST = 65_500  # pixels of an edge that JPEG has


@known_keywords
def as_content_blocks(
    documents: Sequence[Document],
    *,
    roots: Roots | Folder | Iterable[Folder] = (),
    max_bytes: int = 4_000_000,
    max_edge: int = 1024,
    policy: PicturePolicy | None = None,
) -> list[dict[str, Any]]:
    """Documents as standard content blocks of a LangChain message, within a size budget.

    A picture becomes a text block with its caption, if it has one, and an image block (JPEG,
    base64); other documents become text blocks. Every picture gets the same share of the budget and
    is made smaller until it fits; what one leaves over goes to the next. In place of a picture that
    cannot be shown there is a text block that says so, so that the model does not speak of what it
    has not seen; it is the same for every reason, since whoever may write into the collection could
    else ask what files there are.

    Args:
        documents: what a search returned; `metadata["uri"]` says where a picture is.
        roots: folders (or single files), named by code and never by a record. A file is opened only
            if it is below one of them once all links are followed; without roots, none is.
        max_bytes: most base64 characters of all pictures together.
        max_edge: most pixels of a longer edge.
        policy: what else may be opened; None means data URIs only.

    Raises:
        InvalidArgumentError: a number below 1, or roots that are no paths.
        MissingDependencyError: Pillow is not installed.
    """
    require("PIL.Image", "image")
    allowed = roots if isinstance(roots, Roots) else Roots(roots)
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
        block = _picture(uri, allowed, max_bytes // left, max_edge, policy or PicturePolicy())
        max_bytes, left = max_bytes - len(block.get("base64", "")), left - 1
        blocks.append(block)
    return blocks


def _uri(document: Document) -> str | None:
    uri = document.metadata.get("uri")
    return uri if isinstance(uri, str) and uri else None


def _picture(
    uri: str, roots: Roots, budget: int, max_edge: int, policy: PicturePolicy
) -> dict[str, Any]:
    """A JPEG in at most `budget` characters of base64, or a text that says why there is none."""
    try:
        path = path_of(uri)
        image = load(uri if path is None else roots.find(path), policy, at_least=max_edge).image
    except (ChromaHybridError, OSError, RuntimeError, ValueError):
        return {"type": "text", "text": "[a picture that cannot be shown]"}
    encoded = _fitting(image, budget // 4 * 3, max_edge)
    if encoded is None:
        return {"type": "text", "text": "[a picture that does not fit into the budget]"}
    data = base64.b64encode(encoded).decode("ascii")
    return {"type": "image", "base64": data, "mime_type": "image/jpeg"}


def _fitting(image: Image, budget: int, max_edge: int) -> bytes | None:
    """JPEG of at most `budget` bytes; None if not even a very small one is."""
    edge = min(max_edge, max(image.size), _LONGEST)
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
