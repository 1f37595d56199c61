"""nDCG@10 and recall of every fusion beside its legs and LangChain's own hybrid retriever.

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

from langchain_chroma_hybrid import Analyzer
from langchain_chroma_hybrid.core.confidence import CHOSEN, Constants, weigh
from langchain_chroma_hybrid.core.fusion import RankedList, fuse
from langchain_chroma_hybrid.evaluation import load_beir, per_query
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_chroma_hybrid.evaluation import Dataset

    Scores = Mapping[str, float]

DEPTH = 100
SHARES = (0.3, 0.5, 0.7)
FRONT_PAGE = (
    "vectors alone",
    "BM25 alone",
    "LangChain BM25Retriever",
    "LangChain EnsembleRetriever",
    "EnsembleRetriever, our analyzer",
    "**adaptive, weights per query (default)**",
)
MEASURES = ("nDCG@10", "recall@50", "recall@100")
DEEP = (*FRONT_PAGE, "rrf, lexical 0.5", "three_sigma, lexical 0.5")
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

    def score(self, run: Callable[[str], list[str]]) -> Scores:
        """The means of what `run` returns for each query id."""
        values = per_query(self.data.qrels, {q: run(q)[:100] for q in self.lists}, MEASURES)
        return {m: float(np.mean([values[m][q] for q in self.lists])) for m in MEASURES}

    def alone(self, leg: int) -> Scores:
        """One leg by itself."""
        return self.score(lambda query: list(self.lists[query][leg].ids))

    def fixed(self, fusion: str, share: float) -> Scores:
        """The same weights for every query."""

        def run(query: str) -> list[str]:
            lexical, vector = self.lists[query]
            pair = [replace(lexical, weight=share), replace(vector, weight=1 - share)]
            return [hit.id for hit in fuse(pair, fusion)]

        return self.score(run)

    def weighed(self, constants: Constants = CHOSEN) -> Scores:
        """The default: weights per query."""

        def run(query: str) -> list[str]:
            pair = weigh(self.lists[query], constants=constants)
            return [hit.id for hit in fuse(pair, "adaptive", deep=(0.5, 0.5))]

        return self.score(run)


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
    rows: dict[str, list[Scores]] = {}
    collections = []
    for folder in options.folders:
        data, corpus, queries = load(folder, options.vectors)
        legs = Legs(folder.name, data, search(data, corpus, queries))
        collections.append(legs)
        for name, value in compare(legs, corpus, queries).items():
            rows.setdefault(name, []).append(value)
            numbers = " ".join(f"{value[measure]:.4f}" for measure in MEASURES)
            print(f"{legs.name:14} {name:48} {numbers}", flush=True)
    if len(collections) > 1:
        rows |= left_out(collections, rows)
    deep = {name: row for name, row in rows.items() if name in DEEP}
    tables = [table(collections, rows, "nDCG@10")]
    tables += [table(collections, deep, measure) for measure in MEASURES[1:]]
    text = report(collections, tables)
    print(text)
    if options.write:
        _results.write_section(_results.RESULTS, "quality", f"## Quality\n\n{text}")
        _results.write_section(_results.HERE.parent / "docs" / "scores.md", "quality", text)
        front = {name: row for name, row in rows.items() if name in FRONT_PAGE}
        told = report(collections, [table(collections, front, "nDCG@10")])
        _results.write_section(_results.README, "quality", told)


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


def compare(
    legs: Legs, corpus: np.ndarray, queries: Mapping[str, np.ndarray]
) -> dict[str, Scores]:
    """The measures by the name of what was tried."""
    bm25, ensemble = _peers.langchain(legs.data, corpus, queries, DEPTH)
    analyzed, better = _peers.langchain(legs.data, corpus, queries, DEPTH, Analyzer().document)
    values = {
        "vectors alone": legs.alone(1),
        "BM25 alone": legs.alone(0),
        "LangChain BM25Retriever": legs.score(bm25.__getitem__),
        "LangChain EnsembleRetriever": legs.score(ensemble.__getitem__),
        "BM25Retriever, our analyzer": legs.score(analyzed.__getitem__),
        "EnsembleRetriever, our analyzer": legs.score(better.__getitem__),
    }
    for fusion, share in product(FIXED, SHARES):
        values[f"{fusion}, lexical {share:g}"] = legs.fixed(fusion, share)
    values["**adaptive, weights per query (default)**"] = legs.weighed()
    # With Chroma's approximate index, so that these are compared with each other.
    return values | faces(legs, corpus, queries)


def faces(legs: Legs, corpus: np.ndarray, queries: Mapping[str, np.ndarray]) -> dict[str, Scores]:
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
            rows.setdefault(name, []).append(value["nDCG@10"])
            print(f"{legs.name:14} {name:44} {value['nDCG@10']:.4f}", flush=True)
    head = ["nDCG@10", *(folder.name for folder in folders)]
    body = [[name, *(f"{value:.4f}" for value in values)] for name, values in rows.items()]
    used = _results.setting(
        "chromadb", "llama-index-core", "llama-index-vector-stores-chroma", "langchain-chroma"
    )
    text = f"One collection of Chroma's for each, k = 10.\n\n{_results.table(head, body)}\n\n{used}"
    name = "quality llama"
    _results.write_section(_results.RESULTS, name, f"## Quality through LlamaIndex\n\n{text}")


def table(collections: list[Legs], rows: Mapping[str, list[Scores]], measure: str) -> str:
    """One measure of all rows, with the mean and the smallest gain over the better leg."""
    legs = zip(rows["vectors alone"], rows["BM25 alone"], strict=True)
    better = [max(leg[measure] for leg in pair) for pair in legs]
    body = []
    for name, scores in rows.items():
        values = [each[measure] for each in scores]
        worst = min(value - best for value, best in zip(values, better, strict=True))
        numbers = [f"{value:.3f}" for value in values]
        body.append([name, *numbers, f"{np.mean(values):.3f}", f"{worst:+.3f}"])
    return _results.table([measure, *(c.name for c in collections), "mean", "worst"], body)


def report(collections: list[Legs], tables: list[str]) -> str:
    sizes = ", ".join(f"{c.name} {len(c.data.corpus):,} / {len(c.lists):,}" for c in collections)
    used = _results.setting(
        "langchain-chroma", "langchain-classic", "langchain-community", "tantivy", "ir-measures"
    )
    what = (
        f"Records / queries: {sizes}. Exact vector search, {DEPTH} hits per leg. *worst*: the "
        "smallest gain over the better of the two legs. LangChain's BM25Retriever splits at spaces "
        "unless it is told otherwise: with *our analyzer* as its `preprocess_func`."
    )
    return "\n\n".join((what, *tables, used))


def left_out(collections: list[Legs], rows: dict[str, list[Scores]]) -> dict[str, list[Scores]]:
    """What each collection gets from a choice that only the others had a say in."""
    fixed = {name: values for name, values in rows.items() if ", lexical " in name}
    constants: dict[str, list[Scores]] = {}
    for choice in CONSTANTS:
        constants[str(choice)] = [legs.weighed(choice) for legs in collections]
    return {
        "fixed weights, chosen on the others": _chosen(fixed),
        "weights per query, constants chosen on the others": _chosen(constants),
    }


def _chosen(values: dict[str, list[Scores]]) -> list[Scores]:
    count = len(next(iter(values.values())))
    mean_without = partial(_mean_without, values)
    return [values[max(values, key=partial(mean_without, n))][n] for n in range(count)]


def _mean_without(values: dict[str, list[Scores]], left: int, name: str) -> float:
    return math.fsum(value["nDCG@10"] for n, value in enumerate(values[name]) if n != left)


if __name__ == "__main__":
    main()
