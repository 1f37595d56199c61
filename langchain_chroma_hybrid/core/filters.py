"""Chroma's `where` and `where_document` as a small tree: parse, combine, evaluate, write back.

A record passes a filter here exactly when `collection.get(where=..., where_document=...)` of embedded
Chroma returns it. Records are taken as Chroma gives them back. All functions are pure.

What that means, where it is not obvious (each line is property-tested against Chroma):

- Numbers: a literal is converted to the type of the stored number, then compared. An int literal
  meets floats as `float(i)`, a float literal meets ints truncated towards zero: `{"$eq": 1.5}` and
  `{"$gte": 1.5}` pass the int 1, `{"$lt": 1.5}` does not.
- `True` is not `1`; a list is none of the scalars in it; `1` and `1.0` differ as elements.
- Records without the key pass `$ne`, `$nin`, `$not_contains`; those without a document pass
  `$not_contains` and `$not_regex`. NaN and infinities are not kept by Chroma: as if the key lacked.
- `$contains` sees a document up to its first NUL.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filter_syntax import is_textual, parse, to_chroma, writable
from langchain_chroma_hybrid.core.filter_tree import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Filter,
    HasElement,
    Ids,
    Leaf,
    TextMatch,
    all_of,
    join,
    leaves,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_chroma_hybrid.core.records import MetadataValue, Record, Scalar

__all__ = [
    "AllOf",
    "Among",
    "AnyOf",
    "Compare",
    "Filter",
    "HasElement",
    "Ids",
    "Leaf",
    "TextMatch",
    "all_of",
    "evaluable",
    "leaves",
    "matches",
    "parse",
    "resolve",
    "stored_value",
    "to_chroma",
]

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)


def matches(node: Filter | None, record: Record) -> bool:
    """Evaluate in Python: the oracle.

    Raises:
        ValueError: a leaf that only Chroma can answer, see `evaluable`; `resolve` the tree first.
    """
    match node:
        case None:
            return True
        case AllOf(parts):
            return all(matches(part, record) for part in parts)
        case AnyOf(parts):
            return any(matches(part, record) for part in parts)
        case Ids(ids):
            return record.id in ids
        case _ if not evaluable(node):
            raise ValueError(f"only Chroma can evaluate {node!r}: resolve the filter first")
        case TextMatch(op, pattern):
            return _contains(record.text, pattern) is (op == "$contains")
        case Compare(key, "$ne", value):
            return not _compare(_stored(record, key), "$eq", value)
        case Compare(key, op, value):
            return _compare(_stored(record, key), op, value)
        case Among(key, values, negated):
            stored = _stored(record, key)
            return any(_compare(stored, "$eq", value) for value in values) is not negated
        case HasElement(key, value, negated):
            return _has_element(_stored(record, key), value) is not negated


def evaluable(leaf: Leaf) -> bool:
    """Whether `leaf` can be answered from a `Record`, with Chroma's meaning.

    Not so for `$regex` (Rust's dialect is not Python's), nor for keys that begin with `chroma:` or `#`,
    which address Chroma's own rows.
    """
    if isinstance(leaf, TextMatch):
        return leaf.op in ("$contains", "$not_contains")
    return isinstance(leaf, Ids) or not leaf.key.startswith(("chroma:", "#"))


def resolve(
    node: Filter,
    supports: Callable[[Leaf], bool],
    ask: Callable[[Filter], Iterable[str]],
) -> Filter:
    """Replace what an index cannot answer by the ids that pass it; the rest stays.

    Args:
        node: any tree; `Ids` in it are kept, whatever `supports` says.
        supports: whether the index can answer a leaf.
        ask: the ids that pass a filter which `to_chroma` can write. The unsupported parts of one AND or
            OR are one question where they can be written together; equal questions are asked once.
    """
    return _Resolver(supports, ask).resolve(node)


class _Resolver:
    def __init__(
        self, supports: Callable[[Leaf], bool], ask: Callable[[Filter], Iterable[str]]
    ) -> None:
        self._supports = supports
        self._ask = ask
        self._answers: dict[Filter, Ids] = {}

    def resolve(self, node: Filter) -> Filter:
        if self._foreign(node) and writable(node):
            return self._answer(node)
        if not isinstance(node, AllOf | AnyOf):
            return node
        kind = type(node)
        foreign = [part for part in node.parts if self._foreign(part)]
        kept = [self.resolve(part) for part in node.parts if not self._foreign(part)]
        return join(kind, [*kept, *self._questions(kind, foreign)])

    def _questions(self, kind: type[AllOf | AnyOf], foreign: list[Filter]) -> list[Filter]:
        """One answer for all of `foreign` if it can be written, else documents apart, else one each."""
        text = [part for part in foreign if is_textual(part)]
        rest = [part for part in foreign if not is_textual(part)]
        for groups in ([foreign], [text, rest]):
            joined = [join(kind, group) for group in groups if group]
            if all(writable(question) for question in joined):
                return [self._answer(question) for question in joined]
        return [self.resolve(part) for part in foreign]

    def _foreign(self, node: Filter) -> bool:
        return not any(isinstance(leaf, Ids) or self._supports(leaf) for leaf in leaves(node))

    def _answer(self, question: Filter) -> Ids:
        if question not in self._answers:
            self._answers[question] = Ids(frozenset(self._ask(question)))
        return self._answers[question]


def stored_value(value: MetadataValue | None) -> MetadataValue | None:
    """What Chroma gives back of a metadata value: NaN and infinities are lost, ints over 64 bits are floats."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not _MIN_INT <= value <= _MAX_INT:
        return stored_value(float(value))
    return value


def _stored(record: Record, key: str) -> MetadataValue | None:
    return stored_value(record.metadata.get(key))


def _contains(text: str | None, pattern: str) -> bool:
    return text is not None and pattern in text.partition("\0")[0]


def _has_element(stored: MetadataValue | None, value: Scalar) -> bool:
    return isinstance(stored, list | tuple) and any(
        type(element) is type(value) and element == value for element in stored
    )


def _compare(stored: MetadataValue | None, op: str, literal: Scalar) -> bool:
    if type(stored) is int and type(literal) is float:
        literal = _truncated(literal)
    elif type(stored) is float and type(literal) is int:
        literal = float(literal)
    return type(stored) is type(literal) and _ORDER[op](stored, literal)


def _truncated(number: float) -> int:
    """Towards zero, clamped to 64 bits: Rust's `as i64`."""
    return max(_MIN_INT, min(_MAX_INT, math.trunc(number)))
