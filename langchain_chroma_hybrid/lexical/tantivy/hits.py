"""Reading what a tantivy searcher found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.core.values import Scored
from langchain_chroma_hybrid.lexical.tantivy.schema import stored_id

if TYPE_CHECKING:
    from tantivy import DocAddress, Query, Searcher

ROUNDING = 1e-4
"""More than rounding adds to a score, as a share of it."""

_TIES = 16


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
