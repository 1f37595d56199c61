"""Which collection an index belongs to: two would take each other's records for leftovers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import IndexBoundError, LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE = "collection"
"""The name of the state that holds it, where state lasts."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The collection of an index, by id, and its folder or server; empty for none."""

    collection: str = ""
    place: str = ""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Owner:
        """As it was noted; of a note that makes no sense none."""
        known = state.get("id"), state.get("place")
        return cls(*map(str, known)) if all(isinstance(each, str) for each in known) else cls()

    @property
    def state(self) -> dict[str, str]:
        """To be noted."""
        return {"id": self.collection, "place": self.place}

    def give_way(self, to: Owner, instead_of: str | None) -> bool:
        """Whether `to` is another one, which may have the index.

        Raises:
            IndexBoundError: it may not.
        """
        if self.collection == to.collection:
            return False
        if self.collection in ("", instead_of):
            return True
        message = (
            f"lexical: the index belongs to collection {self.collection} at {self.place}, and "
            f"cannot be that of {to.collection} at {to.place}, too: expected an index of its own"
        )
        raise IndexBoundError(message, self.collection, self.place)

    def check(self, now: Owner) -> None:
        """Raise where the index has gone from this collection to another one.

        Raises:
            LexicalIndexError: it is that of `now`.
        """
        if self.collection and now.collection not in ("", self.collection):
            raise LexicalIndexError(
                f"the lexical index belongs to collection {now.collection} at {now.place} by now, "
                f"which has the place of {self.collection}: open the collection anew"
            )
