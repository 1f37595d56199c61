"""Vectors that are made from words alone: the same everywhere, in microseconds."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

import numpy as np
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.core.keywords import known_keywords

_WORD = re.compile(r"\w+")


class WordEmbeddings(Embeddings):
    """Texts that share words are near to each other; nothing else is.

    Each word is a fixed pseudo-random direction, a text the normalised sum of its words (case
    folded); texts without words share one direction. Equal input gives equal vectors in every
    process and on every machine, so that tests may pin results.

    Thread safety: has no state.
    """

    @known_keywords
    def __init__(self, size: int = 64) -> None:
        """`size`: length of the vectors."""
        self.size = size

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One unit vector `(size,)` per text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector `(size,)` of `text`."""
        words = Counter(_WORD.findall(text.casefold()) or [""])
        total = np.zeros(self.size)
        for word, times in words.items():
            total += times * self._direction(word)
        vector: list[float] = (total / np.linalg.norm(total)).tolist()
        return vector

    def _direction(self, word: str) -> np.ndarray:
        noise = hashlib.shake_256(word.encode("utf-8", "surrogatepass")).digest(self.size)
        return np.frombuffer(noise, dtype=np.uint8).astype(np.float64) - 127.5
