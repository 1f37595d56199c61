"""One statement of SQL for a search: hits, what is known of the index, what each word weighs.

pg_textsearch brings candidates, best first by its own reckoning, which rounds lengths and counts
deleted rows; the score is computed here from exact numbers, as every engine has it. Where few
records can be hits, all of them are candidates. They stand in a sub-select: in a `with` it would
compute a score of its own for each, which takes 0.3 ms. Their words are sorted, so that
`width_bucket` finds one by halves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid.lexical.asked import Asked, Match, Run, Spread
from langchain_chroma_hybrid.lexical.postgres.filters import FilterCompiler, Values, joined
from langchain_chroma_hybrid.lexical.postgres.rows import in_order
from langchain_chroma_hybrid.lexical.postgres.schema import INFO
from langchain_chroma_hybrid.lexical.scoring import K1, MAX_EXPANSIONS, B
from langchain_chroma_hybrid.lexical.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.lexical.postgres.schema import Names

MOST_CANDIDATES = 100_000
"""pg_textsearch gives no more."""

_LEAST_CANDIDATES, _CANDIDATES_PER_HIT = 200, 2
_MOST_COPIES, _MOST_TOKENS = 200, 10_000
_BITS = 63  # of a bigint, but for its sign
_IDF = "ln(1 + (i.total - {n} + 0.5) / ({n} + 0.5))"
_TF = (
    f"{{tf}} * {K1 + 1} / ({{tf}} + {K1} * ({1 - B} + {B} * c.lengths[{{field}}]"
    " / nullif({usual}, 0)))"
)
_SEARCH = f"""
with info as materialized (
    select {INFO} from {{schema}}.indexes where name = '{{name}}'
), known as materialized (
    {{known}}
), asked as materialized (
    select k.*, case when k.n > 0 then {_IDF.format(n="k.n")} end idf,
        i.lengths[k.field] / nullif(i.total, 0)::float8 usual
    from known k, info i
), runs as materialized (
    {{runs}}
)
select i.*, t.*, r.*, h.ids, h.scores, h.runs, {{further}} from info i,
    (select array_agg(grp), array_agg(token), array_agg(weight), array_agg(n) from asked) t,
    (select array_agg(grp), array_agg(most) from (
        select grp, max(most) most from (
            select grp, sum(weight * idf * {K1 + 1}) most from runs group by grp, alt
        ) x group by grp) y) r,
    (select (array_agg(id order by score desc, id))[1:{{limit}}],
        (array_agg(score::float8 order by score desc, id))[1:{{limit}}],
        string_agg(array_to_string(grps, ','), ','), bit_or(bits)
    from (select c.id, s.grps, s.bits, round(s.score::numeric, 9) score from (
        select {{distinct}} coalesce(long_id, key) id,
            terms, words[:] words, counts, lengths
        from (
            select key, long_id, terms, words, counts, lengths from {{schema}}.{{name}}_records
            where {{condition}} {{order}}
        ) r
    ) c, lateral (
        select sum(best) score, array_agg(grp) filter (where run) grps,
            bit_or(1::bigint << grp) filter (where grp < {_BITS}) bits from (
            select p.grp, max(p.part) best, bool_or(p.run) run from (
                select a.grp, false run, a.weight * a.idf * coalesce({_TF.format(
                    tf="nullif(c.counts[h.at], 0)", field="a.field", usual="a.usual")}, 1) part
                from asked a, lateral (select width_bucket(a.token collate "C", c.words) at) h
                where c.words[h.at] = a.token
                union all
                select u.grp, true, sum(u.weight * u.idf * {_TF.format(
                    tf="v.tf", field="u.field", usual="u.usual")})
                from runs u, lateral (
                    select (length(c.terms) - length(replace(c.terms, u.run, '')))
                        / length(u.run)::float8 tf
                ) v
                where c.words @> u.tokens and v.tf > 0
                    and not exists(select from unnest(u.lacks) l where strpos(c.terms, l) > 0)
                group by u.grp, u.alt
            ) p group by p.grp
        ) g
    ) s where s.score > 0) x) h(ids, scores, runs, bits)
"""
_RUNS = f"""
    select u.* from (
        select q.grp, q.alt, q.weight, q.run, q.field, string_to_array(q.lacks, '|') lacks,
            string_to_array(btrim(q.run), '  ') tokens,
            i.lengths[q.field] / nullif(i.total, 0)::float8 usual, (
                select case when bool_and(w.n > 0) then sum({_IDF.format(n="w.n")}) end
                from unnest(string_to_array(btrim(q.run), '  ')) t
                left join {{schema}}.{{name}}_words w on w.token = t
            ) idf
        from info i, unnest({{grps}}, {{alts}}, {{fields}}, {{weights}}, {{runs}}, {{without}})
            q(grp, alt, field, weight, run, lacks)
    ) u where u.idf is not null
"""
_NO_RUNS = """
    select 0 grp, 0 alt, 0.0::float8 weight, '{}'::text[] tokens, '' run, '{}'::text[] lacks,
        1 field, 1.0::float8 usual, 0.0::float8 idf
    where false
