"""What the engine knows about the hits of a query, from a folder of texts and vectors."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from langchain_chroma_hybrid.core.analysis.query_words import query_words
from langchain_chroma_hybrid.core.background import SAMPLE, Background, estimate, snippet
from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.core.relevance import NEAR, RIVAL, Evidence
from langchain_chroma_hybrid.evaluation import load_beir
from langchain_chroma_hybrid.lexical.identifiers import Identifiers
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record

Embed: TypeAlias = "Callable[[Sequence[str]], np.ndarray]"
DEPTH = 40


@dataclass
class Searched:
    """Records with unit vectors, searched exactly, and by words."""

    records: Sequence[Record]
    vectors: np.ndarray
    index: TantivyIndex = field(default_factory=TantivyIndex)

    def __post_init__(self) -> None:
        self.index.apply(self.records)
        self.analyzer = self.index.analyzer
        self.ids = [record.id for record in self.records]
        self.rows = {id_: row for row, id_ in enumerate(self.ids)}
        self.known: Counter[str] = Counter()
        for record in self.records:
            self.known.update(set(self.analyzer.document(record.text or "")))

    def evidence(
        self, text: str, vector: np.ndarray, hidden: Collection[str] = frozenset()
    ) -> list[Evidence]:
        """Of the best hits of both legs, as if `hidden` were not there (but for their idf)."""
        cosines = self.vectors @ vector
        cosines[[self.rows[id_] for id_ in hidden]] = -2.0
        most = min(NEAR, len(self.ids) - len(hidden))
        near = np.argpartition(-cosines, most - 1)[:most]
        near = near[np.argsort(-cosines[near])]
        meant = self.index.corrections(text)
        hits = self.index.search(text, DEPTH + len(hidden), corrections=meant)
        bound = self.index.max_score(text, corrections=meant) or 1.0
        shares = {hit.id: hit.score / bound for hit in hits if hit.id not in hidden}
        ranked = [*shares.values(), *[0.0] * RIVAL]
        pool = dict.fromkeys([self.ids[row] for row in near[:DEPTH]] + list(shares))
        rest = frozenset(pool.keys() - shares.keys())
        if rest:
            found = self.index.search(text, len(rest), where=Ids(rest), corrections=meant)
            shares |= {hit.id: hit.score / bound for hit in found}
        words = query_words(self.analyzer, text)
        weights = self.index.weights(" ".join(word.text for word in words))
        nowhere = self.index.unmatched([word for word in words if not word.identifier])
        fields = [PAGE_CONTENT]
        whole = Identifiers.of(words, weights, self.analyzer, fields, nowhere=nowhere)
        last = float(cosines[near[NEAR - 1]]) if most == NEAR else None
        return [
            Evidence(
                float(cosines[self.rows[id_]]),
                shares.get(id_, 0.0),
                last,
                ranked[RIVAL - 1],
                *whole.covered(self.records[self.rows[id_]]),
            )
            for id_ in pool
        ]

    def background(self, embed: Embed, seed: int = 1) -> Background:
        """Estimated from snippets of `SAMPLE` records."""
        random = np.random.default_rng(seed)
        rows = random.permutation(len(self.ids))[:SAMPLE]
        snippets = [snippet(self.records[row].text or "") for row in rows]
        cosines = embed(snippets) @ self.vectors[rows].T
        off = ~np.eye(len(rows), dtype=bool)
        own_shares, rivals = [], []
        for text, row in zip(snippets, rows, strict=True):
            hits = self.index.search(text, 2)
            own = self.index.search(text, 1, where=Ids(frozenset([self.ids[row]])))
            others = [hit.score for hit in hits if hit.id != self.ids[row]]
            bound = self.index.max_score(text)
            if own and bound:
                own_shares.append(own[0].score / bound)
                rivals.append(max(others, default=0.0) / bound)
        return estimate(
            np.diag(cosines).tolist(),
            [line[mask].tolist() for line, mask in zip(cosines, off, strict=True)],
            own_shares,
            rivals,
            len(self.ids),
        )


@dataclass
class Questions:
    """A collection with its judged questions."""

    name: str
    searched: Searched
    queries: dict[str, str]
    vectors: dict[str, np.ndarray]
    relevant: dict[str, frozenset[str]]


def load(folder: Path, prefix: str) -> Questions:
    data = load_beir(folder)
    relevant = {
        query: frozenset(id_ for id_, grade in grades.items() if grade > 0)
        for query, grades in data.qrels.items()
    }
    lines = load_ids(folder)
    matrix = unit(np.load(folder / f"{prefix}.queries.npy"))
    vectors = {q: row for q, row in zip(lines, matrix, strict=True) if relevant.get(q)}
    searched = Searched(data.corpus, unit(np.load(folder / f"{prefix}.corpus.npy")))
    return Questions(folder.name, searched, dict(data.queries), vectors, relevant)


def load_ids(folder: Path) -> list[str]:
    with (folder / "queries.jsonl").open(encoding="utf-8") as file:
        return [str(json.loads(line)["_id"]) for line in file]


def unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
