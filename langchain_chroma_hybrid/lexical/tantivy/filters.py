"""Filters as tantivy queries over terms and columns, with exactly Chroma's meaning.

tantivy's own JSON values read ISO dates as dates, drop long strings and mix scalars with lists:
see `lexical.filter_terms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tantivy import Occur, Query

from langchain_chroma_hybrid.core.filters import (
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
    chroma_form,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.filter_terms import (
    RANGES,
    bounds,
    digest_of,
    element_terms,
    equal_terms,
    supports,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tantivy import Index, Schema

ID, TERMS, NUMBERS = "id", "terms", "numbers"
EVERY = "*"
"""A term of every record; hashed terms are longer."""

HASHED_ID = "\x1f"
"""What the terms of long ids begin with."""

_MAX_ID_BYTES = 512
_FEW_TERMS = 8  # above that, one look through the index for all of them costs less


def id_term(record_id: str) -> str:
    """The term that stands for an id: itself, or a digest where tantivy would drop a long one."""
    if len(record_id.encode()) <= _MAX_ID_BYTES and not record_id.startswith(HASHED_ID):
        return record_id
    return HASHED_ID + digest_of(record_id)


class FilterCompiler:
    """Turns filters into queries of one index; adds no score. May be shared between threads."""

    def __init__(
        self, index: Index, schema: Schema, required: Callable[[str], Query] | None = None
    ) -> None:
        """`required`: what `+must` and `-not` in a query text demand, as a query."""
        self._required = required
        self._index = index
        self._schema = schema
        # One search compiles its filter several times, which may hold very many values.
        self._last: tuple[Filter, Query] | None = None

    def compile(self, node: Filter | None) -> Query:
        """A query for the records that pass `node`.

        Raises:
            InvalidArgumentError: `node` holds a leaf that `supports` denies.
        """
        if node is None:
            return Query.all_query()
        last = self._last
        if last is None or last[0] is not node:
            self._last = last = node, self._compiled(node)
        return last[1]

    def _compiled(self, node: Filter) -> Query:
        """A filter as one query, part by part; what a query demands by the compiler of queries."""
        if isinstance(node, AllOf):
            return _joined(Occur.Must, [self._compiled(part) for part in node.parts])
        if isinstance(node, AnyOf):
            return _joined(Occur.Should, [self._compiled(part) for part in node.parts])
        if isinstance(node, QueryMatch) and self._required is not None:
            return self._required(node.query)
        if not supports(node):
            raise InvalidArgumentError.of("where", node, "parts that the lexical index can answer")
        return self._leaf(node)

    def _leaf(self, leaf: Leaf) -> Query:
        """One condition as a query over terms or, for a range, over columns of numbers."""
        match leaf:
            case Condition(negated=negated):
                form = cast("Filter", chroma_form(leaf))
                return _negated(self._compiled(form), negate=negated)
            case Ids(ids, negated):
                return _negated(self._one_of(ID, _id_terms(ids)), negate=negated)
            case Compare(key, op, value) if op in RANGES:
                return self._range(key, RANGES[op], cast("float", value))
            case Compare(key, op, value):
                return _negated(self._one_of(TERMS, equal_terms(key, [value])), negate=op == "$ne")
            case Among(key, values, negated):
                return _negated(self._one_of(TERMS, equal_terms(key, values)), negate=negated)
            case HasElement(key, value, negated):
                found = self._one_of(TERMS, element_terms(key, value))
                return _negated(found, negate=negated)
        raise AssertionError(leaf)  # `supports` has let it pass

    def _range(self, key: str, operator: str, number: float) -> Query:
        # tantivy's `range_query` refuses paths; the text holds digits and hashes only.
        ends = bounds(key, number).items()
        text = " OR ".join(f"{NUMBERS}.{path}:{operator}{bound}" for path, bound in ends)
        return self._index.parse_query(text)

    def _one_of(self, field: str, terms: list[str]) -> Query:
        if not terms:
            return Query.empty_query()
        if len(terms) <= _FEW_TERMS:
            found = [Query.term_query(self._schema, field, term, "basic") for term in terms]
            return found[0] if len(found) == 1 else _joined(Occur.Should, found)
        return Query.term_set_query(self._schema, field, terms)


def _joined(occur: Occur, queries: list[Query]) -> Query:
    if not queries:
        return Query.all_query() if occur == Occur.Must else Query.empty_query()
    return Query.boolean_query([(occur, query) for query in queries])


def _negated(query: Query, *, negate: bool) -> Query:
    if not negate:
        return query
    return Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, query)])


def _id_terms(ids: Collection[str]) -> list[str]:
    whole = "".join(ids)
    if (
        whole.isascii()
        and HASHED_ID not in whole
        and max(map(len, ids), default=0) <= _MAX_ID_BYTES
    ):
        return list(ids)  # each is its own term, which is quicker to see of all at once
    return [id_term(each) for each in ids if _is_encodable(each)]


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
