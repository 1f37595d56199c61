"""One analyzer for every lexical engine: text in, terms out.

A text becomes a main sequence of words in text order, on whose positions phrases rest, and extras
behind it: identifiers as a whole, joined spellings, single CJK characters. Stop words are dropped
from queries and kept in documents: phrases stay whole, a query of nothing but stop words still
finds something, and BM25 gives words that occur everywhere next to no weight anyway.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import Stemmer

from langchain_chroma_hybrid.core import scripts
from langchain_chroma_hybrid.core.stop_words import ISO_CODES, STOP_WORDS
from langchain_chroma_hybrid.errors import InvalidArgumentError

VERSION = 1
MAX_TERM = 128
_CACHE_ENTRIES = 1 << 15
_CACHED_LENGTH = 64

# Query weights, tuned together on five collections. An identifier as a whole outweighs its parts so
# far that no repetition of them (BM25 saturates at k1 + 1) ranks before one mention of the whole.
WHOLE, JOINED, PARTS = 3.0, 0.15, 0.15
COMPOUND = 0.5
HUMP = 0.0
UNACCENTED = 0.5
UNIGRAM = 0.0

_ELIDING = frozenset({"french", "italian", "catalan", "turkish"})
_SEPARATORS = re.compile(r"[\W_]+")
_SPACE = re.compile(r"\s")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HUMPS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONG_NUMBER = re.compile(r"\d[\d-]{6,}\d|\d{1,3}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """One term to search for; `boost` multiplies its BM25 contribution, > 0."""

    text: str
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Token:
    """Terms and the characters `text[start:end]` of the original text that they come from."""

    start: int
    end: int
    terms: tuple[str, ...]


class _Piece(NamedTuple):
    start: int
    end: int
    term: str
    main: bool
    boost: float


class _Entry(NamedTuple):
    main: tuple[str, ...]
    extras: tuple[str, ...]
    pieces: tuple[_Piece, ...]


class Analyzer:
    """Turns documents and queries into terms. Immutable; safe to share between threads.

    Terms are never empty, hold no white space and no lone surrogates, and have at most `MAX_TERM`
    characters: longer words keep their beginning and a digest, so that they are found as a whole.

    Args:
        language: a Snowball language (`english`) or its two-letter code; None turns stemming off.
        stop_words: True for the language's own list, or a collection of words; they are dropped
            from queries that hold anything else.
        preprocess_func: the caller's own tokenizer, used as it is for documents and queries; then
            nothing is stemmed or folded and `language` has no effect.
        name: stands for `preprocess_func` in the fingerprint; needed for lambdas and partials.

    Raises:
        InvalidArgumentError: unknown language, no stop word list for it, or a nameless tokenizer.
    """

    def __init__(
        self,
        language: str | None = "english",
        *,
        stop_words: bool | Collection[str] = False,
        preprocess_func: Callable[[str], list[str]] | None = None,
        name: str | None = None,
    ) -> None:
        self.language = _language(language)
        self.preprocess_func = preprocess_func
        self.stop_words = _stop_words(stop_words, self.language, preprocess_func)
        self.fingerprint = self._fingerprint(name)
        self._arguments = {
            "stop_words": stop_words,
            "preprocess_func": preprocess_func,
            "name": name,
        }
        self._parts = scripts.parts(self.language in _ELIDING)
        self._cache: dict[str, _Entry] = {}
        self._local = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Analyzer, self.language, **self._arguments), ()

    def __repr__(self) -> str:
        return f"Analyzer({self.fingerprint!r})"

    def document(self, text: str) -> list[str]:
        """Terms to index: the main sequence in text order, then the extras."""
        if self.preprocess_func is not None:
            return self._preprocessed(text)
        main: list[str] = []
        extras: list[str] = []
        known = self._cache.get
        for surface in scripts.chunks().findall(text):
            entry = known(surface) or self._entry(surface)
            main += entry.main
            if entry.extras:
                extras += entry.extras
        return main + extras

    def phrase(self, text: str) -> list[str]:
        """The main sequence alone: terms that follow each other where `document` has the phrase."""
        if self.preprocess_func is not None:
            return self._preprocessed(text)
        chunks = scripts.chunks().findall(text)
        return [term for surface in chunks for term in self._entry(surface).main]

    def query(self, text: str) -> list[QueryTerm]:
        """Distinct terms to search for, in order of first appearance; the best boost counts."""
        boosts: dict[str, float] = {}
        stopped: dict[str, float] = {}
        for surface, piece in self._query_pieces(text):
            target = stopped if self._is_stop_word(surface) else boosts
            target[piece.term] = max(piece.boost, target.get(piece.term, 0.0))
        return [QueryTerm(term, boost) for term, boost in (boosts or stopped).items()]

    def tokens(self, text: str) -> list[Token]:
        """Every term with the characters it comes from, in text order; tokens may overlap."""
        if self.preprocess_func is not None:
            return self._located(text)
        found: list[Token] = []
        for match in scripts.chunks().finditer(text):
            offset = match.start()
            found += [
                Token(offset + piece.start, offset + piece.end, (piece.term,))
                for piece in self._entry(match[0]).pieces
            ]
        return found

    def matched_terms(self, query: str, text: str) -> tuple[str, ...]:
        """The terms of `query` that occur in `text`, in the order of the query."""
        present = set(self.document(text))
        return tuple(term.text for term in self.query(query) if term.text in present)

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans of `text` that a term of `query` matches: disjoint, ascending."""
        wanted = {term.text for term in self.query(query)}
        hits = [token for token in self.tokens(text) if not wanted.isdisjoint(token.terms)]
        spans: list[tuple[int, int]] = []
        for start, end in sorted((token.start, token.end) for token in hits):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _entry(self, surface: str) -> _Entry:
        entry = self._cache.get(surface)
        if entry is None:
            pieces = tuple(self._pieces(surface))
            main = tuple(piece.term for piece in pieces if piece.main)
            extras = tuple(piece.term for piece in pieces if not piece.main)
            entry = _Entry(main, extras, pieces)
            if len(surface) <= _CACHED_LENGTH:
                if len(self._cache) >= _CACHE_ENTRIES:
                    self._cache.clear()
                self._cache[surface] = entry
        return entry

    def _pieces(self, surface: str) -> Iterator[_Piece]:
        for offset, run, unspaced in scripts.runs(surface):
            for piece in _bigrams(run) if unspaced else self._compound(run):
                yield piece._replace(start=piece.start + offset, end=piece.end + offset)

    def _compound(self, text: str) -> Iterator[_Piece]:
        found = list(self._parts.finditer(text))
        if not found:
            return
        start, end = found[0].start(), len(text)
        whole = scripts.fold(text[start:]).rstrip("_-./:@&',")
        joined = _SEPARATORS.sub("", whole)
        if len(found) == 1:
            yield from self._word(found[0][0], start, 1.0)
            if whole.endswith(("+", "#")):
                yield _Piece(start, end, _bounded(whole), main=False, boost=WHOLE)
            return
        digits = any(c.isdigit() for c in whole)
        identifier = digits or "_" in whole or "@" in whole
        for part in found:
            yield from self._word(part[0], part.start(), PARTS if identifier else 1.0)
        boost = WHOLE if identifier else COMPOUND
        yield _Piece(start, end, _bounded(whole), main=False, boost=boost)
        if not digits or not joined.isdigit() or _LONG_NUMBER.fullmatch(whole):
            boost = JOINED if identifier else COMPOUND
            yield _Piece(start, end, self._term(joined), main=False, boost=boost)
        if "/" in whole and identifier:
            yield from self._segments(text)

    def _segments(self, path: str) -> Iterator[_Piece]:
        for segment in re.finditer(r"[^/]+", path):
            for piece in self._compound(segment[0]):
                if not piece.main:
                    offset = segment.start()
                    yield piece._replace(start=piece.start + offset, end=piece.end + offset)

    def _word(self, word: str, start: int, boost: float) -> Iterator[_Piece]:
        end = start + len(word)
        term = self._term(word)
        yield _Piece(start, end, term, main=True, boost=boost)
        plain = self._term(scripts.fold(word))
        if plain != term:
            yield _Piece(start, end, plain, main=False, boost=boost * UNACCENTED)
        if word.isascii() and not word.islower():
            yield from self._humps(word, start, boost)

    def _humps(self, word: str, start: int, boost: float) -> Iterator[_Piece]:
        humps = list(_HUMPS.finditer(word))
        if len(humps) < 2 or any(len(hump[0]) < 3 for hump in humps):
            return
        for hump in humps:
            term = self._term(hump[0])
            yield _Piece(start + hump.start(), start + hump.end(), term, False, boost * HUMP)

    def _term(self, word: str) -> str:
        if self.language == "turkish":
            word = word.replace("I", "ı").replace("İ", "i")
        word = re.sub(f"[{scripts.APOSTROPHES}]", "'", scripts.lower(word))
        word = word.removesuffix("'s").replace("'", "")
        if self.language and len(word) <= MAX_TERM and not any(c.isdigit() for c in word):
            word = self._stemmer.stemWord(word)
        return _bounded(scripts.fold(word))

    @property
    def _stemmer(self) -> Any:
        # PyStemmer's objects are not safe for concurrent use, and a lock could be held over a fork.
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:
            stemmer = self._local.stemmer = Stemmer.Stemmer(self.language, 0)
        return stemmer

    def _query_pieces(self, text: str) -> Iterator[tuple[str, _Piece]]:
        if self.preprocess_func is not None:
            for term in self._preprocessed(text):
                yield term, _Piece(0, 0, term, main=True, boost=1.0)
            return
        for surface in scripts.chunks().findall(text):
            for piece in self._entry(surface).pieces:
                if piece.boost > 0:
                    yield surface[piece.start : piece.end], piece

    def _is_stop_word(self, surface: str) -> bool:
        return bool(self.stop_words) and scripts.fold(surface) in self.stop_words

    def _preprocessed(self, text: str) -> list[str]:
        return [_clean(token) for token in self._own_tokens(text) if token]

    def _own_tokens(self, text: str) -> list[str]:
        tokens = self.preprocess_func(text) if self.preprocess_func else []
        if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
            raise InvalidArgumentError.of(
                "preprocess_func", tokens, "a function that returns list[str]"
            )
        return tokens

    def _located(self, text: str) -> list[Token]:
        found: list[Token] = []
        lowered = text.lower()
        haystack = lowered if len(lowered) == len(text) else text
        position = 0
        for token in self._own_tokens(text):
            start = text.find(token, position)
            if start < 0:
                start = haystack.find(token.lower(), position)
            if token and start >= 0:
                position = start + len(token)
                found.append(Token(start, position, (_clean(token),)))
        return found

    def _fingerprint(self, name: str | None) -> str:
        if self.preprocess_func is not None:
            return f"{VERSION}:preprocess:{name or _qualified_name(self.preprocess_func)}"
        stops = hashlib.blake2b(
            " ".join(sorted(self.stop_words)).encode("utf-8", "replace"), digest_size=4
        )
        stemmer = f"{self.language}-snowball-{Stemmer.version()}" if self.language else "unstemmed"
        return f"{VERSION}:{stemmer}:{stops.hexdigest() if self.stop_words else 'all'}"


