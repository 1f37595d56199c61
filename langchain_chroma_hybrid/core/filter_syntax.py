"""Chroma's filter language: mappings in, tree out, and back. Read `core.filters` first."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from langchain_chroma_hybrid.core.filter_tree import (
    DOCUMENT_KEY,
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
from langchain_chroma_hybrid.errors import FilterError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.records import Scalar

MAX_NESTING = 60
"""Levels of `$and` / `$or`. Chroma's parser stops at 62; joining a base filter can add one."""

_LOGICAL: Mapping[str, type[AllOf | AnyOf]] = {"$and": AllOf, "$or": AnyOf}
_EQUALITY = ("$eq", "$ne")
_RANGE = ("$gt", "$gte", "$lt", "$lte")
_SETS = ("$in", "$nin")
_CONTAINS = ("$contains", "$not_contains")
_TEXT = (*_CONTAINS, "$regex", "$not_regex")
_METADATA = (*_EQUALITY, *_RANGE, *_SETS, *_CONTAINS)
_INT64 = range(-(2**63), 2**63)


def parse(
    where: Mapping[str, Any] | None = None, where_document: Mapping[str, Any] | None = None
) -> Filter | None:
    """Read Chroma filters, joined with AND; None for no restriction.

    Beyond Chroma's own grammar: several keys in one mapping, or several operators under one key, are
    joined with AND; `$and` and `$or` may have a single part; any mapping and any tuple will do;
    NumPy scalars, enum members and subclasses of the scalar types count as their plain values.
    The syntax of `$regex` patterns is left to Chroma.

    Raises:
        FilterError: names the offending part by its path, what was got and what is expected. Stricter
            than Chroma in two places where it would answer something else than was asked: a NUL in
            a `$contains` pattern, and an empty pattern under `#document`.
    """
    return all_of(
        None if where is None else _where(where, "where", 0),
        None if where_document is None else _document(where_document, "where_document", 0),
    )


def to_chroma(node: Filter | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Write the tree back as `(where, where_document)`, either of them None if it has no part.

    Raises:
        ValueError: the tree has no such form: it holds `Ids`, or a `$regex` inside an OR with metadata.
            See `writable`.
    """
    if node is None:
        return None, None
    parts = node.parts if isinstance(node, AllOf) else (node,)
    text = all_of(*(part for part in parts if is_textual(part)))
    rest = all_of(*(part for part in parts if not is_textual(part)))
    return (
        None if rest is None else _write(rest, in_where=True),
        None if text is None else _write(text, in_where=False),
    )


def writable(node: Filter) -> bool:
    """Whether `to_chroma` can write `node`."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return all(
        _fits(leaf, in_where=not is_textual(part)) for part in parts for leaf in leaves(part)
    )


def is_textual(node: Filter) -> bool:
    """Whether `node` asks about documents only."""
    return all(isinstance(leaf, TextMatch) for leaf in leaves(node))


def _fits(leaf: Leaf, *, in_where: bool) -> bool:
    if isinstance(leaf, TextMatch):
        return not in_where or leaf.op in _CONTAINS
    return not isinstance(leaf, Ids)


def _write(node: Filter, *, in_where: bool) -> dict[str, Any]:
    if isinstance(node, AllOf | AnyOf):
        operator = "$and" if isinstance(node, AllOf) else "$or"
        return {operator: [_write(part, in_where=in_where) for part in node.parts]}
    if not _fits(node, in_where=in_where):
        msg = f"{reprlib.repr(node)} cannot be written as a part of a Chroma filter"
        raise ValueError(msg)
    return _write_leaf(node, in_where=in_where)


def _write_leaf(leaf: Leaf, *, in_where: bool) -> dict[str, Any]:
    match leaf:
        case Compare(key, op, value):
            return {key: {op: value}}
        case Among(key, values, negated):
            return {key: {_SETS[negated]: list(values)}}
        case HasElement(key, value, negated):
            return {key: {_CONTAINS[negated]: value}}
        case TextMatch(op, pattern):
            return {DOCUMENT_KEY: {op: pattern}} if in_where else {op: pattern}
        case Ids():
            raise AssertionError(leaf)


def _where(node: object, path: str, depth: int) -> Filter:
    parts: list[Filter] = []
    for key, value in _entries(node, path):
        here = f"{path}[{key!r}]"
        if key in _LOGICAL:
            children = _children(value, here, depth)
            parts.append(join(_LOGICAL[key], [_where(c, p, depth + 1) for c, p in children]))
        elif key.startswith("$"):
            raise _error(path, key, "a metadata key, $and or $or", _suggest(key, _LOGICAL))
        else:
            parts.append(_field(key, value, here))
    return join(AllOf, parts)


