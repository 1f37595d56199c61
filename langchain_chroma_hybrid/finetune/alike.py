"""Texts that are all but the same, so that none of them stands on both sides of a split."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations, product
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SHARE = 0.8
"""Texts are alike from this share of common words on (Jaccard), in whatever order."""


def key(text: str) -> str:
    """A text without case, accents, punctuation and white space: equal keys are the same text."""
    return " ".join(_words(text))


def groups(texts: Sequence[str], share: float = SHARE) -> list[int]:
    """For each text the number of its group; those alike are in one, also by way of others."""
    above = list(range(len(texts)))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = place = above[above[place]]
        return place

    for left, right in _pairs(texts, share):
        above[max(top(left), top(right))] = min(top(left), top(right))
    return [top(place) for place in range(len(texts))]


def among(texts: Iterable[str], others: Iterable[str], share: float = SHARE) -> set[str]:
    """Those of `texts` that are like one of `others`."""
    own, theirs = list(dict.fromkeys(texts)), list(dict.fromkeys(others))
    pairs = map(sorted, _pairs([*own, *theirs], share))
    return {own[left] for left, right in pairs if left < len(own) <= right}


def _pairs(texts: Sequence[str], share: float) -> Iterator[tuple[int, int]]:
    """Places of two texts that are alike.

    Exact, by the prefix filter of set-similarity joins (Chaudhuri, Ganti, Kaushik, ICDE 2006): two
    sets that have enough in common share one of their rarest words.
    """
    by_words: dict[frozenset[str], list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        by_words[frozenset(_words(text))].append(place)
    counts = Counter(word for words in by_words for word in words)
    seen: dict[str, list[frozenset[str]]] = defaultdict(list)
    for words in sorted(by_words, key=len):
        yield from combinations(by_words[words], 2)
        rarest = sorted(words, key=lambda word: (counts[word], word))
        prefix = rarest[: len(words) - math.ceil(share * len(words)) + 1]
        for other in {found for word in prefix for found in seen[word]}:
            common = len(words & other)
            if common >= share * (len(words) + len(other) - common):
                yield from product(by_words[other], by_words[words])
        for word in prefix:
            seen[word].append(words)


@cache
def _analyzer() -> Analyzer:
    return Analyzer(None, stop_words=False)


def _words(text: str) -> list[str]:
    """Words as they are compared; a text of signs alone is one of its own."""
    return _analyzer().phrase(text) or [text.strip()]
