"""Reading what a tantivy searcher found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.core.filters import Filter, Ids, leaves
from langchain_chroma_hybrid.core.records import Scored
from langchain_chroma_hybrid.lexical.tantivy_schema import stored_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tantivy import DocAddress, Query, Searcher

    from langchain_chroma_hybrid.lexical.tantivy_query import Part

ROUNDING = 1e-4
"""More than rounding adds to a score, as a share of it."""

_TIES = 16
# What a view remembers of filters, some 10 MB; those beyond are looked up each time.
_MOST_IDS, _MOST_COUNTS = 100_000, 1_000


class View:
    """A searcher and what it has answered before, for as long as it is the latest.

    Attributes:
        searcher: sees one commit, whatever comes after.
        query: the last query that was compiled, as text and syntax, and what came of it.
    """

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self.query: tuple[tuple[str, str], Part | None] | None = None
        self._ids: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._held = 0

    def ids(self, where: Filter, find: Callable[[], list[str]]) -> list[str]:
        """`find()`, or what it gave before for this filter: a tenant's comes with every query."""
        asked = _spelled(where)
        if asked is None:
            return find()
        known = self._ids.get(asked)
        if known is None:
            known = find()
            if self._held + len(known) <= _MOST_IDS:
                self._ids[asked] = known
                self._held += len(known)
        return list(known)

    def count(self, where: Filter, find: Callable[[], int]) -> int:
        """The same for the number of records that pass."""
        asked = _spelled(where)
        if asked is None:
            return find()
        if asked not in self._counts:
            if len(self._counts) >= _MOST_COUNTS:
                self._counts = {}
            self._counts[asked] = find()
        return self._counts[asked]


def _spelled(where: Filter) -> str | None:
    """A name of the filter; None where it would be long. Not itself: there 1 equals True."""
    return None if any(isinstance(leaf, Ids) for leaf in leaves(where)) else repr(where)


def best(searcher: Searcher, query: Query, k: int) -> list[Scored]:
    """The best `k` hits by score, then by id."""
    found = [(-score, record_id(searcher, at)) for score, at in _top(searcher, query, k)]
    return [Scored(found_id, -negative) for negative, found_id in sorted(found)[:k]]


def record_id(searcher: Searcher, address: DocAddress) -> str:
    """The id of the record at `address`: a read from the document store, about a microsecond."""
    return stored_id(searcher.doc(address))


def count(searcher: Searcher, query: Query) -> int:
    """How many records match."""
    found: int = searcher.search(query, 1).count  # type: ignore[attr-defined]  # not in its stub
    return found


def _top(searcher: Searcher, query: Query, k: int) -> list[tuple[float, DocAddress]]:
    """The best `k` hits and everything that ties with the last of them."""
    everything = max(1, searcher.num_docs)
    k = min(k, everything)
    # tantivy allocates for the limit, so that it must not be a caller's number as it is.
    limit = min(k + _TIES, everything)
    while True:
        hits = searcher.search(query, limit, count=False).hits
        scores = _rounded([score for score, _ in hits])
        if len(hits) < limit or limit == everything or scores[-1] < scores[k - 1]:
            last = scores[min(k, len(hits)) - 1] if hits else 0.0
            ranked = zip(scores, (at for _, at in hits), strict=True)
            return [(score, at) for score, at in ranked if score >= last]
        limit = min(limit * 4, everything)


def _rounded(scores: list[float]) -> list[float]:
    """To 16 binary digits: tantivy adds up in an order that depends on `limit`."""
    mantissas, exponents = np.frexp(np.array(scores, dtype=np.float64))
    rounded: list[float] = np.ldexp(np.round(np.ldexp(mantissas, 16)), exponents - 16).tolist()
    return rounded
