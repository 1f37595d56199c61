"""How relevant the hits of one query are: evidence of both halves, whichever leg found them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.core.analysis.query_words import query_words, wanted
from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.core.relevance import NEAR, RIVAL, Evidence, relevance
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR
from langchain_chroma_hybrid.engine.query.plan import reading
from langchain_chroma_hybrid.engine.query.rank import share_of
from langchain_chroma_hybrid.lexical.identifiers import Identifiers, held
from langchain_chroma_hybrid.lexical.protocol import Hits
from langchain_chroma_hybrid.lexical.scoring import MAX_QUERY_CHARS
from langchain_chroma_hybrid.lexical.texts import field_texts, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.background import Background
    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.core.values import Record, Scored
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.query.values import Outcome, Plan, Ranking
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

_MOST_WORDS = 256
_SHORTEST = 1e-6
# Of records with an identifier of the query so many are looked for.
_HOLDERS = 1_000


class Judge:
    """Relevance of records for one query, 0..1; of a record it does not depend on `k`.

    Cosines count where the vector leg ran, words wherever there is an index to ask.
    """

    def __init__(
        self,
        plan: Plan,
        outcomes: Sequence[Outcome],
        ranking: Ranking,
        store: ChromaStore,
        lexical: LexicalIndex | None,
        background: Background,
    ) -> None:
        self._plan, self._store, self._lexical = plan, store, lexical
        # Without words the query is as a record is, such as a picture among pictures.
        by_vector = plan.request.text is None
        self._background = background.between_records() if by_vector else background
        self._legs = {outcome.name: outcome for outcome in outcomes}
        self._ranking = ranking
        self._distances = ranking.raw.get(VECTOR, {})
        vector = self._legs.get(VECTOR)
        self._embedding = None if vector is None or plan.request.mode == "lexical" else (
            vector.embedding
        )
        self._near = self._nearby()
        self._asks_words = lexical is not None and bool(plan.request.text)
        self._words = words_of(plan, lexical) if lexical is not None else []
        self._nowhere: tuple[str, ...] | None = None
        if self._asks_words:
            self._prepare_words()

    def _prepare_words(self) -> None:
        """Best shares of the query, the highest possible score, identifiers."""
        request, lexical = self._plan.request, self._lexical
        assert lexical is not None  # noqa: S101  # see `_asks_words`
        text, how = request.text or "", reading(self._plan, lexical)
        leg = self._legs.get(LEXICAL)
        if leg is None:
            found = lexical.search(text, RIVAL, where=self._plan.filter.resolved, **how)
            self._scores, self._all = {hit.id: hit.score for hit in found}, len(found) < RIVAL
            self._most = found.ceiling
        else:
            found, self._most = Hits(leg.hits), leg.ceiling
            self._scores = {hit.id: hit.score for hit in found}
            self._all = len(found) < self._plan.fetch
        self._rival = self._share(found[RIVAL - 1].score) if len(found) >= RIVAL else 0.0
        # Of what the legs have not brought: without a lexical leg, the best may be among it.
        unseen = found[:1] if leg is None else found[-1:]
        self._last = self._share(unseen[0].score) if unseen and not self._all else 0.0
        self._identifiers = self._identified(lexical)

    def _identified(self, lexical: LexicalIndex) -> Identifiers:
        """The identifiers among the words; without one nothing is asked."""
        fields, words = fields_of(lexical), self._words
        if not any(word.identifier for word in words):
            return Identifiers({}, lexical.analyzer, fields)
        # Of the words one by one: `E-4012/E-4013` asks for two things.
        weights = lexical.weights(" ".join(word.text for word in words))
        others = {word.text for word in words if not word.identifier}
        if others:
            self._nowhere = lexical.unmatched(words)
        nowhere = others.intersection(self._nowhere or ())
        return Identifiers.of(words, weights, lexical.analyzer, fields, nowhere=nowhere)

    def unmatched(self, records: Sequence[Record]) -> tuple[str, ...]:
        """Words of the query that occur in no record that passes its filters, as `records` do."""
        lexical, where = self._lexical, self._plan.filter.known
        if lexical is None or not self._asks_words:
            return ()
        if where is None and self._nowhere is not None:
            return self._nowhere
        words = self._words
        if lexical.capabilities.remote:  # a look at what is here is cheaper than a question
            there = held(words, records, lexical.analyzer, fields_of(lexical))
            words = [word for word in words if word not in there]
        return lexical.unmatched(words, where) if words else ()

    def relevances(self, records: Sequence[Record]) -> list[float]:
        """Of each of the records."""
        ids = [record.id for record in records]
        cosines = self._cosines(ids) if self._embedding is not None else {}
        shares = self._shares(ids) if self._asks_words else {}
        return [self._relevance(record, cosines, shares) for record in records]

    def _relevance(
        self, record: Record, cosines: Mapping[str, float], shares: Mapping[str, float]
    ) -> float:
        # A record without text is not known to have no word of the query: it is not known at all.
        if not self._asks_words or not self._has_text(record):
            return self._of(cosines.get(record.id), None)
        has, lacks = self._identifiers.covered(record)
        return self._of(cosines.get(record.id), shares.get(record.id, 0.0), has, lacks)

    def _has_text(self, record: Record) -> bool:
        fields = self._identifiers.fields
        return any(text.strip() for field in fields for text in field_texts(record, field))

    def _of(
        self, cosine: float | None, share: float | None, has: float = 0.0, lacks: float = 0.0
    ) -> float:
        rival = self._rival if self._asks_words else 0.0
        evidence = Evidence(cosine, share, self._near, rival, has, lacks)
        return relevance(evidence, self._background)

    def best_unseen(self) -> float:
        """What no record exceeds that the legs have not brought."""
        leg = self._legs.get(VECTOR)
        cosine = None
        if self._embedding is not None and leg is not None:
            # With `two_step` the nearest may be among what has no word of the query.
            ranks = VECTOR in self._plan.weights
            full = bool(leg.hits) and len(leg.hits) >= self._plan.fetch
            at = leg.hits[-1 if ranks else 0] if full or (leg.hits and not ranks) else None
            cosine = -1.0 if at is None else self._cosine_at(at)
        if not self._asks_words:
            return self._of(cosine, None)
        return self._of(cosine, self._last, 1.0 if self._misses_holders() else 0.0)

    def _misses_holders(self) -> bool:
        """Whether there are records with an identifier of the query that the legs did not bring."""
        lexical = self._lexical
        if lexical is None or not self._identifiers.shares:
            return False
        text = " ".join(word.text for word in self._identifiers.shares)
        most = min(_HOLDERS, lexical.capabilities.most)
        holders = lexical.search(text, most, where=self._plan.filter.known)
        seen = {hit.id for hit in self._ranking.fused}
        return any(hit.id not in seen for hit in holders)

    def _nearby(self) -> float | None:
        leg = self._legs.get(VECTOR)
        if self._embedding is None or leg is None or len(leg.hits) < NEAR:
            return None
        return self._cosine_at(leg.hits[NEAR - 1])

    def _cosine_at(self, at: Scored) -> float:
        return self._cosines([at.id], {at.id: at.score}).get(at.id, -1.0)

    def _cosines(
        self, ids: Sequence[str], distances: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Of the query's vector and each record's, from distances where these tell."""
        known = self._distances if distances is None else distances
        assert self._embedding is not None  # noqa: S101  # callers ask only then
        told = {i: self._told(known[i]) for i in ids if i in known} if self._tells else {}
        missing = [id_ for id_ in ids if id_ not in told]
        if not missing:
            return told
        vectors = self._store.vectors(missing, self._plan.token)
        if not vectors.ids:
            return told
        found = self._store.cosines(self._embedding, vectors).tolist()
        return told | dict(zip(vectors.ids, found, strict=True))

    @property
    def _tells(self) -> bool:
        return self._store.space == "cosine" or self._background.unit

    def _told(self, distance: float) -> float:
        """The cosine of a distance, of records of length 1 where the space is not `cosine`."""
        if self._store.space == "cosine":
            return 1.0 - distance
        length = 0.0 if self._embedding is None else float(np.linalg.norm(self._embedding))
        if length < _SHORTEST:  # a model that knows no word of the query
            return 0.0
        dot = 1.0 - distance
        if self._store.space == "l2":
            dot = (1.0 + length * length - distance) / 2.0
        return dot / length

    def _shares(self, ids: Sequence[str]) -> dict[str, float]:
        """Of the highest possible score, for each record with a word of the query."""
        request, lexical = self._plan.request, self._lexical
        missing = frozenset(id_ for id_ in ids if id_ not in self._scores)
        scores = self._scores
        if missing and not self._all and lexical is not None:
            found = lexical.search(
                request.text or "",
                len(missing),
                where=Ids(missing),
                **reading(self._plan, lexical),
            )
            scores = scores | {hit.id: hit.score for hit in found}
        return {id_: self._share(scores[id_]) for id_ in ids if id_ in scores}

    def _share(self, score: float) -> float:
        return share_of(score, self._most)


def words_of(plan: Plan, lexical: LexicalIndex) -> list[QueryWord]:
    """The words that the query asks for, a bounded number."""
    words = query_words(lexical.analyzer, asked_text(plan.request))
    # Identifiers first: the last word of a pasted mail may be the one that counts.
    chosen = sorted(words, key=lambda word: not word.identifier)[:_MOST_WORDS]
    return [word for word in words if word in set(chosen)]


def asked_text(request: SearchRequest) -> str:
    """What a query asks for in plain words, without operators and what it excludes."""
    text = (request.text or "")[:MAX_QUERY_CHARS]
    return wanted(text) if request.query_syntax == "simple" else text
