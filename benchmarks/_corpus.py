"""Real texts with real MiniLM vectors for the latency benchmark, enlarged by perturbed copies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

# Share of the records that a filter passes, and the number of buckets that gives it.
SHARES = {"0.1 %": 1000, "1 %": 100, "14 %": 7, "50 %": 2}
KINDS = ("random", "correlated", "anti-correlated")


@dataclass(frozen=True)
class Corpus:
    """Records and queries with unit vectors `(n, 384)` and `(q, 384)`, float32.

    `focus` are the queries nearest to an anchor; the correlated filters pass the records nearest to
    the anchor, the anti-correlated ones those farthest from it.
    """

    ids: list[str]
    texts: list[str]
    vectors: np.ndarray
    metadatas: list[dict[str, Any]]
    queries: list[str]
    query_vectors: np.ndarray
    focus: list[int]


def load(folders: list[Path], n: int, queries: int, seed: int = 7) -> Corpus:
    """`n` records of all folders; when they have fewer, copies with slightly turned vectors."""
    random = np.random.default_rng(seed)
    texts, vectors, asked, asked_vectors = _read(folders)
    rounds = -(-n // len(texts))
    turned = (
        vectors + random.normal(0, 0.01, vectors.shape).astype(np.float32) for _ in range(1, rounds)
    )
    matrix = np.concatenate([vectors, *map(_unit, turned)])
    order = random.permutation(len(matrix))[:n] if rounds == 1 else np.arange(n)
    matrix = matrix[order]
    chosen = random.permutation(len(asked))[:queries]
    query_vectors = asked_vectors[chosen]
    anchor = query_vectors[0]
    focus = np.argsort(-(query_vectors @ anchor))[: max(5, queries // 10)]
    return Corpus(
        [f"r-{i:07d}" for i in range(n)],
        [texts[i % len(texts)] for i in order],
        matrix,
        _metadatas(matrix @ anchor, random),
        [asked[i] for i in chosen],
        query_vectors,
        [int(i) for i in focus],
    )


def where(kind: str, share: str) -> dict[str, Any]:
    """The filter of one kind and share."""
    buckets = SHARES[share]
    return {f"{kind}_{buckets}": 0 if kind == "random" else True}


def _metadatas(nearness: np.ndarray, random: np.random.Generator) -> list[dict[str, Any]]:
    n = len(nearness)
    columns: dict[str, list[Any]] = {}
    for buckets in SHARES.values():
        columns[f"random_{buckets}"] = random.integers(0, buckets, n).tolist()
        near = np.argsort(-nearness)[: max(1, n // buckets)]
        far = np.argsort(nearness)[: max(1, n // buckets)]
        for kind, passing in (("correlated", near), ("anti-correlated", far)):
            flags = np.zeros(n, dtype=bool)
            flags[passing] = True
            columns[f"{kind}_{buckets}"] = flags.tolist()
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _read(folders: list[Path]) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    texts: list[str] = []
    queries: list[str] = []
    vectors, query_vectors = [], []
    for folder in folders:
        texts += [f"{r['title']} {r['text']}".strip() for r in _lines(folder / "corpus.jsonl")]
        queries += [r["text"] for r in _lines(folder / "queries.jsonl")]
        vectors.append(np.load(folder / "minilm.corpus.npy").astype(np.float32))
        query_vectors.append(np.load(folder / "minilm.queries.npy").astype(np.float32))
    return texts, _unit(np.concatenate(vectors)), queries, _unit(np.concatenate(query_vectors))


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
