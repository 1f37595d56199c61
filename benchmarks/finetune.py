"""What fine-tuning gains, by negatives, LoRA and adapters, and what it costs.

    python benchmarks/finetune.py DATA WORK [--until MINUTES] [--write]

DATA has the BEIR-style folders `banking77`, `medquad` and `scifact`, with `minilm.corpus.npy`. Each
run is noted in WORK/runs.jsonl, and not done again; `--until` begins none after so many minutes.
`CONFIGURATION` has to be committed before a test file is read, and was chosen without one. Nothing
to be learnt comes from test queries: banking77's pairs are two documents of one intent, the others'
a title and its text. `banking77-intents` trains on half of the intents and asks for the others.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _results
import chromadb
import numpy as np
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, minilm
from langchain_chroma_hybrid.evaluation import evaluate, load_beir
from langchain_chroma_hybrid.evaluation.statistics import compare, detectable, estimate, holm
from langchain_chroma_hybrid.finetune import (
    Example,
    TrainingData,
    fine_tune,
    mine_negatives,
    train_adapter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIGURATION: dict[str, Any] = {
    "pairs": 512,
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 5e-5, "checks": 1},
    "lora": {"lora": 16, "learning_rate": 1e-3},
    "adapter": {"kind": "linear", "epochs": 10, "learning_rate": 1e-3},
    "negatives": {"range_max": 30, "relative_margin": 0.05, "guard": "other_leg"},
    "seeds": [0, 1, 2],
}
SOURCES = ("none", "random", "vector", "lexical", "both")
MATRIX = ("banking77", "banking77-intents")
OTHERS = ("medquad", "scifact")
MODES = ("vector", "hybrid")
CUT = 5_000


@dataclass(frozen=True)
class Task:
    """A collection, what may be learnt from it, and the questions that judge."""

    texts: dict[str, str]
    vectors: np.ndarray
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    pairs: TrainingData
    positives: dict[str, list[str]]


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
        print(collection, way, seed, _mean(run, "vector"), _mean(run, "hybrid"), flush=True)
    if options.write:
        _write(_runs(options.work))


def _plan() -> Iterator[tuple[str, str, int]]:
    """What tells the most for its minutes comes first."""
    everywhere, (first, *further) = (*MATRIX, *OTHERS), CONFIGURATION["seeds"]
    yield from ((collection, "base", first) for collection in everywhere)
    yield from ((collection, "adapter", first) for collection in everywhere)
    yield from (("banking77", source, first) for source in SOURCES)
    yield from (("banking77", source, seed) for seed in further for source in ("both", "none"))
    yield from (("medquad", source, first) for source in ("none", "both"))
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
    task, begun = _task(options.data, collection), time.monotonic()
    model, vectors = minilm(), task.vectors
    if way == "adapter":
        known = dict(zip(task.texts.values(), task.vectors.tolist(), strict=True))
        # The collection's own vectors: of the whole record where the pair has its text alone.
        rows = [Example(e.query, task.texts[e.id or ""], id=e.id) for e in task.pairs.examples]
        settings = CONFIGURATION["adapter"]
        model = train_adapter(model, TrainingData(rows), vectors=known, seed=seed, **settings)
    elif way != "base":
        source = "both" if way == "lora" else way
        folder = options.work / f"{collection}-{way}-{seed}"
        training = CONFIGURATION["training"] | (CONFIGURATION["lora"] if way == "lora" else {})
        data = _with_negatives(options.data, collection, source)
        model = fine_tune(minilm(), data, folder, seed=seed, **training).embeddings(batch_size=64)
    trained = time.monotonic()
    if way not in ("base", "adapter"):
        vectors = model.document_vectors(list(task.texts.values()))
    embedded = time.monotonic()
    found = evaluate(_retriever(task, vectors, model), task.queries, task.qrels, modes=MODES)
    return {
        "training_s": round(trained - begun, 1), "embedding_s": round(embedded - trained, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "values": {mode: {m: list(v) for m, v in found.values[mode].items()} for mode in MODES},
    }  # fmt: skip


@cache
def _with_negatives(folder: Path, collection: str, source: str) -> TrainingData:
    """The pairs with one negative each, or none; the base's vectors look for them."""
    task = _task(folder, collection)
    if source == "none":
        return task.pairs
    return mine_negatives(
        _retriever(task, task.vectors, minilm()), task.pairs, source=source,
        positives=task.positives, **CONFIGURATION["negatives"],
    )  # fmt: skip


def _retriever(task: Task, vectors: np.ndarray, model: Any) -> ChromaHybridRetriever:
    client, name = chromadb.EphemeralClient(), "finetune"
    if name in [each.name for each in client.list_collections()]:
        client.delete_collection(name)
    made = client.create_collection(
        name, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": 500}}
    )
    ids, texts = list(task.texts), list(task.texts.values())
    for start in range(0, len(ids), CUT):
        part = slice(start, start + CUT)
        made.add(ids[part], documents=texts[part], embeddings=vectors[part])
    return ChromaHybridRetriever.from_vectorstore(Chroma(name, model, client=client))


