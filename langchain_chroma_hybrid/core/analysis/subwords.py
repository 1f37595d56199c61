"""What one chunk of text (a word, an identifier, a run of CJK) is found by.

The weights below count in queries only. They were tuned together on five collections; the ones for
identifiers also keep a promise: all that is not the whole weighs together at most a tenth of the
whole. BM25 saturates at `k1 + 1` and a part is never rarer than the whole, so no repetition of
parts in a short record overtakes one mention of the whole in a record of ten times average length.
"""

from __future__ import annotations

import hashlib
import re
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import Stemmer

from langchain_chroma_hybrid.core.analysis import scripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_TERM = 128

MAX_WORD = 1_000
"""Characters of a word that is folded, stemmed and cut; longer ones count as they are written."""

WHOLE, JOINED, PARTS = 3.0, 0.05, 0.15  # `R123-78`: r123-78, r12378, and what its parts share
MOST_LITTLE = 2  # characters of a part that finds nothing by itself; nor does a number
COMPOUND = 0.25  # `e-mail`: email, beside e and mail at 1
HUMPS = 0.1  # `getUserName`: what get, user and name share, beside getusername at 1
UNACCENTED = 0.5  # a second stem, where the word without its accents has another one
UNIGRAM = 0.0  # single characters of a CJK run, beside its bigrams at 1

# Languages in which an apostrophe joins two words (l'homme) or a word and its case (Ankara'da).
_ELIDING = frozenset({"french", "italian", "catalan", "turkish"})
_APOSTROPHES = re.compile(f"[{scripts.APOSTROPHES}]")
_IN_NUMBERS = str.maketrans("", "", ",.")
_SEPARATORS = re.compile(r"[\W_]+")
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?!\.?\d)")
_LONG_NUMBER = re.compile(r"\d[\d-]{6,}\d")
_HOST = re.compile(r"[^\W\d_][\w-]*(?:\.[\w-]+)+/")
# Only getUserName style. Cutting MacBook or YouTube cost 0.014 nDCG@10 on a product catalogue;
# iPhone, mRNA and PhD are one word anyway.
_CAMEL = re.compile(r"[a-z]{2,}(?:[A-Z][a-z]+)+")
_HUMP = re.compile(r"[A-Z]?[a-z]+")


class Piece(NamedTuple):
    """A term, where it stands in its chunk, and what it is good for.

    Attributes:
        main: part of the main sequence, whose positions phrases rest on; otherwise an extra.
        boost: weight in a query; 0 leaves the term to documents.
        whole: the characters that the term stands for are all of an identifier.
    """

    start: int
    end: int
    term: str
    main: bool
    boost: float
    whole: bool = False


class Spelling(NamedTuple):
    """What words of a query are written as by others, beside the terms of the query.

    Each spelling is one term, or several one after the other.

    Attributes:
        typed: as in the query: what has this needs no other, unless it is among them.
        others: any of which stands for it.
        boost: multiplies what they add to the score.
    """

    typed: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]
    boost: float


