"""One query and its answer, as every face asks and gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from langchain_chroma_hybrid.core.citations import SOURCE_KEYS, Citations, citations
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.hit import Hit, LegHit
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.markup import result_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.context import Expand
    from langchain_chroma_hybrid.core.filters.tree import Filter

__all__ = [
    "Embedder",
    "FurtherLeg",
    "Hit",
    "LegHit",
    "LegReport",
    "Mode",
    "OnLegError",
    "SearchRequest",
    "SearchResult",
    "Typos",
]

Mode: TypeAlias = Literal["hybrid", "vector", "lexical", "two_step"]
OnLegError: TypeAlias = Literal["raise", "degrade"]
Typos: TypeAlias = bool | Literal["sound"]


@dataclass(frozen=True, slots=True)
class LegReport:
    """How one leg of a query went.

    Attributes:
        filtered_by: the way its filter went: `none`, `lexical`, `exact`, `overfetch`, `ids`,
            `chroma` (see `engine.planner`).
        took_ms: wall time of the leg in milliseconds.
        error: the failure that `on_leg_error="degrade"` let pass.
        weight: its share in this query's scores, 0..1.
    """

    name: str
    hits: int
    took_ms: float
    filtered_by: str = "none"
    error: str | None = None
    weight: float = 0.0


class Embedder(Protocol):
    """What makes vectors `(d,)` of texts: LangChain's `Embeddings`, or anything like them."""

    def embed_query(self, text: str) -> Sequence[float]:
        """The vector of a query."""

    def embed_documents(self, texts: list[str]) -> Sequence[Sequence[float]]:
        """The vectors of documents, in their order."""

    async def aembed_query(self, text: str) -> Sequence[float]:
        """`embed_query` without blocking the event loop."""

    async def aembed_documents(self, texts: list[str]) -> Sequence[Sequence[float]]:
        """`embed_documents` without blocking the event loop."""


def is_model(embedder: Embedder) -> bool:
    """Whether it can make vectors; what stands for a model that nobody gave has `missing`."""
    return not getattr(embedder, "missing", False)


class FurtherLeg(Protocol):
    """A leg beside the lexical and the vector one: anything that ranks ids for a text."""

    def search(self, text: str, k: int) -> Sequence[str]:
        """At most `k` ids, best first; ids that Chroma does not hold are passed over."""

    async def asearch(self, text: str, k: int) -> Sequence[str]:
        """The same without blocking the event loop."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a query, best first, and how each leg went.

    Attributes:
        took_ms: wall time in milliseconds.
        notes: what the query had to do without, in words.
        embedding: the query's vector `(d,)`; only when the hits' vectors were asked for.
        unmatched: words and identifiers of the query, as they were typed, that occur in no record
            which passes the filters (base filters too); only where relevance was asked for.
        corrections: by such a word, words of records that pass which counted in its place; see
            `typos`.
    """

    hits: tuple[Hit, ...]
    legs: tuple[LegReport, ...] = ()
    took_ms: float = 0.0
    notes: tuple[str, ...] = ()
    embedding: Any = None
    unmatched: tuple[str, ...] = ()
    corrections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @known_keywords
    def as_citations(
        self,
        *,
        source_keys: Sequence[str] = SOURCE_KEYS,
        max_characters: int | None = None,
    ) -> Citations:
        """The hits as numbered sources for a prompt, see `core.citations.citations`."""
        return citations(self.hits, source_keys=source_keys, max_characters=max_characters)

    @property
    def said(self) -> tuple[str, ...]:
        """The notes, and what became of words that occur in no record, for people."""
        missing = [f"in no record: {', '.join(self.unmatched)}"] if self.unmatched else []
        other = [f"{word}: looked for {', '.join(w)}" for word, w in self.corrections.items()]
        return (*self.notes, *missing, *other)

    def _repr_html_(self) -> str:
        """For notebooks: the hits with their ranks by leg, matching words marked, and the notes."""
        return result_html(self.hits, [leg.name for leg in self.legs], self.said)


def looked_for(text: str, corrections: Mapping[str, Sequence[str]]) -> str:
    """The words of a query, and those that counted in the place of some."""
    return " ".join([text, *(word for words in corrections.values() for word in words)])


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One query, complete. Every option that a face offers ends up here.

    Attributes:
        text: what the user typed; None when only a vector is given.
        embedding: the query vector `(d,)`, a sequence or an array; None lets the engine embed
            `text` if needed.
        k: number of results wanted, >= 1.
        fetch_k: depth of each leg, or by name the most hits that a leg contributes; None means the
            engine's default.
        weights: share of each leg by name; missing names keep the default.
        fusion: name of a fusion, see `core.fusion`.
        c: the RRF constant.
        where, where_document: Chroma filters of this call.
        base: a parsed filter that is ANDed with them and that nothing in them can widen.
        further: legs beside `lexical` and `vector`, by name; they run in hybrid mode, and their
            hits have to pass the same filters.
        query_syntax: `plain` or `simple`, see `core.query`.
        typos: a word that occurs in no record counts, for half, where plain words are asked for:
            for two in a row that were written as one; for some that are spelt almost like it, in
            collections of 1,000 records or more; and with `"sound"` for those that sound like it
            in English, as in what was spoken and heard, in collections of any size.
        score_threshold: drop records whose relevance is lower, 0..1, before the cut to `k`.
        dedupe_key: metadata key; of several results with one value the best stays.
        group_by: metadata key; of several results with one value the best `group_limit` stay.
        expand: what results are shown with, see `core.context`.
        with_distance: give every hit its distance, also those that only the lexical leg found.
        with_embedding: give every hit its vector.
        with_relevance: give every hit its relevance; `explain` and `score_threshold` do as well.
    """

    text: str | None
    embedding: Sequence[float] | Any = None
    k: int = 4
    fetch_k: int | Mapping[str, int] | None = None
    mode: Mode = "hybrid"
    weights: Mapping[str, float] | Sequence[float] | None = None
    fusion: str = DEFAULT_FUSION
    c: float = DEFAULT_C
    where: Mapping[str, Any] | None = None
    where_document: Mapping[str, Any] | None = None
    base: Filter | None = None
    further: Mapping[str, FurtherLeg] = field(default_factory=dict)
    query_syntax: Literal["plain", "simple"] = "plain"
    typos: Typos = True
    score_threshold: float | None = None
    dedupe_key: str | None = None
    group_by: str | None = None
    group_limit: int = 1
    on_leg_error: OnLegError = "raise"
    explain: bool = False
    expand: Expand | None = None
    with_distance: bool = False
    with_embedding: bool = False
    with_relevance: bool = False

    @property
    def judged(self) -> bool:
        """Relevance has to be found out."""
        asked = self.with_relevance or self.explain or self.score_threshold is not None
        return asked and not self.blank

    @property
    def blank(self) -> bool:
        """Nothing is asked for but what passes the filter: no text to speak of, and no vector."""
        return self.embedding is None and self.text is not None and not self.text.strip()
