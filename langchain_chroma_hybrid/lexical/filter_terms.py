"""Metadata as terms and columns of integers, from which filters are answered as Chroma would.

User strings never become an engine's own values, which would read dates, drop long strings or
refuse characters. Equality is a hashed term of (shape, type, key, value). Ranges go through 64-bit
integers, one per key and number type; floats are mapped to integers in their order, so that nothing
is rounded around 2**53 or 2**63.
"""

from __future__ import annotations

import math
import struct
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, cast

from langchain_chroma_hybrid.core.filters import (
    Among,
    Compare,
    Condition,
    HasElement,
    Ids,
    Leaf,
    QueryMatch,
    TextMatch,
    chroma_form,
    evaluable,
    json_float,
    leaves,
    meant_float,
    meant_int,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_chroma_hybrid.core.values import Metadata, Scalar

RANGES: Mapping[str, str] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
"""Operators that have an order, as queries write them."""

_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)


def filter_terms(metadata: Metadata) -> Iterator[str]:
    """Terms that describe `metadata`."""
    for key, value in metadata.items():
        if isinstance(value, list | tuple):
            yield from _value_terms("element", key, value)
        else:
            yield from _value_terms("scalar", key, [cast("Scalar", value)])


def numbers(metadata: Metadata) -> dict[str, int]:
    """The columns of numbers for `metadata`; list elements have no order in Chroma."""
    columns: dict[str, int] = {}
    for key, value in metadata.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, int) and _MIN_INT <= value <= _MAX_INT:
            columns[_column("i", key)] = value
        elif isinstance(value, int | float) and not math.isnan(value):
            columns[_column("f", key)] = _ordinal(float(value))
    return columns


def supports(leaf: Leaf) -> bool:
    """Whether `leaf` can be answered from these terms and columns."""
    match leaf:
        case Ids():
            return True
        case TextMatch() | QueryMatch():
            return False
        case Condition():
            form = chroma_form(leaf)
            return form is not None and all(map(supports, leaves(form)))
        case Among(_, values):
            return evaluable(leaf) and all(_is_storable(value) for value in values)
        case Compare(_, op, value) if op in RANGES:
            return evaluable(leaf) and _is_storable(value) and type(value) in (int, float)
        case Compare(_, _, value) | HasElement(_, value):
            return evaluable(leaf) and _is_storable(value)


def equal_terms(key: str, values: Iterable[Scalar]) -> list[str]:
    """Terms of the stored scalars under `key` that equal one of `values`."""
    spellings = [equal for value in values for equal in _equals(value)]
    return _value_terms("scalar", key, spellings)


def element_terms(key: str, value: Scalar) -> list[str]:
    """The term of an element `value` of a list under `key`."""
    return _value_terms("element", key, [json_float(value) if isinstance(value, float) else value])


def bounds(key: str, number: float) -> dict[str, int]:
    """By column, what numbers under `key` are compared with, for a range that ends at `number`."""
    return {
        _column("i", key): meant_int(number),
        _column("f", key): _ordinal(meant_float(number)),
    }


def digest_of(text: str) -> str:
    """A text as one short word, of which no two are alike."""
    return _readable(_digest(text))


def _equals(literal: Scalar) -> Iterator[Scalar]:
    """The stored values that equal `literal`."""
    if isinstance(literal, bool | str):
        yield literal
    else:
        yield meant_int(literal)
        yield meant_float(literal)


def _ordinal(number: float) -> int:
    """A signed 64-bit integer for each finite float, in the order of the floats."""
    bits: int = struct.unpack("<q", struct.pack("<d", number + 0.0))[0]
    return bits if bits >= 0 else bits ^ _MAX_INT


def _is_storable(value: Scalar) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or _MIN_INT <= value <= _MAX_INT


def _value_terms(
    shape: Literal["scalar", "element"], key: str, values: Iterable[Scalar]
) -> list[str]:
    """A term for each value; `key`, which may be long, is hashed once for each type."""
    begun: dict[str, blake2b] = {}
    terms: list[str] = []
    for value in values:
        kind, text = _spelled(value)
        if kind not in begun:
            begun[kind] = _digest(f"{shape}:{kind}:{len(key)}:{key}:")
        digest = begun[kind].copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        terms.append(_readable(digest))
    return terms


def _spelled(value: Scalar) -> tuple[str, str]:
    if isinstance(value, bool):
        return "bool", str(value)
    if isinstance(value, int):
        return "int", f"{value:x}"
    if isinstance(value, float):
        return "float", (value + 0.0).hex()
    return "str", value


def _column(kind: Literal["i", "f"], key: str) -> str:
    return kind + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _digest(text: str) -> blake2b:
    # 120 bits: filters guard access, so that no one may look for two values with one term.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=15)


def _readable(digest: blake2b) -> str:
    return urlsafe_b64encode(digest.digest()).decode()
