"""What the index answers, each question in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filters import AllOf, AnyOf, Ids
from langchain_chroma_hybrid.core.values import Scored
from langchain_chroma_hybrid.lexical.asked import Match, QueryCompiler, Term
from langchain_chroma_hybrid.lexical.bounds import bound_of, weights_of
from langchain_chroma_hybrid.lexical.corrections import words_to_check
from langchain_chroma_hybrid.lexical.opensearch import queries
from langchain_chroma_hybrid.lexical.opensearch.asking import BY_ID, PAGE, Asking, counted
from langchain_chroma_hybrid.lexical.opensearch.documents import DocumentTokens
from langchain_chroma_hybrid.lexical.opensearch.filters import (
    EVERYTHING,
    MAX_DEPTH,
    FilterCompiler,
    Query,
    all_of,
    depth,
    of_ids,
)
from langchain_chroma_hybrid.lexical.protocol import Hits, Passing
from langchain_chroma_hybrid.lexical.seen import Counts, Occurring, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.side import Info, SideIndex
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax

_MOST_BUCKETS = 1_024
_BEST_FIRST = [{"_score": "desc"}, *BY_ID]


class Reader(Asking):
    """Reads one index, each question in one request. Errors as of `Asking`."""

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
        super().__init__(cluster, side, generation, seen, shards, before)
        self.analyzer, self.tokens, self._scale = analyzer, DocumentTokens(lexical_fields), scale
        self._compiler = QueryCompiler(analyzer, self.tokens, self._frequencies)
        self._filters = FilterCompiler(lambda text: queries.demanded(self._compiler.required(text)))
        # How many pass, which words these have, and what the words of the last query weigh.
        self._counts, self._occurring = Counts(), Occurring()
        self._weights: tuple[object, Mapping[str, float]] = None, {}

    def search(
        self,
        query: str,
        k: int,
        where: Filter | None,
        syntax: QuerySyntax,
        corrections: Corrections | None,
    ) -> Hits:
        """The best `k` records for a query, and a bound of all scores.

        Where nobody knows of `corrections`, which of its words occur comes along.
        """
        plain = corrections is None and syntax == "plain"
        words = words_to_check(self.analyzer, query) if plain else []
        corrections = corrections or {}
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
        frequent = counted(
            aggs={"df": queries.frequencies(tokens), "runs": queries.found(asked.runs)}
        )
        there = self._occurring.get(self._seen.version, where, words)
        new = [word for word in words if word not in there]
        known, answer, *occurring = self._ask([frequent, ranked, *self._occur(new, passing)])
        self._learn(new, where, occurring)
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
        there = self._occurring.get(self._seen.version, where, words)
        if asked := [word for word in words if word not in there]:
            there |= self._learn(asked, where, self._ask(self._occur(asked, self._passing(where))))
        return tuple(word.text for word in words if not there[word])

    def standing(
        self,
        phrases: Iterable[Sequence[str]],
        where: Filter | None,
        suggesters: Sequence[Mapping[str, Any]],
    ) -> tuple[list[bool], dict[str, int]]:
        """Whether a record that passes has each of the phrases, and what suggesters have found."""
        matches = [self._compiler.standing((), [phrase]) for phrase in phrases]
        body = counted(self._passing(where), _occurring(matches))
        if suggesters:
            body["suggest"] = {str(n): each for n, each in enumerate(suggesters)}
        (answer,) = self._ask([body])
        there = [n > 0 for n in queries.counts(answer, "words")]
        return there, queries.suggested(answer)

    def counts(self, words: Mapping[str, Iterable[str]], where: Filter | None) -> dict[str, int]:
        """In how many records that pass `where` each word is, by its tokens."""
        matches = [Match([Term(t, 1.0, 0) for t in tokens]) for tokens in words.values()]
        (answer,) = self._ask([counted(self._passing(where), _occurring(matches))])
        return dict(zip(words, queries.counts(answer, "words"), strict=True))

    @property
    def total(self) -> int:
        """How many records there were at the latest commit."""
        return self._seen.info.total

    def plan(self, where: Filter | None, limit: int) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        known = self._counts.get(self._seen.version, where)
        if limit > 0 and known is not None and known > limit:  # steers, and is no answer
            return Passing(known, self._seen.info.total)
        body = counted(self._passing(where)) | {"size": min(max(limit, 0), PAGE)}
        body |= {"_source": ["id"], "sort": BY_ID}
        everything, answer = self._ask([counted(), body])
        total, passing = (each["hits"]["total"]["value"] for each in (everything, answer))
        self._counts.note(self._seen.version, where, passing)
        if passing > limit:
            return Passing(passing, total)
        hits = self._all_of(body, answer["hits"]["hits"], passing)
        return Passing(passing, total, tuple(hit["_source"]["id"] for hit in hits))

    def match(self, where: Filter | None, limit: int | None) -> list[str]:
        """Ids that pass `where`."""
        return [hit["id"] for hit in self._each(self._passing(where), limit)]

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        (answer,) = self._ask([counted(self._passing(where))])
        return int(answer["hits"]["total"]["value"])

    def ids(self, after: str | None = None) -> Iterator[str]:
        """All ids, part by part; those behind `after`."""
        return (hit["id"] for hit in self._each(EVERYTHING, None, after=after))

    def sample(self, n: int) -> list[str]:
        """At most `n` ids, the same ones for the same records."""
        order = [{"digest": "asc"}, *BY_ID]
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
        body = counted(aggs={"parts": {"filters": {"filters": parts}}})
        (answer,) = self._searches([(self._header, body)])
        textless, *used = queries.counts(answer, "parts") or [0] * len(parts)
        unused = tuple(n for n, count in enumerate(used) if not count)
        return answer["hits"]["total"]["value"], textless, unused

    def _occur(self, words: Sequence[QueryWord], passing: Query) -> list[dict[str, Any]]:
        """The search for whether each word is in a record that passes; none for no words."""
        matches = [self._compiler.standing(word.terms, word.phrases) for word in words]
        return [counted(passing, _occurring(matches))] if words else []

    def _learn(
        self,
        words: Sequence[QueryWord],
        where: Filter | None,
        answers: Sequence[Mapping[str, Any]],
    ) -> dict[QueryWord, bool]:
        found = [n > 0 for answer in answers for n in queries.counts(answer, "words")]
        there = dict(zip(words, found, strict=True))
        self._occurring.note(self._seen.version, where, there)
        return there

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
        bodies = [counted(aggs={"df": queries.frequencies(part)}) for part in parts]
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
