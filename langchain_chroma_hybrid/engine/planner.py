"""Which way a filter goes: what the lexical index answers, what Chroma answers.

Chroma's own filter costs a scan that grows with the collection; the lexical index answers the same
filter in less than a millisecond. So a filter that few records pass becomes an exact ranking of
their vectors, and only the others go to Chroma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.filters import Filter, all_of, parse, resolve

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.records import SearchRequest
    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

Way: TypeAlias = Literal["none", "lexical", "exact", "chroma"]
Route: TypeAlias = Literal["auto", "chroma"]

# Reading and ranking this many vectors costs about what Chroma's filter costs at 20,000 records
# (docs/filters.md); above it Chroma's own filter is asked.
EXACT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """The filter of one query, in the forms that its readers need.

    Attributes:
        asked: as given (call AND base); None for no restriction. Chroma can evaluate it.
        resolved: the same with every part that the lexical index cannot answer replaced by ids.
        ids: all ids that pass, when they are few enough to rank exactly.
    """

    asked: Filter | None = None
    resolved: Filter | None = None
    ids: tuple[str, ...] | None = None

    @property
    def way(self) -> Way:
        """How the vector leg is filtered: not at all, nothing passes, exactly, by Chroma."""
        if self.asked is None:
            return "none"
        if self.ids is None:
            return "chroma"
        return "exact" if self.ids else "lexical"


def combined(request: SearchRequest) -> Filter | None:
    """The call's filter AND the base filter.

    Raises:
        FilterError: `where` or `where_document` is malformed.
    """
    return all_of(request.base, parse(request.where, request.where_document))


def plan_filter(
    asked: Filter | None, store: ChromaStore, lexical: LexicalIndex, *, route: Route = "auto"
) -> FilterPlan:
    """Resolve `asked` against both halves.

    With `route="chroma"` Chroma answers all of it, for both legs; the ids are the same.
    """
    if asked is None:
        return FilterPlan()
    supports = lexical.supports if route == "auto" else lambda _: False
    resolved = resolve(asked, supports, store.match)
    if route == "chroma":
        return FilterPlan(asked, resolved)
    ids = lexical.match(resolved, limit=EXACT_LIMIT + 1)
    return FilterPlan(asked, resolved, tuple(ids) if len(ids) <= EXACT_LIMIT else None)
