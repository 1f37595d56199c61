"""What the index answers, each question in one request."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filters import AllOf, AnyOf, Ids
from langchain_chroma_hybrid.core.values import Scored
from langchain_chroma_hybrid.errors import IndexFormatError
from langchain_chroma_hybrid.lexical.asked import Match, QueryCompiler, Term
from langchain_chroma_hybrid.lexical.bounds import bound_of, weights_of
from langchain_chroma_hybrid.lexical.opensearch import queries
from langchain_chroma_hybrid.lexical.opensearch.documents import DocumentTokens, order_of
from langchain_chroma_hybrid.lexical.opensearch.filters import (
    EVERYTHING,
    MAX_DEPTH,
    FilterCompiler,
    Query,
    all_of,
    depth,
    of_ids,
)
from langchain_chroma_hybrid.lexical.opensearch.side import Info
from langchain_chroma_hybrid.lexical.protocol import Hits, Passing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax
    from langchain_chroma_hybrid.lexical.seen import Seen

PAGE = 10_000
"""Hits of one search; a server gives no more."""

_MOST_BUCKETS, _MOST_WORDS = 1_024, 4_096
_BY_ID: list[dict[str, str]] = [{"order": "asc"}]
_BEST_FIRST = [{"_score": "desc"}, *_BY_ID]


class MovedError(Exception):
    """The records are in another index by now, which may have been built in another way."""


class Reader:
    """Reads one index; notes with each answer what the latest commit was.

    All of it raises MovedError where another index has the records by now.
    """

    def __init__(
        self,
        cluster: Cluster,
        side: SideIndex,
        generation: str,
        analyzer: Analyzer,
        lexical_fields: Mapping[str, float],
        seen: Seen[Info],
        *,
        scale: float,
        shards: int,
        before: Callable[[], None],
    ) -> None:
        """`scale`: what makes a score ours; `before`: brings own writes to where reads see them."""
        self._cluster, self._side, self._seen = cluster, side, seen
        self._generation = generation
        self.analyzer, self.tokens = analyzer, DocumentTokens(lexical_fields)
        self._compiler = QueryCompiler(analyzer, self.tokens, self._frequencies)
        self._filters = FilterCompiler(lambda text: queries.demanded(self._compiler.required(text)))
        self._scale, self._before = scale, before
        # One copy of each shard for all questions of this object: copies differ a little.
        self._header: dict[str, Any] = {
            "index": generation,
            "preference": uuid.uuid4().hex,
            "allow_partial_search_results": False,
        }
        if shards > 1:  # how frequent a word is has to be the same for all of them
            self._header["search_type"] = "dfs_query_then_fetch"
        # Which words passing records have, of the latest commit; and what the words of the last
        # query weigh.
        self._occurring: dict[tuple[object, Filter | None, QueryWord], bool] = {}
        self._weights: tuple[object, Mapping[str, float]] = None, {}

    def search(
        self,
        query: str,
        k: int,
        where: Filter | None,
        syntax: QuerySyntax,
        corrections: Corrections,
    ) -> Hits:
        """The best `k` records for a query, and a bound of all scores."""
        passing = self._passing(where)  # refuses what cannot be answered
        asked = queries.bounded(self._compiler.compile(query, syntax, corrections))
        if asked.empty:
            self._cluster.open()
            return Hits()
        tokens = list(dict.fromkeys(_tokens_of(asked)))
        filters = [each for each in (passing, queries.demanded(asked)) if each != EVERYTHING]
        ranked = {
            "size": min(max(k, 0), PAGE),
            "query": queries.scored(asked, filters),
            "sort": _BEST_FIRST,
            "_source": ["id"],
            "track_total_hits": False,
        }
        frequent = _counted(
            aggs={"df": queries.frequencies(tokens), "runs": queries.found(asked.runs)}
        )
        known, answer = self._ask([frequent, ranked])
        total = known["hits"]["total"]["value"]
        hits = self._all_of(ranked, answer["hits"]["hits"], k)
        df = dict(zip(tokens, queries.counts(known, "df"), strict=True))
        terms = [(t.group, t.token, t.weight, df[t.token]) for t in asked.terms]
        runs = queries.run_bounds(asked.runs, queries.counts(known, "runs"), df, total)
        weights = weights_of(asked, terms, runs, total, self.tokens)
        self._weights = (self._seen.version, query, syntax, *corrections.items()), weights
        scores = [Scored(hit["_source"]["id"], hit["_score"] * self._scale) for hit in hits]
        if asked.spreads or asked.alike:
            return Hits(scores, None)
        bound = bound_of(asked, terms, runs, weights, total)
        # A server counts the deleted among the others until it has merged them.
        return Hits(scores, max([bound, *(hit.score for hit in scores[:1])]))

    def weights(
        self, query: str, syntax: QuerySyntax, corrections: Corrections
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score; known after its search."""
        key = (self._seen.version, query, syntax, *corrections.items())
        if self._weights[0] != key:
            self.search(query, 0, None, syntax, corrections)
        return self._weights[1] if self._weights[0] == key else {}

    def unmatched(self, words: Sequence[QueryWord], where: Filter | None) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes, as they were typed.

        What the latest commit has been asked for before is known.
        """
        self._cluster.open()
        known, version = self._occurring, self._seen.version
        there = {w: known[version, where, w] for w in words if (version, where, w) in known}
        if asked := [word for word in words if word not in there]:
            matches = [self._compiler.standing(word.terms, word.phrases) for word in asked]
            (answer,) = self._ask([_counted(self._passing(where), _occurring(matches))])
            there |= zip(asked, map(bool, queries.counts(answer, "words")), strict=True)
            if len(known) >= _MOST_WORDS:
                self._occurring = {}
            version = self._seen.version
            self._occurring |= {(version, where, word): there[word] for word in asked}
        return tuple(word.text for word in words if not there[word])

    def standing(
        self,
        phrases: Iterable[Sequence[str]],
        where: Filter | None,
        suggesters: Sequence[Mapping[str, Any]],
    ) -> tuple[list[bool], dict[str, int]]:
        """Whether a record that passes has each of the phrases, and what suggesters have found."""
        matches = [self._compiler.standing((), [phrase]) for phrase in phrases]
        body = _counted(self._passing(where), _occurring(matches))
        if suggesters:
            body["suggest"] = {str(n): each for n, each in enumerate(suggesters)}
        (answer,) = self._ask([body])
        there = [n > 0 for n in queries.counts(answer, "words")]
        return there, queries.suggested(answer)

    def counts(self, words: Mapping[str, Iterable[str]], where: Filter | None) -> dict[str, int]:
        """In how many records that pass `where` each word is, by its tokens."""
        matches = [Match([Term(t, 1.0, 0) for t in tokens]) for tokens in words.values()]
        (answer,) = self._ask([_counted(self._passing(where), _occurring(matches))])
        return dict(zip(words, queries.counts(answer, "words"), strict=True))

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""
        return self._seen.info.total

    def plan(self, where: Filter | None, limit: int) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        body = _counted(self._passing(where)) | {"size": min(max(limit, 0), PAGE)}
        body |= {"_source": ["id"], "sort": _BY_ID}
        everything, answer = self._ask([_counted(), body])
        total, passing = (each["hits"]["total"]["value"] for each in (everything, answer))
        if passing > limit:
            return Passing(passing, total)
        hits = self._all_of(body, answer["hits"]["hits"], passing)
        return Passing(passing, total, tuple(hit["_source"]["id"] for hit in hits))

    def match(self, where: Filter | None, limit: int | None) -> list[str]:
        """Ids that pass `where`."""
        return [hit["id"] for hit in self._each(self._passing(where), limit)]

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        (answer,) = self._ask([_counted(self._passing(where))])
        return int(answer["hits"]["total"]["value"])

    def ids(self, after: str | None = None) -> Iterator[str]:
        """All ids, part by part; those behind `after`."""
        return (hit["id"] for hit in self._each(EVERYTHING, None, after=after))

    def sample(self, n: int) -> list[str]:
        """At most `n` ids, the same ones for the same records."""
        order = [{"digest": "asc"}, *_BY_ID]
        return [hit["id"] for hit in self._each(EVERYTHING, n, order)]

    def digests(self, ids: Collection[str] | None) -> dict[str, str]:
        """Digests of records, by id."""
        query = EVERYTHING if ids is None else of_ids(ids)
        return {hit["id"]: hit["digest"] for hit in self._each(query, None)}

    def without_text(self, ids: Collection[str] | None) -> frozenset[str]:
        """Those of `ids` with no term in any field."""
        if not self._seen.info.textless:
            return frozenset()
        among = [] if ids is None else [of_ids(ids)]
        query = all_of([{"term": {"textless": {"value": True}}}, *among])
        return frozenset(hit["id"] for hit in self._each(query, None))

    def statistics(self) -> tuple[int, int, tuple[int, ...]]:
        """Records, those without any term, and the fields in which there is none."""
        fields: list[Query] = [{"exists": {"field": f"t{n}"}} for n in self.tokens.fields]
        parts = [{"term": {"textless": {"value": True}}}, *fields]
        body = _counted(aggs={"parts": {"filters": {"filters": parts}}})
        (answer,) = self._searches([(self._header, body)])
        textless, *used = queries.counts(answer, "parts") or [0] * len(parts)
        unused = tuple(n for n, count in enumerate(used) if not count)
        return answer["hits"]["total"]["value"], textless, unused

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
        order: Sequence[Mapping[str, str]] = _BY_ID,
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

    def _passing(self, where: Filter | None) -> Query:
        """The query of a filter; what is too deep for one is asked for by itself."""
        if depth(where) > MAX_DEPTH:
            self._filters.compile(where)  # refuses what cannot be answered
            where = self._flat(where, MAX_DEPTH)
        return self._filters.compile(where)

    def _flat(self, node: Any, levels: int) -> Filter:
        if not isinstance(node, AllOf | AnyOf):
            return node  # type: ignore[no-any-return]
        if levels == 0:
            return Ids(frozenset(self.match(node, None)))
        return type(node)(tuple(self._flat(part, levels - 1) for part in node.parts))

    def _frequencies(self, tokens: Iterable[str]) -> dict[str, int]:
        """In how many records each of the tokens is."""
        every = list(dict.fromkeys(tokens))
        parts = [every[at : at + _MOST_BUCKETS] for at in range(0, len(every), _MOST_BUCKETS)]
        bodies = [_counted(aggs={"df": queries.frequencies(part)}) for part in parts]
        found = self._ask(bodies)
        return {
            token: n
            for part, answer in zip(parts, found, strict=True)
            for token, n in zip(part, queries.counts(answer, "df"), strict=True)
        }


def _tokens_of(asked: Any) -> Iterator[str]:
    yield from (term.token for term in asked.terms)
    yield from (token for run in asked.runs for token in run.tokens)


def _occurring(matches: Iterable[Match]) -> dict[str, Any]:
    return {"words": queries.occurring(matches)}


def _counted(query: Query = EVERYTHING, aggs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A search that counts, and gives no hits."""
    some = {name: each for name, each in (aggs or {}).items() if each["filters"]["filters"]}
    body = {"size": 0, "track_total_hits": True, "query": query}
    return {**body, "aggs": some} if some else body
