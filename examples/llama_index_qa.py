"""Questions and answers with LlamaIndex over one Chroma collection, by words and by vectors.

python examples/llama_index_qa.py "Who may use the sauna?"

The answer is extractive, the sentence of the nodes that fits best, and it is labelled so: give
`as_query_engine` an LLM of yours in its place. Needs `pip install 'langchain-chroma-hybrid[local,
llama-index]'`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import chromadb
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

from langchain_chroma_hybrid import minilm
from langchain_chroma_hybrid.llama_index import (
    ChromaHybridRetriever,
    ChromaHybridVectorStore,
    to_llama,
)

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

DOCUMENTS = [
    Document(text="Sauna: guests over 16 years. Bring a towel.", metadata={"house": "lake"}),
    Document(text="Sauna: closed for repair until May.", metadata={"house": "hill"}),
    Document(text="Breakfast is from 7 to 10. The code of the door is 4711-B."),
]


def extract(question: str, nodes: list[NodeWithScore]) -> str:
    """The sentence that shares most words with the question; no model, and it says so."""
    wanted = set(re.findall(r"\w+", question.lower()))
    sentences = re.split(r"(?<=[.!?])\s+", "\n".join(node.get_content() for node in nodes))
    best = max(sentences, key=lambda s: len(wanted & set(re.findall(r"\w+", s.lower()))))
    return f"[extractive, no LLM configured] {best}"


def main(question: str) -> None:
    model = to_llama(minilm())
    collection = chromadb.EphemeralClient().get_or_create_collection("rules")
    store = ChromaHybridVectorStore(chroma_collection=collection)
    index = VectorStoreIndex.from_documents(
        DOCUMENTS,
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=model,
    )
    # The index as LlamaIndex' users know it: `hybrid` is hybrid here.
    engine = index.as_query_engine(
        llm=MockLLM(), vector_store_query_mode="hybrid", alpha=0.5, similarity_top_k=1
    )
    print("door 4711-B:", engine.query("door 4711-B").source_nodes[0].get_content())
    # The retriever over the same collection, limited for good to what is not about the hill.
    hill = MetadataFilter(key="house", operator=FilterOperator.TEXT_MATCH, value="hill")
    rest = MetadataFilters(filters=[hill], condition="not")
    retriever = ChromaHybridRetriever(collection, base_filter=rest, embed_model=model)
    print(extract(question, retriever.retrieve(question)))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "Who may use the sauna?")
