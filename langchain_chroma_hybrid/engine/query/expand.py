"""A step after fusion: results with what stands around them, inside the filters of the query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple

from langchain_chroma_hybrid.core.context import Neighbours, Parent, expansion
from langchain_chroma_hybrid.core.filters import (
    Compare,
    all_of,
    resolve,
)
from langchain_chroma_hybrid.core.filters.numbers import INT64

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.search import Hit
    from langchain_chroma_hybrid.core.values import Record, Scalar
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.values import Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# Positions may be chunks' numbers, characters or nanoseconds: how much wider each look is, and how
# many looks there are, of which the last sees every whole number.
_WIDER, _LOOKS = 8, 23


class _Place(NamedTuple):
    """Where a record stands: in what, at which number; the id keeps equal numbers in order."""

    source: tuple[type, Scalar | None]
    position: float
    id: str


def expand(
    hits: Sequence[Hit], plan: Plan, store: ChromaStore, lexical: LexicalIndex | None
) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """The results with their context, best first, and what is to say about it.

    Nothing is shown that the filters of the query hide. `lexical` None leaves them to Chroma.
    """
    asked, passing = expansion(plan.request.expand), _Passing(plan, store, lexical)
    if isinstance(asked, Parent):
        return _with_parents(hits, asked, passing)
    if isinstance(asked, Neighbours):
        return _with_neighbours(hits, asked, passing)
    return tuple(hits), ()


class _Passing:
    """The records that pass the filters of a query."""

    def __init__(self, plan: Plan, store: ChromaStore, lexical: LexicalIndex | None) -> None:
        self._asked, self._token = plan.filter.asked, plan.token
        self._store, self._lexical = store, lexical

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Those of `ids`, as Chroma has them now."""
        return self._store.passing(ids, self._asked)

    def match(self, where: Filter) -> Iterable[str]:
        """Ids of those that pass `where`, too."""
        both = all_of(self._asked, where) or where
        if self._lexical is None:
            return self._store.match(both, self._token)
        return self._lexical.match(self._resolved(both))

    def count(self, where: Filter) -> int:
        """How many of them pass `where`."""
        both = all_of(self._asked, where) or where
        if self._lexical is None:
            return len(self._store.match(both, self._token))
        return self._lexical.match_count(self._resolved(both))

    def _resolved(self, where: Filter) -> Filter:
        assert self._lexical is not None  # noqa: S101  # looked at by the callers
        return resolve(where, self._lexical.supports, lambda w: self._store.match(w, self._token))


@dataclass(slots=True)
class _Budget:
    """Characters that are left; None for as many as there are."""

    left: int | None

    @classmethod
    def after(cls, most: int | None, hits: Iterable[Hit]) -> _Budget:
        """What the results themselves leave of `most`."""
        return cls(None if most is None else most - sum(_length(hit.record) for hit in hits))

    def spend(self, characters: int) -> bool:
        """Whether there is room for so many, which are taken then."""
        if self.left is None:
            return True
        if characters > max(self.left, 0):
            return False
        self.left -= characters
        return True


def _with_parents(
    hits: Sequence[Hit], asked: Parent, passing: _Passing
) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """Parents in place of results; where one is not there, or too long, the result stays."""
    named = {hit.id: hit.record.metadata.get(asked.key) for hit in hits}
    parents = passing.records({id_ for id_ in named.values() if isinstance(id_, str)})
    budget = _Budget.after(asked.max_characters, hits)
    found: dict[str, Hit] = {}
    for hit in hits:
        name = named[hit.id]
        parent = parents.get(name) if isinstance(name, str) else None
        if parent is None:
            found.setdefault(hit.id, hit)
        elif parent.id in found:
            budget.spend(-_length(hit.record))
        elif budget.spend(_length(parent) - _length(hit.record)):
            found[parent.id] = replace(hit, context=(parent,))
        else:
            found[hit.id] = hit
    lacking = sum(not isinstance(name, str) for name in named.values())
    said = f"results have no id under {asked.key!r}: they stand alone"
    note = f"expand: {lacking} of {len(hits)} {said}"
    return tuple(found.values()), (note,) if lacking else ()


