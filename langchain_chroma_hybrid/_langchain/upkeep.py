"""What stores and retrievers do alike beside searching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.engine.sync.policy import check_progress
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, SyncReport, VerifyReport


class Upkeep:
    """Keeping both halves in step, and showing where words match and what metadata look like."""

    @property
    def _handle(self) -> CollectionHandle:
        raise NotImplementedError

    @property
    def _base(self) -> Filter | None:
        """What a record has to pass to be told of at all."""
        return None

    @known_keywords
    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Bring in what others wrote straight to Chroma.

        Args:
            deep: compare content and metadata too, not only ids; reads every record.
            progress: called with (records done, records to do).
        """
        check_progress(progress)
        return self._handle.run(lambda index: index.sync(deep=deep, progress=progress))

    @known_keywords
    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record: missing, extra, stale; `fix` mends them."""
        return self._handle.run(lambda index: index.verify(fix=fix))

    @known_keywords
    def rebuild(self, progress: Progress | None = None) -> SyncReport:
        """Throw the lexical index away, whatever its state, and build it from the collection."""
        check_progress(progress)
        return self._handle.rebuild(progress)

    def adopt(self) -> None:
        """Say that the model at hand has filled this collection, whoever has done it.

        Its fingerprint is noted beside the data, or on a server where every host reads it; from
        then on another model, or the same one retrained, raises `ModelChangedError`.
        """
        self._handle.adopt()

    @known_keywords
    def highlight(self, query: str, document: Document) -> list[tuple[int, int]]:
        """Spans `(start, end)` of the page content, in characters, that words of `query` match."""
        if not isinstance(query, str):
            raise InvalidArgumentError.of("query", query, "a string")
        if not isinstance(document, Document):
            raise InvalidArgumentError.of_kind("document", document, "a Document")
        return self._handle.highlight(query, document.page_content)

    @known_keywords
    def describe(self, records: int = 1000) -> Description:
        """Metadata keys, types, ranges and common values of what passes the base filters.

        `records`: how many are looked at, >= 1. `describe().filterable()` is a proposal for
        `create_search_tool`; nothing is told of records that base filters hide.
        """
        return self._handle.describe(self._base, records)
