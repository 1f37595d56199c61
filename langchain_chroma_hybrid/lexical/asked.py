"""What a user typed, as tokens with weights, and as conditions on a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.query_syntax import (
    Clause,
    Fuzzy,
    Prefix,
    Words,
    parse_query,
)
from langchain_chroma_hybrid.core.analysis.subwords import PARTS, says_little
from langchain_chroma_hybrid.lexical.requirement import required_clauses, whole_forms
from langchain_chroma_hybrid.lexical.scoring import (
    MAX_PHRASE_TERMS,
    MAX_QUERY_CHARS,
    MAX_TERMS,
    TYPO,
)
from langchain_chroma_hybrid.lexical.tokens import SURFACE

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer, QueryTerm
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax
    from langchain_chroma_hybrid.lexical.tokens import Tokens

Corrections = Mapping[str, tuple[str, ...]]
Frequencies = Callable[[Iterable[str]], Mapping[str, int]]
"""In how many records each of some tokens is, without those that are nowhere."""
Near = Callable[[Sequence[str], int], Iterable[str]]
"""The tokens that are at most so many edits away from one of some words."""


@dataclass(frozen=True, slots=True)
class Term:
    """A token, which adds to a score if none of its group adds more."""

    token: str
    weight: float
    group: int


@dataclass(frozen=True, slots=True)
class Spread:
    """All tokens from `low` up to `high`, each as a `Term` would be."""

    low: str
    high: str
    weight: float
    group: int


@dataclass(frozen=True, slots=True)
class Alike:
    """All tokens that are at most `distance` edits away from one, each as a `Term` would be."""

    token: str
    distance: int
    weight: float
    group: int


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens of one field that follow each other.

    Attributes:
        way: those of one group that are alike in this add up.
        without: not in records where tokens follow each other as in one of these.
    """

    tokens: Sequence[str]
    weight: float = 1.0
    group: int = 0
    way: int = 0
    without: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """What a record has if it has any of these."""

    terms: Sequence[Term] = ()
    spreads: Sequence[Spread] = ()
    runs: Sequence[Run] = ()
    alike: Sequence[Alike] = ()


