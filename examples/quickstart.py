"""The smallest use: a store that is searched by words and by meaning."""

from __future__ import annotations

from langchain_core.documents import Document

from langchain_chroma_hybrid import HybridChroma, minilm

store = HybridChroma("docs", minilm())  # persist_directory="./db"
store.add_documents(
    [
        Document("Pump R123-78 stops with error E-4012 when the filter is clogged.", id="pump"),
        Document("Clean the sieve every month, or the water flow gets too weak.", id="sieve"),
        Document("Pump R123-79 is the quiet model for bedrooms.", id="quiet"),
        Document("The warranty covers two years from the date of purchase.", id="warranty"),
    ]
)

for query in ("E-4012", "how long can I return a broken device?", "R123-78 blocked"):
    print(query)
    for hit in store.explain(query, k=2).hits:
        ranks = ", ".join(f"{leg.name} {leg.rank or '-'}" for leg in hit.legs)
        print(f"  {hit.relevance:.2f}  {hit.id:9} ({ranks})  {hit.record.text}")
