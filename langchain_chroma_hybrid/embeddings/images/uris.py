"""Paths and URIs: which file a string names, and what a data URI holds."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from langchain_chroma_hybrid.errors import PictureError

_URI = re.compile(r"(data):|([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_HEAD = 200  # characters before the data of a data URI


def scheme_of(text: str) -> str:
    """`data`, `file`, `https`, ...; empty for what is no URI but a path."""
    found = _URI.match(text)
    return "" if found is None else (found[1] or found[2]).lower()


def path_of(picture: Any) -> Path | None:
    """The file of this machine that a path or `file` URI names; None for everything else.

    Raises:
        PictureError: a `file` URI that is malformed, or of another machine.
    """
    if isinstance(picture, os.PathLike) or (isinstance(picture, str) and not scheme_of(picture)):
        return Path(picture)
    if not isinstance(picture, str) or scheme_of(picture) != "file":
        return None
    try:
        parts = urlsplit(picture)
    except ValueError as error:
        raise PictureError.of("uri", picture, f"a well-formed URI ({error})") from error
    if parts.netloc not in ("", "localhost"):
        raise PictureError.of("uri", picture, "a file on this machine")
    return Path(url2pathname(parts.path))


def data_of(uri: str, max_bytes: int) -> bytes:
    """What a data URI holds.

    Raises:
        PictureError: malformed, or so long that it holds more than `max_bytes`.
    """
    if len(uri) > 3 * max_bytes + _HEAD:  # each `%41` becomes an object
        raise PictureError(f"data URI: expected at most {max_bytes} bytes, got more")
    head, comma, body = uri.partition(",")
    try:
        if not comma:
            raise ValueError("no comma")
        if head.lower().endswith(";base64"):
            return base64.b64decode(unquote_to_bytes(body), validate=True)
        return unquote_to_bytes(body)
    except (ValueError, binascii.Error) as error:
        raise PictureError.of("uri", uri, f"a well-formed data URI ({error})") from error
