"""Which language texts are in, as far as stop words and scripts tell."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis import scripts
from langchain_chroma_hybrid.core.analysis.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_READ = 2_000  # characters of a text
_LEAST_HITS, _LEAST_SHARE = 3, 0.15  # stop words that tell a language
_CLOSE = 0.7  # a language that has so much of the best one's is as likely
_LEAST_TEXTS = 3
_WORD = re.compile(r"[^\W\d_]+")
_ALPHABETS = {
    "arabic": re.compile(r"[\u0621-\u064a]"),
    "armenian": re.compile(r"[\u0531-\u0587]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "hindi": re.compile(r"[\u0900-\u097f]"),
    "tamil": re.compile(r"[\u0b80-\u0bff]"),
}
# Languages of one alphabet each that their stemmers do not share.
_SAME_ALPHABET = {"persian": "arabic", "nepali": "hindi"}


def other_language(texts: Iterable[str], language: str) -> str | None:
    """The language that most of the texts are in, if it is another than `language`.

    None where it cannot be told: of few texts, of lists of names, of languages that are alike.
    """
    votes = Counter(_language(text[:_READ], language) for text in texts if text.strip())
    best, count = max(votes.items(), key=lambda vote: vote[1], default=(None, 0))
    most = count >= _LEAST_TEXTS and 2 * count > votes.total()
    return best if most and best != language else None


def _language(text: str, own: str) -> str | None:
    """The language of one text; `own` where it is as likely."""
    words = _WORD.findall(scripts.fold(text))
    letters = sum(map(len, words))
    for language, alphabet in _ALPHABETS.items():
        if 2 * len(alphabet.findall(text)) > letters:
            return own if _SAME_ALPHABET.get(own, own) == language else language
    hits = {name: sum(map(stopped.__contains__, words)) for name, stopped in _stopped().items()}
    best = max(hits, key=lambda name: hits[name])
    if hits[best] < max(_LEAST_HITS, _LEAST_SHARE * len(words)):
        return None
    return own if hits.get(own, 0) >= _CLOSE * hits[best] else best


@cache
def _stopped() -> dict[str, frozenset[str]]:
    return {name: frozenset(map(scripts.fold, words.split())) for name, words in STOP_WORDS.items()}
