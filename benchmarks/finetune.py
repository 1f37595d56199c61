"""What fine-tuning gains, by negatives, LoRA and adapters, and what it costs.

    python benchmarks/finetune.py DATA WORK [--until MINUTES] [--write]

DATA has the BEIR-style folders `banking77`, `medquad` and `scifact`, with `minilm.corpus.npy`. Each
run is noted in WORK/runs.jsonl, and not done again; `--until` begins none after so many minutes.
`CONFIGURATION` has to be committed before a test file is read, and was chosen without one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
from _finetune_report import MODES, Runs, mean, write
from _finetune_tasks import CUT, Task, lines, task
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, minilm
from langchain_chroma_hybrid.evaluation import evaluate
from langchain_chroma_hybrid.finetune import (
    Example,
    TrainingData,
    fine_tune,
    mine_negatives,
    train_adapter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

CONFIGURATION: dict[str, Any] = {
    "pairs": 512,
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 5e-5, "checks": 1},
    "lora": {"lora": 16, "learning_rate": 1e-3},
    "adapter": {"dev": 0.2, "kind": "linear", "epochs": 30, "learning_rate": 3e-4},
    "negatives": {"range_max": 30, "relative_margin": 0.05, "guard": "other_leg"},
    "seeds": [0, 1, 2],
}
SOURCES = ("none", "random", "vector", "lexical", "both")
MATRIX = ("banking77", "banking77-intents")
OTHERS = ("medquad", "scifact")


def main() -> None:
    options = _options()
    started, commit = time.monotonic(), _commit()
    done = _runs(options.work)
    for collection, way, seed in dict.fromkeys(_plan()):
        if (collection, way, seed) in done:
            continue
        if time.monotonic() - started > options.until * 60:
            break
        run = _run(options, collection, way, seed)
        note = {"collection": collection, "way": way, "seed": seed, "commit": commit, **run}
        with (options.work / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
        print(collection, way, seed, mean(run, "vector"), mean(run, "hybrid"), flush=True)
    if options.write:
        write(_runs(options.work))


def _plan() -> Iterator[tuple[str, str, int]]:
    """What tells the most for its minutes comes first."""
    everywhere, (first, *further) = (*MATRIX, *OTHERS), CONFIGURATION["seeds"]
    yield from ((collection, "base", first) for collection in everywhere)
    yield from ((collection, "adapter", first) for collection in everywhere)
    yield from (("banking77", source, first) for source in SOURCES)
    yield from (("banking77", source, seed) for seed in further for source in ("both", "none"))
    yield from (("medquad", source, first) for source in ("none", "both", "vector", "lexical"))
    yield from ((collection, "lora", first) for collection in MATRIX)
    yield from ((collection, source, first) for collection in MATRIX for source in SOURCES)
    yield from ((collection, source, seed)
                for collection in MATRIX for seed in further for source in SOURCES)  # fmt: skip
    for seed in further:
        yield from ((collection, "adapter", seed) for collection in everywhere)
        yield from ((collection, "lora", seed) for collection in MATRIX)
    yield from ((collection, "both", seed) for seed in (first, *further) for collection in OTHERS)


def _run(options: argparse.Namespace, collection: str, way: str, seed: int) -> dict[str, Any]:
    """Train, embed the collection anew, and ask every question once."""
    own, begun = task(options.data, collection, CONFIGURATION["pairs"]), time.monotonic()
    model, vectors = _trained(options, own, collection, way, seed), own.vectors
    trained = time.monotonic()
    if way not in ("base", "adapter"):
        vectors = model.document_vectors(list(own.texts.values()))
    embedded = time.monotonic()
    found = evaluate(_retriever(own, vectors, model), own.queries, own.qrels, modes=MODES)
    return {
        "training_s": round(trained - begun, 1), "embedding_s": round(embedded - trained, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "values": {mode: {m: list(v) for m, v in found.values[mode].items()} for mode in MODES},
    }  # fmt: skip


def _trained(
    options: argparse.Namespace, own: Task, collection: str, way: str, seed: int
) -> Any:
    """The base, an adapter over it, or a model that was trained in one of the other ways."""
    if way == "base":
        return minilm()
    if way == "adapter":
        known = dict(zip(own.texts.values(), own.vectors.tolist(), strict=True))
        # The collection's own vectors: of the whole record where the pair has its text alone.
        rows = [Example(e.query, own.texts[e.id or ""], id=e.id) for e in own.pairs.examples]
        settings = dict(CONFIGURATION["adapter"])
        parts = TrainingData(rows).split(settings.pop("dev"), seed=seed)
        settings |= {"dev": parts.dev, "vectors": known, "seed": seed}
        return train_adapter(minilm(), parts.train, **settings)
    folder = options.work / f"{collection}-{way}-{seed}"
    training = CONFIGURATION["training"] | (CONFIGURATION["lora"] if way == "lora" else {})
    data = _with_negatives(options.data, collection, "both" if way == "lora" else way)
    return fine_tune(minilm(), data, folder, seed=seed, **training).embeddings(batch_size=64)


@cache
def _with_negatives(folder: Path, collection: str, source: str) -> TrainingData:
    """The pairs with one negative each, or none; the base's vectors look for them."""
    own = task(folder, collection, CONFIGURATION["pairs"])
    if source == "none":
        return own.pairs
    return mine_negatives(
        _retriever(own, own.vectors, minilm()), own.pairs, source=source,
        positives=own.positives, **CONFIGURATION["negatives"],
    )  # fmt: skip


def _retriever(own: Task, vectors: np.ndarray, model: Any) -> ChromaHybridRetriever:
    client, name = chromadb.EphemeralClient(), "finetune"
    if name in [each.name for each in client.list_collections()]:
        client.delete_collection(name)
    made = client.create_collection(
        name, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": 500}}
    )
    ids, texts = list(own.texts), list(own.texts.values())
    for start in range(0, len(ids), CUT):
        part = slice(start, start + CUT)
        made.add(ids[part], documents=texts[part], embeddings=vectors[part])
    return ChromaHybridRetriever.from_vectorstore(Chroma(name, model, client=client))


def _commit() -> str:
    """The commit that has these files as they are; without one nothing is read."""
    here = Path(__file__)
    git, files = ("git", "-C", str(here.parent)), ("--", here.name, "_finetune_tasks.py")
    changed = [*git, "diff", "--quiet", "HEAD", *files]
    if subprocess.run(changed, check=False).returncode:  # noqa: S603  # our own words
        raise SystemExit("commit benchmarks/finetune.py: its CONFIGURATION comes before the data")
    command = [*git, "log", "-1", "--format=%h", *files]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # as above
    return said.stdout.strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--until", type=float, default=1e9, help="minutes")
    parser.add_argument("--write", action="store_true", help="RESULTS.md")
    found = parser.parse_args()
    found.work.mkdir(parents=True, exist_ok=True)
    return found


def _runs(work: Path) -> Runs:
    path = work / "runs.jsonl"
    rows = lines(path) if path.exists() else []
    return {(row["collection"], row["way"], row["seed"]): row for row in rows}


if __name__ == "__main__":
    main()
