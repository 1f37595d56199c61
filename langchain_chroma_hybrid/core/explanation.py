"""A hit's explanation in plain values, as it goes into metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.search import Hit, SearchResult

EXPLAIN_KEY = "retrieval"
"""Under this key `explain=True` puts each leg's view into a copy of the metadata."""


def explanation_of(hit: Hit, result: SearchResult) -> dict[str, Any]:
    """What each leg had to say about a hit, and notes on the query, in plain values."""
    ways = {leg.name: leg.filtered_by for leg in result.legs}
    notes = {"notes": list(result.notes)} if result.notes else {}
    return notes | {
        leg.name: {
            "rank": leg.rank,
            "score": leg.score,
            "normalized": leg.normalized,
            "weight": leg.weight,
            "terms": list(leg.terms),
            "filtered_by": ways.get(leg.name, "none"),
        }
        for leg in hit.legs
    }
