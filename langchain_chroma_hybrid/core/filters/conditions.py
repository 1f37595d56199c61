"""Conditions on one metadata value with Python's meaning. Read `core.filters` first.

A condition that Chroma's language can say becomes that; the rest stays a `Condition`, which an
index answers as far as it can, and else the oracle from the records themselves. Other than in
Chroma numbers are compared as they are (1 is not 1.5, `True` is 1), strings have an order, and a
value of another kind than the condition's does not pass.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, cast

from langchain_chroma_hybrid.core.filters.numbers import json_float
from langchain_chroma_hybrid.core.filters.tree import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Condition,
    Filter,
    HasElement,
    Ids,
    join,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.filters.tree import ConditionOp
    from langchain_chroma_hybrid.core.values import MetadataValue, Scalar

NOTHING = Ids(frozenset())
EVERYTHING = Ids(frozenset(), negated=True)

_EXACT = 2**53  # above that Chroma rounds a whole number when it meets a float
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    **_ORDER,
    "eq": operator.eq,
    "in": lambda stored, value: stored in value,
    "contains": lambda stored, value: value in stored,
    "any": lambda stored, value: any(each in stored for each in value),
    "all": lambda stored, value: all(each in stored for each in value),
    "text": lambda stored, value: isinstance(stored, str) and value in stored,
    "text_insensitive": lambda stored, value: (
        isinstance(stored, str) and value.lower() in stored.lower()
    ),
}


def condition(
    key: str, op: ConditionOp, value: Scalar | Sequence[Scalar] | None, *, negated: bool = False
) -> Filter:
    """What passes the condition, or with `negated` what does not; in Chroma's words if it has any.

    Records without the key pass no condition but `empty`, and so every negated one.
    """
    if op in ("in", "any") and not value and not isinstance(value, int | float | type(None)):
        return EVERYTHING if negated else NOTHING
    plain = tuple(map(_number, value)) if isinstance(value, list | tuple) else _number(value)
    leaf = Condition(key, op, plain)
    form = chroma_form(leaf)
    if form is not None and negated:
        form = _negation(form)
    return Condition(key, op, plain, negated) if form is None else form


def combined(kind: type[AllOf | AnyOf], parts: Iterable[Filter]) -> Filter:
    """AND or OR of any number of parts, without those that change nothing."""
    neutral, decisive = (EVERYTHING, NOTHING) if kind is AllOf else (NOTHING, EVERYTHING)
    rest = [part for part in parts if part != neutral]
    if decisive in rest:
        return decisive
    return join(kind, rest) if rest else neutral


def chroma_form(leaf: Condition) -> Filter | None:
    """Chroma leaves that pass what `leaf` passes, negated or not aside; None if there are none."""
    key, op, value = leaf.key, leaf.op, leaf.value
    if key.startswith(("chroma:", "#")) or not _encodable(key):
        return None
    if op in _ORDER and isinstance(value, int | float):
        return _ordered(key, op, value)
    values = value if isinstance(value, tuple) else (value,)
    if (op, isinstance(value, tuple)) not in (("eq", False), ("in", True)):
        return None
    if all(isinstance(each, int | float) for each in values):
        return _equal(key, cast("tuple[float, ...]", values))
    strings = all(isinstance(each, str) and _encodable(each) for each in values)
    return _one_of(key, cast("tuple[str, ...]", values)) if strings else None


def meets(leaf: Condition, stored: MetadataValue | None) -> bool:
    """The oracle: whether the value under the key is as `leaf` demands."""
    if leaf.op == "empty":
        passes = stored is None or stored in ("", [], ())
    else:
        try:
            passes = stored is not None and _passes(leaf.op, stored, leaf.value)
        except TypeError:  # of another kind: neither in order with it nor inside it
            passes = False
    return bool(passes) is not leaf.negated


def _passes(op: str, stored: Any, value: Any) -> bool:
    """One operator on a value that is there; what does not go together is a TypeError."""
    there = tuple(stored) if isinstance(stored, list) else stored
    return bool(_TESTS[op](there, value))


def _negation(node: Filter) -> Filter | None:
    """What does not pass `node`, in Chroma's words; it has none for a range."""
    match node:
        case AllOf(parts) | AnyOf(parts):
            found = [_negation(part) for part in parts]
            other = AnyOf if isinstance(node, AllOf) else AllOf
            known = [part for part in found if part is not None]
            return join(other, known) if len(known) == len(found) else None
        case Compare(key, "$eq", value):
            return Compare(key, "$ne", value)
        case Compare(key, "$ne", value):
            return Compare(key, "$eq", value)
        case Among(key, values, negated):
            return Among(key, values, not negated)
        case HasElement(key, value, negated):
            return HasElement(key, value, not negated)
    return None


def _equal(key: str, values: tuple[float, ...]) -> Filter | None:
    """Numbers that equal one of `values`; Chroma cuts a fraction off before it looks at ints."""
    if not all(map(_is_exact, values)):
        return None
    whole = tuple(dict.fromkeys(int(value) for value in values if value == int(value)))
    parts = tuple(dict.fromkeys(float(value) for value in values if value != int(value)))
    forms: list[Filter] = [_one_of(key, whole)] if whole else []
    if parts:
        cut = tuple(dict.fromkeys(map(int, parts)))
        forms.append(join(AllOf, [_one_of(key, parts), _one_of(key, cut, negated=True)]))
    return join(AnyOf, [*forms, *_bools(key, lambda value: value in values)])


def _ordered(key: str, op: str, value: float) -> Filter | None:
    """Numbers on one side of `value`, and those of the two bools that are there."""
    if not _is_exact(value):
        return None
    cut = int(value)
    form: Filter = Compare(key, cast("Any", f"${op}"), cut if value == cut else value)
    # Chroma compares a stored int with `cut`, which has another place than the fraction.
    if value != cut and (op in ("gte", "lt")) is (value > 0):
        strict = op in ("gt", "lt")
        kind: type[AllOf | AnyOf] = AnyOf if strict else AllOf
        form = join(kind, [form, Compare(key, "$eq" if strict else "$ne", cut)])
    return join(AnyOf, [form, *_bools(key, lambda stored: _ORDER[op](stored, value))])


def _bools(key: str, passes: Callable[[bool], bool]) -> list[Filter]:
    return [Compare(key, "$eq", each) for each in (False, True) if passes(each)]


def _one_of(key: str, values: tuple[Scalar, ...], *, negated: bool = False) -> Filter:
    unique = tuple(dict.fromkeys(values))
    if len(unique) == 1:
        return Compare(key, "$ne" if negated else "$eq", unique[0])
    return Among(key, unique, negated)


def _is_exact(value: float) -> bool:
    """Whether Chroma compares numbers with `value` as they are, but for fractions and ints."""
    if not math.isfinite(value) or abs(value) > _EXACT:
        return False
    return isinstance(value, int) or json_float(value) == value


def _number(value: Any) -> Any:
    """A literal as Chroma would have stored it: floats lose a last digit on their way."""
    if isinstance(value, float) and math.isfinite(value):
        return json_float(value)
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
