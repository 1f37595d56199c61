"""Filters as SQL over hashed terms and integers, with exactly Chroma's meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Condition,
    Filter,
    HasElement,
    Ids,
    QueryMatch,
    chroma_form,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.filter_terms import (
    RANGES,
    bounds,
    element_terms,
    equal_terms,
    supports,
)
from langchain_chroma_hybrid.lexical.postgres.rows import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid.core.filters import Leaf


_MANY = 200
"""Terms of one condition, of more than which a table is read instead of its index."""


class Values(dict[str, Any]):
    """The values of a statement; what stands in it for each is what `put` gives back."""

    def put(self, value: object, kind: str) -> str:
        """Take a value of a type of SQL's."""
        name = f"v{len(self)}"
        self[name] = value
        return f"%({name})s::{kind}"


class FilterCompiler:
    """Turns filters into conditions on a row of records."""

    def __init__(self, values: Values, required: Callable[[str], str]) -> None:
        """`required`: what `+must` and `-not` in a query text demand, as a condition."""
        self._values = values
        self._required = required

    def compile(self, node: Filter | None) -> str:
        """A condition, which is true or false, for the records that pass `node`.

        Raises:
            InvalidArgumentError: `node` holds a leaf that `supports` denies.
        """
        if node is None:
            return "true"
        if isinstance(node, AllOf):
            return joined(" and ", [self.compile(part) for part in node.parts], "true")
        if isinstance(node, AnyOf):
            return joined(" or ", [self.compile(part) for part in node.parts], "false")
        if isinstance(node, QueryMatch):
            return self._required(node.query)
        if not supports(node):
            raise InvalidArgumentError.of("where", node, "parts that the lexical index can answer")
        return self._leaf(node)

    def _leaf(self, leaf: Leaf) -> str:
        """One condition over hashed terms or, for a range, over columns of numbers."""
        match leaf:
            case Condition(negated=negated):
                return _negated(self.compile(cast("Filter", chroma_form(leaf))), negated)
            case Ids(ids, negated):
                keys = self._values.put(sorted(map(key_of, ids)), "bytea[]")
                return _negated(f"(key = any({keys}))", negated)
            case Compare(key, op, value) if op in RANGES:
                return self._range(key, RANGES[op], cast("float", value))
            case Compare(key, op, value):
                return _negated(self._has(equal_terms(key, [value])), op == "$ne")
            case Among(key, values, negated):
                return _negated(self._has(equal_terms(key, values)), negated)
            case HasElement(key, value, negated):
                return _negated(self._has(element_terms(key, value)), negated)
        raise AssertionError(leaf)  # `supports` has let it pass

    def _has(self, terms: list[str]) -> str:
        wanted = self._values.put(terms, "text[]")
        if len(terms) > _MANY:  # an index compares each record with each of them
            return f"exists(select from unnest(facts) f where f = any({wanted}))"
        return f"(facts && {wanted})"

    def _range(self, key: str, operator: str, number: float) -> str:
        """What is not there is in no range."""
        ends = [
            f"coalesce((numbers->>{self._values.put(column, 'text')})::bigint {operator} "
            f"{self._values.put(end, 'bigint')}, false)"
            for column, end in bounds(key, number).items()
        ]
        return joined(" or ", ends, "false")


def joined(by: str, conditions: list[str], none: str) -> str:
    """Conditions as one; of none it is `none`."""
    return f"({by.join(conditions)})" if conditions else none


def _negated(condition: str, negate: bool) -> str:
    return f"(not {condition})" if negate else condition
