"""What fine-tuning gains, by negatives, LoRA and adapters, and what it costs.

    python benchmarks/finetune.py DATA WORK [--until MINUTES] [--commit HASH] [--write]

DATA has the BEIR-style folders `banking77`, `medquad` and `scifact`, with `minilm.corpus.npy`. Each
run is noted in WORK/runs.jsonl, and not done again; several processes may share WORK, and each
takes what none has begun. `--until` begins none after so many minutes. A GPU is taken if there is
one; `CUDA_VISIBLE_DEVICES=` hides it.
`CONFIGURATION` has to be committed before a test file is read, and was chosen without one; a
machine without the repository is told the commit, as `--print-commit` says it where that is.

A way is a source of negatives; `texts` before it: of negatives the text without its title, as the
answers have it; `lora` or `adapter` before it: one of these in place of training all weights.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import torch
from _finetune_report import MODES, Runs, mean, write
from _finetune_tasks import CUT, Task, lines, task
from _results import setting
from filelock import FileLock, Timeout
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, minilm
from langchain_chroma_hybrid.evaluation import evaluate
from langchain_chroma_hybrid.finetune import TrainingData, fine_tune, mine_negatives, train_adapter
from langchain_chroma_hybrid.finetune.run import has_bf16

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
    started = time.monotonic()
    if not options.commit:
        options.commit = _commit()
    if options.print_commit:
        print(options.commit)
        return
    for collection, way in _plan():
        lock = FileLock(options.work / f"{collection} {way}.lock", timeout=0)
        with suppress(Timeout), lock:
            for seed in CONFIGURATION["seeds"][: 1 if way == "base" else None]:
                if time.monotonic() - started > options.until * 60:
                    break
                if (collection, way, seed) not in _runs(options.work):
                    _note(options, collection, way, seed)
    if options.write:
        write(_runs(options.work))


def _plan() -> Iterator[tuple[str, str]]:
    """Collections and ways: what tells the most for its minutes comes first."""
    everywhere = (*OTHERS, *MATRIX)
    yield from ((collection, way) for way in ("base", *SOURCES) for collection in everywhere)
    yield from ((collection, f"texts {way}") for way in SOURCES[1:] for collection in OTHERS)
    yield from ((collection, f"{kind} {way}") for kind in ("lora", "adapter")
                for way in ("both", "none") for collection in everywhere)  # fmt: skip


def _note(options: argparse.Namespace, collection: str, way: str, seed: int) -> None:
    """Do one run, and write it down."""
    run = _run(options, collection, way, seed)
    note = {"collection": collection, "way": way, "seed": seed, "commit": options.commit, **run}
    with FileLock(options.work / "runs.lock"), _noted(options.work).open("a") as file:
        file.write(json.dumps(note) + "\n")
    print(collection, way, seed, mean(run, "vector"), mean(run, "hybrid"), flush=True)


def _run(options: argparse.Namespace, collection: str, way: str, seed: int) -> dict[str, Any]:
    """Train, embed the collection anew, and ask every question once."""
    own, begun = task(options.data, collection, CONFIGURATION["pairs"]), time.monotonic()
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    folder = options.work / f"{collection}-{way}-{seed}"
    kind, _, source = way.rpartition(" ")
    data = _with_negatives(options.data, collection, "none" if way == "base" else source)
    mined = time.monotonic()
    model = minilm() if way == "base" else _trained(own, data, way, seed, folder)
    trained, vectors = time.monotonic(), own.vectors
    if kind != "adapter":
        vectors = model.document_vectors(list(own.texts.values()))
    embedded = time.monotonic()
    found = evaluate(_retriever(own, vectors, model), own.queries, own.qrels, modes=MODES)
    return {
        "mining_s": round(mined - begun, 1), "training_s": round(trained - mined, 1),
        "embedding_s": round(embedded - trained, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "gpu_mb": torch.cuda.max_memory_allocated() >> 20 if gpu else 0,
        "setting": setting("sentence-transformers", "transformers", "torch", "chromadb", "peft")
        + (f", {torch.cuda.get_device_name()}, bf16: {has_bf16()}" if gpu else ""),
        "values": {mode: {m: list(v) for m, v in found.values[mode].items()} for mode in MODES},
    }  # fmt: skip


def _trained(own: Task, data: TrainingData, way: str, seed: int, folder: Path) -> Any:
    """An adapter over the base, or a model that was trained in one of the other ways."""
    kind = way.rpartition(" ")[0]
    if kind == "adapter":
        known = dict(zip(own.texts.values(), own.vectors.tolist(), strict=True))
        # The collection's own vectors: of the whole record where the pair has its text alone.
        rows = [replace(e, text=own.texts[e.id or ""]) for e in data.examples]
        settings = dict(CONFIGURATION["adapter"])
        parts = TrainingData(rows).split(settings.pop("dev"), seed=seed)
        settings |= {"dev": parts.dev, "vectors": known, "seed": seed}
        return train_adapter(minilm(), parts.train, **settings)
    if kind == "texts":
        alone = {own.texts[id_]: text for id_, text in own.alone.items()}
        data = data.with_negatives([[alone[text] for text in e.negatives] for e in data.examples])
    training = CONFIGURATION["training"] | (CONFIGURATION["lora"] if kind == "lora" else {})
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
    parser.add_argument("--commit", help="of these files, where there is no repository to ask")
    parser.add_argument("--print-commit", action="store_true", help="and do nothing")
    parser.add_argument("--write", action="store_true", help="RESULTS.md")
    found = parser.parse_args()
    found.work.mkdir(parents=True, exist_ok=True)
    return found


def _noted(work: Path) -> Path:
    return work / "runs.jsonl"


def _runs(work: Path) -> Runs:
    """What is noted, whole lines by the lock."""
    with FileLock(work / "runs.lock"):
        rows = lines(_noted(work)) if _noted(work).exists() else []
    return {(row["collection"], row["way"], row["seed"]): row for row in rows}


if __name__ == "__main__":
    main()
