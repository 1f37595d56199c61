"""BM25 as tantivy computes it, and the limits that keep every query bounded."""

from __future__ import annotations

import math

K1 = 1.2
B = 0.75

MAX_QUERY_CHARS = 100_000
"""Longer queries are cut here before they are analysed."""

MAX_TERMS = 256
"""Of more distinct query terms only the rarest are searched for."""

MAX_EXPANSIONS = 64
"""Words that a prefix is ranked by; further ones still match, with a constant score."""

MAX_PHRASE_TERMS = 64
"""Longer phrases are matched by their beginning."""

TYPO = 0.5
"""What a word counts that stands for one which occurs nowhere."""


def idf(frequency: int, documents: int) -> float:
    """Weight of a term that `frequency` of `documents` contain, > 0.

    `ln(1 + (N - n + 0.5) / (n + 0.5))`, as Lucene and tantivy have it.
    """
    return math.log(1.0 + (documents - frequency + 0.5) / (frequency + 0.5))


def ceiling(frequency: int, documents: int) -> float:
    """What one term can contribute at most: `tf * (k1 + 1) / (tf + norm)` stays below `k1 + 1`."""
    return idf(frequency, documents) * (K1 + 1.0)
