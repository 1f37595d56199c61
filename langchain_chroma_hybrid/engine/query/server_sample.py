"""A few records of a collection as a lexical index in memory."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.background import SAMPLE
from langchain_chroma_hybrid.lexical.factory import open_index

if TYPE_CHECKING:
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


class ServerSample:
    """Answers as the index of a collection of `SAMPLE` records would; counts as the whole does.

    The records are read when the first question needs them.
    """

    def __init__(self, whole: LexicalIndex, store: ChromaStore) -> None:
        self._whole, self._store = whole, store
        self.analyzer = whole.analyzer

    @cached_property
    def _sampled(self) -> LexicalIndex:
        index = open_index(None, analyzer=self.analyzer)
        index.apply(list(self._store.first(SAMPLE).values()))
        return index

    def count(self) -> int:
        """Of the whole collection."""
        return self._whole.count()

    def version(self) -> object:
        """Of the whole collection."""
        return self._whole.version()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampled, name)
