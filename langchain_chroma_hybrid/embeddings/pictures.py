"""One picture from wherever it is: upright, RGB, within limits, or one clear error."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings import pixels
from langchain_chroma_hybrid.embeddings.web import fetch
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = Any
"""Path, URI or data URI as `str`, `os.PathLike`, encoded `bytes`, a PIL image, or an array
`(h, w)`, `(h, w, 3)` or `(h, w, 4)`."""

# Decoders for pictures only: PIL's list also has EPS, for which it starts Ghostscript.
FORMATS = (
    "JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO", "TGA",
)  # fmt: skip
URI = re.compile(r"(data):|([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_EXPECTED = "a path, URI, bytes, PIL image or array"


@dataclass(frozen=True, slots=True)
class PicturePolicy:
    """What may be opened, and how much of it.

    Attributes:
        http: also fetch `http` and `https` URIs, from public addresses only.
        timeout: seconds for one fetch, redirects included.
        max_redirects: redirects to follow; each is checked like the first address.
        max_bytes: size of an encoded picture, whatever it comes from.
        max_pixels: width times height; a larger one is refused before it is decoded.
    """

    http: bool = False
    timeout: float = 10.0
    max_redirects: int = 5
    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 89_478_485

    def __post_init__(self) -> None:
        for name in ("timeout", "max_bytes", "max_pixels"):
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
            quarter or an eighth of its size where that leaves more.

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
    if isinstance(picture, os.PathLike):
        return _read_file(Path(picture), policy)
    if not isinstance(picture, str):
        raise InvalidArgumentError.of("picture", type(picture).__name__, _EXPECTED)
    found = URI.match(picture)
    if found is None:
        return _read_file(Path(picture), policy)
    scheme = (found[1] or found[2]).lower()
    if scheme == "data":
        return _limited(_data_uri(picture), "data URI", policy)
    if scheme == "file":
        return _read_file(_file_uri(picture), policy)
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
            image, about = pixels.from_dicom(data, policy.max_pixels)
            return Loaded(image, *image.size, "DICOM", digest, len(data), about=about)
        with library.open(io.BytesIO(data), formats=FORMATS) as opened:
            pixels.check_size(opened.size, policy.max_pixels)
            exif, size = opened.getexif(), opened.size
            if at_least is not None and opened.format in ("JPEG", "MPO"):
                opened.draft(None, (at_least, at_least))
            image = pixels.upright_rgb(opened)
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
    return f"a picture ({type(picture).__name__})"


def check_pictures(pictures: object) -> list[Picture]:
    """The pictures as a list.

    Raises:
        InvalidArgumentError: no sequence, or an empty one.
    """
    if isinstance(pictures, str | bytes) or not isinstance(pictures, Sequence):
        raise InvalidArgumentError.of("pictures", type(pictures).__name__, "a list of pictures")
    if not pictures:
        raise InvalidArgumentError.of("pictures", [], "at least one picture")
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
    try:
        if not path.is_file():  # a pipe or a device would be waited for
            expected = "an existing file" if not path.exists() else "a regular file"
            raise PictureError.of("picture", str(path), expected)
        with path.open("rb") as file:
            data = file.read(policy.max_bytes + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError.of("picture", str(path), f"a readable file ({error})") from error
    return _limited(data, str(path), policy)


def _limited(data: bytes, name: str, policy: PicturePolicy) -> bytes:
    if len(data) > policy.max_bytes:
        raise PictureError(f"{name}: expected at most {policy.max_bytes} bytes, got more")
    return data


def _file_uri(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise PictureError.of("uri", uri, "a file on this machine")
    return Path(url2pathname(parts.path))


def _data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    try:
        if not comma:
            raise ValueError("no comma")
        if head.lower().endswith(";base64"):
            return base64.b64decode(unquote_to_bytes(body), validate=True)
        return unquote_to_bytes(body)
    except (ValueError, binascii.Error) as error:
        raise PictureError.of("uri", uri, f"a well-formed data URI ({error})") from error
