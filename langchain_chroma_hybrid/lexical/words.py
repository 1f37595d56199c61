"""The terms of a text, quickly: this runs for every word of every record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from langchain_chroma_hybrid.lexical.requirement import unstemmed

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer

_REMEMBERED, _SHORT = 1 << 16, 64


class _Chunk(NamedTuple):
    """Terms of one chunk of text, joined by spaces: main sequence, extras, surface."""

    main: str
    extras: str
    changed: str


class Words:
    """Terms by one analyzer, and beside them the words that its stemmer changed, as they were."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer, self._unstemmed = analyzer, unstemmed(analyzer)
        self._chunks: dict[str, _Chunk] = {}

    def of(self, text: str) -> tuple[str, str]:
        """The terms, extras last, and the distinct words that were changed; joined by spaces."""
        if self._unstemmed is self._analyzer:
            return " ".join(self._analyzer.document(text)), ""
        known = self._chunks.get
        chunks = [known(c) or self._analyzed(c) for c in self._analyzer.chunks(text)]
        # Columns and C functions.
        main, extras, changed = zip(*chunks, strict=True) if chunks else ((), (), ())
        terms = " ".join([*filter(None, main), *filter(None, extras)])
        return terms, " ".join(filter(None, set(changed)))

    def _analyzed(self, chunk: str) -> _Chunk:
        """Terms of one chunk, and its words that the stemmer changed; remembered if it is short."""
        main, extras = self._analyzer.terms(chunk)
        unchanged = {*main, *extras}
        changed = [word for word in self._surface(chunk) if word not in unchanged]
        found = _Chunk(" ".join(main), " ".join(extras), " ".join(changed))
        if len(chunk) <= _SHORT:
            if len(self._chunks) >= _REMEMBERED:
                self._chunks.clear()
            self._chunks[chunk] = found
        return found

    def _surface(self, chunk: str) -> list[str]:
        """The words of `chunk` as they are before the stemmer."""
        lower = chunk.lower()
        if lower.isascii() and lower.isalpha() and chunk[1:] == lower[1:] and len(chunk) <= _SHORT:
            return [lower]  # as the analyzer would have it, in a tenth of the time
        return self._unstemmed.document(chunk)
