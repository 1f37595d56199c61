"""Time and quality of each way to embed, side by side with `HuggingFaceEmbeddings`.

    python benchmarks/embed.py MODEL DATA [--queries 200] [--documents 256] [--quality]

MODEL is a Hub name or folder. DATA is a BEIR-style folder: `corpus.jsonl` and `queries.jsonl` with
`_id`, `title`, `text`, and `qrels.tsv`. All ways take turns, 20 queries or one batch each, so that
a busy machine is busy for all of them; the first calls of a turn are not counted.

`--quality` instead embeds corpus and queries and reports nDCG@10 of exact cosine search: torch;
int8 queries on torch's document vectors; int8 for both. Vectors of the corpus that lie beside it as
`minilm.corpus.npy` may stand for torch's (`--reference FILE`).
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _results import recorded

from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("sentence-transformers", "torch", "onnxruntime", "langchain-huggingface")
TURN, SETTLE = 20, 4
BATCH = 32


def main() -> None:
    options = arguments()
    queries = {row["_id"]: row["text"] for row in rows(options.data / "queries.jsonl")}
    corpus = {
        row["_id"]: f"{row.get('title') or ''} {row['text']}".strip()
        for row in rows(options.data / "corpus.jsonl")
    }
    ways = build(options)
    what = "Embedding quality" if options.quality else "Embedding"
    section = (
        f"embed quality {options.data.name}" if options.quality else f"embed {options.data.name}"
    )
    with recorded(section, f"{what}, {options.data.name}", *PACKAGES):
        if options.quality:
            quality(ways, queries, corpus, options)
        else:
            latency(ways, list(queries.values()), options.queries)
            throughput(ways, list(corpus.values())[: options.documents])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--documents", type=int, default=256)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--reference", type=Path, help="torch's vectors of the corpus, .npy")
    parser.add_argument("--onnx-folder", type=Path, help="where exported models are kept")
    return parser.parse_args()


def build(options: argparse.Namespace) -> dict[str, Any]:
    from langchain_huggingface import HuggingFaceEmbeddings  # noqa: PLC0415 - the peer, heavy

    def ours(**more: Any) -> SentenceTransformerEmbeddings:
        return SentenceTransformerEmbeddings(options.model, **more)

    onnx = {"backend": "onnx", "onnx_folder": options.onnx_folder}
    peer = HuggingFaceEmbeddings(model_name=options.model, model_kwargs={"device": "cpu"})
    return {
        "HuggingFaceEmbeddings": peer,
        "torch, default threads": ours(device="cpu", query_threads="default"),
        "torch, 1 thread": ours(device="cpu", query_threads=1),
        "torch, auto (default)": ours(device="cpu"),
        "onnx float32": ours(quantize=False, **onnx),
        "onnx int8": ours(**onnx),
    }


def latency(ways: dict[str, Any], queries: list[str], count: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in ways}
    texts = list(islice(cycle(queries), count))
    for start in range(0, count, TURN):
        for name, embeddings in ways.items():
            # Threads of the way before still spin for a moment: the first calls are not counted.
            for text in texts[start : start + SETTLE]:
                embeddings.embed_query(text)
            for text in texts[start : start + TURN]:
                times[name].append(seconds(lambda e=embeddings, t=text: e.embed_query(t)))
    print(f"one query, {count} queries, ms{'':12} p50     p95    mean   times faster (p50, mean)")
    first = next(iter(ways))
    base = np.array(times[first])
    for name, taken in times.items():
        ms = np.array(taken) * 1e3
        p50, p95 = np.percentile(ms, [50, 95])
        faster = np.percentile(base, 50) * 1e3 / p50, base.mean() * 1e3 / ms.mean()
        print(
            f"  {name:28} {p50:9.2f} {p95:7.2f} {ms.mean():7.2f}   {faster[0]:.2f} {faster[1]:.2f}"
        )


def throughput(ways: dict[str, Any], documents: list[str]) -> None:
    times = dict.fromkeys(ways, 0.0)
    batches = [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
    for number, batch in enumerate(batches):
        for name, embeddings in ways.items():
            taken = seconds(lambda e=embeddings, b=batch: e.embed_documents(b))
            times[name] += taken if number else 0.0
    counted = sum(map(len, batches[1:]))
    print(f"\ndocuments per second, {counted} documents, batches of {BATCH}")
    for name, taken in times.items():
        print(f"  {name:28} {counted / taken:9.1f}")


def quality(
    ways: dict[str, Any],
    queries: dict[str, str],
    corpus: dict[str, str],
    options: argparse.Namespace,
) -> None:
    exact, small = ways["torch, auto (default)"], ways["onnx int8"]
    relevant = judgements(options.data / "qrels.tsv", queries, corpus)
    asked = list(relevant)
    ids, texts = list(corpus), list(corpus.values())
    if options.reference:
        documents = np.load(options.reference).astype(np.float32)
    else:
        documents = exact.document_vectors(texts)
    small_documents = small.document_vectors(texts)
    by_exact = np.stack([exact.query_vector(queries[name]) for name in asked])
    by_small = np.stack([small.query_vector(queries[name]) for name in asked])
    print(f"nDCG@10, {len(asked)} queries, {len(ids)} documents")
    base = 0.0
    for name, left, right in (
        ("torch", by_exact, documents),
        ("int8 queries, torch documents", by_small, documents),
        ("int8 both", by_small, small_documents),
    ):
        found = ndcg(left @ right.T, ids, asked, relevant)
        base = base or found
        print(f"  {name:30} {found:.4f}  {100 * (found / base - 1):+.2f} %")


def ndcg(
    scores: np.ndarray, ids: list[str], asked: list[str], relevant: dict[str, dict[str, float]]
) -> float:
    """Mean nDCG@10 with linear gains, as trec_eval has it."""
    discounts = 1 / np.log2(np.arange(2, 12))
    values = []
    for name, row in zip(asked, scores, strict=True):
        gains = relevant[name]
        best = np.argsort(-row, kind="stable")[:10]
        got = np.array([gains.get(ids[position], 0.0) for position in best])
        ideal = np.sort(list(gains.values()))[::-1][:10]
        values.append((got * discounts).sum() / (ideal * discounts[: len(ideal)]).sum())
    return float(np.mean(values))


def judgements(path: Path, queries: Any, corpus: Any) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines, delimiter="\t"):
            query, document, grade = row[0], row[-2], row[-1]
            if query in queries and document in corpus and float(grade) > 0:
                found.setdefault(query, {})[document] = float(grade)
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:  # `splitlines` would also cut at U+2028
        return [json.loads(line) for line in lines if line.strip()]


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
