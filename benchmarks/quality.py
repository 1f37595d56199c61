"""nDCG@10 of every fusion beside its legs and LangChain's own hybrid retriever.

    python benchmarks/quality.py DIR... [--write]

Each DIR is a BEIR-style folder (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`) with the vectors of
its rows in `minilm.corpus.npy` and `minilm.queries.npy` (another prefix by `--vectors`). Vectors
are searched exactly, so that what is compared is fusion, not an index. `--write` puts the tables
into RESULTS.md, docs/scores.md and README.md.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import _llama
import _peers
import _results
import numpy as np

from langchain_chroma_hybrid.core.confidence import CHOSEN, Constants, weigh
from langchain_chroma_hybrid.core.fusion import RankedList, fuse
from langchain_chroma_hybrid.evaluation import load_beir, per_query
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_chroma_hybrid.evaluation import Dataset

DEPTH = 100
SHARES = (0.3, 0.5, 0.7)
FRONT_PAGE = (
    "vectors alone",
    "BM25 alone",
    "LangChain BM25Retriever",
    "LangChain EnsembleRetriever",
    "**adaptive, weights per query (default)**",
)
FIXED = ("rrf", "min_max", "three_sigma", "theoretical_min_max", "adaptive")
CONSTANTS = [
    Constants(level, lead, alone)
    for level, lead, alone in product((1.0, 1.5, 2.0), (0.25, 0.5, 0.75), (0.2, 0.35, 0.5, 1.0))
]


@dataclass(frozen=True)
class Legs:
    """One collection: for each query what each leg found, cached for all fusions."""

    name: str
    data: Dataset
    lists: Mapping[str, tuple[RankedList, RankedList]]

    def score(self, run: Callable[[str], list[str]]) -> float:
        """Mean nDCG@10 of what `run` returns for each query id."""
        values = per_query(self.data.qrels, {q: run(q)[:10] for q in self.lists}, ["nDCG@10"])
        return float(np.mean([values["nDCG@10"][q] for q in self.lists]))

    def alone(self, leg: int) -> float:
        """One leg by itself."""
        return self.score(lambda query: list(self.lists[query][leg].ids))

    def fixed(self, fusion: str, share: float) -> float:
        """The same weights for every query."""

        def run(query: str) -> list[str]:
            lexical, vector = self.lists[query]
            pair = [replace(lexical, weight=share), replace(vector, weight=1 - share)]
            return [hit.id for hit in fuse(pair, fusion)]

        return self.score(run)

    def weighed(self, constants: Constants = CHOSEN) -> float:
        """The default: weights per query."""
        return self.score(
            lambda query: [
                hit.id for hit in fuse(weigh(self.lists[query], constants=constants), "adaptive")
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--vectors", default="minilm")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--llama", action="store_true", help="both faces alone")
    options = parser.parse_args()
    if options.llama:
        through_llama(options.folders, options.vectors)
        return
    rows: dict[str, list[float]] = {}
    collections = []
    for folder in options.folders:
        data, corpus, queries = load(folder, options.vectors)
        legs = Legs(folder.name, data, search(data, corpus, queries))
        collections.append(legs)
        for name, value in compare(legs, corpus, queries).items():
            rows.setdefault(name, []).append(value)
            print(f"{legs.name:14} {name:44} {value:.4f}", flush=True)
    if len(collections) > 1:
        rows |= left_out(collections, rows)
    text = report(collections, rows)
    print(text)
    if options.write:
        _results.write_section(_results.RESULTS, "quality", f"## Quality\n\n{text}")
        _results.write_section(_results.HERE.parent / "docs" / "scores.md", "quality", text)
        front = {name: row for name, row in rows.items() if name in FRONT_PAGE}
        _results.write_section(_results.README, "quality", report(collections, front))


def load(folder: Path, vectors: str) -> tuple[Dataset, np.ndarray, Mapping[str, np.ndarray]]:
    data = load_beir(folder)
    judged = {q: t for q, t in data.queries.items() if max(data.qrels[q].values()) > 0}
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [str(json.loads(line)["_id"]) for line in lines]
    matrix = np.load(folder / f"{vectors}.queries.npy").astype(np.float32)
    corpus = np.load(folder / f"{vectors}.corpus.npy").astype(np.float32)
    queries = {q: vector for q, vector in zip(rows, matrix, strict=True) if q in judged}
    return replace(data, queries={q: judged[q] for q in queries}), corpus, queries


def search(
    data: Dataset, corpus: np.ndarray, queries: Mapping[str, np.ndarray]
) -> dict[str, tuple[RankedList, RankedList]]:
    index = TantivyIndex()
    index.apply(data.corpus)
    ids = [record.id for record in data.corpus]
    found = {}
    for query, vector in queries.items():
        text = data.queries[query]
        hits = index.search(text, DEPTH)
        lexical = RankedList(
            [hit.id for hit in hits],
            [hit.score for hit in hits],
            floor=0.0,
            background=0.0,
            ceiling=index.max_score(text),
        )
        rows, cosines = _peers.nearest(corpus, vector, DEPTH)
        nearest = RankedList([ids[row] for row in rows], cosines, floor=-1.0, ceiling=1.0)
        found[query] = lexical, nearest
    return found


def compare(legs: Legs, corpus: np.ndarray, queries: Mapping[str, np.ndarray]) -> dict[str, float]:
    """nDCG@10 by the name of what was tried."""
    bm25, ensemble = _peers.langchain(legs.data, corpus, queries, DEPTH)
    values = {
        "vectors alone": legs.alone(1),
        "BM25 alone": legs.alone(0),
        "LangChain BM25Retriever": legs.score(bm25.__getitem__),
        "LangChain EnsembleRetriever": legs.score(ensemble.__getitem__),
    }
    for fusion, share in product(FIXED, SHARES):
        values[f"{fusion}, lexical {share:g}"] = legs.fixed(fusion, share)
    values["**adaptive, weights per query (default)**"] = legs.weighed()
    # With Chroma's approximate index, so that these are compared with each other.
    return values | faces(legs, corpus, queries)


def faces(legs: Legs, corpus: np.ndarray, queries: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The same through both faces, and LlamaIndex' own ways, over one collection of Chroma's."""
    ways = _llama.through_faces(legs.data, corpus, queries, 10)
    return {name: legs.score(found.__getitem__) for name, found in ways.items()}


