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

from langchain_chroma_hybrid.core.filters.conditions import (
    EVERYTHING,
    NOTHING,
    chroma_form,
    combined,
    condition,
)
from langchain_chroma_hybrid.core.filters.evaluate import evaluable, matches
from langchain_chroma_hybrid.core.filters.numbers import (
    json_float,
    meant_float,
    meant_int,
    stored_metadata,
)
from langchain_chroma_hybrid.core.filters.parse import parse
from langchain_chroma_hybrid.core.filters.resolve import resolve
from langchain_chroma_hybrid.core.filters.tree import (
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
    all_of,
    leaves,
)
from langchain_chroma_hybrid.core.filters.write import (
    askable,
    given_ids,
    halves,
    to_chroma,
    writable,
)

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "AllOf",
    "Among",
    "AnyOf",
    "Compare",
    "Condition",
    "Filter",
    "HasElement",
    "Ids",
    "Leaf",
    "QueryMatch",
    "TextMatch",
    "all_of",
    "askable",
    "chroma_form",
    "combined",
    "condition",
    "evaluable",
    "given_ids",
    "halves",
    "json_float",
    "leaves",
    "matches",
    "meant_float",
    "meant_int",
    "parse",
    "resolve",
    "stored_metadata",
    "to_chroma",
    "writable",
]
