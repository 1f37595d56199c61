"""The vector of a query of texts and pictures."""

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


def blend(
    embeddings: MultimodalEmbeddings, text: str | None, image: Picture | None, image_weight: float
) -> Vectors:
    """The unit vector `(d,)` between a text and a picture.

    Args:
        embeddings: both sides.
        text: None or empty leaves the picture alone.
        image: None leaves the text alone. A string is a path or URI here.
        image_weight: share of the picture, 0..1, when both are given.

    Raises:
        InvalidArgumentError: neither is given, or a weight out of range.
        PictureError: the picture cannot be read.
    """
    share = _number("image_weight", image_weight)
    if not 0.0 <= share <= 1.0:
        raise InvalidArgumentError.of("image_weight", image_weight, "a number from 0 to 1")
    if image is None:
        if not text:
            raise InvalidArgumentError.of("query", text, "a text, a picture or both")
        return _unit(embeddings.query_vector(text))
    picture = embeddings.image_vectors([image])[0]
    if not text:
        return _unit(picture)
    words = embeddings.query_vector(text)
    return _unit((1.0 - share) * _unit(words) + share * _unit(picture))


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