def _with_neighbours(
    hits: Sequence[Hit], asked: Neighbours, passing: _Passing
) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """Results with what stands before and after them; what overlaps belongs to the best."""
    places = {hit.id: _place(hit.record, asked) for hit in hits}
    placed = [place for place in places.values() if place is not None]
    windows = _windows(placed, asked, passing)
    budget = _Budget.after(asked.max_characters, hits)
    own = {hit.id: hit.record for hit in hits}
    taken: dict[str, str] = {}
    passages: dict[str, list[Record]] = {}
    for hit in hits:
        # What stands in the passage of a better result adds to that one.
        owner = taken.setdefault(hit.id, hit.id)
        passage = passages.setdefault(owner, [hit.record])
        for record in _affordable(windows.get(hit.id, ((), ())), own, taken, budget):
            taken[record.id] = owner
            passage.append(record)
    found = [
        replace(hit, context=_in_order(passages[hit.id], asked)) if places[hit.id] else hit
        for hit in hits
        if hit.id in passages
    ]
    lacking = len(hits) - len(placed)
    key = f" or nothing under {asked.source_key!r}" if asked.source_key else ""
    note = (
        f"expand: {lacking} of {len(hits)} results have no number under {asked.position_key!r}"
        f"{key}: they stand alone"
    )
    return tuple(found), (note,) if lacking else ()


def _affordable(
    window: tuple[Sequence[Record], Sequence[Record]],
    own: Mapping[str, Record],
    taken: Mapping[str, str],
    budget: _Budget,
) -> Iterator[Record]:
    """What is new and fits, nearest first; behind what does not fit nothing is shown."""
    going = [True, True]
    for pair in zip_longest(*window):
        for side, record in enumerate(pair):
            if record is None or record.id in taken or not going[side]:
                continue
            going[side] = record.id in own or budget.spend(_length(record))
            if going[side]:
                yield record


class _Side(NamedTuple):
    """The way from a record to those before it (-1) or after it (1)."""

    place: _Place
    way: int

    def within(self, width: int, asked: Neighbours) -> Filter:
        """What stands no further than `width` away."""
        here, there = self.place.position, self._end(width)
        low, high = (here, there) if self.way > 0 else (there, here)
        key = asked.position_key
        return self._and(asked, Compare(key, "$gte", low), Compare(key, "$lte", high))

    def beyond(self, width: int, asked: Neighbours) -> Filter:
        """What stands further away than `width`."""
        op: Literal["$gt", "$lt"] = "$gt" if self.way > 0 else "$lt"
        return self._and(asked, Compare(asked.position_key, op, self._end(width)))

    def _end(self, width: int) -> float:
        end = self.place.position + self.way * width
        return max(INT64[0], min(INT64[-1], end)) if isinstance(end, int) else end

    def _and(self, asked: Neighbours, *positions: Filter) -> Filter:
        _, source = self.place.source
        same = None if source is None else Compare(str(asked.source_key), "$eq", source)
        both = all_of(same, *positions)
        assert both is not None  # noqa: S101  # there are positions
        return both


def _windows(
    places: Iterable[_Place], asked: Neighbours, passing: _Passing
) -> dict[str, tuple[list[Record], list[Record]]]:
    """By id the `n` records before and after, nearest first, among those that pass."""
    sides = [_Side(place, way) for place in places for way in (-1, 1)]
    found: dict[_Side, list[Record]] = {}
    records: dict[str, Record] = {}
    width = min(asked.n, INT64[-1])
    for _ in range(_LOOKS):
        ids = {side: list(passing.match(side.within(width, asked))) for side in sides}
        records |= passing.records({i for some in ids.values() for i in some} - records.keys())
        for side, some in ids.items():
            found[side] = _nearest(side, [records[i] for i in some if i in records], asked)
        few = [side for side in sides if len(found[side]) < asked.n]
        sides = [side for side in few if passing.count(side.beyond(width, asked))]
        if not sides:
            break
        width *= _WIDER
    return {
        side.place.id: (found[side], found[_Side(side.place, 1)])
        for side in found
        if side.way < 0
    }


def _nearest(side: _Side, records: Iterable[Record], asked: Neighbours) -> list[Record]:
    """The `n` that come first on the way."""
    here, way = side.place, side.way
    known = ((place, record) for record in records if (place := _place(record, asked)))
    there = [
        (place.position, place.id, record)
        for place, record in known
        if place.source == here.source
        and place.id != here.id
        and ((place.position, place.id) > (here.position, here.id)) is (way > 0)
    ]
    there.sort(key=lambda each: each[:2], reverse=way < 0)
    return [record for _, _, record in there[: asked.n]]


def _place(record: Record, asked: Neighbours) -> _Place | None:
    """Where the record stands; None if it does not say so."""
    position = record.metadata.get(asked.position_key)
    if isinstance(position, bool) or not isinstance(position, int | float):
        return None
    if asked.source_key is None:
        return _Place((type(None), None), position, record.id)
    source = record.metadata.get(asked.source_key)
    if not isinstance(source, str | int | float | bool):
        return None
    return _Place((type(source), source), position, record.id)


def _in_order(records: Iterable[Record], asked: Neighbours) -> tuple[Record, ...]:
    placed = [(place, record) for record in records if (place := _place(record, asked))]
    placed.sort(key=lambda each: (each[0].position, each[0].id))
    return tuple(record for _, record in placed)


def _length(record: Record) -> int:
    return len(record.text or "")
