"""What a LlamaIndex store does: search, read, write, keep both halves in step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from langchain_chroma_hybrid.core.keywords import known_keywords, reject_unknown
from langchain_chroma_hybrid.engine.chroma.rows import checked_ids
from langchain_chroma_hybrid.engine.sync.policy import check_progress
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.llama_index.filters import Filters, read
from langchain_chroma_hybrid.llama_index.nodes import (
    DOCUMENT_ID,
    checked,
    complete,
    highlighted,
    rows_of_nodes,
    without_vector,
)
from langchain_chroma_hybrid.llama_index.queries import asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.schema import BaseNode, NodeWithScore
    from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, SyncReport, VerifyReport

_SELECTION = ("node_ids", "filters")


class StoreOperations(BasePydanticVectorStore):
    """A LlamaIndex store over a handle."""

    flat_metadata: bool = True

    _collection: Any = PrivateAttr()
    _handle: Any = PrivateAttr()
    _defaults: Any = PrivateAttr()
    _reader: Any = PrivateAttr()

    @property
    def client(self) -> Any:
        """The chromadb collection; what is written through it is found by the next query."""
        return self._collection

    # Searching

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The best nodes, best first.

        Args:
            query: see the class; without vector and text, the first nodes that pass.
            **kwargs: `where` (Chroma's) in place of filters, `where_document`, and everything else
                that a call of `HybridChroma` may change; for MMR `mmr_threshold`,
                `mmr_prefetch_factor` (4) or `mmr_prefetch_k`.

        Raises:
            InvalidArgumentError: a mode, value or filter that cannot be used.
            UnknownArgumentError: a keyword that nothing would read.
        """
        found = asked(query, self._defaults, kwargs)
        result = self._handle.run(lambda index: index.search(found.request))
        return found.answer(result, self._reader)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`query` without blocking the event loop; the legs run side by side."""
        found = asked(query, self._defaults, kwargs)
        result = await self._handle.arun(lambda index: index.asearch(found.request))
        return found.answer(result, self._reader)

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: Filters = None, **kwargs: Any
    ) -> list[BaseNode]:
        """The nodes of these ids, in that order, or all, that pass the filters.

        Raises:
            UnknownArgumentError: a keyword that nothing would read.
        """
        reject_unknown("get_nodes", kwargs, _SELECTION)
        return [self._reader.node(record) for record in self._records(node_ids, filters)]

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: Filters = None, **kwargs: Any
    ) -> list[BaseNode]:
        """`get_nodes` without blocking the event loop."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters, **kwargs)

    @known_keywords
    def highlight(self, query: str, node: BaseNode | NodeWithScore) -> list[tuple[int, int]]:
        """Spans `(start, end)` of the node's text, in characters, that words of `query` match."""
        return highlighted(self._handle, query, node)

    @known_keywords
    def describe(self, records: int = 1000) -> Description:
        """Metadata keys, types, ranges and common values, as `HybridChroma.describe`.

        `records`: how many are looked at, >= 1.
        """
        return self._handle.describe(None, records)  # type: ignore[no-any-return]

    # Writing

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Write nodes, or replace those whose ids are there, in both halves.

        Raises:
            InvalidArgumentError: what cannot be stored, an id that comes twice, or a node without
                embedding and no `embed_model`; nothing is written.
            EmbeddingError: not one finite vector of one length for each node.
            WriteError: it stopped half-way; `written` has the ids that are in.
        """
        several = checked(nodes)
        rows = rows_of_nodes(several, flat=self.flat_metadata)
        texts = without_vector(several)
        made = self._handle.run(lambda index: index.embed(texts)) if texts else []
        whole = complete(rows, several, made)
        self._handle.run(lambda index: index.upsert(whole, embed=False))
        return list(rows.ids)

    async def async_add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """`add` in small steps between which the event loop goes on."""
        several = checked(nodes)
        rows = await asyncio.to_thread(rows_of_nodes, several, flat=self.flat_metadata)
        texts = without_vector(several)
        made = await self._handle.arun(lambda index: index.aembed(texts)) if texts else []
        whole = await asyncio.to_thread(complete, rows, several, made)
        await self._handle.arun(lambda index: index.aupsert(whole, embed=False))
        return list(rows.ids)

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Remove the nodes of a document."""
        if not isinstance(ref_doc_id, str):
            raise InvalidArgumentError.of("ref_doc_id", ref_doc_id, "a string")
        self._delete(None, {DOCUMENT_ID: ref_doc_id})

    async def adelete(self, ref_doc_id: str, **_: Any) -> None:
        """`delete` without blocking the event loop."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: Filters = None, **kwargs: Any
    ) -> None:
        """Remove the nodes that are among these ids and pass the filters; one of them is needed.

        Raises:
            UnknownArgumentError: a keyword that nothing would read.
            InvalidArgumentError: neither ids nor filters.
        """
        reject_unknown("delete_nodes", kwargs, _SELECTION)
        if node_ids is None and read(filters) is None:
            raise InvalidArgumentError.of("node_ids", None, "ids or filters; `clear` removes all")
        self._delete(node_ids, filters)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: Filters = None, **kwargs: Any
    ) -> None:
        """`delete_nodes` without blocking the event loop."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **kwargs)

    def clear(self, **_: Any) -> None:
        """Remove all nodes; the collection stays."""
        ids = self._handle.run(lambda index: index.get(include=[]))["ids"]
        self._handle.run(lambda index: index.delete(ids))

    async def aclear(self, **_: Any) -> None:
        """`clear` without blocking the event loop."""
        await asyncio.to_thread(self.clear)

    # Keeping both halves in step

    @known_keywords
    def sync(self, *, deep: bool = False, progress: Progress | None = None) -> SyncReport:
        """Bring in what others wrote straight to Chroma, as `HybridChroma.sync`."""
        check_progress(progress)
        return self._handle.run(lambda index: index.sync(deep=deep, progress=progress))  # type: ignore[no-any-return]

    @known_keywords
    def verify(self, *, fix: bool = False) -> VerifyReport:
        """Compare both halves record by record; `fix` mends them."""
        return self._handle.run(lambda index: index.verify(fix=fix))  # type: ignore[no-any-return]

    def adopt(self) -> None:
        """Say that the model at hand has filled this collection, as `HybridChroma.adopt`."""
        self._handle.adopt()

    def close(self) -> None:
        """Bring in writes that wait and give the index back; a later use opens it anew."""
        self._handle.close()

    def _records(self, node_ids: Sequence[str] | None, filters: Filters) -> list[Record]:
        where = read(filters)
        ids = None if node_ids is None else checked_ids(node_ids)
        found: list[Record] = self._handle.run(lambda index: index.select(where, ids))
        if ids is None:
            return found
        by_id = {record.id: record for record in found}
        return [by_id[id_] for id_ in dict.fromkeys(ids) if id_ in by_id]

    def _delete(self, node_ids: Sequence[str] | None, filters: Filters) -> None:
        """Remove the ids that pass, as Chroma says at this moment; all ids without a filter."""
        where = read(filters)
        if where is None:
            ids = checked_ids(node_ids or ())
        elif node_ids is None:
            ids = sorted(self._handle.run(lambda index: index.match(where)))
        else:
            ids = [record.id for record in self._records(node_ids, filters)]
        if ids:
            self._handle.run(lambda index: index.delete(ids))
