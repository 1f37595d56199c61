"""One result, and what each leg had to say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.context import joined

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record


@dataclass(frozen=True, slots=True)
class LegHit:
    """What one leg had to say about one result.

    Attributes:
        name: `lexical`, `vector`, or the name of a further leg.
        weight: share of this leg in the fused score; weights of a query add up to 1.
        rank: position in the leg, from 1; None when the leg did not return the record.
        score: the leg's own score: BM25 (higher is better) or Chroma's distance (lower is better).
        normalized: the score after the fusion's normaliser, 0..1, higher is better;
            0 when the leg did not return the record.
        terms: words of the record that match the query, as they stand there (lexical leg,
            `explain` only).
    """

    name: str
    weight: float
    rank: int | None = None
    score: float | None = None
    normalized: float = 0.0
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search.

    Attributes:
        record: the record, read from Chroma when the search ended.
        fused: what the hits are ordered by, 0..1, higher is better: how close to the best that is
            possible for this query and its legs. Says nothing on whether that is any good.
        distance: Chroma's distance to the query vector, lower is better; None when the query had
            no vector, or when only other legs found the record and distances were not asked for.
        legs: one entry per leg that ran; only with `explain`.
        embedding: the record's vector, shape `(d,)`, float32; only when asked for.
        relevance: how likely it is that the record answers the query, 0..1, higher is better,
            comparable between queries (see `core.relevance`); 1 where nothing was asked but a
            filter; None when neither it nor a threshold nor an explanation was asked for.
        spans: `(start, end)` in characters of the record's text, where words of the query match:
            disjoint, ascending; only with `explain`.
        context: with `expand` what the record is shown with, in the order of the source, itself
            included; or its parent alone.
    """

    record: Record
    fused: float
    distance: float | None = None
    legs: tuple[LegHit, ...] = ()
    embedding: Any = None
    relevance: float | None = None
    spans: tuple[tuple[int, int], ...] = ()
    context: tuple[Record, ...] = ()

    @property
    def passage(self) -> str:
        """The text to be shown: the record's own, or that of its context as one."""
        if not self.context:
            return self.record.text or ""
        return joined([record.text or "" for record in self.context])

    @property
    def score(self) -> float:
        """`fused`, by its earlier name."""
        return self.fused

    @property
    def id(self) -> str:
        """The record's id."""
        return self.record.id
