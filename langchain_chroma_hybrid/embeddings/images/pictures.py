"""One picture from wherever it is: upright, RGB, within limits, or one clear error."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.keywords import known_fields
from langchain_chroma_hybrid.embeddings.images import declared, pixels
from langchain_chroma_hybrid.embeddings.images.dicom import from_dicom
from langchain_chroma_hybrid.embeddings.images.uris import data_of, path_of, scheme_of
from langchain_chroma_hybrid.embeddings.images.web import fetch
from langchain_chroma_hybrid.embeddings.local_files import open_regular
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

Picture: TypeAlias = Any
"""Path, URI or data URI as `str`, `os.PathLike`, encoded `bytes`, a PIL image, or an array
`(h, w)`, `(h, w, 3)` or `(h, w, 4)`."""

# Decoders for pictures only: PIL's list also has EPS, for which it starts Ghostscript.
FORMATS = (
    "JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO", "TGA",
)  # fmt: skip
_EXPECTED = "a path, URI, bytes, PIL image or array"


@known_fields
@dataclass(frozen=True, slots=True)
class PicturePolicy:
    """What may be opened, and how much of it.

    Attributes:
        http: also fetch `http` and `https` URIs, from public addresses only.
        timeout: seconds for one fetch, redirects included.
        max_redirects: redirects to follow; each is checked like the first address.
        max_bytes: size of an encoded picture, whatever it comes from.
        max_pixels: width times height; a larger one is refused before it is decoded. The same for
            each frame of a video.
        max_seconds: of a sound or video; what comes later is left out.
        max_reading: seconds that may go into decoding a sound or video.
    """

    http: bool = False
    timeout: float = 10.0
    max_redirects: int = 5
    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 89_478_485
    max_seconds: float = 43_200.0
    max_reading: float = 7_200.0

    def __post_init__(self) -> None:
        for name in ("timeout", "max_bytes", "max_pixels", "max_seconds", "max_reading"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise InvalidArgumentError.of(name, value, "a number above 0")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded picture.

    Attributes:
        image: RGB, upright; smaller than the original where a smaller one was enough.
        width, height: pixels of the upright original.
        format: `JPEG`, `PNG`, `DICOM`, ...; empty for pixels that came without a file.
        sha256: of the encoded bytes, or of the pixels where there were none.
        size: bytes of the encoded picture; 0 where there were none.
        exif: EXIF tags by number.
        about: what else the file says that says nothing about persons.
    """

    image: Image
    width: int
    height: int
    format: str
    sha256: str
    size: int
    exif: Any = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def load(picture: Picture, policy: PicturePolicy, at_least: int | None = None) -> Loaded:
    """Read and decode a picture. Thread-safe.

    Animated pictures give their first frame, 16-bit and float ones are stretched to 8 bits, what is
    transparent becomes white.

    Args:
        picture: see `Picture`.
        policy: what may be opened.
        at_least: pixels of the shorter edge that are enough; JPEG is then decoded at half, a
            quarter or an eighth of its size where that leaves more, and others of more than 16
            million pixels are made smaller.

    Raises:
        PictureError: it cannot be read, is none, is damaged, or is over a limit.
        InvalidArgumentError: none of the kinds of `Picture`.
        MissingDependencyError: Pillow is not installed, or pydicom for a DICOM file.
    """
    library = require("PIL.Image", "image")
    if isinstance(picture, library.Image):
        return _from_image(picture, policy)
    if hasattr(picture, "__array_interface__"):
        return _from_image(pixels.from_array(picture), policy)
    return decode(read(picture, policy), name_of(picture), policy, at_least)


