"""What `finetune.py` measures on: collections, what may be learnt from them, and the questions.

Nothing to be learnt comes from test queries: banking77's pairs are two documents of one intent, the
others' a title and its text. `banking77-intents` trains on half of the intents and asks for the
others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.evaluation import load_beir
from langchain_chroma_hybrid.finetune import Example, TrainingData

if TYPE_CHECKING:
    from pathlib import Path

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
    alone: dict[str, str]
    """The texts of records without their titles."""


@cache
def task(folder: Path, collection: str, count: int) -> Task:
    """Read a collection, with so many pairs; what is drawn is drawn by seed 0."""
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
    alone: dict[str, str] = {}
    if name == "banking77":
        examples, queries, positives = _intents(folder / name, data, random, collection)
    else:
        kept = {record.id for _, record in rows}
        examples = _titles(folder / name, kept)
        alone = {e.id or "": e.text for e in examples}
    pairs = TrainingData(examples).without(data.queries.values()).sample(count)
    texts = {record.id: record.text or "" for _, record in rows}
    places = [place for place, _ in rows]
    return Task(texts, vectors[places], queries, dict(data.qrels), pairs, positives, alone)


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
        asked = lines(folder / "queries.jsonl")
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
    rows = [row for row in lines(folder / "corpus.jsonl") if row["_id"] in kept]
    return [Example(r["title"], r["text"], id=r["_id"]) for r in rows if r["title"] and r["text"]]


def lines(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
