"""What a query is made of on its way: filter, plan, what the legs brought, their ranking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.search import LegReport, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_chroma_hybrid.core.filters import Filter, QueryMatch
    from langchain_chroma_hybrid.core.fusion import Fused
    from langchain_chroma_hybrid.core.values import Record, Scored
    from langchain_chroma_hybrid.engine.chroma.change_token import Token
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.lexical.requirement import Requirement

Strategy: TypeAlias = Literal["none", "lexical", "exact", "overfetch", "ids", "chroma"]
Route: TypeAlias = Literal["auto", "chroma"]
Step: TypeAlias = "Callable[[], Outcome]"
# Called for each leg with its name; returns what the step does.
Trace: TypeAlias = "Callable[[str, Step], Outcome]"


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """The filter of one query, in the forms that its readers need, and how the vectors meet it.

    Attributes:
        asked: as given (call AND base); None for no restriction. Chroma can evaluate it.
        required: what the query text demands; the lexical index alone can evaluate it.
        known: `asked`, with every part that the lexical index cannot answer replaced by ids.
        resolved: `known` and `required`.
        passing: how many of `total` records pass, as the lexical index knows it.
        strategy: how the vector leg goes, see `filter_plan`; `lexical`: nothing passes, as the
            lexical index knows, so that no leg has to run.
        otherwise: what it does where neighbours without a filter hold too few that pass.
        ids: all ids that pass, for `exact` and where else they are known; else none.
    """

    asked: Filter | None = None
    resolved: Filter | None = None
    passing: int = 0
    total: int = 0
    strategy: Strategy = "none"
    otherwise: Strategy = "chroma"
    ids: tuple[str, ...] = ()
    required: QueryMatch | None = None
    known: Filter | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked query: what to run and how deep.

    Attributes:
        weights: share of each leg whose ranking counts; they add up to 1.
        steps: names of what has to run before the legs can be put together.
        depth: how deep legs are fused; `fetch` how deep they are asked, never less.
        most: by leg how many hits it may contribute at most, where that was asked for.
        requirement: what `+must` and `-not` demand of every result; None for nothing.
        embed_only: the vector step has to bring the query's vector, not a ranking.
        at_once: one query of Chroma's is the whole answer, records included.
        called: the filter of the call alone, without base.
        token: Chroma's change token when the query began, for what is remembered; None if there is
            none that every later write changes.
        corrections: words that count for one which occurs in no record that passes, by it; None
            while nobody has asked for them.
        pushed: share of each leg where the server fuses them; empty where that is done here.
        deepest: where asking for more hits ends.
    """

    request: SearchRequest
    filter: FilterPlan
    weights: Mapping[str, float]
    steps: tuple[str, ...]
    depth: int
    fetch: int
    embed_only: bool = False
    at_once: bool = False
    token: Token | None = None
    requirement: Requirement | None = None
    most: Mapping[str, int] = field(default_factory=dict)
    called: Filter | None = None
    corrections: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    pushed: Mapping[str, float] = field(default_factory=dict)
    deepest: int = 10_000


@dataclass(slots=True)
class Outcome:
    """What one leg returned, in its own scores, best first.

    Attributes:
        records: the hits as Chroma holds them, where they came along; all of them pass the filter.
        ceiling: what no score of the leg exceeds for this query; None where nobody knows.
        corrections: what was counted for words that occur nowhere; None if nobody has asked.
    """

    name: str
    hits: Sequence[Scored] = ()
    embedding: Vector | None = None
    filtered_by: Strategy = "none"
    took_ms: float = 0.0
    error: Exception | None = None
    records: Mapping[str, Record] | None = None
    ceiling: float | None = None
    corrections: Mapping[str, tuple[str, ...]] | None = None

    def report(self, weight: float = 0.0) -> LegReport:
        """The part that users see."""
        error = f"{type(self.error).__name__}: {self.error}" if self.error else None
        return LegReport(
            self.name, len(self.hits), self.took_ms, self.filtered_by, error, float(weight)
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Fused ids, best first; by leg its share in the score and its own scores by id."""

    fused: Sequence[Fused]
    weights: Mapping[str, float]
    raw: Mapping[str, Mapping[str, float]]
