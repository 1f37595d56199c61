"""The optional query language: `"phrases"`, `prefix*`, `fuzzy~1`, `+must`, `-not`.

Operators count only at the ends of a word that stands between spaces, so that `R123-78` and `C++`
are words. `+` and `-` may stand before a word, a phrase, a prefix or a fuzzy word. Whatever is not
exactly one of these forms (an open quote, a lone `+`, `--flag`, `a*b`) is plain words; so are
`AND`, `OR`, `NOT` and brackets. No text raises, and reading takes time linear in its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Occur: TypeAlias = Literal["should", "must", "not"]

MAX_OPERATORS = 16
"""Forms beyond this many are read as plain words."""

_MAX_WORD = 64
_CHUNK = re.compile(r'(?<!\S)([+-]?)(?:"([^"]*)"(?!\S)|(\S+))')
_PREFIX = re.compile(r"([^*]*\w)\*")
_FUZZY = re.compile(r"([^~]*\w)~([012])")
_OTHER = re.compile(r"(?<!\S)(?:AND|OR|NOT)(?!\S)|(?<!\S)[+-]?\([^()]*\s[^()]*\)(?!\S)")
_OCCUR: dict[str, Occur] = {"": "should", "+": "must", "-": "not"}


@dataclass(frozen=True, slots=True)
class Words:
    """Plain words: any of them counts."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow each other."""

    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Words that begin so."""

    text: str


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """Words at most `distance` edits (0..2; a swap of neighbours is one) away."""

    text: str
    distance: int


Node: TypeAlias = Words | Phrase | Prefix | Fuzzy


@dataclass(frozen=True, slots=True)
class Clause:
    """A node, and whether results should hold it, must hold it or must not hold it."""

    node: Node
    occur: Occur = "should"


def in_another_language(text: str) -> bool:
    """Whether `text` looks like a query in a language that this is not: AND, OR, NOT, brackets."""
    return _OTHER.search(text) is not None


def parse_query(text: str) -> tuple[Clause, ...]:
    """Read `text` as the language above; neighbouring plain words become one `Words`."""
    clauses: list[Clause] = []
    operators = 0
    plain_from: int | None = None
    for chunk in _CHUNK.finditer(text):
        clause = _clause(chunk) if operators < MAX_OPERATORS else None
        if clause is None:
            plain_from = chunk.start() if plain_from is None else plain_from
            continue
        operators += 1
        if plain_from is not None:
            clauses.append(Clause(Words(text[plain_from : chunk.start()].strip())))
            plain_from = None
        clauses.append(clause)
    if plain_from is not None:
        clauses.append(Clause(Words(text[plain_from:].strip())))
    return tuple(clauses)


def _clause(chunk: re.Match[str]) -> Clause | None:
    """The operator form in `chunk`; None for plain words."""
    sign, phrase, word = chunk.groups()
    occur = _OCCUR[sign]
    if phrase is not None:
        return Clause(Phrase(phrase), occur) if re.search(r"\w", phrase) else None
    if word[0] in '+-"' or not re.search(r"\w", word) or len(word) > _MAX_WORD:
        return None
    if prefix := _PREFIX.fullmatch(word):
        return Clause(Prefix(prefix[1]), occur)
    if fuzzy := _FUZZY.fullmatch(word):
        return Clause(Fuzzy(fuzzy[1], int(fuzzy[2])), occur)
    return Clause(Words(word), occur) if sign else None
