"""A hit's explanation in plain values, as it goes into metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.values import OWN_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.core.search import Hit, SearchResult

EXPLAIN_KEY = f"{OWN_KEYS}explanation"
"""Under this key `explain=True` puts each leg's view into a copy of the metadata."""
CONTEXT_KEY = f"{OWN_KEYS}context"
"""Under this one `expand` puts the ids of the records that a text is made of."""
MOMENTS_KEY = f"{OWN_KEYS}moments"
"""Under this one a file that was found has its moments."""


def explanation_of(hit: Hit, result: SearchResult) -> dict[str, Any]:
    """Relevance, each leg's view of the hit, and what is to say on the query, in plain values."""
    ways = {leg.name: leg.filtered_by for leg in result.legs}
    said: dict[str, Any] = {"relevance": hit.relevance}
    said |= {"notes": list(result.notes)} if result.notes else {}
    said |= {"unmatched": list(result.unmatched)} if result.unmatched else {}
    said |= {"corrections": _lists(result.corrections)} if result.corrections else {}
    return said | {
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


def _lists(found: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {typed: list(words) for typed, words in found.items()}
