"""Searches in one index, beside what is known of its latest commit, page by page."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import IndexFormatError
from langchain_chroma_hybrid.lexical.opensearch.documents import order_of
from langchain_chroma_hybrid.lexical.opensearch.filters import EVERYTHING, Query
from langchain_chroma_hybrid.lexical.opensearch.side import Info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex
    from langchain_chroma_hybrid.lexical.seen import Seen

PAGE = 10_000
"""Hits of one search; a server gives no more."""

BY_ID: list[dict[str, str]] = [{"order": "asc"}]


class MovedError(Exception):
    """The records are in another index by now, which may have been built in another way."""


class Asking:
    """Asks one index; notes with each answer what the latest commit was.

    All of it raises MovedError where another index has the records by now.
    """

    def __init__(
        self,
        cluster: Cluster,
        side: SideIndex,
        generation: str,
        seen: Seen[Info],
        shards: int,
        before: Callable[[], None],
    ) -> None:
        """`before`: brings own writes to where reads see them."""
        self._cluster, self._side, self._seen = cluster, side, seen
        self._generation, self._before = generation, before
        # One copy of each shard for all questions of this object: copies differ a little.
        self._header: dict[str, Any] = {
            "index": generation,
            "preference": uuid.uuid4().hex,
            "allow_partial_search_results": False,
        }
        if shards > 1:  # how frequent a word is has to be the same for all of them
            self._header["search_type"] = "dfs_query_then_fetch"

    def _ask(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The answers to searches, in one request with what is known of the latest commit."""
        self._before()
        latest, *found = self._searches([self._side.latest, *((self._header, b) for b in bodies)])
        hits = latest["hits"]["hits"]
        if not hits:
            raise IndexFormatError("the lexical index was removed: open the collection anew")
        info = Info.of(hits[0]["_source"])
        self._seen.note(info)
        if info.generation != self._generation:
            raise MovedError
        return found

    def _searches(
        self, bodies: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> list[Mapping[str, Any]]:
        try:
            return self._cluster.searches(bodies)
        except IndexFormatError:
            if self._side.info().generation == self._generation:
                raise
            raise MovedError from None

    def _each(
        self,
        query: Query,
        limit: int | None,
        order: Sequence[Mapping[str, str]] = BY_ID,
        after: str | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """What is known of the records of a query, page by page."""
        most = PAGE if limit is None else max(0, limit)
        body = {"size": min(PAGE, most), "query": query, "sort": order, "track_total_hits": False}
        if after is not None:
            body["search_after"] = [order_of(after)]
        (answer,) = self._ask([body])
        hits = answer["hits"]["hits"]
        for hit in self._pages(body, hits, None if limit is None else most):
            yield hit["_source"]

    def _all_of(
        self, body: Mapping[str, Any], hits: list[Mapping[str, Any]], k: int
    ) -> Iterable[Mapping[str, Any]]:
        """Up to `k` hits of a search whose first page is there."""
        return list(self._pages(body, hits, max(k, 0)))

    def _pages(
        self, body: Mapping[str, Any], hits: list[Mapping[str, Any]], limit: int | None
    ) -> Iterator[Mapping[str, Any]]:
        """Further pages of a search, each behind the last hit of the one before."""
        given = 0
        while hits:
            yield from hits
            given += len(hits)
            if len(hits) < PAGE or (limit is not None and given >= limit):
                return
            size = PAGE if limit is None else min(PAGE, limit - given)
            further = {**body, "size": size, "search_after": hits[-1]["sort"]}
            hits = self._searches([(self._header, further)])[0]["hits"]["hits"]


def counted(query: Query = EVERYTHING, aggs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A search that counts, and gives no hits."""
    some = {name: each for name, each in (aggs or {}).items() if each["filters"]["filters"]}
    body = {"size": 0, "track_total_hits": True, "query": query}
    return {**body, "aggs": some} if some else body