"""


class Statements:
    """Makes the statements of one index."""

    def __init__(self, names: Names, required: Callable[[str], Asked]) -> None:
        """`required`: what a query text demands."""
        self._names = names
        self._required = required

    def passing(self, where: Filter | None, values: Values) -> str:
        """The condition of a filter."""
        compiler = FilterCompiler(values, lambda text: self._demanded(self._required(text), values))
        return compiler.compile(where)

    def has(self, match: Match, values: Values) -> str:
        """The condition of a record that has what is in `match`."""
        parts = []
        if match.terms:
            tokens = sorted({term.token for term in match.terms})
            parts.append(f"words && {values.put(tokens, 'text[]')}")
        if match.spreads:
            ranges = " or ".join(_range(spread, values) for spread in match.spreads)
            table = self._names.fill("{schema}.{name}_words")
            parts.append(f"words && array(select token from {table} where {ranges})")
        for run in match.runs:
            there = f"words @> {values.put(list(run.tokens), 'text[]')}"
            if len(run.tokens) > 1:
                there += f" and strpos(terms, {values.put(in_order(run.tokens), 'text')}) > 0"
            parts.append(f"({there})")
        return joined(" or ", parts, "false")

    def search(
        self,
        asked: Asked,
        k: int,
        where: Filter | None,
        values: Values,
        further: str,
        *,
        every: bool,
    ) -> str:
        """The statement of a search, with one column more, which may look at `h.bits`.

        With `every` all that match are candidates.
        """
        conditions = [self.passing(where, values), self._demanded(asked, values)]
        if every or not asked.plain:  # what has but one word of a phrase is no hit
            match = Match(asked.terms, asked.spreads, asked.runs)
            conditions.append(self.has(match, values))
        return _SEARCH.format(
            schema=self._names.quoted,
            name=self._names.name,
            known=self._known(asked, values),
            runs=self._runs(asked.runs, values),
            further=further,
            condition=joined(" and ", conditions, "true"),
            order="" if every else self._best_first(asked, k, values),
            # pg_textsearch may bring a row twice. Without it, none comes twice, and `distinct`
            # would have the whole table read in the order of its keys.
            distinct="" if every else "distinct on (key)",
            limit=min(k, 2**31 - 1),
        )

    def _demanded(self, asked: Asked, values: Values) -> str:
        """The condition of a record that has all it must have."""
        parts = [self.has(match, values) for match in asked.must]
        parts += [f"not {self.has(match, values)}" for match in asked.never]
        return joined(" and ", parts, "true")

    def _known(self, asked: Asked, values: Values) -> str:
        """Tokens and in how many records each is."""
        columns = {
            "text[]": [term.token for term in asked.terms],
            "int[]": [Tokens.field(term.token) + 1 for term in asked.terms],
            "float8[]": [term.weight for term in asked.terms],
        }
        arrays = [values.put(column, kind) for kind, column in columns.items()]
        arrays.append(values.put([term.group for term in asked.terms], "int[]"))
        words = self._names.fill("{schema}.{name}_words")
        single = (
            "select a.token, a.field, a.weight, a.grp, coalesce(w.n, 0) n"
            f" from unnest({', '.join(arrays)}) a(token, field, weight, grp)"
            f" left join {words} w on w.token = a.token"
        )
        further = (
            f"(select token, {Tokens.field(each.low) + 1}, {each.weight!r}::float8, {each.group}, n"
            f" from {words} where n > 0 and {_range(each, values)}"
            f" order by n desc, token limit {MAX_EXPANSIONS})"
            for each in asked.spreads
        )
        return " union all ".join([single, *further])

    def _runs(self, runs: Sequence[Run], values: Values) -> str:
        """Phrases, with what each adds to a score; without those that cannot be anywhere."""
        if not runs:
            return _NO_RUNS
        return _RUNS.format(
            schema=self._names.quoted,
            name=self._names.name,
            grps=values.put([run.group for run in runs], "int[]"),
            alts=values.put([run.way for run in runs], "int[]"),
            fields=values.put([Tokens.field(run.tokens[0]) + 1 for run in runs], "int[]"),
            weights=values.put([run.weight for run in runs], "float8[]"),
            runs=values.put([in_order(run.tokens) for run in runs], "text[]"),
            without=values.put(["|".join(map(in_order, run.without)) for run in runs], "text[]"),
        )

    def _best_first(self, asked: Asked, k: int, values: Values) -> str:
        """As many as may be hits, by pg_textsearch: a word counts as often as it is given."""
        weights: dict[str, float] = {}
        for term in asked.terms:
            weights[term.token] = max(term.weight, weights.get(term.token, 0.0))
        for run in asked.runs:
            weights |= {token: run.weight for token in run.tokens if token not in weights}
        text = values.put(" ".join(copies(weights)), "text")
        if asked.spreads:
            text = f"({text} || ' ' || (select coalesce(string_agg(token, ' '), '') from asked))"
        index = self._names.fill("{schema}.{name}_bm25")
        most = min(MOST_CANDIDATES, max(_LEAST_CANDIDATES, _CANDIDATES_PER_HIT * k))
        return f"order by indexed <@> to_bm25query({text}, '{index}') limit {most}"


def bits_of(asked: Asked) -> dict[str, int]:
    """By token of a plain word the bit of `h.bits` that is set where a candidate has it."""
    plain = (term for term in asked.terms if term.group in asked.plain)
    return {term.token: 1 << term.group for term in plain if term.group < _BITS}


def copies(weights: dict[str, float]) -> Iterable[str]:
    """Each token as many times as it weighs beside the others, about."""
    if not weights:
        return []
    least, most = min(weights.values()), max(weights.values())
    unit = next((least / n for n in (1, 2, 3, 4) if _whole(weights.values(), least / n)), 0.0)
    unit = max(unit, most / _MOST_COPIES, sum(weights.values()) / _MOST_TOKENS)
    return [t for token, weight in weights.items() for t in [token] * max(1, round(weight / unit))]


def _whole(weights: Iterable[float], unit: float) -> bool:
    return all(abs(weight / unit - round(weight / unit)) < 0.02 for weight in weights)  # noqa: PLR2004


def _range(spread: Spread, values: Values) -> str:
    low, high = values.put(spread.low, "text"), values.put(spread.high, "text")
    return f"(token >= {low} and token < {high})"
