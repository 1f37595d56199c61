"""From fused ids to results: read the final records from Chroma, and only those."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.search import Hit, LegHit, looked_for
from langchain_chroma_hybrid.core.values import LEXICAL, VECTOR, Record
from langchain_chroma_hybrid.engine.chroma.vectors import NO_VECTORS, Vectors
from langchain_chroma_hybrid.engine.query.judge import asked_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.fusion import Fused
    from langchain_chroma_hybrid.core.search import SearchRequest
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector
    from langchain_chroma_hybrid.engine.query.judge import Judge
    from langchain_chroma_hybrid.engine.query.values import Plan, Ranking
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


def hydrate(
    plan: Plan,
    ranking: Ranking,
    embedding: Vector | None,
    store: ChromaStore,
    lexical: LexicalIndex | None,
    known: Mapping[str, Record] | None = None,
    judge: Judge | None = None,
) -> tuple[Hit, ...]:
    """The best `k` results as Chroma holds them now; `known` are records that came with the hits.

    What Chroma no longer has, or what no longer passes the filter there, is left out and the next
    ones move up: a lexical index that lags behind can cost a result, never leak one.
    """
    request, demands = plan.request, plan.requirement
    found: list[tuple[Fused, Record]] = []
    relevances: dict[str, float] = {}
    room = _Room(request)
    for chunk in _chunks(ranking.fused, request.k):
        read = _read(plan, chunk, store) if known is None else _known(chunk, known)
        new = [pair for pair in read if demands is None or demands.holds(pair[1])]
        if judge is not None:
            judged = judge.relevances([record for _, record in new])
            relevances |= {hit.id: value for (hit, _), value in zip(new, judged, strict=True)}
            threshold = request.score_threshold or 0.0
            new = [pair for pair in new if relevances[pair[0].id] >= threshold]
        found += [pair for pair in new if room.admits(pair[1])]
        if len(found) >= request.k:
            break
    best = found[: request.k]
    vectors, distances = NO_VECTORS, ranking.raw.get(VECTOR, {})
    if request.with_embedding or request.with_distance:
        vectors = _vectors(plan, [hit.id for hit, _ in best], distances, store)
        distances = _distances(distances, embedding, vectors, store)
    # Copies: these go to the caller, who may write to his own.
    own = {i: row.copy() for i, row in vectors.by_id().items()} if request.with_embedding else {}
    return tuple(
        Hit(
            record,
            hit.score,
            distance=distances.get(hit.id),
            legs=_legs(plan, ranking, hit, record, lexical) if request.explain else (),
            embedding=own.get(hit.id),
            relevance=1.0 if request.blank else relevances.get(hit.id),
            spans=_spans(plan, record, lexical) if request.explain else (),
        )
        for hit, record in best
    )


def _read(
    plan: Plan, chunk: Sequence[Fused], store: ChromaStore
) -> Iterator[tuple[Fused, Record]]:
    """What Chroma holds and what passes: as it is now, not as the legs saw it, read once."""
    records = store.passing([hit.id for hit in chunk], plan.filter.asked)
    return _known(chunk, records)


def _known(
    chunk: Sequence[Fused], records: Mapping[str, Record]
) -> Iterator[tuple[Fused, Record]]:
    return ((hit, records[hit.id]) for hit in chunk if hit.id in records)


def _chunks(fused: Sequence[Fused], size: int) -> Iterator[Sequence[Fused]]:
    """First exactly what is wanted, then ever more, for the rare case that some fall out."""
    start = 0
    while start < len(fused):
        yield fused[start : start + size]
        start, size = start + size, size * 2


class _Room:
    """What `dedupe_key` and `group_by` leave room for: records are let in best first."""

    def __init__(self, request: SearchRequest) -> None:
        limits = ((request.dedupe_key, 1), (request.group_by, request.group_limit))
        self._limits = [(key, limit) for key, limit in limits if key is not None]
        self._seen: Counter[object] = Counter()

    def admits(self, record: Record) -> bool:
        """Whether there is room by every key; only what is let in takes some of it."""
        places = []
        for key, limit in self._limits:
            value = record.metadata.get(key)
            if value is None:  # records without the key are all let in
                continue
            # With its type, as in filters: `True` is not 1.
            place = limit, key, type(value), tuple(value) if isinstance(value, list) else value
            if self._seen[place] >= limit:
                return False
            places.append(place)
        self._seen.update(places)
        return True


def _vectors(
    plan: Plan, ids: Sequence[str], known: Mapping[str, float], store: ChromaStore
) -> Vectors:
    """Vectors that were asked for, or that a missing distance needs."""
    missing = [id_ for id_ in ids if plan.request.with_embedding or id_ not in known]
    return store.vectors(missing, plan.token) if missing else NO_VECTORS


def _distances(
    known: Mapping[str, float], embedding: Vector | None, vectors: Vectors, store: ChromaStore
) -> Mapping[str, float]:
    """The known distances, and those of the other vectors."""
    if embedding is None or not vectors.ids:
        return known
    far = store.distances(embedding, vectors).tolist()
    return dict(zip(vectors.ids, far, strict=True)) | dict(known)


def _spans(
    plan: Plan, record: Record, lexical: LexicalIndex | None
) -> tuple[tuple[int, int], ...]:
    """Where words of the query, and what counts for them, are in the record's text."""
    if lexical is None or not plan.request.text or not record.text:
        return ()
    words = looked_for(asked_text(plan.request), plan.corrections or {})
    return tuple(lexical.highlight(words, record.text))


def _legs(
    plan: Plan, ranking: Ranking, hit: Fused, record: Record, lexical: LexicalIndex | None
) -> tuple[LegHit, ...]:
    legs = []
    views = zip(ranking.weights.items(), hit.ranks, hit.normalized, strict=True)
    for (name, weight), rank, normalized in views:
        terms: tuple[str, ...] = ()
        if name == LEXICAL and rank is not None and plan.request.text and lexical:
            terms = lexical.matched_terms(asked_text(plan.request), record)
        legs.append(LegHit(name, weight, rank, ranking.raw[name].get(hit.id), normalized, terms))
    return tuple(legs)
