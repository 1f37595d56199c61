"""Labelled pairs: patients ask in other words than doctors write, until the model has learnt both.

    python examples/finetune_medical.py [MODEL]

From data to the promoted collection in minutes on two cores. MODEL is a Sentence Transformers
folder or name; all-MiniLM-L6-v2 if left out. The data is examples/data/medical.csv.
"""

import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain_chroma_hybrid import HybridChroma, SentenceTransformerEmbeddings, minilm
from langchain_chroma_hybrid.evaluation import Dataset
from langchain_chroma_hybrid.finetune import (
    Experiment,
    embedded_copy,
    fine_tune,
    from_clicks,
    mine_negatives,
    promote,
)

CONFIGURATION = {"epochs": 4, "batch_size": 16, "learning_rate": 5e-5, "seed": 0}
ROWS = list(csv.DictReader(Path(__file__).with_name("data").joinpath("medical.csv").open("r")))


def main(folder: Path) -> None:
    base = SentenceTransformerEmbeddings(sys.argv[1]) if len(sys.argv) > 1 else minilm()
    with HybridChroma("notes", base, persist_directory=str(folder / "db")) as store:
        store.add_texts([row["note"] for row in ROWS], ids=[row["id"] for row in ROWS])

        # Two queries of each note to learn from.
        clicks = [(row[name], row["id"]) for row in ROWS for name in ("query", "query_2")]
        data = from_clicks(store, clicks)
        print(data.report)
        train = mine_negatives(store, data, source="both", relative_margin=None)

        # What was decided is written down before the test queries are read.
        experiment = Experiment(folder / "experiment", CONFIGURATION)
        made = fine_tune(base, train, folder / "model", **CONFIGURATION)
        experiment.note("medical", made)
        test = Dataset(
            {row["id"]: row["test_query"] for row in ROWS}, {r["id"]: {r["id"]: 1} for r in ROWS}
        )
        copy = embedded_copy(store, made.embeddings())
        found = experiment.compare("notes", store, copy, test, trained_on=data)
        verdict = experiment.verdict()
        verdict.save(folder / "report")
        for mode in ("vector", "hybrid"):
            before, after = (side.estimate(mode).mean for side in (found.before, found.after))
            print(f"{mode}: nDCG@10 {before:.3f} before, {after:.3f} after")
        print(verdict.said())
        # Forced so that the example ends in a promotion; yours had better not be.
        done = promote(store, made.embeddings(), verdict=verdict, force=not verdict.better)
        print("promoted:", done.promoted, [d.id for d in store.similarity_search("sugar", k=1)])


if __name__ == "__main__":
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        main(Path(temporary))
