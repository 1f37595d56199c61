"""What is asked of the server: a query with its filter, and how frequent its words are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.opensearch.documents import field_of
from langchain_chroma_hybrid.lexical.opensearch.filters import Query, all_of, any_of
from langchain_chroma_hybrid.lexical.scoring import K1, MAX_EXPANSIONS, idf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.lexical.asked import Alike, Asked, Match, Run, Spread, Term

MAX_CLAUSES = 900
"""Parts of one query that add to a score; a server takes 1,024 of all kinds."""

CODE = 3
"""Characters of a token that say its field."""

_ANY = 1_000_000_000
_BEST = f"top_terms_blended_freqs_{MAX_EXPANSIONS}"


def bounded(asked: Asked) -> Asked:
    """Without the last of very many parts."""
    asked.terms = asked.terms[:MAX_CLAUSES]
    asked.runs = asked.runs[: MAX_CLAUSES - len(asked.terms)]
    return asked


def has(match: Match) -> Query:
    """The condition of a record that has what is in `match`."""
    by_field: dict[str, list[str]] = defaultdict(list)
    for token in sorted({term.token for term in match.terms}):
        by_field[field_of(token)].append(token)
    return any_of(
        [
            *({"terms": {field: tokens}} for field, tokens in by_field.items()),
            *({"prefix": {field_of(each.low): {"value": each.low}}} for each in match.spreads),
            *map(_alike, match.alike),
            *map(_run, match.runs),
        ]
    )


def demanded(asked: Asked) -> Query:
    """The condition of a record that has all it must have, and nothing that it must not."""
    never = [has(match) for match in asked.never]
    parts = [has(match) for match in asked.must]
    return all_of([*parts, {"bool": {"must_not": never}}] if never else parts)


def scored(asked: Asked, passing: Sequence[Query]) -> Query:
    """What ranks: of each group the best part; only what passes all of `passing`."""
    groups: dict[int, list[Query]] = defaultdict(list)
    for term in asked.terms:
        groups[term.group].append(_term(term))
    for spread in asked.spreads:
        groups[spread.group].append(_spread(spread))
    for alike in asked.alike:
        groups[alike.group].append(_alike(alike))
    ways: dict[tuple[int, int], list[Query]] = defaultdict(list)
    for run in asked.runs:
        ways[run.group, run.way].append(_run(run))
    for (group, _), queries in ways.items():
        groups[group].append(any_of(queries))
    should = [q[0] if len(q) == 1 else {"dis_max": {"queries": q}} for q in groups.values()]
    filters = {"filter": list(passing)} if passing else {}
    return {"bool": {"should": should, "minimum_should_match": 1, **filters}}


def frequencies(tokens: Iterable[str]) -> dict[str, Any]:
    """In how many records each of some tokens is: a bucket for each, in order."""
    return _buckets({"term": {field_of(token): {"value": token}}} for token in tokens)


def found(runs: Iterable[Run]) -> dict[str, Any]:
    """In how many records each of some runs is."""
    return _buckets(map(_run, runs))


def occurring(matches: Iterable[Match]) -> dict[str, Any]:
    """In how many records each of some matches is."""
    return _buckets(map(has, matches))


def near(token: str, edits: int, begins: int, most: int) -> dict[str, Any]:
    """A suggester of tokens of one field that are near one, which is in few records or in none.

    Args:
        token: what they are near to.
        edits: how many at most, 1 or 2.
        begins: so many of its characters they begin with.
        most: how many of them; the nearest, and of these the most frequent.
    """
    how = {
        "field": field_of(token),
        "suggest_mode": "always",
        "max_edits": edits,
        "prefix_length": begins,
        "size": most,
        # What is frequent among records that do not pass a filter has others like it, too.
        "max_term_freq": _ANY,
    }
    return {"text": token, "term": how}


def suggested(answer: Mapping[str, Any]) -> dict[str, int]:
    """The tokens that the suggesters of an answer have found, and in how many records each is.

    The deleted may be among these.
    """
    return {
        option["text"]: option["freq"]
        for entries in answer.get("suggest", {}).values()
        for entry in entries
        for option in entry["options"]
    }


def counts(answer: Mapping[str, Any], name: str) -> list[int]:
    """What the buckets of an aggregation hold."""
    buckets = answer.get("aggregations", {}).get(name, {}).get("buckets", ())
    return [bucket["doc_count"] for bucket in buckets]


def run_bounds(
    runs: Sequence[Run], there: Sequence[int], known: Mapping[str, int], total: int
) -> list[tuple[int, float]]:
    """By group, what the runs that occur can add at most."""
    most: dict[tuple[int, int], float] = defaultdict(float)
    for run, n in zip(runs, there, strict=True):
        if n:
            weight = sum(idf(min(known.get(token, n), total), total) for token in run.tokens)
            most[run.group, run.way] += run.weight * weight * (K1 + 1.0)
    return [(group, bound) for (group, _), bound in most.items()]


def _buckets(queries: Iterable[Query]) -> dict[str, Any]:
    return {"filters": {"filters": list(queries)}}


def _term(term: Term) -> Query:
    return {"term": {field_of(term.token): {"value": term.token, "boost": term.weight}}}


def _spread(spread: Spread) -> Query:
    """The words that begin so, as if each were as frequent as the most frequent of some of them."""
    field, value = field_of(spread.low), spread.low
    ranked = {"value": value, "boost": spread.weight, "rewrite": _BEST}
    rest = {"filter": {"prefix": {field: {"value": value}}}, "boost": spread.weight}
    return {"dis_max": {"queries": [{"prefix": {field: ranked}}, {"constant_score": rest}]}}


def _alike(alike: Alike) -> Query:
    """Words that are like one; of very many some."""
    return {
        "fuzzy": {
            field_of(alike.token): {
                "value": alike.token,
                "fuzziness": alike.distance,
                "prefix_length": CODE,
                "max_expansions": MAX_EXPANSIONS,
                "boost": alike.weight,
            }
        }
    }


def _run(run: Run) -> Query:
    """Tokens that follow each other, where they do not do so as in one of `without`."""
    here = _phrase(run.tokens, run.weight)
    if not run.without:
        return here
    return {"bool": {"must": [here], "must_not": [_phrase(each, 1.0) for each in run.without]}}


def _phrase(tokens: Sequence[str], weight: float) -> Query:
    field = field_of(tokens[0])
    if len(tokens) == 1:
        return {"term": {field: {"value": tokens[0], "boost": weight}}}
    return {"match_phrase": {field: {"query": " ".join(tokens), "boost": weight}}}
