"""What analysis must know about writing systems: word characters, folding, script runs."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MARKS = 30
"""Marks that count on one character; as many as Unicode's stream-safe text has."""

# Invisible characters that stand inside words: soft hyphen, ZWNJ, ZWJ, word joiner, BOM.
_IGNORABLE = "\u00ad\u200c\u200d\u2060\ufeff"
APOSTROPHES = "'\u2019\uff07"
DASHES = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
JOINERS = rf"\-{DASHES}./:@&{APOSTROPHES}\uff0e\uff3f"

_CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096"
    "\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b16f"
    "\U00020000-\U0003ffff"
)
# Thai, Lao, Myanmar, Khmer: written without spaces between words.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f\ua9e0-\ua9ff"
# Marks that belong to the character before them although they are letters to Unicode:
# half-width (semi-)voiced sound marks and the vowels and finals of decomposed Hangul.
_TRAILING = "\uff9e\uff9f\u1160-\u11ff\ud7b0-\ud7ff"

# Accents of the alphabets that are also written without them, points of Hebrew and Arabic, tatweel.
# Vowel signs of Indic scripts are spelling, not decoration: they stay.
_STRIPPED = re.compile(
    rf"(?<!\u0438)\u0306|[\u0300-\u0305\u0307-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5"
    rf"\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8"
    rf"\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f"
    rf"\U000e0100-\U000e01ef{_IGNORABLE}]"
)
# Letters that no decomposition turns into their plain spelling, and Persian against Arabic forms.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
    | {"þ": "th", "ĸ": "k", "ŋ": "n", "ی": "ي", "ى": "ي", "ک": "ك"}
    | dict.fromkeys(DASHES, "-")
    | dict.fromkeys(APOSTROPHES, "'")
)
_DIGIT = re.compile(r"[^\W\D]")


@cache
def marks() -> str:
    """Combining marks and ignorable characters, as the inside of a regex character class."""
    found = [c for c in range(0x300, 0x20000) if unicodedata.category(chr(c))[0] == "M"]
    ranges: list[list[int]] = []
    for code in [*found, *range(0xE0100, 0xE01F0)]:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in ranges) + _IGNORABLE


@cache
def chunks(ascii_only: bool = False) -> re.Pattern[str]:
    """Words, and words joined by one punctuation mark: the units that are analysed and cached.

    With `ascii_only` the same for pure ASCII text, in half the time.
    """
    word = r"\w+" if ascii_only else rf"\w[\w{marks()}]*"
    joiner = r"[\-./:@&']" if ascii_only else f"[{JOINERS}]"
    thousands = r"(?<=\d),(?=\d{3}(?!\d))"
    return re.compile(rf"{word}(?:(?:{joiner}|{thousands}){word})*(?:(?:\+\+|\#)(?!\w))?")


@cache
def parts(split_apostrophes: bool) -> re.Pattern[str]:
    """The words and decimal numbers inside a chunk.

    An apostrophe separates words only where `split_apostrophes`, for languages that elide.
    """
    inner = marks() + ("" if split_apostrophes else APOSTROPHES)
    number = r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+)(?![.,]?\d)"
    return re.compile(rf"{number}|[^\W_](?:[^\W_]|[{inner}])*")


@cache
def _runs() -> re.Pattern[str]:
    marked = rf"(?:[{{0}}][{marks()}]*)+"
    cjk, unspaced = marked.format(_CJK), marked.format(_UNSPACED)
    return re.compile(rf"({cjk})|({unspaced})|[^{_CJK}{_UNSPACED}]+")


@cache
def _units() -> re.Pattern[str]:
    return re.compile(rf".[{_TRAILING}{marks()}]*", re.DOTALL)


def runs(chunk: str) -> Iterator[tuple[int, str, bool]]:
    """Split a chunk where scripts change: (offset, run, whether it is written without spaces)."""
    if chunk.isascii():
        yield 0, chunk, False
        return
    for match in _runs().finditer(chunk):
        yield match.start(), match[0], match.lastindex is not None


def units(run: str) -> list[tuple[int, int, str]]:
    """(start, end, folded) of each character with its marks in a run written without spaces."""
    return [(m.start(), m.end(), _folded(m[0])) for m in _units().finditer(run)]


@cache
def _excess() -> re.Pattern[str]:
    return re.compile(rf"([{marks()}]{{{MAX_MARKS}}})[{marks()}]+")


def normalized(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """The Unicode form, of at most `MAX_MARKS` marks on a character.

    To bring marks into order takes time that grows with the square of their number.
    """
    if len(text) > MAX_MARKS:
        text = _excess().sub(r"\1", text)
    return unicodedata.normalize(form, text)


def lower(text: str) -> str:
    """Compatibility-composed and case-folded, accents kept: what a stemmer wants to see."""
    return text.lower() if text.isascii() else normalized("NFKC", text).casefold()


def fold(text: str) -> str:
    """Without case, accents, width, ligatures and points: what is compared."""
    text = lower(text)
    if text.isascii():
        return text
    text = _STRIPPED.sub("", normalized("NFKD", text).translate(_LETTERS)).casefold()
    text = _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    return normalized("NFC", text)


@lru_cache(1 << 13)
def _folded(unit: str) -> str:
    return fold(unit)
