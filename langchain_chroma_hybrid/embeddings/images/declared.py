"""What an encoded picture says of its parts, read before a decoder believes it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal

from langchain_chroma_hybrid.embeddings.images.pixels import check_size
from langchain_chroma_hybrid.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ICON = b"\0\0\1\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")  # as Pillow takes them
_BIG = 43  # where this is the third byte, numbers have 8 bytes
_EXIF = b"Exif\0\0"
_RAW_EXIF = "Raw profile type exif"
_POINTERS = (0x8769, 0x8825, 0xA005)  # to Exif, GPS, interoperability
_TILE = (0x0142, 0x0143)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_BYTES = (1, 2, 6, 7)  # types that stay bytes; values of all others become Python objects
_NUMBERS = 1_000_000


def check_file(data: bytes, limit: int) -> None:
    """Refuse what grows in a decoder before, or whatever, it says of its size.

    Raises:
        PictureError: a picture in an icon, or a tile, of more than `limit` pixels; or tags that
            together are larger than the file.
    """
    if data[:4] == _ICON:
        for size in _icons(data):
            check_size(size, limit)
    elif data[:4] in _TIFF:
        _check_tags(data, limit)


def check_exif(info: Mapping[Any, Any], limit: int) -> None:
    """The same for the EXIF block of a picture, by the picture's `info`.

    Raises:
        PictureError: tags that together are larger than the block.
    """
    data = info.get("exif")
    if data is None and _RAW_EXIF in info:
        data = bytes.fromhex("".join(info[_RAW_EXIF].split("\n")[3:]))
    while data and data.startswith(_EXIF):
        data = data[len(_EXIF) :]
    if data and data[:4] in _TIFF:
        _check_tags(data, limit)


def _icons(data: bytes) -> Iterator[tuple[int, int]]:
    """The sizes of the pictures in an icon, which need not be those that it lists."""
    (count,) = struct.unpack_from("<H", data, 4)
    for number in range(count):
        (at,) = struct.unpack_from("<I", data, 6 + 16 * number + 12)
        if data[at : at + 8] == _PNG:
            yield struct.unpack_from(">II", data, at + 16)
            continue
        short = data[at : at + 4] == b"\x0c\0\0\0"  # the header of OS/2
        width, height = struct.unpack_from("<HH" if short else "<ii", data, at + 4)
        yield width, (abs(height) + 1) // 2  # the mask below it counts, too


def _check_tags(data: bytes, limit: int) -> None:
    """Values may overlap, and each tag gets a copy; a tile need not fit the picture."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    room = 8 if data[2] == _BIG else 4
    size, numbers, tile = 0, 0, [1, 1]
    waiting, seen = [int.from_bytes(data[room : 2 * room], order)], set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        for tag, type_, count, value in _entries(data, at, order, room):
            large = count * _SIZES.get(type_, 0)
            if large > room and value + large <= len(data):
                size, numbers = size + large, numbers + (0 if type_ in _BYTES else count)
            if tag in _TILE:
                tile[tag - _TILE[0]] = max(value, tile[tag - _TILE[0]])
            if tag in _POINTERS:
                waiting.append(value)
    if size > len(data) or numbers > _NUMBERS:
        got = f"tags of {size} bytes and {numbers} numbers"
        raise PictureError.of("picture", got, f"at most {len(data)} bytes, {_NUMBERS} numbers")
    check_size((tile[0], tile[1]), limit)


def _entries(
    data: bytes, at: int, order: Literal["little", "big"], room: int
) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, count, and value or its place, of each entry of a directory."""
    head, width = room // 4 * 6 - 4, 4 + 2 * room  # 2 or 8 bytes, 12 or 20
    first, number = at + head, int.from_bytes(data[at : at + head], order)
    for start in range(first, min(first + number * width, len(data)), width):
        tag, type_, count = (
            int.from_bytes(data[start + a : start + b], order)
            for a, b in ((0, 2), (2, 4), (4, 4 + room))
        )
        unit = _SIZES.get(type_, 0)
        used = unit if count * unit <= room else room
        value = int.from_bytes(data[start + 4 + room : start + 4 + room + used], order)
        yield tag, type_, count, value
