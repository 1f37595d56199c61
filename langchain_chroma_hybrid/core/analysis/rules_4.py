"""Rules 4: names, apostrophes and alphabets as people write them, and other spellings in queries.

Of documents, nothing that rules 3 made one word is cut: brand names gain from it. What is written
together by one and apart by another is for the query to know, see `Rules4.spellings`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis import scripts
from langchain_chroma_hybrid.core.analysis.subwords import (
    JOINED,
    MAX_TERM,
    MAX_WORD,
    UNACCENTED,
    WHOLE,
    Piece,
    Spelling,
    Splitter,
    bounded,
    is_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Between letters only: reversed and left quote, primes, grave, acute, geresh, gershayim, Armenian.
_BETWEEN_LETTERS = "`\u00b4\u2018\u201b\u2032\u2035\u055a\u05f3\u05f4\uff40"
# Letters to Unicode: modifier apostrophe, commas, primes, half rings, accents; saltillo.
_LETTERS = "\u02b9\u02ba\u02bb\u02bc\u02bd\u02be\u02bf\u02ca\u02cb\ua78b\ua78c"
_HEBREW_QUOTES = '"\u201c\u201d'
_APOSTROPHES = str.maketrans(dict.fromkeys(_BETWEEN_LETTERS + _LETTERS + _HEBREW_QUOTES, "'"))

# A hump of one letter goes with the next: OAuth, XHtml.
_HUMP = re.compile(r"[A-Z]{2,}(?![a-z])\d*|[A-Z]{0,2}[a-z]+\d*|[A-Z]\d*")
# Not microSD, siRNA or iPhone: a prefix is no word of a name.
_CAMEL = re.compile(r"(?![a-z]+\d*[A-Z]+s?\d*$)[a-z]{2,}\d*(?:[A-Z][a-z]*\d*)+")
# HTTPServer, Base64Encoder, GetUserName; two humps alone, as in MacBook, stay whole.
_ACRONYM = re.compile(r"[A-Z]{3,}[a-z]{3,}(?:[A-Z][a-z]*\d*)*|[A-Z]{1,2}[a-z]+\d+[A-Z][a-z]{2,}")
_PASCAL = re.compile(r"(?:[A-Z]+[a-z]+\d*){3,}")
_NAME = re.compile(r"(?![A-Z]+s$)(?:[A-Z][a-z]*\d*){2,}|[a-z]{2,}\d*[A-Z]+s?\d*")

_RUN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
# Possessive, as each run of letters or of digits is one: else a long word that fits but for its end
# would be cut in all ways that there are.
_NAME_OR_NUMBER = re.compile(r"(?:\d++(?:[.,]\d++)*+|[^\W\d_]++)++")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PER = re.compile(r"(\d+(?:[.,]\d+)*)?([^\W\d_]{1,4}/[^\W\d_]{1,4}\d?)")  # km/h, mg/ml, kg/m2
_TIMES = re.compile(r"(?<=\d)[xX](?=\d)")
_SPACE = "[ \u00a0\u2009\u202f]"
_GAP = re.compile(f"{_SPACE}|{_SPACE}?\u00b0")
_CROSS = re.compile(f"{_SPACE}?\u00d7{_SPACE}?")
HUMPS = 0.5  # of the words inside a word, one after the other
# Of two words, of a word and a number, of a number and a unit as one; and of the latter two as they
# were typed. In queries of many words less: there they cost up to .005 nDCG@10, in those of few no.
PAIR = ((1.0, 2.0, 3.0), (WHOLE, WHOLE, WHOLE))
SIDE_BY_SIDE = ((0.0, 0.5, 1.0), (0.0, 1.5, 1.5))
_FEW_WORDS = 2
_FEW = (2, 3)  # parts of a name that others may join
_UNIT = 4  # letters of a unit of measurement, at most
_SUFFIXES = ("js", "ts", "net", "io", "ai")  # after the dot of a name, others are sentences or code
_SHORT = 3  # letters of an Arabic word that keeps its ending

_NASALS = re.compile(
    "\u0928\u094d|\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])"
    "|\u0923\u094d(?=[\u091f-\u0922])|\u092e\u094d(?=[\u092a-\u092d])|\u0901"
)
_LAM = "\u0627\u0644"
_ARTICLE = re.compile(
    "\u0627\u0644(?=..)|(?:[\u0648\u0641\u0628\u0643]\u0627\u0644|\u0648?\u0644\u0644)(?=...)"
)


class Rules4(Splitter):
    """`Splitter` as of version 4."""

    def chunks(self, *, ascii_only: bool) -> re.Pattern[str]:
        """As before, and names with a dot before them, and all apostrophes inside words."""
        return _chunks(ascii_only)

    def pieces(self, chunk: str) -> Iterator[Piece]:
        """The pieces of `chunk`, main sequence in text order."""
        return super().pieces(chunk.translate(_APOSTROPHES))

    def spellings(self, chunks: Sequence[tuple[str, str]]) -> Iterator[Spelling]:
        """Words apart for one, one for words side by side, and so for numbers and their units."""
        for _, chunk in chunks:
            yield from self._apart(chunk)
        for (_, first), (gap, second) in pairwise(chunks):
            yield from self._together(first, gap, second, few=len(chunks) <= _FEW_WORDS)
        for at in range(1, len(chunks) - 1):
            yield from self._product(chunks, at)

    def _apart(self, chunk: str) -> Iterator[Spelling]:
        """`10mg` as `10 mg`, `OrderService` as two words, `COVID-19` without its hyphen."""
        if len(chunk) > MAX_TERM:
            return
        if _NAME_OR_NUMBER.fullmatch(chunk):
            term = bounded(scripts.fold(chunk)) if "." in chunk else self._term(chunk)
            ways = (tuple(map(self._term, way)) for way in _ways(chunk) if len(way) > 1)
            if others := tuple(dict.fromkeys(ways)):
                yield Spelling((term,), others, HUMPS if chunk.isalpha() else 1.0)
        elif chunk[0] == ".":
            name = scripts.fold(chunk)
            yield Spelling((name,), ((f"dot{name[1:]}",),), WHOLE)
        elif (rate := _PER.fullmatch(chunk)) and rate[1]:
            yield self._rate(rate[1], rate[2])
        else:
            yield from self._parts_apart(chunk)

    def _parts_apart(self, chunk: str) -> Iterator[Spelling]:
        """Of a name of several parts, without what is between them; and each of the parts."""
        parts = [match[0] for match in self._parts.finditer(chunk)]
        for part in parts if len(parts) > 1 else ():
            yield from self._apart(part)
        plain = len(parts) in _FEW and "/" not in chunk and "." not in chunk
        initials = len(parts) > 1 and not any(part[1:] for part in parts)
        if not (plain or initials or self._is_name(parts)):
            return
        phrase, term = tuple(map(self._term, parts)), (self._term("".join(parts)),)
        whole = (bounded(scripts.fold(chunk)),)
        if is_identifier(chunk):
            yield Spelling(whole, (term, phrase), 1.0)
        elif "." in chunk:
            yield Spelling(whole, (term, phrase), WHOLE)
        else:
            yield Spelling(phrase, (term,), 1.0)

    def _together(self, first: str, gap: str, second: str, *, few: bool) -> Iterator[Spelling]:
        """`10 mg` as `10mg`, `mac book` as `macbook`, `1920×1080` as `1920x1080`."""
        numbers = _NUMBER.fullmatch(first) is not None, _NUMBER.fullmatch(second) is not None
        typed = self._term(first), self._term(second)
        if _CROSS.fullmatch(gap) and first[-1].isdigit() and numbers[1]:
            term = bounded(scripts.fold(f"{first}x{second}"))
            yield Spelling(typed, ((term,), (typed[0], "x", typed[1])), WHOLE)
        if not _GAP.fullmatch(gap) or all(numbers):
            return
        words = all(map(_NAME_OR_NUMBER.fullmatch, (first, second)))
        if numbers[0] and _PER.fullmatch(second):
            yield self._rate(first, second)
        elif words and (not any(numbers) or self._counts(first, second)):
            kind = 2 * numbers[0] + numbers[1]
            yield Spelling(typed, ((self._term(first + second),),), PAIR[few][kind])
            if kind:
                yield Spelling(typed, (typed,), SIDE_BY_SIDE[few][kind])

    def _counts(self, first: str, second: str) -> bool:
        """Whether a number and a word beside it may be one thing."""
        return "x" not in (first.lower(), second.lower()) and (
            not first[0].isdigit() or len(second) <= _UNIT
        )

    def _rate(self, number: str, unit: str) -> Spelling:
        """`100km/h` and `100 km/h`, each before what has only parts of it."""
        top, below = unit.split("/")
        apart = tuple(map(self._term, (number, top, below)))
        together = self._term(number + top), self._term(below)
        whole = bounded(scripts.fold(number + unit))
        return Spelling(apart, ((whole,), together, apart), WHOLE)

    def _product(self, chunks: Sequence[tuple[str, str]], at: int) -> Iterator[Spelling]:
        """`M8 x 1.25` as `M8x1.25`, `10 x 15 cm` with the unit as well."""
        (_, first), (_, cross), (_, second) = chunks[at - 1 : at + 2]
        gaps = [gap for gap, _ in chunks[at : at + 3]]
        if cross not in ("x", "X") or not all(map(_GAP.fullmatch, gaps[:2])):
            return
        if not (first[-1].isdigit() and second[0].isdigit()):
            return
        ends = [[second]]
        if gaps[2:] and _GAP.fullmatch(gaps[2]) and chunks[at + 2][1].isalpha():
            ends.append([second, chunks[at + 2][1]])
        for end in ends:
            start, *rest = (self._term(each) for each in (first, *end))
            term = bounded(scripts.fold(f"{first}x{''.join(end)}"))
            yield Spelling((start, "x", *rest), ((term,), (start, *rest)), WHOLE * (1 + len(end)))

    def _special(self, text: str, start: int) -> Iterator[Piece]:
        """`C++` as a whole, `.NET` also as it is spoken."""
        yield from super()._special(text, start)
        if text[0] == ".":
            term = bounded(f"dot{scripts.fold(text[1:])}")
            yield Piece(start, start + len(text), term, main=False, boost=JOINED)

    def _is_name(self, words: Sequence[str]) -> bool:
        """`Node.js`, not `end.Next`."""
        return len(words) == 2 and len(words[0]) > 1 and words[1].lower() in _SUFFIXES  # noqa: PLR2004

    def _humps(self, word: str, *, dotted: bool) -> list[re.Match[str]]:
        """The words of names in code; of two words only inside a longer name."""
        patterns = (_CAMEL, _ACRONYM, _PASCAL, *([_NAME] if dotted else []))
        if not any(pattern.fullmatch(word) for pattern in patterns):
            return []
        humps = list(_HUMP.finditer(word))
        return humps if len(humps) > 1 else []

    def _word(
        self, word: str, start: int, boost: float, *, dotted: bool = False
    ) -> Iterator[Piece]:
        """As before, and of an Arabic word the stem that it has behind the article."""
        yield from super()._word(word, start, boost, dotted=dotted)
        if self._language == "arabic" and not word.isascii() and len(word) <= MAX_WORD:
            noun = self._term(_LAM + _arabic(word).removeprefix(_LAM))
            if noun != self._term(word):
                yield Piece(start, start + len(word), noun, main=False, boost=boost * UNACCENTED)

    def _plain(self, word: str) -> str:
        """As before, and Devanagari and Arabic in the spelling that all others share."""
        word = super()._plain(word)
        if not word.isascii():
            if any("\u0900" <= c <= "\u097f" for c in word):
                word = _devanagari(word)
            if self._language == "arabic":
                word = _arabic(word)
        return word


def _ways(word: str) -> Iterator[list[str]]:
    """A word of letters and digits cut where they meet, at its humps, and at an x of numbers."""
    runs = _RUN.findall(word)
    yield runs
    sides = _TIMES.split(word)
    yield sides
    yield [part for side in sides for part in ("x", side)][1:]
    if word.isascii() and (_NAME.fullmatch(word) or _CAMEL.fullmatch(word)):
        yield _HUMP.findall(word)
        yield [hump for run in runs for hump in (_HUMP.findall(run) or [run])]


@cache
def _chunks(ascii_only: bool) -> re.Pattern[str]:
    """`scripts.chunks` with all apostrophes, `.NET`, and `C++` before a number."""
    word = r"\w+" if ascii_only else rf"\w[\w{scripts.marks()}]*"
    joiner = r"[\-./:@&']" if ascii_only else f"[{scripts.JOINERS}]"
    hebrew = "[\u05d0-\u05ea]"
    quotes = "`" if ascii_only else _BETWEEN_LETTERS
    joiner = rf"{joiner}|(?<!\d)[{quotes}](?=[^\W\d_])|(?<={hebrew})[{_HEBREW_QUOTES}](?={hebrew})"
    thousands = r"(?<=\d),(?=\d{3}(?!\d))"
    dot = r"(?:(?<![^\s(\[])\.(?=[^\W\d_]))?"
    return re.compile(
        rf"{dot}{word}(?:(?:{joiner}|{thousands}){word})*(?:\+\+(?![^\W\d])|\#(?!\w))?"
    )


def _devanagari(word: str) -> str:
    """Without nukta, nasals as anusvara; as Lucene, and nasals before a consonant of their own."""
    apart = unicodedata.normalize("NFD", word).translate(dict.fromkeys((0x93C, 0x200C, 0x200D)))
    return unicodedata.normalize("NFC", _NASALS.sub("\u0902", apart))


def _arabic(word: str) -> str:
    """The article without what is written to it, the feminine ending as one letter."""
    word = scripts.fold(word)
    article = _ARTICLE.match(word)
    word = _LAM + word[article.end() :] if article else word
    return f"{word[:-1]}\u0629" if word.endswith("\u0647") and len(word) > _SHORT else word
