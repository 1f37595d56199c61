"""Whole identifiers of a query, which a record has or lacks whatever else it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.analyzer import contains
from langchain_chroma_hybrid.core.analysis.subwords import WHOLE
from langchain_chroma_hybrid.lexical.texts import field_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.values import Record

_QUANTITY = re.compile(r"\d[\d.,]*[-/]?([^\W\d_]+)")
_UNITS = frozenset(
    {
        *("a", "ah", "b", "bar", "c", "cl", "cm", "d", "db", "dl", "dpi", "f", "ft", "g", "gb"),
        *("ghz", "h", "hz", "in", "k", "kb", "kg", "khz", "km", "kv", "kw", "kwh", "l", "lb", "m"),
        *("ma", "mah", "mb", "mg", "mhz", "min", "ml", "mm", "mol", "ms", "mv", "mw", "nm", "oz"),
        *("pa", "px", "psi", "s", "tb", "ug", "v", "w", "wh", "x", "st", "nd", "rd", "th"),
    }
)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of one query, each with its share of the query's weight, 0..1."""

    shares: Mapping[QueryWord, float]
    analyzer: Analyzer
    fields: Sequence[str]

    @classmethod
    def of(
        cls,
        words: Iterable[QueryWord],
        weights: Mapping[str, float],
        analyzer: Analyzer,
        fields: Iterable[str],
        *,
        nowhere: Collection[str] = (),
    ) -> Identifiers:
        """Those among `words`.

        Codes of one part (`CZ192A`) weigh as much as those of several, for which the analyzer sees
        to it. Quantities (`5mg`) are left out, unless there is little else. Other words that occur
        nowhere, such as those of a question in another language, take nothing from them.

        Args:
            words: of the query.
            weights: what each of its terms can add to a score.
            analyzer: of the index.
            fields: names of the fields that are searched.
            nowhere: texts of other words that occur in no record.
        """
        words = list(words)
        gone = {term for word in words if word.text in nowhere for term in word.terms}
        weights = {term: weight for term, weight in weights.items() if term not in gone}
        found = {word: _weight(word, weights) for word in words if word.identifier}
        # What they weigh more than as plain terms counts for the whole query, too.
        total = sum(weights.values()) + sum(
            weight - weights.get(word.terms[0], 0.0) for word, weight in found.items()
        )
        shares = {
            word: weight / total
            for word, weight in found.items()
            if weight > 0.0 and (weight > total / 2 or not _is_quantity(word.text))
        }
        return cls(shares, analyzer, tuple(fields))

    def covered(self, record: Record) -> tuple[float, float]:
        """The share of the query that lies on those which the record has, and lacks."""
        if not self.shares:
            return 0.0, 0.0
        found = held(self.shares, [record], self.analyzer, self.fields)
        has = sum(self.shares[word] for word in found)
        return has, sum(self.shares.values()) - has


def held(
    words: Iterable[QueryWord],
    records: Iterable[Record],
    analyzer: Analyzer,
    fields: Sequence[str],
) -> list[QueryWord]:
    """Those of `words` that occur in the searched `fields` of any of `records`."""
    texts = [text for record in records for name in fields for text in field_texts(record, name)]
    documents = [analyzer.document(text) for text in texts]
    terms = {term for document in documents for term in document}
    return [
        word
        for word in words
        if not terms.isdisjoint(word.terms)
        or any(contains(document, phrase) for phrase in word.phrases for document in documents)
    ]


def _is_quantity(text: str) -> bool:
    found = _QUANTITY.fullmatch(text)
    return found is not None and found[1].casefold() in _UNITS


def _weight(word: QueryWord, weights: Mapping[str, float]) -> float:
    weight = weights.get(word.terms[0], 0.0)
    return weight if word.whole else WHOLE * weight