def _document(node: object, path: str, depth: int) -> Filter:
    parts: list[Filter] = []
    for key, value in _entries(node, path):
        here = f"{path}[{key!r}]"
        if key in _LOGICAL:
            children = _children(value, here, depth)
            parts.append(join(_LOGICAL[key], [_document(c, p, depth + 1) for c, p in children]))
        else:
            parts.append(_text_match(key, value, path, _TEXT))
    return join(AllOf, parts)


def _field(key: str, value: object, path: str) -> Filter:
    if key == DOCUMENT_KEY:
        operators = _entries(value, path)
        return join(AllOf, [_text_match(op, arg, path, _CONTAINS) for op, arg in operators])
    _check_text(key, path)
    if not isinstance(value, Mapping):
        return Compare(key, "$eq", _scalar(value, path))
    return join(AllOf, [_condition(key, op, arg, path) for op, arg in _entries(value, path)])


def _condition(key: str, op: str, operand: object, path: str) -> Filter:
    here = f"{path}[{op!r}]"
    if op in _EQUALITY:
        return Compare(key, cast("Any", op), _scalar(operand, here))
    if op in _RANGE:
        bound = _scalar(operand, here)
        if isinstance(bound, str | bool):
            raise _error(here, operand, "an int or a float")
        return Compare(key, cast("Any", op), bound)
    if op in _SETS:
        return Among(key, _scalars(operand, here), negated=op == "$nin")
    if op in _CONTAINS:
        return HasElement(key, _scalar(operand, here), negated=op == "$not_contains")
    raise _error(path, op, f"one of {', '.join(_METADATA)}", _suggest(op, _METADATA))


def _text_match(op: str, pattern: object, path: str, known: tuple[str, ...]) -> TextMatch:
    if op not in known:
        raise _error(path, op, f"one of {', '.join(known)}", _suggest(op, known))
    here = f"{path}[{op!r}]"
    text = _plain(pattern)
    if not isinstance(text, str) or not text:
        raise _error(here, pattern, "a non-empty str")
    _check_text(text, here)
    if op in _CONTAINS and "\0" in text:
        # SQLite reads a LIKE pattern up to the first NUL: "\0" would match every document.
        raise _error(here, pattern, "a str without NUL")
    return TextMatch(cast("Any", op), text)


def _entries(node: object, path: str) -> list[tuple[str, object]]:
    if not isinstance(node, Mapping) or not node:
        raise _error(path, node, "a non-empty dict")
    for key in node:
        if not isinstance(key, str):
            raise _error(path, key, "a str as key")
    return [(str(_plain(key)), value) for key, value in node.items()]


def _children(value: object, path: str, depth: int) -> Iterable[tuple[object, str]]:
    if not isinstance(value, list | tuple) or not value:
        raise _error(path, value, "a non-empty list of filters")
    if depth >= MAX_NESTING:
        raise FilterError(f"{path[:60]}…: expected at most {MAX_NESTING} levels of $and and $or")
    return ((child, f"{path}[{i}]") for i, child in enumerate(value))


def _scalars(value: object, path: str) -> tuple[Scalar, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise _error(path, value, "a non-empty list of str, int, float or bool")
    scalars = [_scalar(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if len({type(item) for item in scalars}) > 1:
        raise _error(path, value, "values of one type (int, float and bool differ)")
    return tuple(dict.fromkeys(scalars))


def _scalar(value: object, path: str) -> Scalar:
    plain = _plain(value)
    if isinstance(plain, str):
        _check_text(plain, path)
        return plain
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int):
        if plain not in _INT64:
            raise _error(path, plain, "an int of at most 64 bits")
        return plain
    if isinstance(plain, float):
        if not math.isfinite(plain):
            raise _error(path, plain, "a finite number")
        return plain
    raise _error(path, value, "a str, int, float or bool")


def _plain(value: object) -> object:
    """An enum member, NumPy scalar or subclass instance as the plain Python value."""
    if isinstance(value, Enum):
        value = value.value
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__index__(value)
    return float.__float__(value) if isinstance(value, float) else value


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _error(ascii(path), text, "text that UTF-8 can hold (no lone surrogates)") from error


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _error(path: str, got: object, expected: str, hint: str = "") -> FilterError:
    return FilterError(f"{path}: expected {expected}, got {_show(got)}{hint}")


def _show(value: object) -> str:
    # reprlib bounds depth and length: `repr` of a deeply nested filter would itself fail.
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 3, 80, 80
    try:
        return short.repr(value)
    except ValueError:  # an int of thousands of digits has no decimal form
        return f"a huge {type(value).__name__}"
