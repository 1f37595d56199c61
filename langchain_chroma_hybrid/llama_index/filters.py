"""LlamaIndex' `MetadataFilters` as a filter of the engine, with LlamaIndex' meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from langchain_chroma_hybrid.core.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Filter,
    combined,
    condition,
    parse,
)
from langchain_chroma_hybrid.errors import FilterError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.filters.tree import ConditionOp

Filters = MetadataFilters | Mapping[str, Any] | None

# Levels; Chroma's parser stops at 62, and a condition may become two levels of its language.
_DEEPEST = 28
_OPERATORS: Mapping[FilterOperator, tuple[ConditionOp, bool]] = {
    FilterOperator.EQ: ("eq", False),
    FilterOperator.NE: ("eq", True),
    FilterOperator.GT: ("gt", False),
    FilterOperator.GTE: ("gte", False),
    FilterOperator.LT: ("lt", False),
    FilterOperator.LTE: ("lte", False),
    FilterOperator.IN: ("in", False),
    FilterOperator.NIN: ("in", True),
    FilterOperator.ANY: ("any", False),
    FilterOperator.ALL: ("all", False),
    FilterOperator.CONTAINS: ("contains", False),
    FilterOperator.TEXT_MATCH: ("text", False),
    FilterOperator.TEXT_MATCH_INSENSITIVE: ("text_insensitive", False),
    FilterOperator.IS_EMPTY: ("empty", False),
}
_NEEDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("gt", "gte", "lt", "lte"), ((str, int, float, list), "a number or a str")),
    **dict.fromkeys(("in", "any", "all"), ((str, list, tuple), "a list (or a str)")),
    **dict.fromkeys(("text", "text_insensitive"), (str, "a str")),
}


def read(filters: Filters, name: str = "filters", *, base: bool = False) -> Filter | None:
    """The filter as a tree; None for no restriction.

    A group without conditions restricts nothing. A `dict` is a `where` of Chroma's.

    Args:
        filters: what was given.
        name: of the argument.
        base: it restricts what others may see: an empty one is an error, and no message shows what
            stands in it.

    Raises:
        FilterError: not such filters, or a value that its operator can be asked of no record.
    """
    if filters is None:
        return None
    if isinstance(filters, Mapping):
        return parse(filters, names=(name, "where_document"), base=base)
    if not isinstance(filters, MetadataFilters):
        refuse = FilterError.of_kind if base else FilterError.of
        raise refuse(name, filters, "MetadataFilters, or a dict in Chroma's language")
    try:
        tree = _group(filters, name, 0, negated=False)
    except FilterError:
        if not base:
            raise
        message = f"{name}: expected MetadataFilters whose values suit their operators"
        raise FilterError(message) from None
    if tree != EVERYTHING:
        return tree
    if base:
        raise FilterError(f"{name}: expected conditions, got MetadataFilters without any")
    return None


def _group(group: MetadataFilters, path: str, depth: int, *, negated: bool) -> Filter:
    """One level; NOT means that none of its parts passes, and goes down to the conditions."""
    if depth > _DEEPEST:
        raise FilterError(f"{path[:60]}…: expected at most {_DEEPEST} levels of MetadataFilters")
    if not group.filters:
        return combined(AnyOf if negated else AllOf, [])
    kind = group.condition or FilterCondition.AND
    inside = negated is not (kind is FilterCondition.NOT)
    parts = [
        _part(each, f"{path}[{i}]", depth, negated=inside) for i, each in enumerate(group.filters)
    ]
    # NOT is "none passes": an OR, negated once more. De Morgan turns AND and OR around.
    any_of = (kind is not FilterCondition.AND) is not inside
    return combined(AnyOf if any_of else AllOf, parts)


def _part(
    part: MetadataFilter | MetadataFilters, path: str, depth: int, *, negated: bool
) -> Filter:
    if isinstance(part, MetadataFilters):
        return _group(part, path, depth + 1, negated=negated)
    op, opposite = _OPERATORS[FilterOperator(part.operator)]
    needed, words = _NEEDS.get(op, (object, ""))
    if not isinstance(part.value, needed):
        place = f"{path}: {part.key} {part.operator.value}"
        raise FilterError.of(place, part.value, words)
    return condition(part.key, op, part.value, negated=negated is not opposite)
