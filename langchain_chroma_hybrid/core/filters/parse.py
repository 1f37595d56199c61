"""Chroma's filter language: mappings in, tree out. Read `core.filters` first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_chroma_hybrid.core.filters.numbers import INT64
from langchain_chroma_hybrid.core.filters.tree import (
    DOCUMENT_KEY,
    AllOf,
    Among,
    AnyOf,
    Compare,
    Filter,
    HasElement,
    TextMatch,
    all_of,
    gathered,
    join,
)
from langchain_chroma_hybrid.core.suggest import meant_value
from langchain_chroma_hybrid.errors import FilterError, kind_of, shown

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Scalar

MAX_NESTING = 60
"""Levels of `$and` / `$or`. Chroma's parser stops at 62; joining a base filter can add one."""

MAX_SUBSTRING = 49_998
"""Bytes of a `$contains` pattern on the document: SQLite's limit for LIKE, less two wildcards."""

_LOGICAL: Mapping[str, type[AllOf | AnyOf]] = {"$and": AllOf, "$or": AnyOf}
_EQUALITY = ("$eq", "$ne")
_RANGE = ("$gt", "$gte", "$lt", "$lte")
_SETS = ("$in", "$nin")
_CONTAINS = ("$contains", "$not_contains")
_TEXT = (*_CONTAINS, "$regex", "$not_regex")
_METADATA = (*_EQUALITY, *_RANGE, *_SETS, *_CONTAINS)


def parse(
    where: Mapping[str, Any] | None = None,
    where_document: Mapping[str, Any] | None = None,
    *,
    names: tuple[str, str] = ("where", "where_document"),
    base: bool = False,
) -> Filter | None:
    """Read Chroma filters, joined with AND; None, or an empty mapping, for no restriction.

    Beyond Chroma's own grammar: several keys in one mapping, or several operators under one key,
    are joined with AND; `$and` and `$or` may have a single part; any mapping and any tuple will do;
    NumPy scalars, enum members and subclasses of the scalar types count as their plain values.
    The syntax of `$regex` patterns is left to Chroma.

    Args:
        where: conditions on metadata, and under `#document` on the document.
        where_document: conditions on the document.
        names: what the caller calls the two, for error messages.
        base: they restrict what others may see: an empty one is an error, and no message shows
            what stands in them.

    Raises:
        FilterError: names the offending part by its path, what was got and what is expected.
            Stricter than Chroma where it would answer something else than was asked: a NUL in a
            `$contains` pattern, an empty pattern or another operator under `#document`.
    """
    return all_of(
        None if _is_none(where, base) else _where(where, _Path(None, names[0], base), 0),
        None
        if _is_none(where_document, base)
        else _document(where_document, _Path(None, names[1], base), 0),
    )


def _is_none(given: object, base: bool) -> bool:
    """Whether nothing is asked for."""
    return given is None or (not base and isinstance(given, Mapping) and not given)


class _Path(NamedTuple):
    """Where in a filter something stands; written out only for an error."""

    above: _Path | None
    step: object
    base: bool = False

    def __str__(self) -> str:
        steps: list[str] = []
        at: _Path = self
        while at.above is not None:
            steps.append(f"[{shown(at.step)}]")
            at = at.above
        return "".join([str(at.step), *reversed(steps)])

    @property
    def secret(self) -> bool:
        """Whether what stands here belongs to a base filter."""
        return self.base if self.above is None else self.above.secret


def _where(node: object, path: _Path, depth: int) -> Filter:
    """One level of a metadata filter as a tree; several keys are joined with AND."""
    parts: list[Filter] = []
    for key, value in _entries(node, path):
        here = _Path(path, key)
        if key in _LOGICAL:
            children = _children(value, here, depth)
            found = [_where(child, at, depth + 1) for child, at in children]
            parts.append(join(_LOGICAL[key], gathered(_LOGICAL[key], found)))
        elif key.startswith("$"):
            raise _unknown(path, key, "a metadata key, $and or $or", _LOGICAL)
        else:
            parts.append(_field(key, value, here))
    return join(AllOf, parts)


def _document(node: object, path: _Path, depth: int) -> Filter:
    """One level of a document filter as a tree; all keys but $and and $or ask for text."""
    parts: list[Filter] = []
    for key, value in _entries(node, path):
        here = _Path(path, key)
        if key in _LOGICAL:
            children = _children(value, here, depth)
            parts.append(join(_LOGICAL[key], [_document(c, p, depth + 1) for c, p in children]))
        else:
            parts.append(_text_match(key, value, path, _TEXT))
    return join(AllOf, parts)