def through_llama(folders: list[Path], vectors: str) -> None:
    """Both faces and LlamaIndex' own ways alone, into RESULTS.md."""
    rows: dict[str, list[float]] = {}
    for folder in folders:
        data, corpus, queries = load(folder, vectors)
        legs = Legs(folder.name, data, dict.fromkeys(queries, ()))  # type: ignore[arg-type]  # the ids are enough
        for name, value in faces(legs, corpus, queries).items():
            rows.setdefault(name, []).append(value)
            print(f"{legs.name:14} {name:44} {value:.4f}", flush=True)
    head = ["nDCG@10", *(folder.name for folder in folders)]
    body = [[name, *(f"{value:.4f}" for value in values)] for name, values in rows.items()]
    used = _results.setting(
        "chromadb", "llama-index-core", "llama-index-vector-stores-chroma", "langchain-chroma"
    )
    text = f"One collection of Chroma's for each, k = 10.\n\n{_results.table(head, body)}\n\n{used}"
    name = "quality llama"
    _results.write_section(_results.RESULTS, name, f"## Quality through LlamaIndex\n\n{text}")


def report(collections: list[Legs], rows: dict[str, list[float]]) -> str:
    better = [max(pair) for pair in zip(rows["vectors alone"], rows["BM25 alone"], strict=True)]
    body = []
    for name, values in rows.items():
        worst = min(value - best for value, best in zip(values, better, strict=True))
        numbers = [f"{value:.3f}" for value in values]
        body.append([name, *numbers, f"{np.mean(values):.3f}", f"{worst:+.3f}"])
    sizes = ", ".join(f"{c.name} {len(c.data.corpus):,} / {len(c.lists):,}" for c in collections)
    head = ["nDCG@10", *(c.name for c in collections), "mean", "worst"]
    used = _results.setting(
        "langchain-chroma", "langchain-classic", "langchain-community", "tantivy", "ir-measures"
    )
    return (
        f"Records / queries: {sizes}. Exact vector search, {DEPTH} hits per leg. *worst*: the "
        f"smallest gain over the better of the two legs.\n\n{_results.table(head, body)}\n\n{used}"
    )


def left_out(collections: list[Legs], rows: dict[str, list[float]]) -> dict[str, list[float]]:
    """What each collection gets from a choice that only the others had a say in."""
    fixed = {name: values for name, values in rows.items() if ", lexical " in name}
    constants: dict[str, list[float]] = {}
    for choice in CONSTANTS:
        constants[str(choice)] = [legs.weighed(choice) for legs in collections]
    return {
        "fixed weights, chosen on the others": _chosen(fixed),
        "weights per query, constants chosen on the others": _chosen(constants),
    }


def _chosen(values: dict[str, list[float]]) -> list[float]:
    count = len(next(iter(values.values())))
    mean_without = partial(_mean_without, values)
    return [values[max(values, key=partial(mean_without, n))][n] for n in range(count)]


def _mean_without(values: dict[str, list[float]], left: int, name: str) -> float:
    return math.fsum(value for n, value in enumerate(values[name]) if n != left)


if __name__ == "__main__":
    main()
