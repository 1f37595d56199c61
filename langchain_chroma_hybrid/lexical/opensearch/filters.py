"""Filters as queries over hashed terms, with exactly Chroma's meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

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
from langchain_chroma_hybrid.lexical.opensearch.documents import (
    LEVELS,
    STEP,
    key_of,
    number_term,
    unsigned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_chroma_hybrid.core.filters import Leaf

Query: TypeAlias = dict[str, Any]
EVERYTHING: Query = {"match_all": {}}
NOTHING: Query = {"match_none": {}}

MAX_DEPTH = 8
"""Levels of AND and OR in one query; a server takes some 20 of all kinds together."""

_MOST_TERMS = 50_000  # of one `terms`, which takes 65,536
_HIGHEST = 2**64 - 1


class FilterCompiler:
    """Turns filters into queries, which are true or false for a record."""

    def __init__(self, required: Callable[[str], Query]) -> None:
        """`required`: what `+must` and `-not` in a query text demand."""
        self._required = required

    def compile(self, node: Filter | None) -> Query:
        """A query for the records that pass `node`.

        Raises:
            InvalidArgumentError: `node` holds a leaf that `supports` denies.
        """
        if node is None:
            return EVERYTHING
        if isinstance(node, AllOf):
            return all_of([self.compile(part) for part in node.parts])
        if isinstance(node, AnyOf):
            return any_of([self.compile(part) for part in node.parts])
        if isinstance(node, QueryMatch):
            return self._required(node.query)
        if not supports(node):
            raise InvalidArgumentError.of("where", node, "parts that the lexical index can answer")
        return self._leaf(node)

    def _leaf(self, leaf: Leaf) -> Query:
        """One condition over hashed terms."""
        match leaf:
            case Condition(negated=negated):
                return _negated(self.compile(cast("Filter", chroma_form(leaf))), negated)
            case Ids(ids, negated):
                return _negated(of_ids(ids), negated)
            case Compare(key, op, value) if op in RANGES:
                return self._range(key, op, cast("float", value))
            case Compare(key, op, value):
                return _negated(_has(equal_terms(key, [value])), op == "$ne")
            case Among(key, values, negated):
                return _negated(_has(equal_terms(key, values)), negated)
            case HasElement(key, value, negated):
                return _negated(_has(element_terms(key, value)), negated)
        raise AssertionError(leaf)  # `supports` has let it pass

    def _range(self, key: str, op: str, number: float) -> Query:
        """What is not there is in no range."""
        ends = []
        for column, end in bounds(key, number).items():
            last = unsigned(end)
            low, high = {
                "$gt": (last + 1, _HIGHEST),
                "$gte": (last, _HIGHEST),
                "$lt": (0, last - 1),
                "$lte": (0, last),
            }[op]
            for level, first, until in _spans(low, high) if low <= high else ():
                limits = {"gte": number_term(column, level, first),
                          "lte": number_term(column, level, until)}  # fmt: skip
                ends.append({"range": {"numbers": limits}})
        return any_of(ends)


def all_of(queries: list[Query]) -> Query:
    """What all of them pass; of none, everything."""
    return {"bool": {"filter": queries}} if queries else EVERYTHING


def any_of(queries: list[Query]) -> Query:
    """What one of them passes; of none, nothing. Sets of terms become one."""
    facts = [fact for each in queries for fact in each.get("terms", {}).get("facts", ())]
    rest = [each for each in queries if "terms" not in each or "facts" not in each["terms"]]
    if len(queries) - len(rest) > 1 and len(facts) <= _MOST_TERMS:
        queries = [{"terms": {"facts": facts}}, *rest]
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": queries, "minimum_should_match": 1}} if queries else NOTHING


def of_ids(ids: Iterable[str]) -> Query:
    """The records of some ids."""
    return {"ids": {"values": sorted({key for each in ids if (key := key_of(each)) is not None})}}


def depth(node: Filter | None) -> int:
    """How many levels of AND and OR there are."""
    parts = node.parts if isinstance(node, AllOf | AnyOf) else ()
    return 1 + max(map(depth, parts), default=0) if parts else 0


def _has(terms: list[str]) -> Query:
    chunks = [terms[at : at + _MOST_TERMS] for at in range(0, len(terms), _MOST_TERMS)]
    return any_of([{"terms": {"facts": chunk}} for chunk in chunks])


def _negated(query: Query, negate: bool) -> Query:
    return {"bool": {"must_not": [query]}} if negate else query


def _spans(low: int, high: int) -> Iterator[tuple[int, int, int]]:
    """Few ranges of parts, by level, that are all numbers from `low` to `high`."""
    part = (1 << STEP) - 1
    for level in range(LEVELS):
        first, last = (low + part) >> STEP, (high + 1) >> STEP  # whole blocks: [first, last)
        if level == LEVELS - 1 or first >= last:
            yield level, low, high
            return
        if low & part:
            yield level, low, low | part
        if high & part != part:
            yield level, high & ~part, high
        low, high = first, last - 1
