"""One index as it was built: how it is read, and how records are written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid.lexical.corrections import Corrector
from langchain_chroma_hybrid.lexical.opensearch.documents import document, key_of
from langchain_chroma_hybrid.lexical.opensearch.names import writable
from langchain_chroma_hybrid.lexical.opensearch.typos import OpenSearchVocabulary
from langchain_chroma_hybrid.lexical.opensearch.writing import operations, write
from langchain_chroma_hybrid.lexical.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.reading import Reader


class View:
    """An index and the rules that it was built by.

    Attributes:
        generation: its name.
        analyzer: by these rules.
        outdated: whether they are not those of today.
        corrector: finds other spellings of words.
    """

    def __init__(
        self, cluster: Cluster, generation: str, reader: Reader, *, outdated: bool
    ) -> None:
        self.generation, self.reader, self.outdated = generation, reader, outdated
        self.analyzer = reader.analyzer
        self.corrector = Corrector(OpenSearchVocabulary(reader))
        self._cluster, self._words = cluster, Words(self.analyzer)

    def write(
        self,
        upserts: Iterable[Record],
        stamps: Mapping[str, str],
        deletes: Iterable[str],
        version: int,
    ) -> None:
        """Write records under a version, by id, with their digests, and remove others.

        Raises:
            LexicalIndexError: not all of it may be written; the same again does no harm.
        """
        tokens = self.reader.tokens
        documents = (
            (key_of(r.id) or "", document(r, stamps[r.id], self._words, tokens)) for r in upserts
        )
        gone = [key for each in deletes if (key := key_of(each))]
        lines = operations(documents, gone, version)
        write(self._cluster, writable(self.generation), lines)

    def refresh(self) -> None:
        """Bring what was written to where reads see it."""
        self._cluster.request("POST", f"/{self.generation}/_refresh")
