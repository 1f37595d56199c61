"""What a user typed, as a tantivy query with a known upper bound of its scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from tantivy import Occur, Query, Searcher

from langchain_chroma_hybrid.core.analysis.query_syntax import (
    Clause,
    Fuzzy,
    Phrase,
    Prefix,
    Words,
    parse_query,
)
from langchain_chroma_hybrid.core.analysis.query_words import query_words
from langchain_chroma_hybrid.core.analysis.subwords import PARTS, says_little
from langchain_chroma_hybrid.lexical.requirement import required_clauses, whole_forms
from langchain_chroma_hybrid.lexical.scoring import (
    MAX_EXPANSIONS,
    MAX_PHRASE_TERMS,
    MAX_QUERY_CHARS,
    MAX_TERMS,
    TYPO,
    ceiling,
    idf,
)
from langchain_chroma_hybrid.lexical.tantivy.filters import EVERY, TERMS
from langchain_chroma_hybrid.lexical.tantivy.hits import count
from langchain_chroma_hybrid.lexical.tantivy.schema import SURFACE, Layout
from langchain_chroma_hybrid.lexical.typos import (
    LEAST_RECORDS,
    MOST_NEIGHBOURS,
    MOST_WORDS,
    form_of,
    parted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer, QueryTerm
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.analysis.subwords import Spelling
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax
    from langchain_chroma_hybrid.lexical.tantivy.typos import Vocabulary


@dataclass(frozen=True, slots=True)
class Part:
    """A query and the score that no record can exceed with it."""

    query: Query
    bound: float


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a query text became.

    Attributes:
        query: None when nothing can match.
        bound: the score that no record can exceed, words counted in that occur nowhere.
        weights: what each term of the plain words can add to it.
    """

    query: Query | None
    bound: float
    weights: Mapping[str, float]


Corrections: TypeAlias = "Mapping[str, tuple[str, ...]]"
Asked: TypeAlias = "tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]]"
_Build: TypeAlias = "Callable[[str], Iterator[Part]]"


@dataclass(slots=True)
class _Draft:
    """A query under construction."""

    words: list[str] = field(default_factory=list)
    should: list[Part] = field(default_factory=list)
    must: list[Part] = field(default_factory=list)
    excluded: list[Query] = field(default_factory=list)


