"""The words of a query as people see them: what each is found by, and which name one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.analysis.query_syntax import Fuzzy, Prefix, parse_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.subwords import Piece, Spelling

_Word: TypeAlias = "Sequence[tuple[str, Piece]]"

_LEAST_DIGITS = 5


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word of a query.

    Attributes:
        text: as it was typed.
        terms: the analyzer's terms, any of which stands for the word.
        phrases: terms that do so where they follow each other.
        identifier: it names one thing: letters or signs with digits, or a long number.
        whole: it is one of several parts, which the analyzer has a term for.
    """

    text: str
    terms: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...] = ()
    identifier: bool = False
    whole: bool = False


def query_words(analyzer: Analyzer, text: str) -> list[QueryWord]:
    """The distinct words of `text` in order, without stop words."""
    spellings = analyzer.spellings(text)
    words = (
        _spelt(word, spellings)
        for group in analyzer.words(text)
        for part in _apart(analyzer, group)
        for word in _read(part)
    )
    distinct: dict[str, QueryWord] = {}
    for word in words:
        distinct.setdefault(word.text.casefold(), word)
    return list(distinct.values())


def wanted(text: str) -> str:
    """What `query_syntax="simple"` asks for, as plain words: without operators and `-not`.

    Prefixes and fuzzy words stand for others, and are left out.
    """
    clauses = parse_query(text)
    kept = [c.node for c in clauses if c.occur != "not" and not isinstance(c.node, Prefix | Fuzzy)]
    return " ".join(node.text for node in kept)


def _apart(analyzer: Analyzer, group: _Word) -> Iterator[_Word]:
    """The identifiers of `E-4012/E-4013`, each by itself; any other word as it is."""
    parts = group[0][0].split("/")
    if len(parts) > 1 and all(map(_is_code, parts)):
        yield from (word for part in parts for word in analyzer.words(part))
    else:
        yield group


def _read(group: _Word) -> Iterator[QueryWord]:
    """The words in one run of characters: most often one."""
    surface, first = group[0]
    covering = tuple(p.term for _, p in group if (p.start, p.end) == (first.start, first.end))
    mains = [(s, p) for s, p in group if p.main]
    if any(piece.whole for _, piece in group):
        phrase = tuple(piece.term for _, piece in mains)
        phrases = (phrase,) if len(phrase) > 1 else ()
        yield QueryWord(surface, covering, phrases, identifier=True, whole=bool(phrases))
    elif any(a.end > b.start for (_, a), (_, b) in pairwise(mains)):  # without spaces
        characters = "".join(s for s, piece in group if not piece.main)
        yield QueryWord(characters, tuple(piece.term for _, piece in mains))
    elif len(mains) > 1:
        for part, piece in mains:
            yield QueryWord(part, (piece.term, *covering))
    else:
        yield QueryWord(surface, covering, identifier=_is_code(surface))


def _spelt(word: QueryWord, spellings: Sequence[Spelling]) -> QueryWord:
    """The word with what it may be written as, alone or with its neighbours."""
    phrases = [*word.phrases]
    terms = [*word.terms]
    for typed, others, _ in spellings:
        if typed[0] in word.terms if not typed[1:] else word.terms[0] in typed:
            terms += [other[0] for other in others if not other[1:]]
            phrases += [other for other in others if other[1:]]
    unique = tuple(dict.fromkeys(terms)), tuple(dict.fromkeys(phrases))
    return replace(word, terms=unique[0], phrases=unique[1])


def _is_code(word: str) -> bool:
    digits = sum(c.isdigit() for c in word)
    return digits >= _LEAST_DIGITS or (digits > 0 and any(c.isalpha() for c in word))