@cache
def _task(folder: Path, collection: str) -> Task:
    """Read a collection; what is drawn is drawn by seed 0."""
    name = collection.partition("-")[0]
    data = load_beir(folder / name)
    vectors = np.load(folder / name / "minilm.corpus.npy").astype(np.float32)
    rows, queries = list(enumerate(data.corpus)), dict(data.queries)
    random = np.random.default_rng(0)
    if name == "medquad":
        judged = {i for grades in data.qrels.values() for i, grade in grades.items() if grade > 0}
        rest = [row for row in rows if row[1].id not in judged]
        drawn = {rest[place][0] for place in random.permutation(len(rest))[:CUT]}
        rows = [row for row in rows if row[1].id in judged or row[0] in drawn]
    positives: dict[str, list[str]] = {}
    if name == "banking77":
        examples, queries, positives = _intents(folder / name, data, random, collection)
    else:
        kept = {record.id for _, record in rows}
        examples = _titles(folder / name, kept)
    pairs = TrainingData(examples).without(data.queries.values()).sample(CONFIGURATION["pairs"])
    texts = {record.id: record.text or "" for _, record in rows}
    places = [place for place, _ in rows]
    return Task(texts, vectors[places], queries, dict(data.qrels), pairs, positives)


def _intents(
    folder: Path, data: Any, random: np.random.Generator, collection: str
) -> tuple[list[Example], dict[str, str], dict[str, list[str]]]:
    """Pairs of one intent, the questions that may judge, and all documents of each one's intent."""
    by_intent: dict[str, list[Any]] = {}
    for record in data.corpus:
        by_intent.setdefault(str(record.metadata["intent"]), []).append(record)
    learnt = list(by_intent)
    queries = dict(data.queries)
    if collection.endswith("intents"):
        learnt = sorted(random.permutation(learnt)[: len(learnt) // 2].tolist())
        asked = _lines(folder / "queries.jsonl")
        intents = {row["_id"]: row["metadata"]["intent"] for row in asked}
        queries = {q: text for q, text in queries.items() if intents[q] not in learnt}
    examples, positives = [], {}
    for intent in learnt:
        records = by_intent[intent]
        for left, right in zip(records, random.permutation(len(records)), strict=True):
            other = records[right]
            examples.append(Example(left.text, other.text, id=other.id))
            positives[left.text] = [record.id for record in records]
    return examples, queries, positives


def _titles(folder: Path, kept: set[str]) -> list[Example]:
    """Title and text of every record that has both."""
    rows = [row for row in _lines(folder / "corpus.jsonl") if row["_id"] in kept]
    return [Example(r["title"], r["text"], id=r["_id"]) for r in rows if r["title"] and r["text"]]


def _lines(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _commit() -> str:
    """The commit that has this file as it is; without one nothing is read."""
    here = Path(__file__)
    git = ("git", "-C", str(here.parent))
    changed = [*git, "diff", "--quiet", "HEAD", "--", here.name]
    if subprocess.run(changed, check=False).returncode:  # noqa: S603  # our own words
        raise SystemExit("commit benchmarks/finetune.py: its CONFIGURATION comes before the data")
    command = [*git, "log", "-1", "--format=%h", "--", here.name]
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


def _runs(work: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    path = work / "runs.jsonl"
    rows = _lines(path) if path.exists() else []
    return {(row["collection"], row["way"], row["seed"]): row for row in rows}


def _mean(run: Mapping[str, Any], mode: str) -> str:
    return f"{np.mean(run['values'][mode]['nDCG@10']):.3f}"


def _write(runs: Mapping[tuple[str, str, int], dict[str, Any]]) -> None:
    """One table for all collections; p-values are Holm's over all rows of a column."""
    ways = sorted({key[:2] for key in runs if key[1] != "base"}, key=str)
    rows: dict[tuple[str, str], list[str]] = {}
    for mode in MODES:
        tests = {}
        for collection, way in ways:
            own = [run for key, run in runs.items() if key[:2] == (collection, way)]
            found = [run["values"][mode]["nDCG@10"] for run in own]
            base = runs[collection, "base", 0]["values"][mode]["nDCG@10"]
            mean = np.mean(found, axis=0).tolist()
            tests[collection, way] = (compare(mean, base), estimate(mean), detectable(mean, base))
        raised = holm([test.p for test, *_ in tests.values()])
        for p, (key, (test, after, least)) in zip(raised, tests.items(), strict=True):
            rows.setdefault(key, []).extend(
                [f"{after.mean:.3f}", f"{test.mean:+.3f} ({test.low:+.3f} to {test.high:+.3f})",
                 f"{p:.3f}", f"{least:.3f}"]
            )  # fmt: skip
    lines = []
    for key, cells in rows.items():
        own = [run for name, run in runs.items() if name[:2] == key]
        spread = [np.mean(run["values"]["vector"]["nDCG@10"]) for run in own]
        seconds = [np.mean([run[n] for run in own]) / 60 for n in ("training_s", "embedding_s")]
        varied = f"{np.std(spread, ddof=1):.3f}" if len(own) > 1 else "-"
        lines.append([*key, str(len(own)), *cells, varied,
                      f"{seconds[0]:.1f}, {seconds[1]:.1f}"])  # fmt: skip
    head = ["collection", "way", "seeds", *("vectors", "gain", "p", "shows"),
            *("hybrid", "gain", "p", "shows"), "sd of seeds", "minutes"]  # fmt: skip
    bases = ", ".join(
        f"{key[0]} {_mean(run, 'vector')} / {_mean(run, 'hybrid')} "
        f"({len(run['values']['vector']['nDCG@10'])} queries)"
        for key, run in runs.items() if key[1] == "base"
    )  # fmt: skip
    commits = ", ".join(sorted({run["commit"] for run in runs.values()}))
    peak = max(run["peak_mb"] for run in runs.values())
    _results.write_section(_results.RESULTS, "finetune", "\n\n".join([
        "## Fine-tuning",
        f"Configuration of commit {commits}, nDCG@10. Base, vectors / hybrid: {bases}.",
        _results.table(head, lines), f"At most {peak} MB. "
        + _results.setting("sentence-transformers", "torch", "chromadb", "peft"),
    ]))  # fmt: skip


if __name__ == "__main__":
    main()