class Splitter:
    """Cuts chunks into pieces for one language. Safe to share between threads.

    What later rules do otherwise stands in methods of its own, which they override.
    """

    def __init__(self, language: str | None) -> None:
        self._language = language
        self._parts = scripts.parts(language in _ELIDING)
        self._local = threading.local()

    def chunks(self, *, ascii_only: bool) -> re.Pattern[str]:
        """What the units are that `pieces` takes."""
        return scripts.chunks(ascii_only)

    def spellings(self, chunks: Sequence[tuple[str, str]]) -> Iterator[Spelling]:  # noqa: ARG002
        """How the chunks of a query may be written otherwise; each with what stands before it."""
        return iter(())

    def pieces(self, chunk: str) -> Iterator[Piece]:
        """The pieces of `chunk`, main sequence in text order."""
        if chunk.isascii() and chunk.isalpha():  # most are, and need no further look
            yield from self._word(chunk, 0, 1.0)
            return
        for start, run, unspaced in scripts.runs(chunk):
            yield from _bigrams(run, start) if unspaced else self._compound(run, start)

    def _compound(self, text: str, offset: int) -> Iterator[Piece]:
        """What one run is found by: `R123-78` and `C++` chiefly whole, `e-mail` by its parts."""
        found = list(self._parts.finditer(text))
        if len(found) > 1:
            identifier = is_identifier(text)
            share = PARTS / len(found) if identifier else 1.0
            for part in found:
                boost = 0.0 if identifier and says_little(part[0]) else share
                at, dotted = offset + part.start(), text.count(".") > 1
                yield from self._word(part[0], at, boost, dotted=dotted)
            if identifier:
                yield from self._wholes(text, offset, WHOLE, JOINED)
            for nested in _nested(text):
                boost = share / 4 if identifier else COMPOUND
                yield from self._wholes(nested[0], offset + nested.start(), boost, boost)
        elif found:
            start, special = offset + found[0].start(), text[-1] in "+#" or text[0] == "."
            share = 0.0 if says_little(found[0][0]) else PARTS
            yield from self._word(found[0][0], start, share if special else 1.0)
            if special:
                yield from self._special(text, offset if text[0] == "." else start)

    def _special(self, text: str, start: int) -> Iterator[Piece]:
        """`C++` as a whole."""
        end = start + len(text)
        yield Piece(start, end, bounded(scripts.fold(text)), main=False, boost=WHOLE, whole=True)

    def _wholes(self, text: str, start: int, boost: float, joined: float) -> Iterator[Piece]:
        """The whole of an identifier or name, and its spelling without separators."""
        if len(text) > MAX_WORD:
            return
        whole = scripts.fold(text).strip("_")
        words = _SEPARATORS.split(whole)
        plain, end = "".join(words), start + len(text)
        if plain == whole or self._parts.fullmatch(text):
            return
        name = is_identifier(text)
        initials = not any(word[1:] for word in words)
        if name or ("." in whole and not initials):
            yield Piece(start, end, bounded(whole), False, boost, whole=boost == WHOLE)
        # 1.5 must not be found as 15: numbers are joined only where they are long (ISBN, date).
        numeric = plain.isdigit() or _DECIMAL.search(whole)
        if _LONG_NUMBER.fullmatch(whole) or (
            not numeric and (name or "." not in whole or initials or self._is_name(words))
        ):
            yield Piece(start, end, self._term(plain), main=False, boost=joined)

    def _is_name(self, words: Sequence[str]) -> bool:  # noqa: ARG002
        """Whether words with a dot between them are one name, not two sentences."""
        return False

    def _word(
        self, word: str, start: int, boost: float, *, dotted: bool = False
    ) -> Iterator[Piece]:
        """A word's term; as extras its humps, or its term without accents if that is another."""
        end = start + len(word)
        term = self._term(word)
        yield Piece(start, end, term, main=True, boost=boost)
        if len(word) > MAX_WORD:
            return
        if word.isascii():
            humps = self._humps(word, dotted=dotted)
            for hump in humps:
                at, share = start + hump.start(), boost * HUMPS / len(humps)
                yield Piece(at, at + len(hump[0]), self._term(hump[0]), main=False, boost=share)
            return
        plain = self._term(scripts.fold(word))
        if plain != term:
            yield Piece(start, end, plain, main=False, boost=boost * UNACCENTED)

    def _humps(self, word: str, *, dotted: bool) -> list[re.Match[str]]:  # noqa: ARG002
        """The words inside a word, for which it is found too; `dotted`: it is part of a name."""
        return list(_HUMP.finditer(word)) if _CAMEL.fullmatch(word) else []

    def _term(self, word: str) -> str:
        """A word lower-cased, folded and, unless it is long or has a digit in it, stemmed."""
        if len(word) > MAX_WORD:
            return _abridged(scripts.fold(word[:MAX_TERM]), word)
        if self._language == "turkish":
            # Composed first: of a decomposed Ì only the bare I would be replaced.
            word = scripts.normalized("NFC", word).replace("I", "ı").replace("İ", "i")
        word = self._plain(scripts.lower(word))
        if any(c.isdigit() for c in word):
            word = word.replace(",", "")
        elif self._language and len(word) <= MAX_TERM:
            word = self._stemmer.stemWord(word)
        return bounded(scripts.fold(word))

    def _plain(self, word: str) -> str:
        """A word in lower case without its apostrophes, as the stemmer gets it."""
        return _APOSTROPHES.sub("'", word).removesuffix("'s").replace("'", "")

    @property
    def _stemmer(self) -> Any:
        # PyStemmer's objects are not safe for concurrent use, and a lock might be held over a fork.
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:
            stemmer = self._local.stemmer = Stemmer.Stemmer(self._language, 0)
        return stemmer


def bounded(term: str) -> str:
    """`term`, or its beginning and a digest of it where it is longer than `MAX_TERM`."""
    return term if len(term) <= MAX_TERM else _abridged(term, term)


def _abridged(beginning: str, whole: str) -> str:
    digest = hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()
    return f"{beginning[: MAX_TERM - 17]}…{digest}"


def is_identifier(text: str) -> bool:
    """Whether several parts name one thing, not several: there are digits, `_` or `@`."""
    return "_" in text.strip("_") or "@" in text or any(c.isdigit() for c in text)


def says_little(part: str) -> bool:
    """A part that is no sign of its identifier: `e` and `4012` are in many other things, too."""
    return len(part) <= MOST_LITTLE or part.translate(_IN_NUMBERS).isdigit()


def _nested(text: str) -> list[re.Match[str]]:
    """Names inside a compound: what stands between slashes, and the path behind a host."""
    if "/" not in text:
        return [] if is_identifier(text) else list(re.finditer(".+", text))
    nested = list(re.finditer("[^/]+", text))
    host = _HOST.match(text)
    behind = re.compile(".+").match(text, host.end()) if host and nested[2:] else None
    return [*nested, behind] if behind else nested


def _bigrams(run: str, offset: int) -> Iterator[Piece]:
    units = [(offset + start, offset + end, term) for start, end, term in scripts.units(run)]
    if len(units) == 1:
        yield Piece(units[0][0], units[0][1], bounded(units[0][2]), main=True, boost=1.0)
        return
    for (start, _, first), (_, end, second) in pairwise(units):
        yield Piece(start, end, bounded(first + second), main=True, boost=1.0)
    for start, end, term in units:
        yield Piece(start, end, bounded(term), main=False, boost=UNIGRAM)
