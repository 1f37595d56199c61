"""Pictures as `Media`: files of one segment."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.images.pictures import FORMATS, Loaded, PicturePolicy, load
from langchain_chroma_hybrid.multimodal.exif import facts
from langchain_chroma_hybrid.multimodal.media import Segment
from langchain_chroma_hybrid.multimodal.scan import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.core.values import MetadataValue
    from langchain_chroma_hybrid.multimodal.media import Item, Reading
    from langchain_chroma_hybrid.multimodal.scan import File

IMAGE = "image"


class Pictures:
    """Files of one picture each."""

    suffixes = PICTURE_SUFFIXES
    keys: frozenset[str] = frozenset()
    expected = "a path, URI, bytes, PIL image or array"
    companions: tuple[str, ...] = ()
    single = True

    def takes(self, source: object) -> bool:
        """PIL images, arrays, and bytes."""
        image = isinstance(source, require("PIL.Image", "image").Image)
        return image or isinstance(source, bytes) or hasattr(source, "__array_interface__")

    def beside(self, file: File) -> str:
        """Nothing."""
        del file
        return ""

    def open(self, item: Item, reading: Reading) -> LoadedPicture:
        """Read and decode it, at a smaller size where that is enough."""
        model, policy, size = reading.embeddings, PicturePolicy(), None
        if isinstance(model, MultimodalEmbeddings):
            policy, size = model.policy, model.picture_size
        # OCR needs every pixel.
        enough = None if size is None or reading.ocr is not None else 2 * size
        return LoadedPicture(load(item.source, policy, enough))


@dataclass(frozen=True, slots=True)
class LoadedPicture:
    """A decoded picture."""

    loaded: Loaded
    damage: str = ""

    @property
    def sha256(self) -> str:
        """Of the encoded bytes, or of the pixels where there were none."""
        return self.loaded.sha256

    def segments(self) -> Iterator[Segment]:
        """The one."""
        loaded = self.loaded
        inside: dict[str, MetadataValue] = {
            "kind": IMAGE,
            "width": loaded.width,
            "height": loaded.height,
            **facts(loaded.exif),
            **loaded.about,
        }
        if loaded.format:
            inside |= {"format": loaded.format, "size": loaded.size}
        yield Segment(inside, (loaded.image,))


def looks_like_one(data: bytes) -> bool:
    """Whether bytes begin as a picture does; nothing is decoded."""
    if data[128:132] == b"DICM":
        return True
    library = require("PIL.Image", "image")
    try:
        with library.open(io.BytesIO(data), formats=FORMATS):
            return True
    except Exception:  # noqa: BLE001  # decoders of other files raise anything
        return False
