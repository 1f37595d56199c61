"""Chroma's `where` and `where_document` as a small tree: parse, combine, evaluate, write back.

A record passes a filter here exactly when `collection.get(where=..., where_document=...)` returns it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langchain_chroma_hybrid.core.records import Record, Scalar


@dataclass(frozen=True, slots=True)
class Compare:
    """`{key: {op: value}}` for one scalar. `$ne` also passes records that lack the key."""

    key: str
    op: Literal["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]
    value: Scalar


@dataclass(frozen=True, slots=True)
class Among:
    """`$in` / `$nin`: the scalar under `key` equals one of `values` (negated: none, or no such key)."""

    key: str
    values: tuple[Scalar, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class HasElement:
    """`$contains` / `$not_contains` on list metadata."""

    key: str
    value: Scalar
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A condition on the document: a case-sensitive substring or a (Rust) regular expression."""

    op: Literal["$contains", "$not_contains", "$regex", "$not_regex"]
    pattern: str


@dataclass(frozen=True, slots=True)
class Ids:
    """The record's id is one of `ids`: what a part that only Chroma can answer is resolved to."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part passes."""

    parts: tuple[Filter, ...]


Leaf: TypeAlias = Compare | Among | HasElement | TextMatch | Ids
Filter: TypeAlias = Leaf | AllOf | AnyOf


def parse(
    where: Mapping[str, Any] | None = None, where_document: Mapping[str, Any] | None = None
) -> Filter | None:
    """Read Chroma filters; None for no restriction."""
    raise NotImplementedError


def all_of(*filters: Filter | None) -> Filter | None:
    """AND; None stands for no restriction."""
    raise NotImplementedError


def matches(node: Filter | None, record: Record) -> bool:
    """Evaluate in Python: the oracle."""
    raise NotImplementedError


def to_chroma(node: Filter | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Write the tree back as `(where, where_document)`."""
    raise NotImplementedError
