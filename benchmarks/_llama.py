"""LlamaIndex' ways to search beside ours through LlamaIndex, over the same collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import chromadb
import numpy as np
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.chroma import ChromaVectorStore

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.config import lexical_config
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.llama_index import ChromaHybridVectorStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _methods import Given, Search
    from chromadb import Collection
    from langchain_core.embeddings import Embeddings
    from llama_index.core.vector_stores.types import BasePydanticVectorStore

    from langchain_chroma_hybrid.core.search import Mode
    from langchain_chroma_hybrid.evaluation import Dataset

MODES = {
    "vector": "default",
    "lexical": "sparse",
    "hybrid": "hybrid",
    "two_step": "semantic_hybrid",
}


def raw(collection: Collection, given: Given, k: int) -> Search:
    """Chroma alone, with all that a node is made of."""
    return lambda query, filter: collection.query(
        query_embeddings=[given.embed_query(query)],
        n_results=k,
        where=filter,
    )["ids"][0]


def searches(collection: Collection, given: Given, k: int) -> dict[str, Search]:
    """By name: Chroma alone, LlamaIndex' store, and ours in each mode."""
    theirs = ChromaVectorStore(chroma_collection=collection)
    own = ChromaHybridVectorStore(collection)
    return {
        "chromadb alone": raw(collection, given, k),
        "LlamaIndex ChromaVectorStore": _through(theirs, "default", given, k),
        **{f"ours, LlamaIndex, {name}": _through(own, mode, given, k)
           for name, mode in MODES.items()},
    }  # fmt: skip


def engine(collection: Collection, given: Given, k: int) -> dict[str, Search]:
    """By name: what the faces are over, asked for the same."""
    handle = CollectionHandle.over(collection, lexical_config(), given)

    def through(mode: Mode) -> Search:
        def search(query: str, _: dict[str, Any] | None) -> list[str]:
            by_words = mode != "vector"
            request = SearchRequest(
                query if by_words else None,
                None if mode == "lexical" else given.embed_query(query),
                k=k,
                mode=mode,
                with_distance=not by_words,
                with_relevance=by_words,
            )
            return [hit.id for hit in handle.run(lambda index: index.search(request)).hits]

        return search

    modes: tuple[Mode, ...] = ("vector", "lexical", "hybrid", "two_step")
    return {f"engine alone, {mode}": through(mode) for mode in modes}


def overheads(times: Mapping[str, list[float]]) -> str:
    """What each store adds to what it is over, of the same queries."""

    def added(store: str, alone: str) -> str:
        return f"{np.median(np.subtract(times[store], times[alone])):.2f} ms"

    ours = ", ".join(
        f"{added(f'ours, LlamaIndex, {mode}', f'engine alone, {mode}')} ({mode})" for mode in MODES
    )
    theirs = added("LlamaIndex ChromaVectorStore", "chromadb alone")
    return f"A query's way adds to the engine {ours}; ChromaVectorStore adds to Chroma {theirs}."


def query_fusion(corpus_ids: list[str], texts: list[str], near: Search, k: int) -> Search | None:
    """LlamaIndex' own hybrid: bm25s in memory beside Chroma; None where that is not installed.

    It needs PyStemmer < 3: `pip install -r benchmarks/requirements-llama-bm25.txt`.
    """
    try:
        from llama_index.retrievers.bm25 import BM25Retriever  # noqa: PLC0415
    except ImportError:
        return None
    from llama_index.core.base.base_retriever import BaseRetriever  # noqa: PLC0415
    from llama_index.core.llms import MockLLM  # noqa: PLC0415
    from llama_index.core.retrievers import QueryFusionRetriever  # noqa: PLC0415
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode  # noqa: PLC0415

    nodes = {i: TextNode(id_=i, text=t) for i, t in zip(corpus_ids, texts, strict=True)}

    class Near(BaseRetriever):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            found = near(query_bundle.query_str, None)
            return [NodeWithScore(node=nodes[id_], score=-float(n)) for n, id_ in enumerate(found)]

    words = BM25Retriever.from_defaults(nodes=list(nodes.values()), similarity_top_k=k)
    both = QueryFusionRetriever(
        [words, Near()],
        llm=MockLLM(),
        num_queries=1,
        similarity_top_k=k,
        mode="reciprocal_rerank",
        use_async=False,
    )
    return lambda query, _: [node.node.node_id for node in both.retrieve(query)]


def through_faces(
    data: Dataset, corpus: np.ndarray, queries: Mapping[str, np.ndarray], k: int
) -> dict[str, dict[str, list[str]]]:
    """By way, for each query the ids that it gives over one collection in memory."""
    client = chromadb.EphemeralClient()
    configuration: Any = {"hnsw": {"space": "cosine"}}
    collection = client.create_collection(
        f"quality-{uuid4().hex}", embedding_function=None, configuration=configuration
    )
    for start in range(0, len(data.corpus), 5_000):
        part = data.corpus[start : start + 5_000]
        collection.add(
            ids=[record.id for record in part],
            documents=[record.text or "" for record in part],
            embeddings=corpus[start : start + 5_000],
        )
    vectors = {data.queries[query]: vector.tolist() for query, vector in queries.items()}
    given = FunctionEmbeddings(lambda texts: [vectors[text] for text in texts])
    chain = HybridChroma(collection.name, given, client=client)
    theirs = ChromaVectorStore(chroma_collection=collection)
    near = _through(theirs, "default", given, k)
    searches: dict[str, Search] = {
        "default, through LangChain": lambda text, _: [
            document.id or "" for document in chain.similarity_search(text, k=k)
        ],
        "default, through LlamaIndex": _through(
            ChromaHybridVectorStore(collection), "hybrid", given, k
        ),
        "LlamaIndex ChromaVectorStore": near,
        'LlamaIndex ChromaVectorStore, "hybrid"': _through(theirs, "hybrid", given, k),
    }
    texts = [record.text or "" for record in data.corpus]
    if fusion := query_fusion([record.id for record in data.corpus], texts, near, k):
        searches["LlamaIndex QueryFusion"] = fusion
    found = {
        name: {query: search(data.queries[query], None) for query in queries}
        for name, search in searches.items()
    }
    client.delete_collection(collection.name)
    return found


def _through(store: BasePydanticVectorStore, mode: str, given: Embeddings, k: int) -> Search:
    def search(query: str, filter: dict[str, Any] | None) -> list[str]:
        parts = [MetadataFilter(key=key, value=value) for key, value in (filter or {}).items()]
        asked = VectorStoreQuery(
            query_embedding=None if mode == "sparse" else given.embed_query(query),
            query_str=query,
            similarity_top_k=k,
            mode=VectorStoreQueryMode(mode),
            filters=MetadataFilters(filters=parts) if parts else None,
        )
        return list(store.query(asked).ids or ())

    return search
