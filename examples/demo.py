"""Search 2,474 passages of the PostgreSQL manual by words, by vectors, and by both.

python examples/demo.py                      the questions below
python examples/demo.py "error 40P01" ...    your own questions
"""

import argparse
import json
import logging
from itertools import zip_longest
from pathlib import Path

from langchain_core.documents import Document
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from langchain_chroma_hybrid import FunctionEmbeddings, Hit, HybridChroma, minilm

HERE = Path(__file__).resolve().parent
MODES = {"vector": "vector (Chroma)", "lexical": "BM25", "hybrid": "hybrid"}
QUESTIONS = [
    "A spare server that steps in when the main one dies",  # by meaning
    "XX002",  # by identifier
    "Which release fixed CVE-2023-2454?",
    "Does hot_standby_feedback help against cancelled queries?",
]
STEP = 64
console = Console(highlight=False, width=150)


def read(name: str) -> list[dict]:
    lines = (HERE / "data" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def by_words(passages: list[Document], questions: list[str]) -> list[str]:
    """Answer by words alone, whose index takes seconds; gives ids to make vectors of first."""
    store = HybridChroma("words", FunctionEmbeddings(lambda texts: [[1.0]] * len(texts)))
    store.add_documents(passages)
    found = [store.explain(question, k=40, mode="lexical").hits for question in questions]
    console.print("[bold]By words alone[/]; vectors of all take some minutes")
    for question, hits in zip(questions, found, strict=True):
        best = f"{hits[0].relevance:.2f} {hits[0].passage}" if hits else "no word of it is known"
        console.print(f"  {escape(question)}\n    [dim]{escape(best.splitlines()[0])}[/]")
    return [hit.id for hits in found for hit in hits]


def index(store: HybridChroma, todo: list[Document], first: set[str], question: str) -> None:
    """Add what is missing, the first ones first, and answer a question when they are in."""
    todo.sort(key=lambda passage: passage.id not in first)
    with Progress(console=console) as bar:
        for start in bar.track(range(0, len(todo), STEP), description="vectors"):
            store.add_documents(todo[start : start + STEP])
            if start < len(first) <= start + STEP < len(todo):
                console.print(f"\n[bold]Among the {start + STEP} that have vectors by now[/]")
                compare(store, question)


def compare(store: HybridChroma, question: str) -> None:
    """One table: a column for each way to search, with relevance and the ranks in both legs."""
    results = {mode: store.explain(question, k=3, mode=mode) for mode in MODES}
    table = Table(title=f"[bold]{escape(question)}", title_justify="left", expand=True)
    for mode, name in MODES.items():
        table.add_column(f"{name}, {results[mode].took_ms:.0f} ms", ratio=1)
    for row in zip_longest(*(results[mode].hits for mode in MODES)):
        table.add_row(*(cell(hit) if hit else "[dim](no more)" for hit in row), end_section=True)
    console.print(table)


def cell(hit: Hit) -> str:
    legs = "  ".join(f"{leg.name} #{leg.rank or '-'}" for leg in hit.legs)
    words = [term for leg in hit.legs for term in leg.terms]
    found = escape(f"\nmatched: {', '.join(words[-6:])}") if words else ""
    title, _, text = escape(hit.passage[:400]).partition("\n")
    return f"[bold]{hit.relevance:.2f}[/] {title}\n[dim]{legs}{found}[/]\n{text[:110]}…"


def summary(store: HybridChroma) -> None:
    """How often a right passage is among the first three, by kind of question."""
    table = Table("questions", *MODES.values(), title="a right passage among the first 3")
    for kind in ("meaning", "identifier"):
        asked = [each for each in read("queries.jsonl") if each["kind"] == kind]
        row = [sum(right(store, each, mode) for each in asked) for mode in MODES]
        table.add_row(f"by {kind}", *(f"{count} of {len(asked)}" for count in row))
    console.print(table)


def right(store: HybridChroma, asked: dict, mode: str) -> bool:
    found = store.similarity_search(asked["query"], k=3, mode=mode)
    return any(document.id in asked["relevant"] for document in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--folder", default=HERE.parent / ".demo", help="where the index is kept")
    parser.add_argument("--limit", type=int, help="index only the first so many passages")
    options = parser.parse_args()
    store = HybridChroma("postgresql", minilm(), str(options.folder))
    passages = [
        Document(f"{p['title']}\n{p['text']}", id=p["id"], metadata=p["metadata"])
        for p in read("postgresql.jsonl")[: options.limit]
    ]
    have = set(store.get(include=[])["ids"])  # an interrupted run goes on where it was
    if todo := [passage for passage in passages if passage.id not in have]:
        first = set(by_words(passages, options.questions)) - have
        index(store, todo, first, options.questions[0])
    console.print(f"\n[bold]Among all {len(passages):,} passages[/], kept in {options.folder}")
    for question in options.questions:
        compare(store, question)
    if options.questions is QUESTIONS:
        summary(store)


if __name__ == "__main__":
    logging.getLogger("langchain_chroma_hybrid").setLevel("ERROR")  # some passages are cut off
    main()
