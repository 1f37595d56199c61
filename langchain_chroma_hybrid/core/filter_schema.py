"""Filters that a model may set: declared keys, typed values, messages that it can mend.

A model gets a JSON schema, and what it sends becomes Chroma's `where`. It can narrow a search by
the declared keys, and nothing else: no other key, no operator on documents, no way around a base
filter.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin

from langchain_chroma_hybrid.core.filters.numbers import INT64
from langchain_chroma_hybrid.errors import InvalidArgumentError, ToolArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.values import Scalar

Filterable: TypeAlias = "Mapping[str, type | Sequence[Scalar] | Key]"

_TYPES: Mapping[type, str] = MappingProxyType(
    {str: "string", int: "integer", float: "number", bool: "boolean"}
)
_NAMES: Mapping[type, str] = MappingProxyType(
    {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
)
_EXAMPLES: Mapping[type, Scalar] = MappingProxyType({str: "...", int: 5, float: 0.5, bool: True})
_RANGE = ("gt", "gte", "lt", "lte")
_SIGNS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq", "!=": "ne"}
_COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<|=)\s*(.+)", re.DOTALL)
# So many values are named in a message, and so many alternatives may be asked for at once.
_SHOWN, _MOST = 20, 100
_LONGEST = 80  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Key:
    """One metadata key that a model may filter by.

    Attributes:
        kind: the type of its values: `str`, `int`, `float` or `bool`.
        values: all that are allowed; empty for any.
        many: the key holds lists, of which one element has to equal.
        about: what the model is told of it.
    """

    kind: type
    values: tuple[Scalar, ...] = ()
    many: bool = False
    about: str = ""

    def schema(self) -> dict[str, Any]:
        """As a JSON schema: a value, several of which one has to fit, or a range."""
        one: dict[str, Any] = {"type": _TYPES[self.kind]}
        if self.values:
            one["enum"] = list(self.values)
        forms = [one, {"type": "array", "items": one, "minItems": 1}]
        operators = {"ne": one}
        if self.kind in (int, float) and not self.many:
            operators |= dict.fromkeys(_RANGE, one)
        forms.append(
            {
                "type": "object",
                "properties": operators,
                "additionalProperties": False,
                "minProperties": 1,
            }
        )
        return {"anyOf": forms, **({"description": self.about} if self.about else {})}

    def value(self, name: str, given: Any) -> Scalar:
        """One value, as this key has them.

        Raises:
            ToolArgumentError: of another type, or not among those that are allowed.
        """
        found = _converted(self.kind, given)
        if found is None:
            raise ToolArgumentError(f"{name}: got {short(given)}, expected {self.usage(name)}")
        if not self.values or found in self.values:
            return found
        alike = [v for v in self.values if str(v).casefold() == str(found).casefold()]
        if len(alike) == 1:
            return alike[0]
        raise ToolArgumentError(f"{name}: got {short(given)}, expected one of {self._named()}")

    def usage(self, name: str) -> str:
        """How to say it, with an example."""
        example = self.values[0] if self.values else _EXAMPLES[self.kind]
        said = f"{_NAMES[self.kind]} ({json.dumps({name: example}, ensure_ascii=False)})"
        said += f", or several to allow ({json.dumps({name: [example]}, ensure_ascii=False)})"
        if self.kind in (int, float) and not self.many:
            said += f', or a range ({json.dumps({name: {"gte": example, "lt": example}})})'
        return said

    def _named(self) -> str:
        shown = ", ".join(map(short, self.values[:_SHOWN]))
        return f"{shown}, ..." if len(self.values) > _SHOWN else shown


class FilterSchema:
    """The keys that a model may filter by.

    Args:
        filterable: by key a type (`int`, `list[str]` for keys that hold lists), all values that are
            allowed (`["manual", "faq"]`), or a `Key`.

    Raises:
        InvalidArgumentError: names the key whose declaration says nothing.
    """

    def __init__(self, filterable: Filterable) -> None:
        if not isinstance(filterable, Mapping):
            expected = 'a mapping of metadata keys, such as {"year": int, "type": ["manual"]}'
            raise InvalidArgumentError.of("filterable", filterable, expected)
        self.keys = {name: _key(name, declared) for name, declared in filterable.items()}

    def schema(self) -> dict[str, Any]:
        """As a JSON schema of one object, of whose members all have to hold."""
        return {
            "type": "object",
            "properties": {name: key.schema() for name, key in self.keys.items()},
            "additionalProperties": False,
            "description": "Only records for which all of these hold. Leave out what does not "
            "matter.",
        }

    def where(self, filters: Any) -> dict[str, Any] | None:
        """What a model gave, as Chroma's `where`; None for no restriction.

        Raises:
            ToolArgumentError: says what was got, and what can be said instead.
        """
        given = _parsed(filters)
        if given is None:
            return None
        if not isinstance(given, Mapping):
            raise ToolArgumentError(f"filters: got {short(given)}, expected {self._usage()}")
        parts = [part for name, value in given.items() for part in self._parts(str(name), value)]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else {"$and": parts}

    def _parts(self, name: str, given: Any) -> list[dict[str, Any]]:
        """The conditions under one key; none where nothing is demanded."""
        if name not in self.keys:
            near = difflib.get_close_matches(name, self.keys, 1)
            hint = f" (meant {near[0]}?)" if near else ""
            message = f"filters: there is no key {short(name)}{hint}; {self._usage()}"
            raise ToolArgumentError(message)
        key = self.keys[name]
        if given is None or given in ({}, []):
            return []
        if isinstance(given, str) and key.kind in (int, float):
            given = _compared(given)
        if isinstance(given, Mapping):
            return [self._operator(name, key, str(op), value) for op, value in given.items()]
        if isinstance(given, list | tuple):
            return [self._among(name, key, given)]
        return [_equal(name, key, key.value(name, given))]

    def _operator(self, name: str, key: Key, op: str, given: Any) -> dict[str, Any]:
        """One operator with its value, in any of the ways in which models write it."""
        sign = _SIGNS.get(op.strip(), op.removeprefix("$").lower())
        if sign in ("in", "eq", "contains"):
            several = given if isinstance(given, list | tuple) else [given]
            return self._among(name, key, several)
        if sign in ("ne", "nin", "not_in", "not_contains"):
            several = given if isinstance(given, list | tuple) else [given]
            values = self._values(name, key, several)
            parts = [{name: {"$not_contains" if key.many else "$ne": value}} for value in values]
            return parts[0] if len(parts) == 1 else {"$and": parts}
        if sign in _RANGE and key.kind in (int, float) and not key.many:
            return {name: {f"${sign}": key.value(name, given)}}
        raise ToolArgumentError(f"{name}: got {short({op: given})}, expected {key.usage(name)}")

    def _among(self, name: str, key: Key, given: Sequence[Any]) -> dict[str, Any]:
        """One of several values."""
        values = self._values(name, key, given)
        if len(values) == 1:
            return _equal(name, key, values[0])
        if key.many:
            return {"$or": [{name: {"$contains": value}} for value in values]}
        return {name: {"$in": values}}

    def _values(self, name: str, key: Key, given: Sequence[Any]) -> list[Scalar]:
        """Several values, each once."""
        if not 1 <= len(given) <= _MOST:
            raise ToolArgumentError(f"{name}: got {len(given)} values, expected 1 to {_MOST}")
        return list(dict.fromkeys(key.value(name, value) for value in given))

    def _usage(self) -> str:
        if not self.keys:
            return "no filters: this search has none"
        return "the keys are: " + "; ".join(
            f"{name}: {key.usage(name)}" for name, key in list(self.keys.items())[:_SHOWN]
        )


def _key(name: object, declared: Any) -> Key:
    """The declaration of one key, in any of its forms."""
    expected = "str, int, float, bool, a list of one of them, or the values that are allowed"
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError.of("filterable", name, "metadata keys")
    if isinstance(declared, Key) and declared.kind in _TYPES:
        return declared
    if isinstance(declared, type) and declared in _TYPES:
        return Key(declared)
    kind = next(iter(get_args(declared)), object)
    if get_origin(declared) in (list, tuple, set) and kind in _TYPES:
        return Key(kind, many=True)
    if isinstance(declared, list | tuple) and declared:
        kinds = {type(value) for value in declared}
        if len(kinds) == 1 and kinds <= _TYPES.keys():
            return Key(kinds.pop(), tuple(declared))
    raise InvalidArgumentError.of(f"filterable[{name!r}]", declared, expected)


def _converted(kind: type, given: Any) -> Scalar | None:
    """The value as `kind`, where that loses nothing: small models write numbers as texts."""
    if isinstance(given, bool) or kind is bool:
        known = {"true": True, "false": False}
        found = known.get(given.strip().lower()) if isinstance(given, str) else given
        return found if kind is bool and isinstance(found, bool) else None
    if not isinstance(given, str | int | float):
        return None
    try:
        return _exactly(kind, given)
    except (ValueError, OverflowError):
        return None


def _exactly(kind: type, given: str | float) -> Scalar | None:
    """A text or a number as `kind`; None, or a ValueError, where something would be lost."""
    if kind is str:
        text = str(given)
        text.encode()  # no lone surrogates, which neither Chroma nor an answer can hold
        return text
    if kind is float:
        number = float(given)
        return number if math.isfinite(number) else None
    whole = int(given)
    return whole if whole in INT64 and (isinstance(given, str) or whole == given) else None


def _parsed(filters: Any) -> Any:
    """Filters that came as JSON in a text, as small models send them; None for nothing at all."""
    if isinstance(filters, str):
        text = filters.strip()
        try:
            filters = json.loads(text) if text else None
        except (ValueError, RecursionError):
            return text
    return None if filters in (None, {}, []) else filters


def _compared(given: str) -> Any:
    """`"> 2020"` as an operator with its value."""
    match = _COMPARISON.fullmatch(given)
    return {_SIGNS[match[1]]: match[2].strip()} if match else given


def _equal(name: str, key: Key, value: Scalar) -> dict[str, Any]:
    return {name: {"$contains" if key.many else "$eq": value}}


def short(value: Any) -> str:
    """A value as JSON, cut: what a model sends may be of any length, depth and characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    except (ValueError, RecursionError):
        return "something too large"
    sendable = text[: _LONGEST + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return sendable if len(text) <= _LONGEST else f"{sendable[:_LONGEST]}..."
