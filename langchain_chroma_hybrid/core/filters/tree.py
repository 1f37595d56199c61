"""The nodes of a filter, and how they are joined. Read `core.filters` first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from langchain_chroma_hybrid.core.filters.numbers import meant_float, meant_int

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Scalar

DOCUMENT_KEY = "#document"
"""The key under which `where` addresses the document."""

_MANY = 100  # parts of one AND or OR


@dataclass(frozen=True, slots=True)
class Compare:
    """`{key: {op: value}}` for one scalar. `$ne` also passes records that lack the key.

    Attributes:
        kind: the type of `value`. It takes part in equality, because `1 == True` in Python while
            Chroma keeps them apart.
    """

    key: str
    op: Literal["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]
    value: Scalar
    kind: type = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value))


@dataclass(frozen=True, slots=True)
class Among:
    """`$in` / `$nin`: the scalar under `key` equals one of `values` (negated: none, or no key).

    Attributes:
        values: at least one, all of one type.
        kind: that type, see `Compare`.
    """

    key: str
    values: tuple[Scalar, ...]
    negated: bool = False
    kind: type = field(init=False, repr=False)
    _stored: Mapping[type, frozenset[Scalar]] | None = field(
        init=False, repr=False, compare=False, default=None
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.values[0]))

    @property
    def stored(self) -> Mapping[type, frozenset[Scalar]]:
        """By type, the stored values that equal one of `values`: for a look at many records."""
        if self._stored is None:
            found = {self.kind: frozenset(self.values)}
            if self.kind in (int, float):
                numbers = cast("tuple[float, ...]", self.values)
                found = {int: frozenset(map(meant_int, numbers)),
                         float: frozenset(map(meant_float, numbers))}  # fmt: skip
            object.__setattr__(self, "_stored", found)
        return cast("Mapping[type, frozenset[Scalar]]", self._stored)


@dataclass(frozen=True, slots=True)
class HasElement:
    """`$contains` / `$not_contains` on list metadata: an element of the same type and value.

    Attributes:
        kind: the type of `value`, see `Compare`.
    """

    key: str
    value: Scalar
    negated: bool = False
    kind: type = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value))


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A condition on the document: a case-sensitive substring or a (Rust) regular expression.

    Records without a document pass the negated operators.
    """

    op: Literal["$contains", "$not_contains", "$regex", "$not_regex"]
    pattern: str


@dataclass(frozen=True, slots=True)
class Ids:
    """The record's id is one of `ids` (negated: none of them).

    What a part that only Chroma can answer is resolved to.
    """

    ids: frozenset[str]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """The record has what `+must` and `-not` in a query demand; a lexical index alone can tell."""

    query: str


ConditionOp: TypeAlias = Literal[
    "eq", "gt", "gte", "lt", "lte", "in", "contains", "any", "all",
    "text", "text_insensitive", "empty",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that Chroma's language has no words for, see `core.filters.conditions`.

    Attributes:
        op: `in`: the value equals one of `value`, or is a part of that string; `contains`, `any`,
            `all`: `value`, one, each of it is an element of the value, or a part of that string;
            `text`: a part of a string, case-sensitive or not; `empty`: no such key, "" or no
            element.
        value: a scalar, or a tuple for a list.
    """

    key: str
    op: ConditionOp
    value: Scalar | tuple[Scalar, ...] | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part passes."""

    parts: tuple[Filter, ...]


Leaf: TypeAlias = Compare | Among | HasElement | TextMatch | Ids | QueryMatch | Condition
Filter: TypeAlias = Leaf | AllOf | AnyOf


def all_of(*filters: Filter | None) -> Filter | None:
    """AND, flattened and without duplicates; None stands for no restriction."""
    present = [part for part in filters if part is not None]
    return join(AllOf, present) if present else None


def join(kind: type[AllOf | AnyOf], parts: Iterable[Filter]) -> Filter:
    """AND or OR of at least one part: flattened, without duplicates, a single part as it is."""
    flat: dict[Filter, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    unique = tuple(flat)
    return unique[0] if len(unique) == 1 else kind(unique)


def gathered(kind: type[AllOf | AnyOf], parts: Sequence[Filter]) -> Iterable[Filter]:
    """The same parts; where there are many, with one set for the values of one key.

    `{"$or": [{"a": 1}, {"a": 2}, ...]}` is `{"a": {"$in": [1, 2, ...]}}`, and `$ne` makes `$nin`.
    """
    if len(parts) < _MANY:
        return parts
    op = "$eq" if kind is AnyOf else "$ne"
    values: dict[tuple[str, type], dict[Scalar, None]] = {}
    rest: list[Filter] = []
    for part in parts:
        if isinstance(part, Compare) and part.op == op:
            values.setdefault((part.key, part.kind), {})[part.value] = None
        else:
            rest.append(part)
    sets = [Among(key, tuple(some), op == "$ne") for (key, _), some in values.items()]
    return [*sets, *rest]


def leaves(node: Filter) -> Iterator[Leaf]:
    """All leaves, left to right."""
    if isinstance(node, AllOf | AnyOf):
        for part in node.parts:
            yield from leaves(part)
    else:
        yield node