def read(picture: Picture, policy: PicturePolicy) -> bytes:
    """The encoded picture; see `load`."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return _limited(bytes(picture), "bytes", policy)
    path = path_of(picture)
    if path is not None:
        return _read_file(path, policy)
    if not isinstance(picture, str):
        raise InvalidArgumentError.of("picture", type(picture).__name__, _EXPECTED)
    scheme = scheme_of(picture)
    if scheme == "data":
        return _limited(data_of(picture, policy.max_bytes), "data URI", policy)
    if scheme in ("http", "https") and policy.http:
        return fetch(
            picture,
            timeout=policy.timeout,
            max_bytes=policy.max_bytes,
            max_redirects=policy.max_redirects,
        )
    allowed = "a path, file: or data: URI" + (", http or https" if policy.http else "")
    hint = "" if policy.http or not scheme.startswith("http") else " (PicturePolicy(http=True))"
    raise PictureError.of("uri", picture, allowed + hint)


def decode(data: bytes, name: str, policy: PicturePolicy, at_least: int | None = None) -> Loaded:
    """Decode an encoded picture; `name` is for messages. See `load`."""
    library = require("PIL.Image", "image")
    if not data:
        raise PictureError(f"{name}: expected a picture, got an empty file")
    digest = hashlib.sha256(data).hexdigest()
    try:
        if data[128:132] == b"DICM":
            image, about = from_dicom(data, policy.max_pixels, policy.max_bytes)
            small = image if at_least is None else pixels.reduced(image, at_least)
            return Loaded(small, *image.size, "DICOM", digest, len(data), about=about)
        declared.check_file(data, policy.max_pixels)
        with library.open(io.BytesIO(data), formats=FORMATS) as opened:
            pixels.check_size(opened.size, policy.max_pixels)
            size = opened.size
            if at_least is not None and opened.format in ("JPEG", "MPO"):
                opened.draft(None, (at_least, at_least))
            opened.load()
            declared.check_exif(opened.info, policy.max_pixels)
            exif = opened.getexif()
            image = pixels.upright_rgb(opened)
            if at_least is not None:
                image = pixels.reduced(image, at_least)
    except (PictureError, ImportError):
        raise
    except Exception as error:  # decoders of broken files raise anything
        reason = str(error) or type(error).__name__
        raise PictureError(f"{name}: expected a picture that can be decoded ({reason})") from error
    width, height = size if exif.get(pixels.ORIENTATION, 1) < 5 else size[::-1]  # noqa: PLR2004 - 5 to 8 lie on their side
    return Loaded(
        image, width, height, opened.format or "", digest, len(data), dict(exif) | _sub(exif)
    )


def name_of(picture: Picture) -> str:
    """What messages call it."""
    if isinstance(picture, str | os.PathLike):
        text = os.fspath(picture)
        return text if len(text) <= 200 else f"{text[:60]}…"  # noqa: PLR2004 - a line; data URIs are long
    what = "a sound" if isinstance(picture, tuple) else "a picture"
    return f"{what} ({type(picture).__name__})"


def check_pictures(pictures: object, name: str = "pictures") -> list[Picture]:
    """The pictures, or what `name` says, as a list.

    Raises:
        InvalidArgumentError: no sequence, or an empty one.
    """
    if isinstance(pictures, str | bytes) or not isinstance(pictures, Sequence):
        raise InvalidArgumentError.of(name, type(pictures).__name__, f"a list of {name}")
    if not pictures:
        raise InvalidArgumentError.of(name, [], f"at least one of {name}")
    return list(pictures)


def _from_image(image: Image, policy: PicturePolicy) -> Loaded:
    pixels.check_size(image.size, policy.max_pixels)
    upright = pixels.upright_rgb(image)
    digest = hashlib.sha256(f"{upright.size}".encode() + upright.tobytes()).hexdigest()
    return Loaded(upright, *upright.size, "", digest, 0)


def _sub(exif: Any) -> dict[int, Any]:
    """The Exif and GPS blocks, each under the number that points to it."""
    return {pointer: dict(exif.get_ifd(pointer)) for pointer in (0x8769, 0x8825) if pointer in exif}


def _read_file(path: Path, policy: PicturePolicy) -> bytes:
    """The bytes of a regular file within the limit."""
    try:
        with open_regular(path, "picture", PictureError) as file:
            data = file.read(policy.max_bytes + 1) or b""
    except OSError as error:
        raise PictureError.of("picture", str(path), f"a readable file ({error})") from error
    return _limited(data, str(path), policy)


def _limited(data: bytes, name: str, policy: PicturePolicy) -> bytes:
    if len(data) > policy.max_bytes:
        raise PictureError(f"{name}: expected at most {policy.max_bytes} bytes, got more")
    return data
