"""Chroma's own search: whether a server has it, what it is asked, what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from chromadb import K, Knn, Rrf, Search
from chromadb.api.types import SparseVector
from chromadb.errors import NotFoundError
from chromadb.execution.expression import GroupBy, MinK
from chromadb.execution.expression.operator import Where

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    Filter,
    Ids,
    QueryMatch,
    all_of,
    given_ids,
    to_chroma,
)
from langchain_chroma_hybrid.engine.chroma.calls import records_of
from langchain_chroma_hybrid.engine.chroma.patience import status_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import chromadb
    from chromadb.execution.expression.operator import Rank

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector

FAR = 1e9
"""The rank of what a leg has not found: it adds next to nothing, as in `core.fusion`."""

MOST_HITS = 300
"""What Chroma Cloud gives of one search where nobody has agreed on more."""

# Records that are not in the sparse index yet are all ranked by the server, those without a word
# of the query behind the others, at distance 1 - 0. The number below 1 that its 32 bits can hold.
_BELOW_1 = 1.0 - 2.0**-23
_AWAY = 1e17
_RECORD = (K.DOCUMENT, K.METADATA, K.SCORE)

_answers: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def can_search(collection: chromadb.Collection) -> bool:
    """Whether the server behind a collection has `search`: tried once for each client.

    Raises:
        Exception: it cannot be told now, such as without a network; the next call tries again.
    """
    server = vars(collection)["_client"]
    known = _answers.get(server)
    if known is None:  # two threads may try it at once, and learn the same
        known = _answers[server] = _tried(collection)
    return known


def _tried(collection: chromadb.Collection) -> bool:
    """Whether a search is answered: not, where the refusal says that there is none."""
    try:
        collection.search(Search().limit(1))
    except NotImplementedError:
        return False
    except NotFoundError:
        raise
    except Exception as error:
        # The words of `chroma run`; a server of before has no such address.
        if "not implemented" in str(error).lower() or status_of(error) in (404, 405, 501):
            return False
        raise
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one search: ids, best first.

    Attributes:
        scores: lower is better.
        records: by id, where they were asked for.
        vectors: the sparse ones by id, where their key was asked for.
    """

    ids: Sequence[str]
    scores: Sequence[float]
    records: Mapping[str, Record]
    vectors: Mapping[str, SparseVector]


def answers(result: Mapping[str, Any], key: str) -> list[Found]:
    """What came, a `Found` for each search; `key` has the sparse vectors."""
    found = []
    for n, ids in enumerate(result["ids"]):
        columns = {name: _column(result, name, n, len(ids)) for name in _COLUMNS}
        uris = [(row or {}).get("chroma:uri") for row in columns["metadatas"]]
        plain = [_plain(row) for row in columns["metadatas"]]
        rows = {"ids": ids, **columns, "metadatas": plain, "uris": uris}
        vectors = {
            id_: row[key]
            for id_, row in zip(ids, columns["metadatas"], strict=True)
            if row and key in row
        }
        records = {record.id: record for record in records_of(rows)}
        found.append(Found(ids, [float(s or 0.0) for s in columns["scores"]], records, vectors))
    return found


_COLUMNS = ("documents", "metadatas", "scores")


def _column(result: Mapping[str, Any], name: str, n: int, size: int) -> list[Any]:
    return (result.get(name) or {n: None})[n] or [None] * size


def _plain(row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {k: v for k, v in (row or {}).items() if not k.startswith("chroma:")}


def by_words(
    words: SparseVector, key: str, k: int, where: Filter | None, *, vectors: bool = False
) -> Search:
    """The best `k` for the words alone; with the sparse vectors if wanted."""
    search = Search(where=condition(where), rank=Knn(query=words, key=key, limit=k), limit=k)
    return search.select(K.SCORE, key) if vectors else search.select(K.SCORE)


def unit(place: int) -> SparseVector:
    """The vector that has 1 in one dimension."""
    return SparseVector([place], [1.0])


@dataclass(frozen=True, slots=True)
class Leg:
    """One ranking that is fused: its share and how deep it is asked."""

    query: SparseVector | Vector
    weight: float
    limit: int


def fused(
    vector: Leg, words: Leg | None, key: str, *, c: float, k: int, where: Filter | None
) -> Search:
    """The best `k` by reciprocal ranks of both legs, records included.

    Chroma counts ranks from 0 and adds `w / (k + rank)`, we from 1: its `k` is `c + 1`. A leg
    without `default` would drop whatever it has not found. `words` None: the query has none.
    """
    near = Knn(query=vector.query, limit=vector.limit, default=FAR, return_rank=True)
    ranks: list[Rank] = [near]
    weights = [vector.weight]
    if words is not None:
        ranks.append(_with_a_word(words, key))
        weights.append(words.weight)
    rank = Rrf(ranks, k=c + 1, weights=weights)  # type: ignore[arg-type]  # it takes any number
    return Search(where=condition(where), rank=rank, limit=k).select(*_RECORD)


def grouped(search: Search, group_by: str, limit: int) -> Search:
    """The same with the best `limit` of each value of a metadata key."""
    return search.group_by(GroupBy(K(group_by), MinK(K.SCORE, limit)))


def _with_a_word(leg: Leg, key: str) -> Rank:
    """Ranks by words; `FAR` for what has none of them, wherever the server ranks it."""
    query: Any = leg.query
    ranks = Knn(query=query, key=key, limit=leg.limit, default=FAR, return_rank=True)
    distance = Knn(query=query, key=key, limit=leg.limit, default=0.0)
    return ranks + (distance.max(_BELOW_1) - _BELOW_1) * _AWAY


def condition(where: Filter | None) -> Where | None:
    """A filter as a search takes it; what a query text demands is left to whoever reads."""
    parts = where.parts if isinstance(where, AllOf) else (where,)
    ids = given_ids(where)
    rest = all_of(*(p for p in parts if p is not None and not isinstance(p, Ids | QueryMatch)))
    asked, document = to_chroma(rest)
    conditions = [asked] if asked else []
    if document:
        conditions.append(_of_document(document))
    if ids is not None:
        conditions.append({"#id": {"$in": sorted(ids)}})
    if not conditions:
        return None
    return Where.from_dict(conditions[0] if len(conditions) == 1 else {"$and": conditions})


def _of_document(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A `where_document` with the text's name before each condition."""
    (operator, value), = asked.items()
    if operator in ("$and", "$or"):
        return {operator: [_of_document(part) for part in value]}
    return {K.DOCUMENT.name: {operator: value}}
