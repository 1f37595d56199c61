"""Metadata as index terms, and filters as tantivy queries over them, with exactly Chroma's meaning.

User strings never become tantivy JSON values, which read ISO dates as dates, drop long strings and
mix scalars with lists. Equality is a hashed term of (shape, type, key, value). Ranges go through
64-bit integer columns, one per key and number type; floats are mapped to integers in their order,
so that nothing is rounded around 2**53 or 2**63.
"""

from __future__ import annotations

import math
import struct
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, cast

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
    TextMatch,
    chroma_form,
    evaluable,
    json_float,
    leaves,
    meant_float,
    meant_int,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tantivy import Index, Schema

    from langchain_chroma_hybrid.core.values import Metadata, Scalar

ID, TERMS, NUMBERS = "id", "terms", "numbers"
EVERY = "*"
"""A term of every record; hashed terms are longer."""

HASHED_ID = "\x1f"
"""What the terms of long ids begin with."""

_MAX_ID_BYTES = 512
_FEW_TERMS = 8  # above that, one look through the index for all of them costs less
_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)
_RANGES: Mapping[str, str] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def id_term(record_id: str) -> str:
    """The term that stands for an id: itself, or a digest where tantivy would drop a long one."""
    if len(record_id.encode()) <= _MAX_ID_BYTES and not record_id.startswith(HASHED_ID):
        return record_id
    return HASHED_ID + _readable(_digest(record_id))


def filter_terms(metadata: Metadata) -> Iterator[str]:
    """Terms of `TERMS` that describe `metadata`."""
    yield EVERY
    for key, value in metadata.items():
        if isinstance(value, list | tuple):
            yield from _value_terms("element", key, value)
        else:
            yield from _value_terms("scalar", key, [cast("Scalar", value)])


def numbers(metadata: Metadata) -> dict[str, int]:
    """The columns of `NUMBERS` for `metadata`; list elements have no order in Chroma."""
    columns: dict[str, int] = {}
    for key, value in metadata.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, int) and _MIN_INT <= value <= _MAX_INT:
            columns[_column("i", key)] = value
        elif isinstance(value, int | float) and not math.isnan(value):
            columns[_column("f", key)] = _ordinal(float(value))
    return columns


def supports(leaf: Leaf) -> bool:
    """Whether `leaf` can be answered from these terms and columns."""
    match leaf:
        case Ids():
            return True
        case TextMatch() | QueryMatch():
            return False
        case Condition():
            form = chroma_form(leaf)
            return form is not None and all(map(supports, leaves(form)))
        case Among(_, values):
            return evaluable(leaf) and all(_is_storable(value) for value in values)
        case Compare(_, op, value) if op in _RANGES:
            return evaluable(leaf) and _is_storable(value) and type(value) in (int, float)
        case Compare(_, _, value) | HasElement(_, value):
            return evaluable(leaf) and _is_storable(value)


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
            case Compare(key, op, value) if op in _RANGES:
                return self._range(key, _RANGES[op], cast("float", value))
            case Compare(key, op, value):
                return _negated(self._equal(key, [value]), negate=op == "$ne")
            case Among(key, values, negated):
                return _negated(self._equal(key, values), negate=negated)
            case HasElement(key, value, negated):
                element = json_float(value) if isinstance(value, float) else value
                found = self._one_of(TERMS, _value_terms("element", key, [element]))
                return _negated(found, negate=negated)
        raise AssertionError(leaf)  # `supports` has let it pass

    def _equal(self, key: str, values: Iterable[Scalar]) -> Query:
        spellings = [equal for value in values for equal in _equals(value)]
        return self._one_of(TERMS, _value_terms("scalar", key, spellings))

    def _range(self, key: str, operator: str, number: float) -> Query:
        bounds = {
            _column("i", key): meant_int(number),
            _column("f", key): _ordinal(meant_float(number)),
        }
        # tantivy's `range_query` refuses paths; the text holds digits and hashes only.
        text = " OR ".join(f"{NUMBERS}.{path}:{operator}{bound}" for path, bound in bounds.items())
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


def _equals(literal: Scalar) -> Iterator[Scalar]:
    """The stored values that equal `literal`."""
    if isinstance(literal, bool | str):
        yield literal
    else:
        yield meant_int(literal)
        yield meant_float(literal)


def _ordinal(number: float) -> int:
    """A signed 64-bit integer for each finite float, in the order of the floats."""
    bits: int = struct.unpack("<q", struct.pack("<d", number + 0.0))[0]
    return bits if bits >= 0 else bits ^ _MAX_INT


def _is_storable(value: Scalar) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or _MIN_INT <= value <= _MAX_INT


def _value_terms(
    shape: Literal["scalar", "element"], key: str, values: Iterable[Scalar]
) -> list[str]:
    """A term for each value; `key`, which may be long, is hashed once for each type."""
    begun: dict[str, blake2b] = {}
    terms: list[str] = []
    for value in values:
        kind, text = _spelled(value)
        if kind not in begun:
            begun[kind] = _digest(f"{shape}:{kind}:{len(key)}:{key}:")
        digest = begun[kind].copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        terms.append(_readable(digest))
    return terms


def _spelled(value: Scalar) -> tuple[str, str]:
    if isinstance(value, bool):
        return "bool", str(value)
    if isinstance(value, int):
        return "int", f"{value:x}"
    if isinstance(value, float):
        return "float", (value + 0.0).hex()
    return "str", value


def _column(kind: Literal["i", "f"], key: str) -> str:
    return kind + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _digest(text: str) -> blake2b:
    # 120 bits: filters guard access, so that no one may look for two values with one term.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=15)


def _readable(digest: blake2b) -> str:
    return urlsafe_b64encode(digest.digest()).decode()


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
