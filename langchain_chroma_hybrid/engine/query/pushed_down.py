"""A hybrid query that the server answers whole: one search of its own, fused there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.query_syntax import Fuzzy, Phrase, Prefix, parse_query
from langchain_chroma_hybrid.core.values import FUSED, LEXICAL, VECTOR, Scored
from langchain_chroma_hybrid.engine.chroma.rows import query_vector
from langchain_chroma_hybrid.engine.chroma.server_search import Leg, fused, grouped
from langchain_chroma_hybrid.engine.query.server_index import ServerIndex
from langchain_chroma_hybrid.engine.query.values import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chromadb import Search

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.server_search import Found
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.values import Plan
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

# Results beyond `k`: what was deleted meanwhile, and ties that are put in order here.
_SPARE = 8
# The score of what has neither leg's words nor vectors.
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class FusedLeg:
    """Both legs in one search, with the records: fused scores 0..1, as `core.fusion` has them."""

    store: ChromaStore
    index: LexicalIndex | None
    vector: Sequence[float] | Vector
    name: str = FUSED

    def run(self, plan: Plan) -> Outcome:
        """The best records of either leg, best first."""
        embedding = query_vector(self.vector)
        found = self._groups(plan, embedding)
        if found is None:
            apart = plan.request.dedupe_key is not None or plan.request.group_by is not None
            most = min(2 * plan.depth, max(plan.depth, plan.deepest)) if apart else _few(plan)
            [found] = self.store.search([self._search(plan, embedding, most)])
        best = -sum(plan.pushed.values()) / (plan.request.c + 1.0)
        scores = [(id_, score / best) for id_, score in zip(found.ids, found.scores, strict=True)]
        # What no leg has found came along as a record without a word of the query.
        hits = [Scored(id_, min(1.0, score)) for id_, score in scores if score > _NOTHING]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        return Outcome(FUSED, hits, embedding, plan.filter.strategy, records=found.records)

    def _groups(self, plan: Plan, embedding: Vector) -> Found | None:
        """The answer that the server has grouped; None where it cannot say what was asked for.

        It takes all records without the key for one group, we let each of them in: an answer that
        may lack some of them is no answer, nor one that may have more groups further down.
        """
        request = plan.request
        keys = ((request.dedupe_key, 1), (request.group_by, request.group_limit))
        wanted = [(key, limit) for key, limit in keys if key is not None]
        if len(wanted) != 1:
            return None
        key, limit = wanted[0]
        search = self._search(plan, embedding, _few(plan))
        [found] = self.store.search([grouped(search, key, limit)])
        without = sum(record.metadata.get(key) is None for record in found.records.values())
        whole = len(found.ids) >= request.k and without < limit
        return found if whole else None

    def _search(self, plan: Plan, embedding: Vector, k: int) -> Search:
        request, index = plan.request, self.index
        assert isinstance(index, ServerIndex)  # noqa: S101  # `make_plan` asks for one that fuses
        words = index.vector(request.text or "", request.query_syntax)
        vector = Leg(embedding, plan.pushed[VECTOR], _depth(plan, VECTOR))
        lexical = Leg(words, plan.pushed[LEXICAL], _depth(plan, LEXICAL)) if words.indices else None
        key, where = index.sparse.key, plan.filter.asked
        return fused(vector, lexical, key, c=request.c, k=k, where=where)


def _depth(plan: Plan, name: str) -> int:
    return min(plan.depth, plan.most.get(name, plan.depth))


def _few(plan: Plan) -> int:
    k = plan.request.k
    return min(k + _SPARE, max(k, plan.deepest))


def said_of(
    plan: Plan, outcomes: Sequence[Outcome], found: int, index: LexicalIndex | None
) -> list[str]:
    """What a server's own search could not do for a query."""
    if not isinstance(index, ServerIndex):
        return []
    notes = []
    request = plan.request
    if request.query_syntax == "simple":
        nodes = [clause.node for clause in parse_query(request.text or "")]
        if any(isinstance(node, Phrase | Prefix | Fuzzy) for node in nodes):
            notes.append("the server's search ranks by words: phrases, prefixes and fuzzy words "
                         "hold behind + and - alone")  # fmt: skip
    full = any(len(outcome.hits) >= plan.fetch for outcome in outcomes)
    if found < request.k and full and plan.fetch >= plan.deepest:
        notes.append(f"the server gives {plan.fetch} hits of a leg: further ones may fit, too")
    return notes
