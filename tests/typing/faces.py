"""Checked by mypy, never run: what users write is typed."""

from __future__ import annotations

from typing import assert_type

from chromadb.utils.embedding_functions import ChromaCloudSpladeEmbeddingFunction
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField, RunnableSerializable

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, HybridChroma, TantivyIndex
from langchain_chroma_hybrid.core.search import Hit, SearchResult

store = HybridChroma("docs", mode="two_step", weights={"lexical": 2.0}, analyzer=Analyzer("german"))
as_chroma: Chroma = store
assert_type(store.similarity_search("q", k=3, filter={"a": {"$in": [1, 2]}}), list[Document])
assert_type(store.similarity_search_with_relevance_scores("q"), list[tuple[Document, float]])
assert_type(store.explain("q"), SearchResult)
assert_type(store.explain("q").hits, tuple[Hit, ...])
assert_type(HybridChroma.from_texts(["a"]), HybridChroma)

splade = ChromaCloudSpladeEmbeddingFunction()
assert_type(HybridChroma("docs", sparse_embedding_function=splade), HybridChroma)

retriever = ChromaHybridRetriever.from_vectorstore(Chroma("docs"), lexical=TantivyIndex())
assert_type(retriever, ChromaHybridRetriever)
assert_type(retriever.search("q", k=3), SearchResult)
assert_type(
    retriever.configurable_fields(k=ConfigurableField(id="k")),
    RunnableSerializable[str, list[Document]],
)


async def use() -> None:
    assert_type(await retriever.ainvoke("q"), list[Document])
    assert_type(await store.aadd_documents([Document("a")]), list[str])
