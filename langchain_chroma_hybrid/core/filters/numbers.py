"""Numbers as Chroma stores and compares them. Read `core.filters` first."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.core.values import Metadata, MetadataValue, Scalar

INT64 = range(-(2**63), 2**63)
_MAX_POWER = 308


def meant_int(literal: float) -> int:
    """The value with which a numeric literal of a filter is compared to stored ints.

    A float is cut towards zero and clamped to 64 bits, like Rust's `as i64`.
    """
    if isinstance(literal, int):
        return literal
    return max(INT64[0], min(INT64[-1], math.trunc(json_float(literal))))


def meant_float(literal: float) -> float:
    """The value with which a numeric literal of a filter is compared to stored floats."""
    return float(literal) if isinstance(literal, int) else json_float(literal)


def json_float(number: float) -> float:
    """A finite float after one passage through Chroma's JSON reader.

    Chroma sends both filters and metadata through serde_json without its `float_roundtrip` feature:
    digits as an integer, times or by one power of ten. About one in eight random floats comes out
    one unit in the last place off; those of up to 15 digits and moderate exponent never do.
    """
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    result = float(int("".join(map(str, digits))))
    power = int(exponent)
    if power < -_MAX_POWER:
        result, power = result / 1e308, power + _MAX_POWER
    factor = float(f"1e{abs(power)}")
    result = result * factor if power >= 0 else result / factor
    return -result if sign else result


def stored_metadata(metadata: Metadata) -> Mapping[str, MetadataValue]:
    """What `collection.get` gives back after `metadata` was written.

    NaN and infinities are gone, ints over 64 bits are floats, floats passed through `json_float`.
    Apply it once to what is written, never to what was read.
    """
    stored = {key: _stored(value) for key, value in metadata.items()}
    return {key: value for key, value in stored.items() if value is not None}


def _stored(value: MetadataValue) -> MetadataValue | None:
    if isinstance(value, list | tuple):
        return [_stored_scalar(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _stored_scalar(value)  # type: ignore[arg-type]  # lists are handled above


def _stored_scalar(value: Scalar) -> Scalar:
    if isinstance(value, int) and value not in INT64:
        value = float(value)
    return json_float(value) if isinstance(value, float) else value
