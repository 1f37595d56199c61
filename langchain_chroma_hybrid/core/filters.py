"""Chroma's `where` and `where_document` as a small tree: parse, combine, evaluate, write back.

A record passes a filter here exactly when `collection.get(where=..., where_document=...)` of
embedded Chroma returns it. Records are taken as Chroma gives them back. All functions are pure.

What that means, where it is not obvious (each line is property-tested against Chroma):

- Numbers: a literal is converted to the type of the stored number, then compared. An int literal
  meets floats as `float(i)`, a float literal meets ints truncated towards zero: `{"$eq": 1.5}` and
  `{"$gte": 1.5}` pass the int 1, `{"$lt": 1.5}` does not. Float literals of 16 and more digits may
  arrive in Chroma one unit in the last place off (`json_float`). An index uses `meant_int` and
  `meant_float`.
- `True` is not `1`; a list is none of the scalars in it; `1` and `1.0` differ as elements.
- Records without the key pass `$ne`, `$nin`, `$not_contains`; those without a document pass
  `$not_contains` and `$not_regex`. NaN and infinities are not kept by Chroma, see
  `stored_metadata`.
- `$contains` sees a document up to its first NUL.

All of them take time linear in the filter. What is written for Chroma has limits, see `to_chroma`.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal

from langchain_chroma_hybrid.core.filter_numbers import (
    json_float,
    meant_float,
    meant_int,
    stored_metadata,
)
from langchain_chroma_hybrid.core.filter_parse import parse
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
from langchain_chroma_hybrid.core.filter_write import askable, is_textual, to_chroma, writable

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
    "askable",
    "evaluable",
    "json_float",
    "leaves",
    "matches",
    "meant_float",
    "meant_int",
    "parse",
    "resolve",
    "stored_metadata",
    "to_chroma",
]

_OPPOSITE: Mapping[str, Literal["$contains", "$regex"]] = {
    "$not_contains": "$contains",
    "$not_regex": "$regex",
}

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


def evaluable(leaf: Leaf) -> bool:
    """Whether `leaf` can be answered from a `Record`, with Chroma's meaning.

    Not so for `$regex` (Rust's dialect is not Python's), nor for keys that begin with `chroma:` or
    `#`, which address Chroma's own rows.
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
        ask: the ids that pass a filter which `to_chroma` can write. The unsupported parts of one
            AND or OR are one question where they can be written together; equal questions are asked
            once.
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
        absent = dict.fromkeys(self._absent(node))
        if not absent and self._foreign(node) and writable(node):
            return self._answer(node)
        if not isinstance(node, AllOf | AnyOf):
            return self._complement(AllOf, absent) if absent else node
        kind = type(node)
        foreign = [part for part in node.parts if self._foreign(part) and part not in absent]
        kept = [self.resolve(part) for part in node.parts if not self._foreign(part)]
        without = [self._complement(kind, absent)] if absent else []
        return join(kind, [*kept, *self._questions(kind, foreign), *without])

    def _absent(self, node: Filter) -> list[TextMatch]:
        """What of `node` asks for documents without a text: mostly nearly all of them."""
        parts = node.parts if isinstance(node, AllOf | AnyOf) else (node,)
        return [
            part
            for part in parts
            if isinstance(part, TextMatch) and part.op in _OPPOSITE and self._foreign(part)
        ]

    def _complement(self, kind: type[AllOf | AnyOf], absent: Iterable[TextMatch]) -> Ids:
        """`absent`, joined by `kind`, as all records but those that Chroma finds: these are few."""
        present = [TextMatch(_OPPOSITE[part.op], part.pattern) for part in absent]
        found = self._answer(join(AnyOf if kind is AllOf else AllOf, present))
        return Ids(found.ids, negated=True)

    def _questions(self, kind: type[AllOf | AnyOf], foreign: list[Filter]) -> list[Filter]:
        """One for all of `foreign` if that can be written, else documents apart, else one each."""
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
