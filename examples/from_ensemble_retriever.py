"""Before and after: EnsembleRetriever(BM25Retriever, Chroma) and ChromaHybridRetriever.

Needs `pip install langchain-classic langchain-community` for the "before".
"""

from __future__ import annotations

from langchain_chroma import Chroma
from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.retrievers import BM25Retriever
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, minilm

documents = [
    Document("Invoices: see form R123-78, to be sent within 14 days.", metadata={"tenant": "a"}),
    Document("Invoices: see form R123-78, to be sent within 30 days.", metadata={"tenant": "b"}),
    Document("Travel expenses are paid back with the next salary.", metadata={"tenant": "a"}),
    Document("Who is ill calls before 9 o'clock.", metadata={"tenant": "b"}),
]
chroma = Chroma("handbook", minilm())
chroma.add_documents(documents)
query = "form r123-78?"


def show(title: str, found: list[Document]) -> None:
    print(title)
    for document in found:
        print(f"  {document.page_content}")


# Before: BM25 in RAM, built anew at every start; no scores, no k, filters silently ignored.
ensemble = EnsembleRetriever(
    retrievers=[
        BM25Retriever.from_documents(documents, k=2),
        chroma.as_retriever(search_kwargs={"k": 2}),
    ],
    weights=[0.5, 0.5],
)
show("EnsembleRetriever", ensemble.invoke(query, filter={"tenant": "b"}))

# After: the same collection, nothing else to keep in step.
hybrid = ChromaHybridRetriever.from_vectorstore(chroma, k=2, weights=[0.5, 0.5])
show("ChromaHybridRetriever", hybrid.invoke(query, filter={"tenant": "b"}))

# And with scores, 0 to 1.
for hit in hybrid.search(query, filter={"tenant": "b"}).hits:
    print(f"  {hit.relevance:.2f}  {hit.record.text}")

# The very same fusion, for a first comparison: weights, c and RRF mean the same.
same = ChromaHybridRetriever.from_vectorstore(chroma, k=2, fusion="rrf", c=60, weights=[0.5, 0.5])
show("ChromaHybridRetriever, RRF", same.invoke(query, filter={"tenant": "b"}))
