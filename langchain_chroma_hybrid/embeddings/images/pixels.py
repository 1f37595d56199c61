"""Any kind of pixels as 8-bit RGB, the way a person would see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL.Image import Image

ORIENTATION = 0x0112
"""The EXIF tag that says how to turn the pixels."""

_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_LARGE = 16_000_000  # pixels
_BAND = 1 << 20  # values that are float64 at a time


def check_size(size: tuple[int, int], limit: int) -> None:
    """Refuse what would fill the memory.

    Raises:
        PictureError: more than `limit` pixels, or none.
    """
    if min(size) < 1 or size[0] * size[1] > limit:
        raise PictureError.of("picture", f"{size[0]} x {size[1]} pixels", f"1 to {limit} pixels")


def upright_rgb(image: Image) -> Image:
    """A copy as RGB, turned as its EXIF says, over white where it is transparent."""
    library, operations = require("PIL.Image", "image"), require("PIL.ImageOps", "image")
    image.load()
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = operations.exif_transpose(image)
    if image.mode in _DEEP:
        return stretched(np.asarray(image))
    if image.has_transparency_data:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        white: Image = library.new("RGB", image.size, "white")
        white.paste(clear, mask=clear)
        return white
    return image.convert("RGB")


def reduced(image: Image, at_least: int) -> Image:
    """A very large picture by a whole number smaller: dozens of them wait for a model."""
    factor = min(image.size) // at_least
    return image if factor < 2 or image.width * image.height <= _LARGE else image.reduce(factor)  # noqa: PLR2004 - no whole number


def stretched(
    values: NDArray[Any], shown: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray
) -> Image:
    """Deep grey `(h, w)` as RGB: its own lowest value is black, its highest white.

    `shown` gives what is seen for each value; it is called twice, for parts of all values.
    """
    flat = values.reshape(-1)
    ends = [(part.min(), part.max()) for part in (_finite(shown(flat[at])) for at in bands(flat))]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    grey = np.zeros(flat.shape, np.uint8)
    for at in bands(flat) if high > low else ():
        grey[at] = ((_finite(shown(flat[at])) - low) * (255.0 / (high - low))).round()
    image = require("PIL.Image", "image").fromarray(grey.reshape(values.shape))
    return image.convert("RGB")  # type: ignore[no-any-return]


def bands(values: NDArray[Any]) -> list[slice]:
    """Parts along the first axis, so that what is made of each stays small."""
    step = max(1, _BAND * len(values) // max(1, values.size))
    return [slice(at, at + step) for at in range(0, len(values), step)]


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)


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
