"""No labels at all: the titles of a collection ask for its texts, and the model learns from that.

    python examples/finetune_papers.py [MODEL]

As with papers, whose titles say what their abstracts are about; here, passages of the PostgreSQL
manual (examples/data, PostgreSQL Licence) with their headings. From data to the promoted collection
in less than ten minutes on two cores. MODEL is a Sentence Transformers folder or name;
all-MiniLM-L6-v2 if left out.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain_chroma_hybrid import HybridChroma, SentenceTransformerEmbeddings, minilm
from langchain_chroma_hybrid.evaluation import Dataset
from langchain_chroma_hybrid.finetune import (
    Experiment,
    embedded_copy,
    fine_tune,
    make_queries,
    mine_negatives,
    promote,
)

PASSAGES, PAIRS = 300, 128  # for minutes; take all of yours
CONFIGURATION = {"epochs": 1, "batch_size": 16, "learning_rate": 3e-5, "seed": 0}
DATA = Path(__file__).with_name("data")


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def judged() -> Dataset:
    """The demo's questions, with the passages that answer them."""
    rows = read("queries.jsonl")
    qrels = {row["query"]: dict.fromkeys(row["relevant"], 1) for row in rows}
    return Dataset({query: query for query in qrels}, qrels)


def main(folder: Path) -> None:
    base = SentenceTransformerEmbeddings(sys.argv[1]) if len(sys.argv) > 1 else minilm()
    wanted = {id_ for row in read("queries.jsonl") for id_ in row["relevant"]}
    rows = sorted(read("postgresql.jsonl"), key=lambda row: row["id"] not in wanted)[:PASSAGES]
    with HybridChroma("papers", base, persist_directory=str(folder / "db")) as store:
        store.add_texts(
            [row["text"] for row in rows],
            [{"title": row["title"]} for row in rows],
            [row["id"] for row in rows],
        )
        data = make_queries(store, kinds=["title", "first_sentence"])
        print(data.report)
        train = mine_negatives(store, data.sample(PAIRS), source="both")
        experiment = Experiment(folder / "experiment", CONFIGURATION)
        made = fine_tune(base, train, folder / "model", **CONFIGURATION)
        experiment.note("titles", made)
        copy = embedded_copy(store, made.embeddings())
        found = experiment.compare("papers", store, copy, judged(), trained_on=data)
        for mode in ("vector", "hybrid"):
            before, after = (side.estimate(mode).mean for side in (found.before, found.after))
            print(f"{mode}: nDCG@10 {before:.3f} before, {after:.3f} after")
        verdict = experiment.verdict()
        print(verdict.said())
        # Forced so that the example ends in a promotion; yours had better not be.
        done = promote(store, made.embeddings(), verdict=verdict, force=not verdict.better)
        print("promoted:", done.promoted)


if __name__ == "__main__":
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        main(Path(temporary))
