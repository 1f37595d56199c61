"""One analyzer for every lexical engine: text in, terms out.

A text becomes a main sequence of words in text order, on whose positions phrases rest, and extras
behind it: identifiers as a whole, joined spellings, single CJK characters. Stop words are dropped
from queries and kept in documents: phrases stay whole, a query of nothing but stop words still
finds something, and BM25 gives words that occur everywhere next to no weight anyway.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import Stemmer

from langchain_chroma_hybrid.core.analysis import scripts
from langchain_chroma_hybrid.core.analysis.rules_4 import Rules4
from langchain_chroma_hybrid.core.analysis.stemmer_words import STEMMER_WORDS
from langchain_chroma_hybrid.core.analysis.stop_words import ISO_CODES, STOP_WORDS
from langchain_chroma_hybrid.core.analysis.subwords import (
    MAX_TERM,
    Piece,
    Spelling,
    Splitter,
    bounded,
)
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError

__all__ = ["DEFAULT_LANGUAGE", "MAX_TERM", "RULES", "Analyzer", "QueryTerm", "Token",
           "analyzer_of", "contains", "version_and_settings"]  # fmt: skip

DEFAULT_LANGUAGE = "english"

RULES: dict[int, Callable[[str | None], Splitter]] = {3: Splitter, 4: Rules4}
"""How chunks of text become terms, by version: what does it for a stemmer's language.

