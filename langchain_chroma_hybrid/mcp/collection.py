"""A collection as far as a server's base filter lets anybody see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.chroma.rows import is_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.search import Mode, SearchResult
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.handle import CollectionHandle

# So many records are looked at for what metadata look like.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class ServedCollection:
    """All that a server may do with a collection; every method keeps to the base filter.

    Attributes:
        base: what a record has to pass to be there at all; None for everything.
        mode: `lexical` where nothing can embed a query.
    """

    handle: CollectionHandle
    base: Filter | None = None
    mode: Mode = "hybrid"

    @property
    def name(self) -> str:
        """The collection's."""
        return self.handle.name

    def warm_up(self) -> None:
        """Load the model, bring the index in step, and read what relevance is measured against.

        Raises:
            Exception: whatever keeps a search from being answered.
        """
        if self.mode != "lexical":
            self.handle.embeddings.embed_query("words")
        self.search("words", 1, None)

    def search(self, query: str, k: int, where: Mapping[str, Any] | None) -> SearchResult:
        """The best `k` records."""
        return self._ask(SearchRequest(query, k=k, mode=self.mode, where=where))

    def similar(self, id_: str, k: int, where: Mapping[str, Any] | None) -> SearchResult | None:
        """The nearest records to one, by its stored vector and without it; None: no such record."""
        if not self.get([id_]):
            return None
        vector = self.handle.run(lambda index: index.vectors([id_])).get(id_)
        if vector is None:
            return None
        # One more, since it is nearest to itself.
        request = SearchRequest(None, embedding=vector, k=k + 1, mode="vector", where=where)
        found = self._ask(request)
        return replace(found, hits=tuple(hit for hit in found.hits if hit.id != id_)[:k])

    def get(self, ids: Iterable[str]) -> dict[str, Record]:
        """Those of the records that are there, by id and in the order of `ids`."""
        asked = [id_ for id_ in dict.fromkeys(ids) if is_id(id_)]
        found = self.handle.run(lambda index: index.select(self.base, asked)) if asked else []
        by_id = {record.id: record for record in found}
        return {id_: by_id[id_] for id_ in asked if id_ in by_id}

    def first(self, n: int) -> list[Record]:
        """The first `n` records."""
        return [hit.record for hit in self._ask(SearchRequest("", k=n)).hits]

    def describe(self) -> Description:
        """What metadata look like."""
        return self.handle.describe(self.base, _LOOKED_AT)

    def write(self, rows: Rows) -> None:
        """Add or replace records; whoever calls has made sure that both sides pass."""
        self.handle.run(lambda index: index.upsert(rows))

    def delete(self, ids: Iterable[str]) -> list[str]:
        """Delete those of the records that are there, and say which they were."""
        there = list(self.get(ids))
        if there:
            self.handle.run(lambda index: index.delete(there))
        return there

    def _ask(self, request: SearchRequest) -> SearchResult:
        whole = replace(request, base=self.base, explain=True)
        return self.handle.run(lambda index: index.search(whole))
