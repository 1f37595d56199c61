"""The tree back into Chroma's filter language. Read `core.filters` first."""

from __future__ import annotations

import reprlib
from typing import Any

from langchain_chroma_hybrid.core.filters.tree import (
    DOCUMENT_KEY,
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
from langchain_chroma_hybrid.errors import FilterError

MOST_PARTS = 950
"""Parts of an AND or OR, those within added to it; SQLite's limit for an expression is 1,000."""

MOST_VALUES = 30_000
"""Values in all conditions of one question, less than SQLite's 32,766: ids may go beside them."""


def to_chroma(node: Filter | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Write the tree back as `(where, where_document)`, either of them None if it has no part.

    Raises:
        FilterError: more than Chroma can be asked at once: `MOST_PARTS` or `MOST_VALUES`. It fails
            with an error of its database above the one, and ends the process far above the other.
        ValueError: the tree has no such form: it holds `Ids`, a `Condition`, or a `$regex` inside
            an OR with metadata. See `writable`.
    """
    if node is None:
        return None, None
    _check_size(node)
    parts = node.parts if isinstance(node, AllOf) else (node,)
    text = all_of(*(part for part in parts if is_textual(part)))
    rest = all_of(*(part for part in parts if not is_textual(part)))
    return (
        None if rest is None else _write(rest, in_where=True),
        None if text is None else _write(text, in_where=False),
    )


def askable(node: Filter) -> bool:
    """Whether Chroma can be asked for `node`, and for all of it at once, see `to_chroma`."""
    if not writable(node):
        return False
    parts, values = _size(node)
    return parts <= MOST_PARTS and values <= MOST_VALUES


def _check_size(node: Filter) -> None:
    depth, values = _size(node)
    for most, got, what in ((MOST_PARTS, depth, "parts"), (MOST_VALUES, values, "values")):
        if got > most:
            raise FilterError(
                f"where, where_document: expected at most {most} {what} (numbers count twice) in "
                f"what only Chroma can answer, got {got}: ask for less at once, or with $in"
            )


def _size(node: Filter) -> tuple[int, int]:
    """How deep a chain of ANDs and ORs Chroma makes of it, and values that it binds."""
    if isinstance(node, AllOf | AnyOf):
        sizes = [_size(part) for part in node.parts]
        return len(sizes) + max(deep for deep, _ in sizes), 1 + sum(count for _, count in sizes)
    if isinstance(node, Among):
        return 0, len(node.values) * (2 if node.kind in (int, float) else 1)
    if isinstance(node, Compare):
        return 0, 4 if node.kind in (int, float) else 2
    return 0, 2


def writable(node: Filter) -> bool:
    """Whether `to_chroma` can write `node`."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return all(_all_fit(part, in_where=not is_textual(part)) for part in parts)


def halves(node: Filter) -> tuple[Filter | None, Filter | None]:
    """`node` as what Chroma can be asked for, AND what only its reader can tell."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    asked = all_of(*(part for part in parts if writable(part)))
    if asked is not None and not writable(asked):
        return None, node
    return asked, all_of(*(part for part in parts if not writable(part)))


def given_ids(node: Filter | None) -> frozenset[str] | None:
    """The ids to which `node` is restricted as a whole; None for no such restriction."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    sets = [part.ids for part in parts if isinstance(part, Ids) and not part.negated]
    return frozenset.intersection(*sets) if sets else None


def is_textual(node: Filter) -> bool:
    """Whether `node` asks about documents only."""
    return all(isinstance(leaf, TextMatch) for leaf in leaves(node))


def _all_fit(node: Filter, *, in_where: bool) -> bool:
    return all(_fits(leaf, in_where=in_where) for leaf in leaves(node))


def _fits(leaf: Leaf, *, in_where: bool) -> bool:
    if isinstance(leaf, TextMatch):
        return not in_where or leaf.op in ("$contains", "$not_contains")
    return not isinstance(leaf, Ids | QueryMatch | Condition)


def _write(node: Filter, *, in_where: bool) -> dict[str, Any]:
    if isinstance(node, AllOf | AnyOf):
        operator = "$and" if isinstance(node, AllOf) else "$or"
        return {operator: [_write(part, in_where=in_where) for part in node.parts]}
    if not _fits(node, in_where=in_where):
        msg = f"{reprlib.repr(node)} cannot be written as a part of a Chroma filter"
        raise ValueError(msg)
    return _write_leaf(node, in_where=in_where)


def _write_leaf(leaf: Leaf, *, in_where: bool) -> dict[str, Any]:
    """One condition as Chroma writes it; in `where`, one on the text goes under `#document`."""
    match leaf:
        case Compare(key, op, value):
            return {key: {op: value}}
        case Among(key, values, negated):
            return {key: {"$nin" if negated else "$in": list(values)}}
        case HasElement(key, value, negated):
            return {key: {"$not_contains" if negated else "$contains": value}}
        case TextMatch(op, pattern):
            return {DOCUMENT_KEY: {op: pattern}} if in_where else {op: pattern}
    raise AssertionError(leaf)  # `writable` denies it