Part of every fingerprint. A change that can change the terms of a document is a new version beside
the others: an index is asked by the rules that it was built by, until it is built anew.
"""

_CACHE_ENTRIES = 1 << 15
_CACHED_LENGTH = 64
_LOOK_AHEAD = 4096
_MOST_SPELLINGS = 64
_SPACE = re.compile(r"\s")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STEMMER_DIGEST = re.compile(r"^(\w+)-[0-9a-f]{12}(?=:stop-)")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """One term to search for.

    Attributes:
        boost: multiplies what it adds to the BM25 score, > 0.
        parts: of an identifier of several parts, such as `e-4012`, these, in order. Where they are
            of one or two characters or numbers they are no terms of the query by themselves.
    """

    text: str
    boost: float = 1.0
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """Terms, and the characters `text[start:end]` of the original text that they come from."""

    start: int
    end: int
    terms: tuple[str, ...]


class _Entry(NamedTuple):
    main: tuple[str, ...]
    extras: tuple[str, ...]
    pieces: tuple[Piece, ...]


class Analyzer:
    """Turns documents and queries into terms; no text raises. Safe to share between threads.

    Terms are never empty, hold no white space and no lone surrogates, and have at most `MAX_TERM`
    characters: what is longer keeps its beginning and a digest, and is found as a whole; words of
    more than 1,000 characters only as they are written. Analysis takes time linear in the text.

    Args:
        language: a Snowball language (`english`) or its two-letter code; None turns stemming off.
        stop_words: words that are dropped from queries that hold anything else: a collection, True
            for the language's own list, None for that list if there is one, False for none.
        preprocess_func: the caller's own tokenizer, used as it is for documents and queries;
            nothing is stemmed or folded then, and `language` has no effect.
        name: stands for `preprocess_func` in the fingerprint; lambdas and partials need it.
        version: of the rules by which texts become terms; None means the latest.

    Attributes:
        fingerprint: equal for analyzers that index alike, in every process and on every machine.

    Raises:
        InvalidArgumentError: unknown language or version, no stop words for the language, or a
            tokenizer that has no name or (while analysing) does not return a list of str.
    """

    @known_keywords
    def __init__(
        self,
        language: str | None = "english",
        *,
        stop_words: bool | Collection[str] | None = None,
        preprocess_func: Callable[[str], list[str]] | None = None,
        name: str | None = None,
        version: int | None = None,
    ) -> None:
        self.version = _version(version)
        self.language = _language(language)
        self.preprocess_func = preprocess_func
        self.stop_words = _stop_words(stop_words, self.language, preprocess_func)
        self.fingerprint = self._fingerprint(name)
        self._name = name
        self._splitter = splitter = RULES[self.version](self.language)
        self._patterns = splitter.chunks(ascii_only=False), splitter.chunks(ascii_only=True)
        self._cache: dict[str, _Entry] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # The stemmers belong to threads: a copy is built anew.
        return self._again(self.version), ()

    def _again(self, version: int) -> partial[Analyzer]:
        return partial(
            type(self),
            self.language,
            stop_words=self.stop_words or False,
            preprocess_func=self.preprocess_func,
            name=self._name,
            version=version,
        )

    def __repr__(self) -> str:
        return f"Analyzer({self.fingerprint!r})"

    def by_rules(self, version: int) -> Analyzer:
        """The same settings by the rules of `version`; by the nearest where those are no more."""
        known = min(RULES, key=lambda each: abs(each - version))
        return self if known == self.version else self._again(known)()

    def document(self, text: str) -> list[str]:
        """Terms to index: the main sequence in text order, then the extras."""
        if self.preprocess_func is not None:
            return self._preprocessed(text)
        main: list[str] = []
        extras: list[str] = []
        known = self._cache.get
        for chunk in self._chunks(text).findall(text):
            terms, more, _ = known(chunk) or self._entry(chunk)
            main += terms
            if more:
                extras += more
        return main + extras

    def chunks(self, text: str) -> list[str]:
        """The units that are analysed one by one, in text order; without `preprocess_func` only."""
        return self._chunks(text).findall(text)

    def terms(self, chunk: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Main sequence and extras of one of `chunks`; `document` is all of these, then those."""
        main, extras, _ = self._entry(chunk)
        return main, extras

    def phrase(self, text: str) -> list[str]:
        """The main sequence alone: terms that follow each other where `document` has the phrase."""
        if self.preprocess_func is not None:
            return self._preprocessed(text)
        return [
            term for chunk in self._chunks(text).findall(text) for term in self._entry(chunk).main
        ]

    def query(self, text: str) -> list[QueryTerm]:
        """Distinct terms to search for, in order of first appearance, each with its best boost."""
        boosts: dict[str, float] = {}
        stopped: dict[str, float] = {}
        parts: dict[str, tuple[str, ...]] = {}
        for surface, piece, others in self._surfaces(text):
            if piece.boost > 0:
                chosen = stopped if self._is_stop_word(surface) else boosts
                chosen[piece.term] = max(piece.boost, chosen.get(piece.term, 0.0))
                if piece.whole:
                    inside = (o for o in others if piece.start <= o.start and o.end <= piece.end)
                    parts[piece.term] = tuple(other.term for other in inside if other.main)
        return [
            QueryTerm(term, boost, parts.get(term, ()))
            for term, boost in (boosts or stopped).items()
        ]

    def spellings(self, text: str) -> list[Spelling]:
        """What words of a query may be written as by others: apart, together; a bounded number."""
        if self.preprocess_func is not None:
            return []
        chunks: list[tuple[str, str]] = []
        end = 0
        for match in self._chunks(text).finditer(text):
            if not self._is_stop_word(match[0]):
                chunks.append((text[end : match.start()], match[0]))
                end = match.end()
        return list(islice(self._splitter.spellings(chunks), _MOST_SPELLINGS))

    def words(self, text: str) -> list[list[tuple[str, Piece]]]:
        """The words of a query, stop words left out: the pieces of each with their characters.

        Pieces belong together where they share characters. Without `preprocess_func` they are in
        the order of the text; with it, each token is a word.
        """
        if self.preprocess_func is not None:
            return [[(surface, piece)] for surface, piece, _ in self._surfaces(text)]
        words: list[list[tuple[str, Piece]]] = []
        for chunk in self._chunks(text).findall(text):
            end = -1
            for piece in sorted(self._entry(chunk).pieces, key=_widest_first):
                surface = chunk[piece.start : piece.end]
                if piece.start >= end:
                    words.append([])
                words[-1].append((surface, piece))
                end = max(end, piece.end)
        return [word for word in words if not self._is_stop_word(word[0][0])]

    def tokens(self, text: str) -> list[Token]:
        """Every term with the characters it comes from; tokens of one word may overlap.

        With `preprocess_func`: the tokens that are found literally (or but for case), in order.
        """
        if self.preprocess_func is not None:
            return list(self._located(text))
        return [
            Token(match.start() + piece.start, match.start() + piece.end, (piece.term,))
            for match in self._chunks(text).finditer(text)
            for piece in self._entry(match[0]).pieces
        ]

    def matched_terms(self, query: str, text: str) -> tuple[str, ...]:
        """The terms of `query` that occur in `text`, in the order of the query.

        If none does, other spellings of its words that occur.
        """
        document = self.document(text)
        present = set(document)
        terms = tuple(term.text for term in self.query(query) if term.text in present)
        return terms or tuple(
            " ".join(other)
            for spelling in self.spellings(query)
            for other in spelling.others
            if contains(document, other)
        )

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text` that terms of `query` match: disjoint, ascending."""
        terms = self.query(query)
        spellings = [other for each in self.spellings(query) for other in each.others]
        wanted = {each.text for each in terms} | {each[0] for each in spellings if not each[1:]}
        hits = [(t.start, t.end) for t in self.tokens(text) if not wanted.isdisjoint(t.terms)]
        phrases = [term.parts for term in terms if len(term.parts) > 1]
        phrases += [each for each in spellings if each[1:]]
        spans: list[tuple[int, int]] = []
        for start, end in sorted(hits + (self._found(phrases, text) if phrases else [])):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _found(self, phrases: list[tuple[str, ...]], text: str) -> list[tuple[int, int]]:
        """Where the main sequence of `text` has the terms of a phrase one after the other."""
        places = [
            (match.start() + piece.start, match.start() + piece.end, piece.term)
            for match in self._chunks(text).finditer(text)
            for piece in self._entry(match[0]).pieces
            if piece.main
        ]
        return [
            (places[at][0], places[at + len(phrase) - 1][1])
            for phrase in phrases
            for at in range(len(places) - len(phrase) + 1)
            if all(places[at + n][2] == term for n, term in enumerate(phrase))
        ]

    def _chunks(self, text: str) -> re.Pattern[str]:
        return self._patterns[text.isascii()]

    def _entry(self, chunk: str) -> _Entry:
        """All that one chunk is found by; short chunks are remembered, up to a number."""
        entry = self._cache.get(chunk)
        if entry is None:
            pieces = tuple(piece for piece in self._splitter.pieces(chunk) if piece.term)
            main = tuple(piece.term for piece in pieces if piece.main)
            entry = _Entry(main, tuple(piece.term for piece in pieces if not piece.main), pieces)
            if len(chunk) <= _CACHED_LENGTH:
                if len(self._cache) >= _CACHE_ENTRIES:
                    self._cache.clear()
                self._cache[chunk] = entry
        return entry

    def _surfaces(self, text: str) -> Iterator[tuple[str, Piece, tuple[Piece, ...]]]:
        """The pieces of a text, each with its characters and all pieces of its chunk."""
        if self.preprocess_func is not None:
            for term in self._preprocessed(text):
                yield term, Piece(0, 0, term, main=True, boost=1.0), ()
            return
        for chunk in self._chunks(text).findall(text):
            pieces = self._entry(chunk).pieces
            for piece in pieces:
                yield chunk[piece.start : piece.end], piece, pieces

    def _is_stop_word(self, surface: str) -> bool:
        # No word that is anybody's stop word is longer than a term.
        return len(surface) <= MAX_TERM and scripts.fold(surface) in self.stop_words

    def _own_tokens(self, text: str) -> list[str]:
        tokens = self.preprocess_func(text) if self.preprocess_func else []
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise InvalidArgumentError.of(
                "preprocess_func", tokens, "a function returning list[str]"
            )
        return [token for token in tokens if token]

    def _preprocessed(self, text: str) -> list[str]:
        return [_indexable(token) for token in self._own_tokens(text)]

    def _located(self, text: str) -> Iterator[Token]:
        """Tokens of `preprocess_func` and where they stand; without those not found near by."""
        lowered = text.lower()
        folded = lowered if len(lowered) == len(text) else text
        position = 0
        for token in self._own_tokens(text):
            # A bounded look-ahead: tokens that occur nowhere must not make this quadratic.
            window = position, position + len(token) + _LOOK_AHEAD
            start = text.find(token, *window)
            start = start if start >= 0 else folded.find(token.lower(), *window)
            if start >= 0:
                position = start + len(token)
                yield Token(start, position, (_indexable(token),))

    def _fingerprint(self, name: str | None) -> str:
        if self.preprocess_func is not None:
            return f"{self.version}:preprocess:{name or _qualified_name(self.preprocess_func)}"
        stemmer = _stemmer_digest(self.language) if self.language else "unstemmed"
        words = "\0".join(sorted(self.stop_words)).encode()
        stopped = hashlib.blake2b(words, digest_size=4).hexdigest() if words else "none"
        return f"{self.version}:{stemmer}:stop-{stopped}"


def analyzer_of(value: Analyzer | str | None) -> Analyzer:
    """An analyzer, or the default one for a language.

    Raises:
        InvalidArgumentError: no such language, or neither an analyzer nor a name.
    """
    if isinstance(value, Analyzer):
        return value
    if value is None or isinstance(value, str):
        return Analyzer(value)
    raise InvalidArgumentError.of("analyzer", value, "an Analyzer, a language or None")


def version_and_settings(fingerprint: str) -> tuple[int, str]:
    """The version of the rules, and what a user has chosen: not which stems his stemmer makes.

    Raises:
        ValueError: it is no fingerprint.
    """
    version, _, settings = fingerprint.partition(":")
    return int(version), _STEMMER_DIGEST.sub(r"\1", settings)


def settings_of(fingerprint: str) -> str:
    """What a user has chosen, for people.

    Raises:
        ValueError: it is no fingerprint.
    """
    way, _, stopped = version_and_settings(fingerprint)[1].rpartition(":stop-")
    if not way:
        return f"the analyzer {stopped.removeprefix('preprocess:')}"
    stemmer = "no stemmer" if way == "unstemmed" else f"the {way} stemmer"
    words = "no stop words" if stopped == "none" else f"stop words of checksum {stopped}"
    return f"{stemmer} and {words}"


def contains(terms: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the terms of `phrase` stand in `terms`, one after the other."""
    n = len(phrase)
    return any(terms[i] == phrase[0] and list(terms[i : i + n]) == list(phrase)
               for i in range(len(terms) - n + 1))  # fmt: skip


def _widest_first(piece: Piece) -> tuple[int, int]:
    return piece.start, -piece.end


def _indexable(token: str) -> str:
    """A user's token in a form that every engine can store: one word, valid Unicode, bounded."""
    return bounded(_SURROGATE.sub("\ufffd", _SPACE.sub("␣", token)))


def _version(version: int | None) -> int:
    if version is not None and version not in RULES:
        raise InvalidArgumentError.of("version", version, f"None or one of {[*RULES]}")
    return max(RULES) if version is None else version


def _language(language: str | None) -> str | None:
    if language is None:
        return None
    known = Stemmer.algorithms()
    wanted = ISO_CODES.get(str(language).lower(), str(language).lower())
    if wanted not in known:
        raise InvalidArgumentError.of("language", language, f"None or one of {', '.join(known)}")
    return wanted


def _stemmer_digest(language: str) -> str:
    """What the stemmer makes of the language's words, not which version of PyStemmer that is.

    From 2.2 to 3.1 PyStemmer stems alike in Arabic, Armenian, Basque, Catalan, Danish, Hindi,
    Hungarian, Indonesian, Irish, Nepali, Portuguese, Russian, Serbian, Tamil, Turkish and by
    `porter`. 3.0 changed Dutch, English, French, German, Greek, Italian, Norwegian, Romanian,
    Spanish, Swedish and Yiddish; 3.1 English (`internal`, `skis`), Finnish and Lithuanian.
    """
    words = STEMMER_WORDS.get(language, STEMMER_WORDS["english"]).split()
    stemmer = Stemmer.Stemmer(language, 0)
    stems = "\0".join(map(stemmer.stemWord, words)).encode()
    return f"{language}-{hashlib.blake2b(stems, digest_size=6).hexdigest()}"


def _stop_words(
    given: bool | Collection[str] | None, language: str | None, preprocess_func: object
) -> frozenset[str]:
    """Words to drop, folded; None means the language's, if any, and none beside preprocess_func."""
    if given is None:
        given = preprocess_func is None and language in STOP_WORDS
    if given is False:
        return frozenset()
    if preprocess_func is not None:
        expected = "False beside preprocess_func, which drops by itself what it does not want"
        raise InvalidArgumentError.of("stop_words", given, expected)
    if given is True:
        if language not in STOP_WORDS:
            expected = f"a collection of words, or True for one of {', '.join(STOP_WORDS)}"
            raise InvalidArgumentError.of("stop_words", f"True for {language}", expected)
        given = STOP_WORDS[language].split()
    if not isinstance(given, Collection) or isinstance(given, str | bytes):
        raise InvalidArgumentError.of("stop_words", given, "a bool, None or a collection of str")
    if not all(isinstance(word, str) for word in given):
        raise InvalidArgumentError.of("stop_words", given, "a bool, None or a collection of str")
    return frozenset(_SURROGATE.sub("", scripts.fold(word)) for word in given)


def _qualified_name(function: Callable[..., object]) -> str:
    if not callable(function):
        raise InvalidArgumentError.of("preprocess_func", function, "a function str -> list[str]")
    name = getattr(function, "__qualname__", "<unnamed>")
    if "<" in name:
        raise InvalidArgumentError.of("name", None, "a name: preprocess_func has none of its own")
    return f"{getattr(function, '__module__', None) or 'builtins'}.{name}"  # `str.split` has none
