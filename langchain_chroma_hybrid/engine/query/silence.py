"""Why a query brought nothing without anything being wrong: names that stand for nothing."""

from __future__ import annotations

import logging
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.filters import Among, Compare, HasElement, askable, leaves
from langchain_chroma_hybrid.core.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_chroma_hybrid.core.search import Hit
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.values import Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

_log = logging.getLogger(__name__)

# Conditions of a filter that are looked at, records whose metadata is read, collections counted.
_MOST_LEAVES, _MOST_RECORDS, _MOST_OTHERS = 16, 500, 10
_KINDS = {str: "texts", bool: "booleans", int: "numbers", float: "numbers"}

_Keyed: TypeAlias = Compare | Among | HasElement


def silence(
    plan: Plan, hits: Sequence[Hit], store: ChromaStore, lexical: LexicalIndex | None
) -> list[str]:
    """Notes on what may not have been meant; reads nothing unless something looks like it.

    They say nothing of records that a base filter hides, nor of the filter.
    """
    odd, named = _odd_conditions(plan, hits, store), _odd_names(plan, hits)
    if hits and not odd and not named:
        return []
    known = plan.filter.total
    if not hits and not (known or (store.count() if lexical is None else lexical.count())):
        notes = [_empty(store, plan)]
    else:
        notes = _unknown(odd, named, _metadata(plan, store, lexical) if odd or named else Keys([]))
    for note in notes:
        _log_once(store.name, note)
    return notes


class Keys:
    """The metadata keys of some records, and what kinds of values they have.

    Attributes:
        kinds: by key.
        scope: whom they are told of, for a sentence on a key that is not among them.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        several = list(records)
        self.kinds: dict[str, set[str]] = {}
        for record in several:
            for key, value in record.metadata.items():
                self.kinds.setdefault(key, set()).add(_KINDS.get(type(value), "lists"))
        few = len(several) < _MOST_RECORDS
        self.scope = "no record" if few else f"none of {_MOST_RECORDS} records"
        self.any = bool(several)

    def without(self, key: str) -> str:
        """The sentence on a key that they do not have."""
        close = nearest(key, list(self.kinds))
        return f"{self.scope} has the key {key!r}" + (f" (did you mean {close!r}?)" * bool(close))

    def on(self, leaf: _Keyed) -> str | None:
        """What is odd about a condition, if its key is unknown or has values of another kind."""
        held = self.kinds.get(leaf.key)
        if held is None:
            return self.without(leaf.key)
        compared = "lists" if isinstance(leaf, HasElement) else _KINDS[leaf.kind]
        if compared in held:
            return None
        has = f"{leaf.key!r} holds {' and '.join(sorted(held))}"
        if compared == "lists":
            return f"{has}, and $contains looks for an element of a list"
        if held == {"lists"}:
            return f"{has}: $contains looks for an element, all else finds nothing there"
        return f"{has} and was compared with {compared}, which never equal them"


def _odd_conditions(plan: Plan, hits: Sequence[Hit], store: ChromaStore) -> list[_Keyed]:
    """Conditions of the call on keys that no hit has; where they are negated, others find hits."""
    # Of a server nothing is remembered: every query would pay for `{"deleted": {"$ne": True}}`.
    if plan.called is None or (hits and store.on_server):
        return []
    return [
        leaf
        for leaf in islice(leaves(plan.called), _MOST_LEAVES)
        if isinstance(leaf, Compare | Among | HasElement)
        and not leaf.key.startswith(("#", "chroma:"))
        and not _in_any(leaf.key, hits)
    ]


def _odd_names(plan: Plan, hits: Sequence[Hit]) -> list[tuple[str, str]]:
    """Arguments with the keys that they name, where no hit has the key."""
    keys = [(name, getattr(plan.request, name)) for name in ("group_by", "dedupe_key")]
    return [(n, key) for n, key in keys if key is not None and hits and not _in_any(key, hits)]


def _in_any(key: str, hits: Sequence[Hit]) -> bool:
    return any(key in hit.record.metadata for hit in hits)


def _empty(store: ChromaStore, plan: Plan) -> str:
    """That the collection is empty, and which others in its database are not."""
    others = [] if plan.request.base is not None else store.filled_siblings(_MOST_OTHERS)
    there = f"; others here that are not: {', '.join(map(repr, others))}" if others else ""
    return f"the collection {store.name!r} is empty{there}"


def _metadata(plan: Plan, store: ChromaStore, lexical: LexicalIndex | None) -> Keys:
    """Of records from anywhere that the base filter shows, or of the first where that is dear."""
    base = plan.request.base
    if base is not None or lexical is None:
        first = store.first(_MOST_RECORDS, base) if base is None or askable(base) else {}
        return Keys(first.values())
    return store.metadata_keys(
        lexical.version(), lambda: Keys(store.fetch(lexical.sample(_MOST_RECORDS)).values())
    )


def _unknown(odd: Sequence[_Keyed], named: Sequence[tuple[str, str]], keys: Keys) -> list[str]:
    if not keys.any:
        return []
    notes = [f"filter: {note}" for leaf in odd if (note := keys.on(leaf))]
    notes += [f"{name}: {keys.without(key)}" for name, key in named if key not in keys.kinds]
    return list(dict.fromkeys(notes))


@lru_cache(maxsize=256)
def _log_once(collection: str, note: str) -> None:
    """One line for each, however often the query is repeated."""
    _log.warning("%s: %s", collection, note)
