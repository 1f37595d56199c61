"""Tenants, access control and every kind of filter; both legs obey them, exactly as Chroma does."""

from __future__ import annotations

from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, minilm

store = HybridChroma("files", minilm())
store.add_documents(
    [
        Document(text, id=id_, metadata={"tenant": tenant, "year": year, "tags": tags})
        for id_, text, tenant, year, tags in [
            ("a1", "Offer A-2024-17 for the roof, 12,400 euros", "acme", 2024, ["offer", "roof"]),
            ("a2", "Invoice A-2025-03 for the roof", "acme", 2025, ["invoice", "roof"]),
            ("b1", "Offer B-2024-99 for a new roof", "bolt", 2024, ["offer", "roof"]),
            ("b2", "Minutes of the meeting about the roof", "bolt", 2025, ["minutes"]),
        ]
    ]
)


def show(what: str, documents: list[Document]) -> None:
    print(f"{what:48} {[document.id for document in documents]}")


# One retriever per tenant. What is in `base_filter` is ANDed with every call; nothing widens it.
acme = ChromaHybridRetriever.from_vectorstore(store, k=5, base_filter={"tenant": "acme"})
show("acme sees", acme.invoke("roof"))
show("acme asks for everything", acme.invoke("roof", filter={"tenant": {"$ne": "nobody"}}))
show("acme asks for bolt", acme.invoke("roof", filter={"tenant": "bolt"}))

# Per call: all of Chroma's operators, several keys at once, and the text itself.
retriever = ChromaHybridRetriever.from_vectorstore(store, k=5)
show("two keys are ANDed", retriever.invoke("roof", filter={"tenant": "bolt", "year": 2024}))
show("a range", retriever.invoke("roof", filter={"year": {"$gte": 2025}}))
show("an element of a list", retriever.invoke("roof", filter={"tags": {"$contains": "offer"}}))
show(
    "either, or",
    retriever.invoke("roof", filter={"$or": [{"year": 2025}, {"tags": {"$contains": "offer"}}]}),
)
show("a substring", retriever.invoke("roof", where_document={"$contains": "Offer"}))
show("a pattern", retriever.invoke("roof", where_document={"$regex": r"[AB]-2024-\d+"}))

# How the filter was answered stands in the result.
for leg in retriever.search("roof", filter={"tenant": "bolt"}).legs:
    print(f"{leg.name}: {leg.hits} hits, filtered by {leg.filtered_by}")
