"""The vector of a query of texts, pictures and sounds."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.embeddings.base import Vectors
    from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
    from langchain_chroma_hybrid.embeddings.images.pictures import Picture
    from langchain_chroma_hybrid.embeddings.media.sounds import Sound


def blend(
    embeddings: MultimodalEmbeddings,
    text: str | None,
    image: Picture | None,
    image_weight: float,
    audio: Sound | None = None,
    audio_weight: float = 0.5,
) -> Vectors:
    """The unit vector `(d,)` between a text, a picture and a sound.

    Args:
        embeddings: all sides.
        text: None or empty leaves the others alone.
        image: None leaves the others alone. A string is a path or URI here.
        image_weight: share of the picture, 0..1, beside a text.
        audio: None leaves the others alone. A string is a path or URI here.
        audio_weight: share of the sound, 0..1, beside all others.

    Raises:
        InvalidArgumentError: none is given, or a weight out of range.
        MediaError: the picture or the sound cannot be read.
    """
    found = embeddings.query_vector(text) if text else None
    for name, weight, given, embed in (
        ("image_weight", image_weight, image, embeddings.image_vectors),
        ("audio_weight", audio_weight, audio, embeddings.audio_vectors),
    ):
        share = _number(name, weight)
        if not 0.0 <= share <= 1.0:
            raise InvalidArgumentError.of(name, weight, "a number from 0 to 1")
        if given is not None:
            own = _unit(embed([given])[0])
            found = own if found is None else (1.0 - share) * _unit(found) + share * own
    if found is None:
        raise InvalidArgumentError.of("query", text, "a text, a picture, a sound or several")
    return _unit(found)


def arithmetic(
    embeddings: MultimodalEmbeddings,
    add: Sequence[Any],
    subtract: Sequence[Any],
    weights: Sequence[float] | None,
) -> Vectors:
    """The unit vector `(d,)` of a weighted sum; a string is a text here, never a path.

    Args:
        embeddings: both sides.
        add: texts and pictures to be like.
        subtract: texts and pictures to be unlike.
        weights: a number > 0 for each of `add`, then of `subtract`; None means 1 each.

    Raises:
        InvalidArgumentError: nothing to add, a wrong number of weights, or a sum of nothing.
        PictureError: a picture cannot be read.
    """
    for name, given in (("add", add), ("subtract", subtract)):
        if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Sequence):
            raise InvalidArgumentError.of(name, given, "a list of texts and pictures")
    if not add:
        raise InvalidArgumentError.of("add", add, "at least one text or picture")
    count = len(add) + len(subtract)
    shares = [1.0] * count if weights is None else [_number("weights", each) for each in weights]
    if len(shares) != count or min(shares) <= 0:
        raise InvalidArgumentError.of("weights", weights, f"{count} numbers above 0")
    parts = _vectors(embeddings, [*add, *subtract])
    signs = np.asarray([*shares[: len(add)], *(-share for share in shares[len(add) :])])
    return _unit((signs[:, None] * parts).sum(axis=0))


def _vectors(embeddings: MultimodalEmbeddings, items: Sequence[Any]) -> Vectors:
    rows = [
        embeddings.query_vector(item)
        if isinstance(item, str)
        else embeddings.image_vectors([item])[0]
        for item in items
    ]
    return np.stack([_unit(row) for row in rows])


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InvalidArgumentError.of(name, value, "a finite number")
    return float(value)


def _unit(vector: Any) -> Vectors:
    length = float(np.linalg.norm(vector))
    if length < 1e-6:  # noqa: PLR2004 - what remains is rounding
        raise InvalidArgumentError.of("query", "a vector of length 0", "parts that do not cancel")
    unit: Vectors = np.asarray(vector / length, dtype=np.float32)
    return unit
