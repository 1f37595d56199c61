"""What a word sounds like in English, for words that were heard and not read."""

from __future__ import annotations

import jellyfish

# Metaphone tells voiced consonants from voiceless ones and vowels at the beginning, which Soundex
# and Double Metaphone put together; who listens mixes them up first.
_ALIKE = str.maketrans("BVDGJZEIOU0", "PFTKXSAAAAQ")  # 0 is th, and no letter
_LEAST = 2  # sounds; one alone is no word


def sound(word: str) -> str:
    """Equal for words that sound alike; empty where that cannot be told, as of other scripts.

    Metaphone (Lawrence Philips, "Hanging on the Metaphone", Computer Language 7(12), 1990).
    """
    code = jellyfish.metaphone(word).translate(_ALIKE)
    return code if len(code) >= _LEAST else ""
