"""Whether a record passes a filter, told in Python: the oracle. Read `core.filters` first."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filters.conditions import meets
from langchain_chroma_hybrid.core.filters.numbers import json_float, meant_float, meant_int
from langchain_chroma_hybrid.core.filters.tree import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Condition,
    Filter,
    HasElement,
    Ids,
    Leaf,
    QueryMatch,
    TextMatch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_chroma_hybrid.core.values import MetadataValue, Record, Scalar

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def matches(node: Filter | None, record: Record) -> bool:
    """Evaluate in Python: the oracle.

    Raises:
        ValueError: a leaf that only Chroma can answer, see `evaluable`; `resolve` the tree first.
    """
    if node is None:
        return True
    if isinstance(node, AllOf):
        return all(matches(part, record) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(matches(part, record) for part in node.parts)
    if not evaluable(node):
        raise ValueError(f"only Chroma can evaluate {node!r}: resolve the filter first")
    return _passes(node, record)


def _passes(leaf: Leaf, record: Record) -> bool:
    """Whether a record meets one condition; negated ones pass records without key or text."""
    match leaf:
        case Ids(ids, negated):
            return (record.id in ids) is not negated
        case TextMatch(op, pattern):
            return _contains(record.text, pattern) is (op == "$contains")
        case Compare(key, op, value):
            negated = op == "$ne"
            return _compare(_stored(record, key), "$eq" if negated else op, value) is not negated
        case Among(key, _, negated):
            stored = _stored(record, key)
            return (stored in leaf.stored.get(type(stored), ())) is not negated
        case HasElement(key, value, negated):
            return _has_element(_stored(record, key), value) is not negated
        case Condition(key):
            return meets(leaf, _stored(record, key))
    raise AssertionError(leaf)  # not `evaluable`


def evaluable(leaf: Leaf) -> bool:
    """Whether `leaf` can be answered from a `Record`, with Chroma's meaning.

    Not so for `$regex` (Rust's dialect is not Python's), nor for keys that begin with `chroma:` or
    `#`, which address Chroma's own rows, nor for what a query demands.
    """
    if isinstance(leaf, TextMatch):
        return leaf.op in ("$contains", "$not_contains")
    if isinstance(leaf, QueryMatch):
        return False
    return isinstance(leaf, Ids | Condition) or not leaf.key.startswith(("chroma:", "#"))


def _stored(record: Record, key: str) -> MetadataValue | None:
    return record.metadata.get(key)


def _contains(text: str | None, pattern: str) -> bool:
    return text is not None and pattern in text.partition("\0")[0]


def _has_element(stored: MetadataValue | None, literal: Scalar) -> bool:
    value = json_float(literal) if isinstance(literal, float) else literal
    return isinstance(stored, list | tuple) and any(
        type(element) is type(value) and element == value for element in stored
    )


def _compare(stored: MetadataValue | None, op: str, literal: Scalar) -> bool:
    value = literal
    if isinstance(literal, int | float) and not isinstance(literal, bool):
        value = meant_int(literal) if type(stored) is int else meant_float(literal)
    return type(stored) is type(value) and _ORDER[op](stored, value)
