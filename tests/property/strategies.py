"""Hypothesis strategies for records and Chroma filters that tend to hit each other.

Filters are in Chroma's own grammar, so both `parse` and `collection.get` take them. Metadata is
what `collection.add` takes: infinities and NaN only as scalars, since in a list they make the
whole collection unreadable (chromadb 1.5.9).
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from langchain_chroma_hybrid.core.values import Record

BIG, HUGE = 2**53, 2**63
LONG = 70_000
"""Characters: more than any index that hashes or truncates terms of 64 KiB will keep."""

KEYS = ("a", "b", "a.b", "with space", "clé \"q\" 'x'", "日本語", "b\0c", "a:b", "x$y")
# fmt: off
STRINGS = (
    "", "a", "A", "ab", "1", "1.0", "true", "x y", "O'Hara", 'say "hi"', "back\\slash", "nul\0x",
    "é", "e\u0301", "日本", "2024-01-01T00:00:00Z", "2024-01-01",
    "2024-01-01T00:00:00.000Z",
)
INTS = (
    0, 1, -1, 2, 3, BIG - 1, BIG, BIG + 1, BIG + 2, -BIG - 1, HUGE - 1, HUGE - 1024,
    HUGE - 513, -HUGE,
)
FLOATS = (
    0.0, -0.0, 1.0, 1.5, -1.5, 0.1, 2.0, 2.999, 5e-324, float(BIG), float(BIG + 2), -float(BIG),
    float(HUGE), float(HUGE - 1024), -float(HUGE), 1e300, -1e300,
)
FRAGMENTS = (
    "a", "ab", "abc", "A", "ABC", "%", "_", "a_c", "*", "?", "[a-z]", "^", "\\", "\\%", '"', "'",
    "''", " ", "\n", "\r\n", "é", "e\u0301", "日", "日本", "日本語", "😀", "x" * 66, "-- ", "OR",
)
# fmt: on
REGEXES = ("a", "^a", "a.c", "[[:digit:]]|b", "(?i)abc", "\\p{Lu}", "日.語", "^$", "%", "a{2,}")

ids = st.integers(0, 999).map("r{}".format)
keys = st.sampled_from(KEYS)
long_strings = st.sampled_from((LONG, LONG + 1)).map("x".__mul__)
strings = st.sampled_from(STRINGS) | st.text(max_size=4) | long_strings
ints = st.sampled_from(INTS) | st.integers(-HUGE, HUGE - 1)
floats = st.sampled_from(FLOATS) | st.floats(allow_nan=False, allow_infinity=False)
numbers = ints | floats
scalars = strings | ints | floats | st.booleans()
fragments = st.sampled_from(FRAGMENTS)

_one_type = [strings, ints, floats, st.booleans()]
scalar_lists = st.one_of([st.lists(kind, min_size=1, max_size=3) for kind in _one_type])
lost = st.sampled_from([math.inf, -math.inf, math.nan, HUGE, -HUGE - 1])

metadata = st.dictionaries(keys, scalars | scalar_lists | scalars | lost, max_size=5)
texts = st.none() | st.lists(fragments | st.just("\0"), max_size=6).map("".join)


def records(max_size: int = 12) -> st.SearchStrategy[list[Record]]:
    """Records with distinct ids, as a user would write them."""
    record = st.builds(Record, id=ids, text=texts, metadata=metadata)
    return st.lists(record, min_size=1, max_size=max_size, unique_by=lambda record: record.id)


def _nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.lists(inner, min_size=2, max_size=3)
        return st.builds(lambda op, value: {op: value}, st.sampled_from(["$and", "$or"]), parts)

    return st.recursive(leaf, extend, max_leaves=6)


def _under(key: st.SearchStrategy[str], *ops: str, operand: Any) -> st.SearchStrategy[Any]:
    return st.builds(lambda k, op, value: {k: {op: value}}, key, st.sampled_from(ops), operand)


metadata_conditions = st.one_of(
    st.builds(lambda key, value: {key: value}, keys, scalars),
    _under(keys, "$eq", "$ne", operand=scalars),
    _under(keys, "$gt", "$gte", "$lt", "$lte", operand=numbers),
    _under(keys, "$in", "$nin", operand=scalar_lists),
    _under(keys, "$contains", "$not_contains", operand=scalars),
)
_document_key = st.just("#document")
document_conditions = _under(_document_key, "$contains", "$not_contains", operand=fragments)

metadata_where = _nested(metadata_conditions)
"""`where` on metadata alone: what an index without the documents can answer."""

where = _nested(metadata_conditions | metadata_conditions | document_conditions)
"""`where` with `#document` parts."""

_substring = st.builds(
    lambda op, text: {op: text}, st.sampled_from(["$contains", "$not_contains"]), fragments
)
_regex = st.builds(
    lambda op, text: {op: text},
    st.sampled_from(["$regex", "$not_regex"]),
    st.sampled_from(REGEXES),
)
substring_where_document = _nested(_substring)
where_document = _nested(_substring | _substring | _regex)
