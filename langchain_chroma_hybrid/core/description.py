"""What metadata look like: keys, types, ranges, common values. For people, models and schemas."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.citations import one_line
from langchain_chroma_hybrid.core.filter_schema import Key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_chroma_hybrid.core.values import Metadata, Scalar

# Keys and values that are shown, and characters of one value: metadata may be of any size.
_MOST_KEYS, _MOST_VALUES, _LONGEST = 50, 10, 80
# A key with no more different values than this has "these values", and every one is a choice.
_FEW = 25


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """One metadata key.

    Attributes:
        kind: `str`, `int`, `float` or `bool`; None where records disagree on it.
        many: records hold lists of such values under it.
        share: of the records that were looked at, how many have the key, 0..1.
        low, high: the least and the greatest value of a numeric key.
        values: the commonest values, the commonest first; none that are too long to be chosen.
        complete: `values` are all that were seen.
    """

    name: str
    kind: type | None
    many: bool
    share: float
    low: float | None = None
    high: float | None = None
    values: tuple[Scalar, ...] = ()
    complete: bool = False

    @property
    def about(self) -> str:
        """The key without its name, on one line."""
        kind = "mixed" if self.kind is None else self.kind.__name__
        said = f"list of {kind}" if self.many else kind
        if self.low is not None:
            said += f", {self.low} to {self.high}"
        if self.values and (self.low is None or self.complete):
            shown = ", ".join(map(_short, self.values))
            said += f": {shown}" if self.complete else f", such as {shown}"
        return said if self.share >= 1 else f"{said} ({self.share:.0%} of the records)"

    def __str__(self) -> str:
        return f"{_short(self.name)}: {self.about}"


@dataclass(frozen=True, slots=True)
class Description:
    """Metadata of a collection, as far as it may be seen.

    Attributes:
        records: how many records pass the base filters.
        looked_at: how many of them were read.
        keys: the commonest first.
    """

    records: int
    looked_at: int
    keys: tuple[KeyDescription, ...]

    def filterable(self) -> dict[str, Key]:
        """The keys that a model may filter by, for `create_search_tool`.

        None whose name, or all of whose values, are too long to be written in a filter.
        """
        return {
            each.name: Key(
                each.kind,
                each.values if each.complete and each.kind is str else (),
                each.many,
                each.about,
            )
            for each in self.keys
            if each.kind is not None and each.values and len(each.name) <= _LONGEST
        }

    def __str__(self) -> str:
        part = "" if self.looked_at == self.records else f", {self.looked_at} of them looked at"
        return "\n".join([f"{self.records} records{part}", *map(str, self.keys)])


def describe(metadata: Iterable[Metadata], records: int) -> Description:
    """What `metadata` of some records of so many look like."""
    rows = list(metadata)
    seen: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            seen.setdefault(name, []).append(value)
    common = sorted(seen.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST_KEYS]
    whole = len(rows) == records
    keys = [_described(name, values, len(rows), whole) for name, values in common]
    return Description(records, len(rows), tuple(keys))


def _described(name: str, found: list[Any], rows: int, whole: bool) -> KeyDescription:
    """One key; `whole`: all records were looked at."""
    many = all(isinstance(value, list) for value in found)
    flat = [v for value in found for v in (value if isinstance(value, list) else [value])]
    kinds = {type(value) for value in flat}
    mixed = not many and any(isinstance(value, list) for value in found)
    number = kinds <= {int, float}
    kind = kinds.pop() if len(kinds) == 1 else float if number and kinds else None
    counts = Counter((type(value), value) for value in flat)
    order = sorted(counts, key=lambda each: (-counts[each], str(each[1])))
    fitting = [value for _, value in order if len(str(value)) <= _LONGEST]
    complete = whole and len(order) <= _FEW and len(fitting) == len(order)
    numbers = flat if number else []
    return KeyDescription(
        name,
        None if mixed else kind,
        many,
        len(found) / rows,
        min(numbers, default=None),
        max(numbers, default=None),
        tuple(fitting if complete else fitting[:_MOST_VALUES]),
        complete,
    )


def _short(value: object) -> str:
    """A name or a value on one line, cut."""
    return one_line(str(value)[: 2 * _LONGEST])[:_LONGEST]