@dataclass(slots=True)
class Asked:
    """A query: what adds to a score, and what a record must and must not have.

    Attributes:
        words: the terms of its plain words, with their boosts.
        plain: the groups of these.
        spelt: other spellings of them: what was typed, and the groups of the others.
        instead: the group of what stands for a word, and the terms of that.
    """

    terms: list[Term] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    alike: list[Alike] = field(default_factory=list)
    must: list[Match] = field(default_factory=list)
    never: list[Match] = field(default_factory=list)
    words: dict[str, float] = field(default_factory=dict)
    plain: set[int] = field(default_factory=set)
    spelt: dict[str, set[int]] = field(default_factory=dict)
    instead: dict[int, list[str]] = field(default_factory=dict)
    groups: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing can match."""
        return not (self.terms or self.spreads or self.runs or self.alike)

    def group(self) -> int:
        """The number of a new group."""
        self.groups += 1
        return self.groups

    def add(self, match: Match) -> None:
        """Let it add to scores."""
        self.terms += match.terms
        self.spreads += match.spreads
        self.runs += match.runs
        self.alike += match.alike


class QueryCompiler:
    """Turns query text into what is asked of the server.

    As in `TantivyIndex`: plain words by the analyzer's terms, any of which counts, in every field;
    a word behind `+` or `-` as a phrase of its parts. A prefix counts as the best of the most
    frequent words that begin so, a fuzzy word as the best of its spellings.
    """

    def __init__(
        self, analyzer: Analyzer, tokens: Tokens, frequencies: Frequencies, near: Near | None = None
    ) -> None:
        """Without `near` it is left to the server what is alike."""
        self._analyzer, self._tokens = analyzer, tokens
        self._frequencies, self._near = frequencies, near

    def compile(self, text: str, syntax: QuerySyntax, corrections: Corrections) -> Asked:
        """The query of a text; `corrections`: by a word of it, those that count for it."""
        text, asked = text[:MAX_QUERY_CHARS], Asked()
        words = [text] if syntax == "plain" else self._clauses(asked, parse_query(text))
        self._words(asked, " ".join(words))
        for typed, meant in corrections.items():
            group = asked.group()
            asked.instead[group] = [term.text for term in self._analyzer.query(typed)]
            for way, word in enumerate(meant):
                terms = self._analyzer.phrase(word)
                if " " in word:
                    asked.runs += self._runs(terms, TYPO, group, way)
                elif terms:
                    asked.terms += self._everywhere(terms[0], TYPO, group)
        return asked

    def required(self, text: str) -> Asked:
        """What `+must` and `-not` in `text` demand."""
        asked = Asked()
        self._clauses(asked, required_clauses(text))
        return asked

    def standing(self, terms: Iterable[str], phrases: Iterable[Sequence[str]]) -> Match:
        """What has one of the terms, or of the phrases."""
        found = [term for each in terms for term in self._everywhere(each, 1.0, 0)]
        return Match(found, runs=[run for phrase in phrases for run in self._runs(phrase)])

    def _clauses(self, asked: Asked, clauses: Iterable[Clause]) -> list[str]:
        """Put clauses into a query; the plain words, which rank as all others, are left."""
        words = []
        for clause in clauses:
            plain = isinstance(clause.node, Words) and clause.occur != "not"
            if plain:
                words.append(clause.node.text)
            match = None if plain and clause.occur == "should" else self._match(asked, clause)
            if match is None:
                continue
            if clause.occur == "must":
                asked.must.append(match)
            if clause.occur == "not":
                asked.never.append(match)
            elif not plain:
                asked.add(match)
        return words

    def _match(self, asked: Asked, clause: Clause) -> Match | None:
        """What a clause stands for; None if it holds no word."""
        node = clause.node
        by_form = isinstance(node, Prefix | Fuzzy)
        forms = whole_forms(self._analyzer, node.text) if by_form else []
        if not forms:
            terms = self._analyzer.phrase(node.text)
            return Match(runs=self._runs(terms, group=asked.group())) if terms else None
        group = asked.group()
        if isinstance(node, Fuzzy):
            if self._near is None:
                return Match(alike=[a for form in forms for a in self._alike(form, node, group)])
            near = self._near(forms, node.distance)
            return Match([Term(token, self._tokens.boost(token), group) for token in near])
        return Match(spreads=[spread for form in forms for spread in self._spread(form, group)])

    def _spread(self, prefix: str, group: int) -> Iterable[Spread]:
        for number in (*self._tokens.fields, SURFACE):
            for low, high in self._tokens.beginning(number, prefix):
                yield Spread(low, high, self._tokens.boost(low), group)

    def _alike(self, form: str, node: Fuzzy, group: int) -> Iterable[Alike]:
        for number in (*self._tokens.fields, SURFACE):
            token = self._tokens.token(number, form)
            yield Alike(token, node.distance, self._tokens.boost(token), group)

    def _words(self, asked: Asked, text: str) -> None:
        """Plain words: their terms in every field, of very many the rarest, and other spellings."""
        for typed, others, boost in self._analyzer.spellings(text):
            group = asked.group()
            asked.spelt.setdefault(" ".join(typed), set()).add(group)
            without = () if typed in others else typed
            for way, other in enumerate(others):
                asked.runs += self._runs(other, boost, group, way, without)
        for term in self._rarest(self._analyzer.query(text)):
            asked.words[term.text] = term.boost
            for n, token in enumerate(self._tokens.everywhere(term.text)):
                weight = term.boost * self._tokens.boosts[n]
                asked.terms.append(Term(token, weight, asked.group()))
                asked.plain.add(asked.groups)
            if len(term.parts) > 1 and all(map(says_little, term.parts)):
                # An identifier whose parts find nothing alone.
                group = asked.group()
                asked.runs += self._runs(term.parts, PARTS, group)
                asked.spelt.setdefault(" ".join(term.parts), set()).add(group)

    def _rarest(self, terms: Sequence[QueryTerm]) -> Sequence[QueryTerm]:
        """Of very many terms those that are in the fewest records, and some that are in none."""
        if len(terms) <= MAX_TERMS:
            return terms
        known = self._frequencies(t for each in terms for t in self._tokens.everywhere(each.text))

        def records(term: QueryTerm) -> int:
            return sum(known.get(token, 0) for token in self._tokens.everywhere(term.text))

        found = sorted((term for term in terms if records(term)), key=records)[:MAX_TERMS]
        return [*found, *[term for term in terms if not records(term)][:MAX_TERMS]]

    def _runs(
        self,
        terms: Sequence[str],
        boost: float = 1.0,
        group: int = 0,
        way: int = 0,
        without: Sequence[str] = (),
    ) -> list[Run]:
        """Where the terms follow each other, in each field."""
        token, boosts = self._tokens.token, self._tokens.boosts
        typed = [[token(n, term) for term in without] for n in self._tokens.fields if without]
        return [
            Run(
                [token(n, term) for term in terms[:MAX_PHRASE_TERMS]],
                boost * boosts[n],
                group,
                way,
                typed,
            )
            for n in self._tokens.fields
        ]

    def _everywhere(self, term: str, boost: float, group: int) -> list[Term]:
        tokens = self._tokens.everywhere(term)
        return [
            Term(token, boost * own, group)
            for token, own in zip(tokens, self._tokens.boosts, strict=True)
        ]