class QueryCompiler:
    """Turns query text into tantivy queries under the statistics of one searcher.

    Plain words are searched for by the analyzer's terms, any of which counts, in every field. A
    word behind `+` or `-` is matched as a phrase of its parts: `-R123-78` spares records that hold
    `78`. A prefix is ranked by the `MAX_EXPANSIONS` most frequent words that begin so, a fuzzy word
    by one constant as if all its spellings were one word. Both are compared with unstemmed words.
    """

    def __init__(
        self, analyzer: Analyzer, layout: Layout, searcher: Searcher, vocabulary: Vocabulary
    ) -> None:
        self._analyzer = analyzer
        self._layout = layout
        self._schema = layout.schema
        self._searcher = searcher
        self._vocabulary = vocabulary
        self._documents = searcher.doc_freq(TERMS, EVERY)

    def compile(self, text: str, syntax: QuerySyntax, corrections: Corrections) -> Compiled:
        """The query of a text; `corrections`: by a word of it, those that count for it."""
        text = text[:MAX_QUERY_CHARS]
        if syntax == "plain":
            return self._assemble(_Draft(words=[text]), corrections)
        draft = _Draft()
        for clause in parse_query(text):
            self._add(draft, clause)
        return self._assemble(draft, {})

    def required(self, text: str) -> Query:
        """What `+must` and `-not` in `text` demand; adds no score."""
        draft = _Draft()
        for clause in required_clauses(text):
            self._add(draft, clause)
        clauses = [(Occur.Must, Query.all_query())]
        clauses += [(Occur.Must, part.query) for part in draft.must]
        clauses += [(Occur.MustNot, query) for query in draft.excluded]
        return Query.const_score_query(Query.boolean_query(clauses), 0.0)

    def _assemble(self, draft: _Draft, corrections: Corrections) -> Compiled:
        """One query of all clauses, and the score that none exceeds."""
        words = " ".join(draft.words)
        found, weights = self._terms(self._analyzer.query(words), self._analyzer.spellings(words))
        should, bound = [*draft.should, *found], sum(weights.values())
        bound += sum(part.bound for part in (*draft.should, *draft.must))
        for typed, meant in corrections.items():
            part = self._instead(meant)
            own = sum(weights.get(term.text, 0.0) for term in self._analyzer.query(typed))
            should, bound = [*should, part], bound + max(0.0, part.bound - own)
        if not should and not draft.must:
            return Compiled(None, 0.0, weights)
        clauses = [(Occur.Should, part.query) for part in should]
        clauses += [(Occur.Must, part.query) for part in draft.must]
        clauses += [(Occur.MustNot, query) for query in draft.excluded]
        return Compiled(Query.boolean_query(clauses), bound, weights)

    def _add(self, draft: _Draft, clause: Clause) -> None:
        """Put a clause into the draft; words behind `+` rank as all others, and must occur."""
        node = clause.node
        if isinstance(node, Words) and clause.occur != "not":
            draft.words.append(node.text)
            if clause.occur == "must":
                draft.must += [_silent(part) for part in self._phrase(node.text)]
            return
        parts = list(self._node(node))
        if clause.occur == "not":
            draft.excluded += [part.query for part in parts]
        elif clause.occur == "must":
            draft.must += parts
        else:
            draft.should += parts

    def _node(self, node: Words | Phrase | Prefix | Fuzzy) -> Iterator[Part]:
        match node:
            case Words(text) | Phrase(text):
                yield from self._phrase(text)
            case Prefix(text):
                yield from self._by_form(text, self._expanded)
            case Fuzzy(text, distance):
                yield from self._by_form(text, lambda form: self._fuzzy(form, distance))

    def _terms(
        self, terms: Sequence[QueryTerm], spellings: Iterable[Spelling]
    ) -> tuple[list[Part], dict[str, float]]:
        """Parts for each term and field that has it, of the rarest terms; and what each can add.

        A term that occurs nowhere, in no spelling either, weighs what the rarest one would.
        """
        found = [spelt for spelling in spellings for spelt in self._spelt(spelling)]
        known = {text for _, text, _ in found}
        weights: dict[str, float] = {}
        for term in terms:
            frequency, parts = self._anywhere(term.text, term.boost)
            if parts:
                found.append((frequency, term.text, parts))
            elif len(weights) < MAX_TERMS and term.text not in known:
                boost = term.boost * max(self._layout.fields.values())
                weights[term.text] = boost * ceiling(0, self._documents)
            if term.parts and all(map(says_little, term.parts)) and term.text not in known:
                found += self._apart(term.parts)
        if len(found) > MAX_TERMS:
            found = sorted(found, key=itemgetter(0))[:MAX_TERMS]
        for _, text, parts in found:
            # What has another spelling of it has not the term itself.
            weights[text] = max(weights.get(text, 0.0), sum(part.bound for part in parts))
        return [part for *_, parts in found for part in parts], weights

    def _anywhere(self, term: str, boost: float) -> tuple[int, list[Part]]:
        """In how many records a term is, and a part for each field that has it."""
        fields = self._layout.fields
        frequencies = {name: self._frequency(name, term) for name in fields}
        parts = [
            self._term(name, term, frequency, boost=boost * fields[name])
            for name, frequency in frequencies.items()
            if frequency
        ]
        return sum(frequencies.values()), parts

    def _spelt(self, spelling: Spelling) -> Iterator[tuple[int, str, list[Part]]]:
        """Records with another spelling, and without the one that was typed unless it is among."""
        others = [part for other in spelling.others for part in self._standing(other)]
        if not others:
            return
        best = _best(others)
        clauses = [(Occur.Must, best.query)]
        if spelling.typed not in spelling.others:
            clauses += [(Occur.MustNot, typed.query) for typed in self._standing(spelling.typed)]
        query = Query.boolean_query(clauses)
        if frequency := count(self._searcher, query):
            part = _boosted(Part(query, best.bound), spelling.boost)
            yield frequency, " ".join(spelling.typed), [part]

    def _standing(self, terms: Sequence[str]) -> Iterator[Part]:
        """Where the terms follow each other, if all of them occur."""
        if all(any(self._frequency(name, t) for name in self._layout.fields) for t in terms):
            yield self._adjacent(terms)

    def corrections(
        self, text: str, where: Query | None, *, sounds: bool
    ) -> dict[str, tuple[str, ...]]:
        """Words that occur in no record which `where` lets pass, and a few like each that do."""
        found: dict[str, tuple[str, ...]] = {}
        for word in query_words(self._analyzer, text[:MAX_QUERY_CHARS])[:MAX_TERMS]:
            if len(found) == MOST_WORDS:
                break
            if not self.occurs(word.terms, word.phrases, where):
                meant = self._meant(word, where, sounds)
                found |= {word.text: meant} if meant else {}
        return found

    def _meant(self, word: QueryWord, where: Query | None, sounds: bool) -> tuple[str, ...]:
        """What may be meant by a word that occurs nowhere, in the likeliest of some ways."""
        form, known = form_of(word, self._analyzer), self._vocabulary
        if form is None:
            return ()
        if found := self._parted(form, where):
            return found
        if sounds or self._documents >= LEAST_RECORDS:
            found = known.neighbours(form, where)
        return found or (known.alike(form, where) if sounds else ())

    def _parted(self, word: str, where: Query | None) -> tuple[str, ...]:
        """Two words in a row, where a record has them, that were written as one."""
        pairs = parted(word, self._analyzer)
        known = (p for p in pairs if self.occurs((), [self._analyzer.phrase(p)], where))
        return tuple(islice(known, MOST_NEIGHBOURS))

    def _instead(self, words: Iterable[str]) -> Part:
        """The best of the words; it adds less to a score than the one that they stand for."""
        return _best([part for word in sorted(set(words)) for part in self._one_instead(word)])

    def _one_instead(self, word: str) -> Iterator[Part]:
        terms = self._analyzer.phrase(word)
        if " " in word:
            yield from (_boosted(part, TYPO) for part in self._standing(terms))
        else:
            yield from (part for term in terms[:1] for part in self._anywhere(term, TYPO)[1])

    def _apart(self, parts: Sequence[str]) -> Iterator[tuple[int, str, list[Part]]]:
        """An identifier whose parts find nothing alone, as these parts one after the other."""
        if len(parts) > 1 and self.occurs((), [parts], None):
            yield 1, " ".join(parts), [_boosted(self._adjacent(parts), PARTS)]

    def _term(self, name: str, term: str, frequency: int, *, boost: float) -> Part:
        option = "basic" if name == SURFACE else "freq"
        query = Query.term_query(self._schema, name, term, option)
        return _boosted(Part(query, ceiling(frequency, self._documents)), boost)

    def _phrase(self, text: str) -> Iterator[Part]:
        """A part that matches where `text` stands in a field; none if it holds no word."""
        terms = self._analyzer.phrase(text)[:MAX_PHRASE_TERMS]
        if terms:
            yield self._adjacent(terms)

    def _adjacent(self, terms: Sequence[str]) -> Part:
        """Matches where the terms follow each other in a field."""
        parts: list[Part] = []
        for name, boost in self._layout.fields.items():
            frequencies = [self._frequency(name, term) for term in terms]
            if len(terms) == 1:
                part = self._term(name, terms[0], frequencies[0], boost=boost)
            else:
                bound = sum(ceiling(frequency, self._documents) for frequency in frequencies)
                query = Query.phrase_query(self._schema, name, list(terms))
                part = _boosted(Part(query, bound), boost)
            parts.append(part)
        return _any(parts)

    def occurs(
        self, terms: Iterable[str], phrases: Iterable[Sequence[str]], where: Query | None
    ) -> bool:
        """Whether a record that `where` lets pass has one of the terms, or of the phrases."""
        known = [
            Query.term_query(self._schema, name, term, "basic")
            for name in self._layout.fields
            for term in terms
            if self._frequency(name, term)
        ]
        if known and where is None:
            return True
        known += [
            part.query for phrase in phrases for part in self._standing(phrase[:MAX_PHRASE_TERMS])
        ]
        if not known:
            return False
        found = Query.boolean_query([(Occur.Should, query) for query in known])
        if where is not None:
            found = Query.boolean_query([(Occur.Must, found), (Occur.Must, where)])
        return count(self._searcher, found) > 0

    def _by_form(self, text: str, build: _Build) -> Iterator[Part]:
        forms = whole_forms(self._analyzer, text)
        if not forms:
            yield from self._phrase(text)
            return
        parts = [part for form in forms for part in build(form)]
        yield _best(parts)

    def _fields(self) -> Iterable[tuple[str, float]]:
        return [*self._layout.fields.items(), (SURFACE, 1.0)]

    def _expanded(self, prefix: str) -> Iterator[Part]:
        for name, boost in self._fields():
            words = self._searcher.terms_with_prefix(name, prefix, limit=MAX_EXPANSIONS)
            for word, frequency in words:
                yield self._term(name, word, frequency, boost=boost)
            if len(words) == MAX_EXPANSIONS:
                rest = Query.fuzzy_term_query(self._schema, name, prefix, 0, True, True)
                yield self._constant(rest, boost)

    def _fuzzy(self, word: str, distance: int) -> Iterator[Part]:
        for name, boost in self._fields():
            query = Query.fuzzy_term_query(self._schema, name, word, distance, True, False)
            yield self._constant(query, boost)

    def _constant(self, query: Query, boost: float) -> Part:
        """Everything that `query` matches, as if it were one word of average weight."""
        score = boost * idf(count(self._searcher, query), self._documents)
        return Part(Query.const_score_query(query, score), score)

    def _frequency(self, name: str, term: str) -> int:
        return self._searcher.doc_freq(name, term)


def _boosted(part: Part, boost: float) -> Part:
    return Part(Query.boost_query(part.query, boost), part.bound * boost)


def _any(parts: list[Part]) -> Part:
    query = Query.boolean_query([(Occur.Should, part.query) for part in parts])
    return Part(query, sum(part.bound for part in parts))


def _best(parts: list[Part]) -> Part:
    if not parts:
        return Part(Query.empty_query(), 0.0)
    query = Query.disjunction_max_query([part.query for part in parts])
    return Part(query, max(part.bound for part in parts))


def _silent(part: Part) -> Part:
    return Part(Query.const_score_query(part.query, 0.0), 0.0)
