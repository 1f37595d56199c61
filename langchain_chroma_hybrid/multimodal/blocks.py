"""Pictures, frames and sounds as LangChain message content, for a model that sees or hears."""

from __future__ import annotations

import base64
import io
import math
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.embeddings.media.sounds import sound_between
from langchain_chroma_hybrid.embeddings.media.video import frames_between
from langchain_chroma_hybrid.errors import ChromaHybridError, MediaError
from langchain_chroma_hybrid.multimodal.roots import Folder, Roots
from langchain_chroma_hybrid.multimodal.speech import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.documents import Document
    from PIL.Image import Image

_QUALITIES = (85, 70, 50)
_SMALLEST = 64
_LONGEST = 65_500  # pixels of an edge that JPEG has
_HEADER = 44  # bytes of WAV
_SECONDS, _MOST_SECONDS = 10.0, 60.0
_NAMES = {"image": "a picture", "video": "a video", "audio": "a sound"}


@known_keywords
def as_content_blocks(
    documents: Sequence[Document],
    *,
    roots: Roots | Folder | Iterable[Folder] = (),
    max_bytes: int = 4_000_000,
    max_edge: int = 1024,
    frames: int = 3,
    sounds: bool = True,
    policy: PicturePolicy | None = None,
) -> list[dict[str, Any]]:
    """Documents as standard content blocks of a LangChain message, within a size budget.

    A picture becomes a text block with its caption, if it has one, and an image block (JPEG,
    base64); a video such a block for some frames between its `start` and `end`, a sound an audio
    block (WAV, base64) of these seconds; other documents become text blocks. Each document gets the
    same share of the budget and is made smaller or shorter until it fits; what one leaves over goes
    to the next. In place of what cannot be shown there is a text block that says so, so that the
    model does not speak of what it has not seen; it is the same for every reason, since whoever may
    write into the collection could else ask what files there are.

    Args:
        documents: what a search returned; `metadata["uri"]` says where a picture is.
        roots: folders (or single files), named by code and never by a record. A file is opened only
            if it is below one of them once all links are followed; without roots, none is.
        max_bytes: most base64 characters of all pictures and sounds together.
        max_edge: most pixels of a longer edge.
        frames: most frames of a video.
        sounds: whether sounds are shown at all, for a model that hears.
        policy: what else may be opened; None means data URIs only.

    Raises:
        InvalidArgumentError: a number below 1, or roots that are no paths.
        MissingDependencyError: Pillow is not installed.
    """
    require("PIL.Image", "image")
    allowed = roots if isinstance(roots, Roots) else Roots(roots)
    positive("max_bytes", max_bytes)
    positive("max_edge", max_edge)
    positive("frames", frames)
    show = _Shown(allowed, max_edge, frames, policy or PicturePolicy())
    blocks: list[dict[str, Any]] = []
    kinds = ("image", "video", "audio") if sounds else ("image", "video")
    left = sum(1 for document in documents if _uri(document) and _kind(document) in kinds)
    for document in documents:
        if document.page_content:
            blocks.append({"type": "text", "text": document.page_content})
        uri, kind = _uri(document), _kind(document)
        if uri is None or kind not in kinds:
            continue
        shown = show.blocks(uri, kind, _times(document), max_bytes // left)
        max_bytes -= sum(len(block.get("base64", "")) for block in shown)
        left -= 1
        blocks += shown
    return blocks


def _kind(document: Document) -> str:
    kind = document.metadata.get("kind")
    return kind if kind in ("audio", "video") else "image"


def _times(document: Document) -> tuple[float, float]:
    """The seconds that a record names, at most a minute of them."""
    given = [document.metadata.get(name) for name in ("start", "end")]
    start, end = (float(n) if isinstance(n, int | float) else 0.0 for n in given)
    start = start if 0 <= start < math.inf else 0.0
    return start, min(end if end > start else start + _SECONDS, start + _MOST_SECONDS)


def _uri(document: Document) -> str | None:
    uri = document.metadata.get("uri")
    return uri if isinstance(uri, str) and uri else None


@dataclass(frozen=True, slots=True)
class _Shown:
    """How what is found is shown."""

    roots: Roots
    max_edge: int
    frames: int
    policy: PicturePolicy

    def blocks(
        self, uri: str, kind: str, times: tuple[float, float], budget: int
    ) -> list[dict[str, Any]]:
        """In at most `budget` characters of base64, or a text that says why there is nothing."""
        what = _NAMES[kind]
        try:
            path = path_of(uri)
            place = uri if path is None else self.roots.find(path)
            if kind == "audio":
                found = self._sound(place, times, budget)
            else:
                images = self._images(place, kind, times)
                found = [self._picture(image, budget // len(images)) for image in images]
        except (ChromaHybridError, OSError, RuntimeError, ValueError):
            return [{"type": "text", "text": f"[{what} that cannot be shown]"}]
        missing = {"type": "text", "text": f"[{what} that does not fit into the budget]"}
        return [block for block in found if block is not None] or [missing]

    def _images(self, place: Any, kind: str, times: tuple[float, float]) -> list[Image]:
        if kind == "image":
            return [load(place, self.policy, at_least=self.max_edge).image]
        some = frames_between(place, self.policy, *times, self.frames, self.max_edge)
        return [frame.image for frame in some]

    def _picture(self, image: Image, budget: int) -> dict[str, Any] | None:
        encoded = _fitting(image, budget // 4 * 3, self.max_edge)
        return None if encoded is None else _block("image", encoded, "image/jpeg")

    def _sound(
        self, place: Any, times: tuple[float, float], budget: int
    ) -> list[dict[str, Any] | None]:
        """The first of the seconds that fit, as WAV of 16 kHz."""
        fitting = (budget // 4 * 3 - _HEADER) / (2 * RATE)
        start, end = times[0], min(times[1], times[0] + fitting)
        if end - start < min(1.0, times[1] - times[0]):
            return []
        samples = sound_between(place, self.policy, RATE, start, end)
        if not len(samples):
            raise MediaError.of("sound", "nothing", f"sound at {start:g} s")
        target = io.BytesIO()
        with wave.open(target, "wb") as file:
            file.setparams((1, 2, RATE, len(samples), "NONE", ""))
            file.writeframes((samples.clip(-1, 1) * 32_767).astype("<i2").tobytes())
        return [_block("audio", target.getvalue(), "audio/wav")]


def _block(kind: str, encoded: bytes, mime_type: str) -> dict[str, Any]:
    data = base64.b64encode(encoded).decode("ascii")
    return {"type": kind, "base64": data, "mime_type": mime_type}


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
