"""Reading what a tantivy searcher found."""

from __future__ import annotations

import operator
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.core.values import Scored
from langchain_chroma_hybrid.lexical.tantivy.schema import stored_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tantivy import DocAddress, Query, Searcher

ROUNDING = 1e-4
"""More than rounding adds to a score, as a share of it."""

_TIES = 16


def best(searcher: Searcher, query: Query, k: int) -> list[Scored]:
    """The best `k` hits by score, then by id."""
    scores, addresses = _top(searcher, query, k)
    found = zip(map(operator.neg, scores), record_ids(searcher, addresses), strict=True)
    return [Scored(found_id, -negative) for negative, found_id in sorted(found)[:k]]


def record_ids(searcher: Searcher, addresses: Iterable[DocAddress]) -> list[str]:
    """The ids of the records there: reads from the document store, some microseconds each."""
    return stored_ids([searcher.doc(address) for address in addresses])


def count(searcher: Searcher, query: Query) -> int:
    """How many records match."""
    found: int = searcher.search(query, 1).count  # type: ignore[attr-defined]  # not in its stub
    return found


def _top(
    searcher: Searcher, query: Query, k: int
) -> tuple[list[float], Sequence[DocAddress]]:
    """Scores and places of the best `k` hits and of everything that ties with the last of them."""
    everything = max(1, searcher.num_docs)
    k = min(k, everything)
    # tantivy allocates for the limit, so that it must not be a caller's number as it is.
    limit = min(k + _TIES, everything)
    while True:
        hits = searcher.search(query, limit, count=False).hits
        if not hits:
            return [], []
        exact, addresses = zip(*hits, strict=True)
        scores = _rounded(exact)
        if len(hits) < limit or limit == everything or scores[-1] < scores[k - 1]:
            # They fall: what ties with the last one stands before the first that is lower.
            end = bisect_right(scores, -scores[min(k, len(hits)) - 1], key=operator.neg)
            return scores[:end], addresses[:end]
        limit = min(limit * 4, everything)


def _rounded(scores: Sequence[float]) -> list[float]:
    """To 16 binary digits: tantivy adds up in an order that depends on `limit`."""
    mantissas, exponents = np.frexp(np.array(scores, dtype=np.float64))
    rounded: list[float] = np.ldexp(np.round(np.ldexp(mantissas, 16)), exponents - 16).tolist()
    return rounded
