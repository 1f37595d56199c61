"""HybridChroma: `langchain_chroma.Chroma` with a BM25 index that is always in step."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.arguments import check_embeddings, named
from langchain_chroma_hybrid._langchain.base import constructor_options
from langchain_chroma_hybrid._langchain.searches import HybridSearch
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.filters import parse, to_chroma
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.engine.chroma.rows import checked_ids, listed, rows_of, with_vectors
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError
from langchain_chroma_hybrid.store_retriever import HybridStoreRetriever

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chromadb.api.types import WhereDocument
    from langchain_core.embeddings import Embeddings

_ADD_OPTIONS = ("texts", "metadatas", "ids", "batch_size")
_DOCUMENT = "a Document (add_texts takes strings)"
_GET_OPTIONS = ("ids", "where", "limit", "offset", "where_document", "include")


class HybridChroma(HybridSearch):
    """A drop-in for `langchain_chroma.Chroma` whose searches are hybrid.

    ```python
    store = HybridChroma("docs", embedding_function=embeddings, persist_directory="./db")
    store.add_documents(documents)
    store.similarity_search("error R123-78 after update", k=5, filter={"tenant": "a"})
    ```

    Every method that is given query text honours `mode`, `weights`, `fusion`, `c`, `fetch_k`,
    `where_document`, `score_threshold`, `dedupe_key`, `group_by`, `query_syntax`, `typos`
    and `on_leg_error`, from the constructor or per call. `similarity_search_with_score` and the
    `*_by_vector*` and `*_by_image*` methods keep Chroma's distance (lower is nearer), in fused
    order; the relevance (0..1, higher is better, comparable between queries) comes from
    `similarity_search_with_relevance_scores`, `explain` and the retriever.

    Thread safety: one store may be used from many threads; searches run side by side.
    """

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        *,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those whose ids exist, in batches that Chroma takes.

        Everything is checked before anything is written; each batch is embedded, then written to
        both halves, so that a failure later on loses no vectors that were paid for.

        Args:
            texts: any iterable.
            metadatas: as for Chroma; may be shorter than `texts`.
            ids: as for Chroma; None, as a whole or for a text, becomes a UUID.
            batch_size: most texts to embed and write at a time (LangChain's `index` gives one);
                None means as many as Chroma takes.
            **kwargs: none; unknown names raise.

        Returns:
            The ids, in the order of the texts.

        Raises:
            InvalidArgumentError: names the first entry that cannot be stored; nothing is written.
            EmbeddingError: the embedding function did not give one finite vector per text.
            WriteError: it stopped half-way; `written` has the ids that are in.
        """
        reject_unknown("add_texts", kwargs, _ADD_OPTIONS)
        rows = rows_of(texts, metadatas, ids)
        self._handle.run(lambda index: index.upsert(rows, batch_size=batch_size))
        return list(rows.ids)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """`add_texts` in small steps between which the event loop goes on."""
        reject_unknown("aadd_texts", kwargs, _ADD_OPTIONS)
        rows = rows_of(texts, metadatas, ids)
        await self._handle.arun(lambda index: index.aupsert(rows, batch_size=batch_size))
        return list(rows.ids)

    def add_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """`add_texts` for documents; those without an id get one."""
        texts, metadatas, ids = _columns(documents)
        return self.add_texts(texts, metadatas, **{"ids": ids, **kwargs})

    async def aadd_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """`aadd_texts` for documents; those without an id get one."""
        texts, metadatas, ids = _columns(documents)
        return await self.aadd_texts(texts, metadatas, **{"ids": ids, **kwargs})

    def add_images(
        self,
        uris: list[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
    ) -> list[str]:
        """Add pictures as Chroma does, with the base64 text as document."""
        places = list(uris)
        rows = rows_of([self.encode_image(uri) for uri in places], metadatas, ids)
        embed = getattr(self._embedding_function, "embed_image", None)
        vectors = embed(uris=places) if embed else None
        complete = with_vectors(rows, vectors)
        self._handle.run(lambda index: index.upsert(complete, embed=False))
        return list(rows.ids)

    def update_documents(self, ids: list[str], documents: list[Document]) -> None:
        """Replace text and vector of records that exist; metadata is merged, as Chroma does.

        Raises:
            InvalidArgumentError: no embedding function, or an entry that cannot be stored.
        """
        if self._embedding_function is None:
            raise InvalidArgumentError.of("embedding_function", None, "one, to update documents")
        texts, metadatas, _ = _columns(documents)
        rows = rows_of(texts, metadatas, checked_ids(ids))
        self._handle.run(lambda index: index.update(rows))

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> None:
        """Delete the records that pass all that is given.

        Args:
            ids: several, or one.
            **kwargs: `where` and `where_document` as for Chroma; `limit` is the most records to
                delete of those that pass them.

        Raises:
            InvalidArgumentError: nothing to go by is given.
        """
        reject_unknown("delete", kwargs, ("ids", "where", "where_document", "limit"))
        passing = parse(kwargs.get("where"), kwargs.get("where_document"))
        limit = kwargs.get("limit")
        if ids is None and passing is None:
            raise InvalidArgumentError.of("ids", None, "ids, `where` or `where_document`")
        if limit is not None:
            positive("limit", limit)
            if passing is None:
                raise InvalidArgumentError.of("limit", limit, "`where` or `where_document` with it")
        doomed = [ids] if isinstance(ids, str) else checked_ids(() if ids is None else ids)
        if passing is not None:
            found = self._handle.run(lambda index: index.match(passing))
            among = set(found if ids is None else doomed)
            doomed = [id_ for id_ in found if id_ in among][:limit]
        if doomed:
            self._handle.run(lambda index: index.delete(doomed))

    def delete_collection(self) -> None:
        """Delete the collection and the folder of its lexical index."""
        handle = self._handle
        try:
            # One that was made anew under the name is the one that goes.
            handle.run(lambda index: index.touch())
            handle.renamed()
        except CollectionError:
            handle.drop()
            raise
        super().delete_collection()
        reach("collection deleted")
        handle.drop()

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents among `ids` that exist, in that order; reads nothing but Chroma."""
        wanted = checked_ids(ids)
        records = self._handle.run(lambda index: index.fetch(wanted))
        return [bridge.document_of(records[id_]) for id_ in wanted if id_ in records]

    def get(
        self,
        ids: str | list[str] | None = None,
        where: dict[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: WhereDocument | None = None,
        include: list[str] | None = None,
        **unknown: Any,
    ) -> dict[str, Any]:
        """As `Chroma.get`: records by id or filter, as a dict of columns.

        Filters are read as those of searches, several keys in one mapping among them.

        Raises:
            InvalidArgumentError: a value that cannot be used, as Chroma says.
        """
        reject_unknown("get", unknown, _GET_OPTIONS)
        for name, value in (("limit", limit), ("offset", offset)):
            if value is not None and not (type(value) is int and value >= 0):
                raise InvalidArgumentError.of(name, value, "a whole number >= 0")
        passing = parse(where, where_document)  # type: ignore[arg-type]  # a plain mapping
        conditions, document = to_chroma(passing)
        options = {"ids": ids, "limit": limit, "offset": offset, "include": include}
        given = {name: value for name, value in options.items() if value is not None}
        filters = {"where": conditions, "where_document": document}
        return self._handle.run(lambda index: index.get(**given, **filters))

    def as_retriever(self, **kwargs: Any) -> HybridStoreRetriever:
        """A `VectorStoreRetriever`, for whoever asks for one, that searches as this store does.

        Args:
            **kwargs: `search_type`, `search_kwargs` and `tags` as for Chroma, and every option of
                `ChromaHybridRetriever`: `k`, `mode`, `base_filter`, `reranker`, ...

        Raises:
            UnknownArgumentError: a name that nothing would read, in `search_kwargs` as well.
            InvalidArgumentError: a value that cannot be used.
        """
        tags = kwargs.pop("tags", None) or self._get_retriever_tags()
        return HybridStoreRetriever(vectorstore=self, tags=tags, **kwargs)

    # Making more of them

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        collection_name: str = "langchain",
        persist_directory: str | None = None,
        *further: Any,
        **kwargs: Any,
    ) -> Self:
        """A store with `texts` in it; `further` as for Chroma, `kwargs` as for the constructor."""
        options = cls._options("from_texts", embedding, further, kwargs)
        store = cls(collection_name, embedding, persist_directory, **options)
        store.add_texts(texts, metadatas, ids)
        return store

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        embedding: Embeddings | None = None,
        ids: list[str] | None = None,
        collection_name: str = "langchain",
        persist_directory: str | None = None,
        *further: Any,
        **kwargs: Any,
    ) -> Self:
        """`from_texts` for documents; `further` as for Chroma, `kwargs` as for the constructor."""
        options = cls._options("from_documents", embedding, further, kwargs)
        store = cls(collection_name, embedding, persist_directory, **options)
        store.add_documents(documents, **({} if ids is None else {"ids": ids}))
        return store


    @classmethod
    def _options(
        cls, call: str, embedding: Any, further: tuple[Any, ...], given: dict[str, Any]
    ) -> dict[str, Any]:
        """What `call` hands to the constructor, where embeddings are called otherwise."""
        options = named(getattr(Chroma, call), further, given)
        own = inspect.signature(getattr(Chroma, call)).parameters
        known = {*own, *constructor_options(cls)} - {"kwargs", "embedding_function"}
        reject_unknown(call, options, sorted(known))
        check_embeddings(embedding, "embedding")
        return options


def _columns(
    documents: Iterable[Document],
) -> tuple[list[str], list[dict[str, Any]], list[str | None]]:
    """Texts, metadatas and ids of documents; an empty id counts as none."""
    if isinstance(documents, Document):  # which can be iterated over, as a model of pydantic's
        raise InvalidArgumentError.of_kind("documents", documents, "several Documents")
    several = listed("documents", documents, "several Documents")
    for i, document in enumerate(several):
        if not isinstance(document, Document):
            raise InvalidArgumentError.of_kind(f"documents[{i}]", document, _DOCUMENT)
    return (
        [document.page_content for document in several],
        [document.metadata for document in several],
        [document.id or None for document in several],
    )
