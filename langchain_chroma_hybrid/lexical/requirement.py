"""What `+must` and `-not` in a query demand of a record, told from the record itself.

The same as the index's own answer (`QueryCompiler.required`), which a property test compares: a
word or phrase stands where its terms follow each other in one text, a prefix or a fuzzy word is
compared with analysed and with unstemmed words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer, contains
from langchain_chroma_hybrid.core.analysis.query_syntax import Clause, Fuzzy, Prefix, parse_query
from langchain_chroma_hybrid.lexical.scoring import MAX_PHRASE_TERMS, MAX_QUERY_CHARS
from langchain_chroma_hybrid.lexical.texts import field_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_chroma_hybrid.core.values import Record


@dataclass(frozen=True, slots=True)
class Requirement:
    """The clauses of one query that hold whatever finds a record."""

    clauses: Sequence[Clause]
    analyzer: Analyzer
    fields: Sequence[str]

    @classmethod
    def of(cls, query: str, analyzer: Analyzer, fields: Iterable[str]) -> Requirement | None:
        """What `query` demands; None if it demands nothing."""
        clauses = required_clauses(query)
        return cls(clauses, analyzer, tuple(fields)) if clauses else None

    def holds(self, record: Record) -> bool:
        """Whether the record has every `+must` and no `-not`."""
        texts = [text for name in self.fields for text in field_texts(record, name)]
        return all(self._meets(clause, texts) for clause in self.clauses)

    def _meets(self, clause: Clause, texts: Sequence[str]) -> bool:
        """Whether the texts of a record are as one clause demands; one without words is met."""
        node = clause.node
        forms = whole_forms(self.analyzer, node.text) if isinstance(node, Prefix | Fuzzy) else []
        if forms:
            found = any(_spells(node, form, word) for form in forms for word in self._words(texts))
        else:
            terms = self.analyzer.phrase(node.text)[:MAX_PHRASE_TERMS]
            if not terms:
                return True
            found = any(contains(self.analyzer.document(text), terms) for text in texts)
        return found is (clause.occur == "must")

    def _words(self, texts: Sequence[str]) -> set[str]:
        """Terms of the texts, stemmed and not."""
        both = (self.analyzer, unstemmed(self.analyzer))
        return {term for text in texts for analyzer in both for term in analyzer.document(text)}


def required_clauses(query: str) -> list[Clause]:
    """The `+must` and `-not` of a query."""
    return [c for c in parse_query(query[:MAX_QUERY_CHARS]) if c.occur != "should"]


def unstemmed(analyzer: Analyzer) -> Analyzer:
    """`analyzer` without its stemmer: itself where it has none."""
    if analyzer.language is None or analyzer.preprocess_func is not None:
        return analyzer
    return Analyzer(None, version=analyzer.version)


def whole_forms(analyzer: Analyzer, text: str) -> list[str]:
    """Unstemmed terms that stand for the whole of `text`; none if it is several words."""
    tokens = unstemmed(analyzer).tokens(text)
    if not tokens:
        return []
    start, end = min(t.start for t in tokens), max(t.end for t in tokens)
    whole = [t.terms for t in tokens if (t.start, t.end) == (start, end)]
    return list(dict.fromkeys(term for terms in whole for term in terms))


def _spells(node: object, form: str, word: str) -> bool:
    if isinstance(node, Fuzzy):
        near = abs(len(form) - len(word)) <= node.distance
        return near and edits(form, word) <= node.distance
    return word.startswith(form)


def edits(a: str, b: str) -> int:
    """Optimal string alignment distance: a swap of neighbours is one edit, as in tantivy."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]
