"""The smallest fine-tuning: two scored pairs, one epoch, and a plain chromadb collection.

    python examples/fine_tune_pairs.py [MODEL]

MODEL is a Sentence Transformers folder or name; all-MiniLM-L6-v2 if left out.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import chromadb

from langchain_chroma_hybrid import minilm, to_chroma
from langchain_chroma_hybrid.finetune import fine_tune, from_scored_pairs

PAIRS = [
    ("The patient has a high fever", "The body temperature is far above normal", 0.9),
    ("The patient has a high fever", "The roof of the house is red", 0.1),
]


def main() -> None:
    base = sys.argv[1] if len(sys.argv) > 1 else minilm()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = fine_tune(base, from_scored_pairs(PAIRS), Path(folder) / "my-model", loss="cosine")
        collection = chromadb.EphemeralClient().create_collection(
            "notes", embedding_function=to_chroma(made.embeddings())
        )
        collection.add(ids=["a", "b"], documents=["The roof is red", "Her temperature is 40"])
        found = collection.query(query_texts=["Who has a fever?"], n_results=2)
        print(made.loss, "trained; nearest to the fever:", found["ids"][0][0])


if __name__ == "__main__":
    main()
