"""One query under way: its legs side by side, and what comes of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.query_syntax import in_another_language
from langchain_chroma_hybrid.core.background import Background
from langchain_chroma_hybrid.core.search import SearchResult
from langchain_chroma_hybrid.core.values import FUSED, LEXICAL, LISTING, VECTOR
from langchain_chroma_hybrid.engine.query.expand import expand
from langchain_chroma_hybrid.engine.query.hydrate import hydrate
from langchain_chroma_hybrid.engine.query.judge import Judge
from langchain_chroma_hybrid.engine.query.legs import (
    FailedLeg,
    FurtherLeg,
    LexicalLeg,
    ListingLeg,
    VectorLeg,
    run_leg,
    settle,
)
from langchain_chroma_hybrid.engine.query.plan import corrected, deeper
from langchain_chroma_hybrid.engine.query.pushed_down import FusedLeg, said_of
from langchain_chroma_hybrid.engine.query.rank import rank
from langchain_chroma_hybrid.engine.query.silence import silence
from langchain_chroma_hybrid.engine.threads import in_thread, submit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.legs import Leg
    from langchain_chroma_hybrid.engine.query.query_vectors import QueryVectors
    from langchain_chroma_hybrid.engine.query.values import Outcome, Plan, Route, Trace
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

@dataclass(frozen=True, slots=True)
class Query:
    """A plan with both halves at hand.

    Attributes:
        asked: the request as it came, and by which `route`.
        start: when it was asked, by `time.perf_counter`.
        lexical: the lexical index; None when the query does without.
        version: of the index, another one when it is made anew; None without an index.
        notes: what the query has to do without, in words.
        tried: how often it was begun before, in vain.
        background: of the collection, where relevance was asked for.
    """

    plan: Plan
    store: ChromaStore
    asked: SearchRequest
    route: Route
    start: float
    lexical: LexicalIndex | None = None
    version: object = None
    notes: tuple[str, ...] = ()
    tried: int = 0
    background: Background | None = None

    def run(self, vectors: QueryVectors, trace: Trace | None) -> list[Outcome]:
        """What each leg returned; the legs run side by side.

        The query is embedded here, in the caller's thread: models, their caches and event loops may
        belong to it.
        """
        steps, others = self.plan.steps, self.asked.further
        run = partial(run_leg, plan=self.plan, trace=trace)
        legs = [self._leg(name, vectors) for name in steps if name in others]
        further = [submit(partial(run, leg)) for leg in legs]
        own = [self._leg(name, vectors) for name in steps if name not in others]
        # What Chroma does needs the interpreter least: it goes to another thread.
        aside = [submit(partial(run, leg)) for leg in own[1:]]
        here = [run(leg) for leg in own[:1]]
        return [*here, *[each.result() for each in (*aside, *further)]]

    async def arun(self, vectors: QueryVectors, trace: Trace | None) -> list[Outcome]:
        """The same without blocking the event loop."""

        async def run(name: str) -> Outcome:
            leg = await self._aleg(name, vectors)
            return await in_thread(partial(run_leg, leg, self.plan, trace))

        return await asyncio.gather(*map(run, self.plan.steps))

    def _leg(self, name: str, vectors: QueryVectors) -> Leg:
        """The leg with what it needs: the query's vector is made here."""
        request = self.plan.request
        if name == LEXICAL:
            return LexicalLeg(self.lexical)
        if name == LISTING:
            return ListingLeg(self.store, self.lexical)
        if name not in (VECTOR, FUSED):
            ask = partial(self.asked.further[name].search, request.text or "", self.plan.fetch)
            return FurtherLeg(name, self.lexical, ask)
        vector: Sequence[float] | Vector | None = request.embedding
        try:
            if vector is None:
                vector = vectors.embed_query(_without_surrogates(request.text or ""))
        except Exception as error:  # noqa: BLE001  # settled with the failures of the other legs
            return FailedLeg(name, error)
        return self._by_vector(name, vector)

    def _by_vector(self, name: str, vector: Sequence[float] | Vector) -> Leg:
        if name == FUSED:
            return FusedLeg(self.store, self.lexical, vector)
        return VectorLeg(self.store, self.lexical, vector)

    async def _aleg(self, name: str, vectors: QueryVectors) -> Leg:
        """The same, where what has to be waited for is awaited."""
        request = self.plan.request
        text = request.text or ""
        try:
            if name in self.asked.further:
                ids = await self.asked.further[name].asearch(text, self.plan.fetch)
                return FurtherLeg(name, self.lexical, lambda: ids)
            if name in (VECTOR, FUSED) and request.embedding is None:
                vector = await vectors.aembed_query(_without_surrogates(text))
                return self._by_vector(name, vector)
        except Exception as error:  # noqa: BLE001  # settled with the failures of the other legs
            return FailedLeg(name, error)
        return self._leg(name, vectors)

    def finish(self, outcomes: Sequence[Outcome]) -> SearchResult | Query:
        """The result, or the query to run instead when it has too few for want of depth.

        Raises:
            SearchError: `on_leg_error="degrade"` and no leg answered.
            Exception: with `raise`, the first failure of a leg.
        """
        settle(self.plan, outcomes)
        if most := self.plan.most:
            outcomes = [replace(o, hits=o.hits[: most.get(o.name)]) for o in outcomes]
        return replace(self, plan=self._corrected(outcomes)).answer(outcomes)

    def _corrected(self, outcomes: Sequence[Outcome]) -> Plan:
        """The plan with what the lexical leg has counted for words that occur nowhere."""
        known = next((o.corrections for o in outcomes if o.corrections is not None), None)
        failed = any(o.name == LEXICAL and o.error is not None for o in outcomes)
        if known is None and not failed:
            return corrected(self.plan, self.lexical)
        return replace(self.plan, corrections=known or {})

    def answer(self, outcomes: Sequence[Outcome]) -> SearchResult | Query:
        """What `finish` returns, of legs that are settled and a plan that nothing is missing of."""
        ranking = rank(self.plan, outcomes, self.store, self.lexical)
        embedding = next((o.embedding for o in outcomes if o.embedding is not None), None)
        known = next((o.records for o in outcomes if o.records is not None), None)
        request, halves = self.plan.request, (self.store, self.lexical)
        judge = None
        if request.judged:
            judge = Judge(self.plan, outcomes, ranking, *halves, self.background or Background())
        hits = hydrate(self.plan, ranking, embedding, *halves, known, judge)
        unseen = judge.best_unseen if judge else lambda: 1.0
        plan = deeper(self.plan, outcomes, len(hits), unseen)
        if plan is not None:
            return replace(self, plan=plan)
        notes = [*self.notes, *_notes(request, outcomes), *silence(self.plan, hits, *halves)]
        notes += said_of(self.plan, outcomes, len(hits), self.lexical)
        if request.expand is not None:
            hits, said = expand(hits, self.plan, *halves)
            notes += said
        return SearchResult(
            hits,
            tuple([o.report(ranking.weights.get(o.name, 0.0)) for o in outcomes]),
            (time.perf_counter() - self.start) * 1e3,
            tuple(notes),
            embedding if request.with_embedding else None,
            judge.unmatched([hit.record for hit in hits]) if judge else (),
            self.plan.corrections or {},
        )


def _notes(request: SearchRequest, outcomes: Sequence[Outcome]) -> list[str]:
    """How a query text was read, where that may surprise, and what nobody knows of it."""
    if any(o.name == LEXICAL and o.hits and o.ceiling is None for o in outcomes):
        return ["the lexical index knows no highest score: its scores are put on a bent scale"]
    if request.blank:
        return ["the query is blank: these are the first records that pass"]
    if request.query_syntax == "simple" and in_another_language(request.text or ""):
        return ["AND, OR, NOT and brackets are plain words: +must and -not are not"]
    return []


def _without_surrogates(text: str) -> str:
    """Tokenizers written in Rust refuse lone surrogates, which no query should die of."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
