"""Your own embedding in plain chromadb, without writing a subclass.

Shows a function of your own, and a model: fine-tuned, from a folder, or from the Hub. Run it with
a model as argument (a folder or a Hub name) to see both:

    python examples/custom_embedding_in_plain_chromadb.py [MODEL]
"""

from __future__ import annotations

import hashlib
import sys
import tempfile

import chromadb

from langchain_chroma_hybrid.embeddings import (
    FunctionEmbeddings,
    SentenceTransformerEmbeddings,
    to_chroma,
)

DOCUMENTS = {
    "vacuum": "VACUUM reclaims storage occupied by dead tuples.",
    "explain": "EXPLAIN shows the plan that the planner chose for a statement.",
    "index": "CREATE INDEX builds an index on the columns of a table.",
}


def words_hashed(texts: list[str]) -> list[list[float]]:
    """A tiny embedding: each word counts in one of 64 places. Any function of this form will do."""
    vectors = [[0.01] * 64 for _ in texts]
    for vector, text in zip(vectors, texts, strict=True):
        for word in text.lower().rstrip(".?").split():
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1.0
    return vectors


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = chromadb.PersistentClient(folder)

        # 1. A function. The collection remembers it by name: a new process calls `to_chroma` or
        #    `provide` with that name before it queries.
        mine = to_chroma(FunctionEmbeddings(words_hashed), name="words-hashed")
        ask(client.create_collection("by-function", embedding_function=mine))

        # 2. A model. A new process rebuilds it by itself, if it says that it trusts it:
        #    `trust_stored_models(MODEL)`. This one has made it, and need not.
        if len(sys.argv) > 1:
            model = SentenceTransformerEmbeddings(sys.argv[1])
            ask(client.create_collection("by-model", embedding_function=to_chroma(model)))
            ask(client.get_collection("by-model"))


def ask(collection: chromadb.Collection) -> None:
    collection.upsert(ids=list(DOCUMENTS), documents=list(DOCUMENTS.values()))
    found = collection.query(query_texts=["which plan did the planner choose"], n_results=1)
    print(f"{collection.name}: {found['ids'][0][0]}")


if __name__ == "__main__":
    main()
