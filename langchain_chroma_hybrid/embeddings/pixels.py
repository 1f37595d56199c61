"""Any kind of pixels as 8-bit RGB, the way a person would see them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

ORIENTATION = 0x0112
"""The EXIF tag that says how to turn the pixels."""

_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_ABOUT = {"modality": "Modality", "body_part": "BodyPartExamined", "view": "ViewPosition"}


def check_size(size: tuple[int, int], limit: int) -> None:
    """Refuse what would fill the memory.

    Raises:
        PictureError: more than `limit` pixels, or none.
    """
    if not 0 < size[0] * size[1] <= limit:
        raise PictureError.of("picture", f"{size[0]} x {size[1]} pixels", f"1 to {limit} pixels")


def upright_rgb(image: Image) -> Image:
    """A copy as RGB, turned as its EXIF says, over white where it is transparent."""
    library, operations = require("PIL.Image", "image"), require("PIL.ImageOps", "image")
    image.load()
    turned: Image = operations.exif_transpose(image)
    if turned.mode in _DEEP:
        return stretched(np.asarray(turned))
    if turned.has_transparency_data:
        clear = turned.convert("RGBA")
        white = library.new("RGBA", clear.size, "white")
        return library.alpha_composite(white, clear).convert("RGB")  # type: ignore[no-any-return]
    return turned.convert("RGB")


def stretched(values: NDArray[Any]) -> Image:
    """Deep grey `(h, w)` as RGB: its own lowest value is black, its highest white."""
    library = require("PIL.Image", "image")
    grey = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    scaled = (grey - low) * (255.0 / (high - low)) if high > low else np.zeros_like(grey)
    return library.fromarray(scaled.round().astype(np.uint8)).convert("RGB")  # type: ignore[no-any-return]


def from_array(values: Any) -> Image:
    """An array of pixels as an image: `(h, w)` of any number, or `(h, w, 1 | 3 | 4)` of uint8.

    Raises:
        InvalidArgumentError: another shape or type.
    """
    library = require("PIL.Image", "image")
    array = np.asarray(values)
    if array.ndim == 3 and array.shape[2] == 1:  # noqa: PLR2004 - rows, columns, channels
        array = array[:, :, 0]
    if array.size and array.ndim == 2 and array.dtype.kind in "buif" and array.dtype != np.uint8:  # noqa: PLR2004 - grey
        return stretched(array)
    grey = array.ndim == 2  # noqa: PLR2004 - see above
    if array.size and array.dtype == np.uint8 and (grey or array.shape[2:] in ((3,), (4,))):
        return library.fromarray(np.ascontiguousarray(array))  # type: ignore[no-any-return]
    expected = "an array (h, w) or, of uint8, (h, w, 3) or (h, w, 4)"
    raise InvalidArgumentError.of("picture", f"{array.dtype} {array.shape}", expected)


def from_dicom(data: bytes, limit: int) -> tuple[Image, dict[str, str]]:
    """The first frame of a DICOM file, and what it shows; nothing about whom.

    Raises:
        PictureError: no pixels, or more than `limit`.
        MissingDependencyError: pydicom is not installed.
    """
    library, tables = require("pydicom", "dicom"), require("pydicom.pixels", "dicom")
    found = library.dcmread(io.BytesIO(data))
    check_size((int(found.get("Columns", 0)), int(found.get("Rows", 0))), limit)
    values = tables.pixel_array(found, index=0)
    about = {key: str(found.get(name)) for key, name in _ABOUT.items() if found.get(name)}
    if values.ndim == 3:  # noqa: PLR2004 - colour
        return require("PIL.Image", "image").fromarray(values.astype(np.uint8)).convert(
            "RGB"
        ), about
    shown = tables.apply_voi_lut(tables.apply_modality_lut(values, found), found)
    if found.get("PhotometricInterpretation") == "MONOCHROME1":  # high values are dark
        shown = shown.max() - shown
    return stretched(shown), about