def _bigrams(run: str) -> Iterator[_Piece]:
    units = scripts.units(run)
    if len(units) == 1:
        start, end, term = units[0]
        yield _Piece(start, end, _bounded(term), main=True, boost=1.0)
        return
    for (start, _, first), (_, end, second) in pairwise(units):
        yield _Piece(start, end, _bounded(first + second), main=True, boost=1.0)
    for start, end, term in units:
        yield _Piece(start, end, _bounded(term), main=False, boost=UNIGRAM)


def _bounded(term: str) -> str:
    if len(term) <= MAX_TERM:
        return term
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{term[: MAX_TERM - 17]}…{digest}"


def _clean(token: str) -> str:
    return _bounded(_SURROGATE.sub("\ufffd", _SPACE.sub("␣", token)))


def _language(language: str | None) -> str | None:
    if language is None:
        return None
    known = Stemmer.algorithms()
    wanted = ISO_CODES.get(str(language).lower(), str(language).lower())
    if wanted not in known:
        raise InvalidArgumentError.of("language", language, f"None or one of {', '.join(known)}")
    return wanted


def _stop_words(
    given: bool | Collection[str], language: str | None, preprocess_func: object
) -> frozenset[str]:
    if given is False or given is None:
        return frozenset()
    if preprocess_func is not None:
        expected = "False beside preprocess_func, which drops what it does not want itself"
        raise InvalidArgumentError.of("stop_words", given, expected)
    if given is True:
        if language not in STOP_WORDS:
            expected = f"a collection of words, or a language with a list ({', '.join(STOP_WORDS)})"
            raise InvalidArgumentError.of("stop_words", f"True for {language}", expected)
        return frozenset(scripts.fold(word) for word in STOP_WORDS[language].split())
    if isinstance(given, str) or not all(isinstance(word, str) for word in given):
        raise InvalidArgumentError.of("stop_words", given, "a bool or a collection of str")
    return frozenset(scripts.fold(word) for word in given)


def _qualified_name(function: Callable[..., object]) -> str:
    name = getattr(function, "__qualname__", "<unnamed>")
    if "<" in name:
        raise InvalidArgumentError.of("name", None, "a name for a preprocess_func that has none")
    return f"{getattr(function, '__module__', '')}.{name}"
