"""Checked by mypy, never run: what users of LlamaIndex write is typed."""

from __future__ import annotations

from typing import assert_type

import chromadb
from langchain_core.embeddings import Embeddings
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode, NodeWithScore, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from langchain_chroma_hybrid.core.search import SearchResult
from langchain_chroma_hybrid.llama_index import (
    ChromaHybridRetriever,
    ChromaHybridVectorStore,
    from_llama,
    to_llama,
)
from langchain_chroma_hybrid.testing import WordEmbeddings

model = to_llama(WordEmbeddings())
assert_type(model, BaseEmbedding)
assert_type(from_llama(model), Embeddings)
collection = chromadb.EphemeralClient().create_collection("docs")
store = ChromaHybridVectorStore(collection, embed_model=model, analyzer="german", writers="ours")
as_base: BasePydanticVectorStore = store
assert_type(
    ChromaHybridVectorStore.from_params("docs", persist_dir="./db"), ChromaHybridVectorStore
)
query = VectorStoreQuery(query_str="q", mode=VectorStoreQueryMode.HYBRID, alpha=0.5)
assert_type(store.query(query, fusion="rrf"), VectorStoreQueryResult)
assert_type(store.get_nodes(["a"]), list[BaseNode])
assert_type(store.add([TextNode(text="a")]), list[str])

base = MetadataFilters(filters=[MetadataFilter(key="tenant", value="a")])
retriever = ChromaHybridRetriever(store, base_filter=base, embed_model=model, sync="manual")
assert_type(retriever.retrieve("q"), list[NodeWithScore])
assert_type(retriever.search("q", mode="lexical"), SearchResult)
index = VectorStoreIndex.from_vector_store(store, embed_model=model)


async def use() -> None:
    assert_type(await retriever.aretrieve("q"), list[NodeWithScore])
    assert_type(await store.aquery(query), VectorStoreQueryResult)
    assert_type(await store.async_add([TextNode(text="a")]), list[str])