def _field(key: str, value: object, path: _Path) -> Filter:
    """The conditions under one metadata key, or on the document."""
    if key == DOCUMENT_KEY:
        operators = _entries(value, path)
        return join(AllOf, [_text_match(op, arg, path, _CONTAINS) for op, arg in operators])
    _check_text(key, path)
    if isinstance(value, list | tuple | set):
        meant = f"${key}" if f"${key}" in _LOGICAL else "{'$in': [...]}"
        raise _error(path, value, f"a str, int, float or bool, not several: write {meant}")
    if not isinstance(value, Mapping):
        return Compare(key, "$eq", _scalar(value, path))
    return join(AllOf, [_condition(key, op, arg, path) for op, arg in _entries(value, path)])


def _condition(key: str, op: str, operand: object, path: _Path) -> Filter:
    """One operator on a metadata key as a leaf; only numbers have an order."""
    here = _Path(path, op)
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
    raise _unknown(path, op, f"one of {', '.join(_METADATA)}", _METADATA)


def _text_match(op: str, pattern: object, path: _Path, known: tuple[str, ...]) -> TextMatch:
    """A leaf that asks for text in a document; `known` are the operators allowed here."""
    if op not in known:
        raise _unknown(path, op, f"one of {', '.join(known)}", known)
    here = _Path(path, op)
    text = plain(pattern)
    if not isinstance(text, str) or not text:
        raise _error(here, pattern, "a non-empty str")
    _check_text(text, here)
    if op in _CONTAINS:
        _check_like(text, here)
    return TextMatch(cast("Any", op), text)


def _entries(node: object, path: _Path) -> list[tuple[str, object]]:
    if not isinstance(node, Mapping) or not node:
        raise _error(path, node, "a non-empty dict")
    for key in node:
        if not isinstance(key, str):
            raise _error(path, key, "a str as key")
    return [(str(plain(key)), value) for key, value in node.items()]


def _children(value: object, path: _Path, depth: int) -> Iterable[tuple[object, _Path]]:
    if not isinstance(value, list | tuple) or not value:
        raise _error(path, value, "a non-empty list of filters")
    if depth >= MAX_NESTING:
        expected = f"at most {MAX_NESTING} levels of $and and $or"
        raise FilterError(f"{str(path)[:60]}…: expected {expected}")
    return ((child, _Path(path, i)) for i, child in enumerate(value))


def _scalars(value: object, path: _Path) -> tuple[Scalar, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise _error(path, value, "a non-empty list of str, int, float or bool")
    scalars = [_scalar(item, _Path(path, i)) for i, item in enumerate(value)]
    if len({type(item) for item in scalars}) > 1:
        raise _error(path, value, "values of one type (int, float and bool differ)")
    return tuple(dict.fromkeys(scalars))


def _scalar(value: object, path: _Path) -> Scalar:
    """An operand as a plain value that Chroma can store: UTF-8, 64 bits, finite."""
    scalar = plain(value)
    if isinstance(scalar, str):
        _check_text(scalar, path)
        return scalar
    if isinstance(scalar, bool):
        return scalar
    if isinstance(scalar, int):
        if scalar not in INT64:
            raise _error(path, scalar, "an int of at most 64 bits")
        return scalar
    if isinstance(scalar, float):
        if not math.isfinite(scalar):
            raise _error(path, scalar, "a finite number")
        return scalar
    raise _error(path, value, "a str, int, float or bool")


def plain(value: object) -> object:
    """An enum member, NumPy scalar or subclass instance as the plain Python value.

    Anything else comes back as it is.
    """
    if isinstance(value, Enum):
        value = value.value
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__index__(value)
    return float.__float__(value) if isinstance(value, float) else value


def _check_text(text: str, path: _Path) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _error(path, text, "text that UTF-8 can hold (no lone surrogates)") from error


def _check_like(text: str, path: _Path) -> None:
    # Chroma makes it a LIKE pattern. SQLite reads those up to the first NUL ("\0" would match every
    # document), and refuses long ones.
    if "\0" in text:
        raise _error(path, text, "a str without NUL")
    size = len(text.encode()) + sum(map(text.count, "%_\\"))
    if size > MAX_SUBSTRING:
        raise _error(path, text, f"at most {MAX_SUBSTRING} bytes (%, _ and \\ count twice)")


def _unknown(path: _Path, name: str, expected: str, known: Iterable[str]) -> FilterError:
    """The error for an operator that is none here, which is no value and may be shown."""
    close = meant_value(name, list(known))
    hint = f" (did you mean {close}?)" if close else ""
    if name in _TEXT:
        hint = " (which is for texts: write it in where_document)"
    return FilterError(f"{path}: expected {expected}, got {shown(name)}{hint}")


def _error(path: _Path, got: object, expected: str) -> FilterError:
    got = kind_of(got) if path.secret else shown(got)
    return FilterError(f"{path}: expected {expected}, got {got}")
