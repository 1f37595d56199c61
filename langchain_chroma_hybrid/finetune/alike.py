"""Texts that are all but the same, so that none of them stands on both sides of a split."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARE = 0.8
"""Texts are alike from this share of common words on (Jaccard), in whatever order."""

_Words: TypeAlias = frozenset[str]


def key(text: str) -> str:
    """A text without case, accents, punctuation and white space: equal keys are the same text."""
    return " ".join(_words(text))


def groups(texts: Sequence[str], share: float = SHARE) -> list[int]:
    """For each text the number of its group; those alike are in one, also by way of others."""
    sets = [frozenset(_words(text)) for text in texts]
    rarest = _Rarest(sets, share)
    above: dict[_Words, _Words] = {}

    def top(words: _Words) -> _Words:
        while above[words] != words:
            above[words] = words = above[above[words]]
        return words

    # By a word, and by a set that was the first of its group: one like it is enough.
    seen: dict[str, dict[_Words, list[_Words]]] = defaultdict(lambda: defaultdict(list))
    for words in dict.fromkeys(sets):
        above[words] = words
        few = rarest.of(words)
        for word in few:
            for first, members in seen[word].items():
                if top(first) != top(words) and any(rarest.alike(words, m) for m in members):
                    above[top(words)] = top(first)
        for word in few:
            seen[word][top(words)].append(words)
    numbers: dict[_Words, int] = {}
    return [numbers.setdefault(top(words), len(numbers)) for words in sets]


def among(texts: Iterable[str], others: Iterable[str], share: float = SHARE) -> set[str]:
    """Those of `texts` that are like one of `others`."""
    own = {text: frozenset(_words(text)) for text in texts}
    theirs = {frozenset(_words(text)) for text in others}
    rarest = _Rarest(theirs.union(own.values()), share)
    seen: dict[str, list[_Words]] = defaultdict(list)
    for words in theirs:
        for word in rarest.of(words):
            seen[word].append(words)
    found = {
        words for words in set(own.values())
        if any(rarest.alike(words, other) for word in rarest.of(words) for other in seen[word])
    }  # fmt: skip
    return {text for text, words in own.items() if words in found}


class _Rarest:
    """The prefix filter of set-similarity joins (Chaudhuri, Ganti, Kaushik, ICDE 2006).

    Two sets that have enough in common share one of the words that `of` gives for each.
    """

    def __init__(self, sets: Iterable[_Words], share: float) -> None:
        self._share = share
        self._counts = Counter(word for words in set(sets) for word in words)

    def of(self, words: _Words) -> list[str]:
        """The words that are in the fewest sets: one more than a set that is alike may lack."""
        rarest = sorted(words, key=lambda word: (self._counts[word], word))
        return rarest[: len(words) - math.ceil(self._share * len(words)) + 1]

    def alike(self, left: _Words, right: _Words) -> bool:
        """Whether both have enough in common."""
        common = len(left & right)
        return common >= self._share * (len(left) + len(right) - common)


@cache
def _analyzer() -> Analyzer:
    return Analyzer(None, stop_words=False)


def _words(text: str) -> list[str]:
    """Words as they are compared; a text of signs alone is one of its own."""
    return _analyzer().phrase(text) or [text.strip()]
