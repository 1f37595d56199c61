"""DICOM files: the first frame, never inflated beyond what the limits allow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.images.pixels import bands, check_size, stretched
from langchain_chroma_hybrid.errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_ABOUT = {"modality": "Modality", "body_part": "BodyPartExamined", "view": "ViewPosition"}
_LONGEST = 64  # characters of a value that goes into the metadata
_STEPS = 300_000  # reads of one file; an element takes up to three, and some hundred bytes
_SMALL = 1024 * 1024  # bytes of an element that is looked into; a lookup table has 128 KiB
_META = 0x0002  # the group that tells how all others are written
_OPENED = (_META, 0x0028)  # groups whose elements are looked into
_CHARSET = 0x00080005
_UNDEFINED = 0xFFFFFFFF
_PIXEL_BYTES = 4  # most bytes of a pixel where there are as many as are allowed
_RLE = "1.2.840.10008.1.2.5"
_JPEG, _JPEG2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # of JPEG and JPEG-LS


def from_dicom(data: bytes, max_pixels: int, max_bytes: int) -> tuple[Image, dict[str, str]]:
    """The first frame of a DICOM file, and what it shows; nothing about whom.

    Args:
        data: the file.
        max_pixels: width times height.
        max_bytes: what a deflated file may inflate to.

    Raises:
        PictureError: no pixels, or more of anything than is allowed.
        MissingDependencyError: pydicom is not installed.
    """
    tables, found = require("pydicom.pixels", "dicom"), _dataset(data, max_bytes)
    _check_pixels(found, max_pixels)
    syntax = found.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        _keep_first_frame(found, syntax, max_pixels)
    values, its = tables.get_decoder(syntax).as_array(found, index=0, raw=True)
    about = {
        key: str(found.get(name))[:_LONGEST] for key, name in _ABOUT.items() if found.get(name)
    }
    if values.ndim == 3:  # noqa: PLR2004 - colour
        return _colour(values, its["photometric_interpretation"]), about
    # High values are dark in the first of the two kinds of grey.
    sign = -1.0 if found.get("PhotometricInterpretation") == "MONOCHROME1" else 1.0

    def shown(band: NDArray[Any]) -> NDArray[Any]:
        seen = tables.apply_voi_lut(tables.apply_modality_lut(band, found), found)
        return np.asarray(seen, dtype=np.float64) * sign

    return stretched(values, shown), about


class _Steps(io.BytesIO):
    """A file that is read in a limited number of steps, as every element of it takes memory."""

    left = _STEPS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise PictureError(f"picture: expected at most {_STEPS} steps to read it, got more")
        return super().read(size)


def _dataset(data: bytes, max_bytes: int) -> Any:
    """All elements. As `pydicom.dcmread`, which inflates without a limit."""
    reader, library = require("pydicom.filereader", "dicom"), require("pydicom.dataset", "dicom")
    file: io.BytesIO = _Steps(data)
    file.seek(132)  # behind the preamble and `DICM`
    meta = reader.read_dataset(
        file,
        False,
        True,
        stop_when=lambda *element: element[0] >> 16 != _META or _refuse(*element),
    )
    syntax = meta.TransferSyntaxUID
    if syntax.is_deflated:
        file = _Steps(_inflated(file.read(), max_bytes))
    found = reader.read_dataset(
        file, syntax.is_implicit_VR, syntax.is_little_endian, stop_when=_refuse
    )
    found.file_meta = library.FileMetaDataset(meta)
    return found


def _refuse(tag: int, _: str | None, length: int) -> bool:
    """Never ends the reading, but refuses an element that would be much larger once parsed."""
    opened = tag >> 16 in _OPENED or tag == _CHARSET
    if opened and length != _UNDEFINED and length > _SMALL:
        raise PictureError.of("picture", f"{length} in {tag:08X}", f"at most {_SMALL} bytes")
    return False


def _inflated(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = inflater.decompress(data, limit + 1)
    if len(found) > limit:
        raise PictureError(f"picture: expected at most {limit} bytes once inflated, got more")
    if not inflater.eof:
        raise PictureError("picture: expected a whole file, got one that is cut off")
    return found


def _check_pixels(found: Any, limit: int) -> None:
    size = int(found.get("Columns", 0)), int(found.get("Rows", 0))
    check_size(size, limit)
    bits = int(found.get("SamplesPerPixel", 1)) * int(found.get("BitsAllocated", 8))
    if size[0] * size[1] * bits > 8 * _PIXEL_BYTES * limit:
        got = f"{size[0]} x {size[1]} pixels of {bits} bits"
        raise PictureError.of("picture", got, f"at most {_PIXEL_BYTES * limit} bytes")


def _keep_first_frame(found: Any, syntax: str, limit: int) -> None:
    """Leave one frame, whose own header says nothing larger than the limit.

    Raises:
        PictureError: it is larger, or its size cannot be told.
    """
    encapsulated, offsets = require("pydicom.encaps", "dicom"), None
    if "ExtendedOffsetTable" in found:
        offsets = found.ExtendedOffsetTable, found.ExtendedOffsetTableLengths
    frames = int(found.get("NumberOfFrames") or 1)
    frame = encapsulated.get_frame(
        found.PixelData, 0, extended_offsets=offsets, number_of_frames=frames
    )
    if syntax == _RLE:
        _check_runs(frame, int(found.Columns) * int(found.Rows))
    else:
        check_size(_size_of(frame), limit)
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        found.pop(name, None)
    found.NumberOfFrames, found.PixelData = 1, encapsulated.encapsulate([frame])


def _size_of(frame: bytes) -> tuple[int, int]:
    """Width and height that the header of a compressed frame says."""
    if frame.startswith(_JPEG2000):
        right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
        return right - left, bottom - top
    if not frame.startswith(_JPEG):
        with require("PIL.Image", "image").open(io.BytesIO(frame), formats=("JPEG2000",)) as opened:
            return opened.size  # type: ignore[no-any-return]
    at = len(_JPEG)
    while frame[at + 1] not in _FRAME_HEADERS:
        if frame[at] != 0xFF:  # noqa: PLR2004 - the first byte of every marker
            raise PictureError("picture: expected a JPEG with a frame header")
        fill = frame[at + 1] == 0xFF  # noqa: PLR2004 - see above
        at += 1 if fill else 2 + struct.unpack_from(">H", frame, at + 2)[0]
    height, width = struct.unpack_from(">HH", frame, at + 5)
    return width, height


def _check_runs(frame: bytes, expected: int) -> None:
    """Refuse runs of bytes that come to more than the pixels of the picture."""
    count, *starts = struct.unpack("<16L", frame[:64])
    for start, end in zip(starts[:count], [*starts[1:count], len(frame)], strict=False):
        at, length = start, 0
        while at < end - 1 and length <= 2 * expected:  # some writers pad
            code = frame[at]
            if code > 128:  # noqa: PLR2004 - the next byte, 257 - code times
                at, length = at + 2, length + 257 - code
            else:
                literal = code + 1 if code < 128 else 0  # noqa: PLR2004 - 128 means nothing
                at, length = at + 1 + literal, length + literal
        if length > 2 * expected:
            raise PictureError.of("picture", "longer runs", f"runs of {expected} bytes")


def _colour(values: NDArray[Any], interpretation: str) -> Image:
    tables = require("pydicom.pixels", "dicom")
    rgb = np.empty(values.shape, np.uint8)
    for rows in bands(rgb):
        band = values[rows].astype(np.uint8)
        if interpretation in ("YBR_FULL", "YBR_FULL_422"):
            band = tables.convert_color_space(band, interpretation, "RGB")
        rgb[rows] = band
    return require("PIL.Image", "image").fromarray(rgb).convert("RGB")  # type: ignore[no-any-return]
