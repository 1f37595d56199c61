"""Queries and judgements from BEIR folders, CSV files and click lists."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._files import path_of
from langchain_chroma_hybrid.core.checks import items
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.evaluation.metrics import Qrels


_MOST_GRADE = 1_000_000  # grades are gains, of which sums are made
_CLICKS = ([str, str], [str, int])


@dataclass(frozen=True, slots=True)
class Dataset:
    """Queries with judgements, and the corpus where there is one.

    Attributes:
        queries: text by query id; only queries that have judgements.
        qrels: grade by record id by query id; above 0 means relevant.
        corpus: the records to be searched; empty where only judgements are known.
    """

    queries: Mapping[str, str]
    qrels: Qrels
    corpus: tuple[Record, ...] = ()


@known_keywords
def load_beir(path: str | Path, *, split: str | None = None) -> Dataset:
    """A BEIR folder: `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` or `qrels/test.tsv`.

    A record's text is title and text, as BEIR embeds them. `split` names other judgements, such as
    `train` for `qrels/train.tsv`.

    Raises:
        InvalidArgumentError: a file is missing or is not what it should be.
    """
    folder = path_of("path", path)
    qrels: dict[str, dict[str, int]] = {}
    named, split_of = folder / "qrels.tsv", folder / "qrels" / f"{split or 'test'}.tsv"
    for row in read_table(named if split is None and named.exists() else split_of, "\t", 3):
        if row[-1].lower() != "score":  # the header
            qrels.setdefault(row[0], {})[row[-2]] = _grade(row[-1], folder)
    texts = {row["_id"]: row["text"] for row in _lines(folder / "queries.jsonl", ("_id", "text"))}
    corpus = tuple(_record(row) for row in _lines(folder / "corpus.jsonl", ("_id",)))
    return Dataset({q: texts[q] for q in qrels if q in texts}, qrels, corpus)


@known_keywords
def load_csv(path: str | Path) -> Dataset:
    """A CSV file with the columns `query`, `id` and, if it likes, `grade` (1 if left out).

    Raises:
        InvalidArgumentError: the file is missing, lacks a column, or a grade is no whole number.
    """
    file = path_of("path", path)
    rows = read_table(file, ",", 2)
    head = [name.strip().lower() for name in rows[0]] if rows else []
    if "query" not in head or "id" not in head:
        raise InvalidArgumentError.of("path", str(path), "a CSV file with columns query, id, grade")
    query, id_ = head.index("query"), head.index("id")
    grade = head.index("grade") if "grade" in head else None
    qrels: dict[str, dict[str, int]] = {}
    for row in rows[1:]:
        if len(row) < len(head):
            raise InvalidArgumentError.of("path", row, f"{len(head)} columns in {file.name}")
        given = 1 if grade is None else _grade(row[grade], file)
        qrels.setdefault(row[query], {})[row[id_]] = given
    return Dataset({text: text for text in qrels}, qrels)


@known_keywords
def load_clicks(clicks: Iterable[tuple[str, str]]) -> Dataset:
    """Pairs of query text and the id that was clicked; the grade is the number of clicks.

    Raises:
        InvalidArgumentError: something else.
    """
    qrels: dict[str, dict[str, int]] = {}
    for place, click in enumerate(items("clicks", clicks, "pairs of query and id")):
        if not isinstance(click, list | tuple) or list(map(type, click)) not in _CLICKS:
            raise InvalidArgumentError.of_kind(f"clicks[{place}]", click, "a pair of query and id")
        query, id_ = click
        found = qrels.setdefault(query, {})
        found[str(id_)] = found.get(str(id_), 0) + 1
    return Dataset({text: text for text in qrels}, qrels)


def _record(row: Mapping[str, Any]) -> Record:
    parts = [row.get(key) or "" for key in ("title", "text")]
    if not all(isinstance(part, str) for part in parts):
        raise InvalidArgumentError.of("title, text", parts, f"strings, for record {row['_id']!r}")
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InvalidArgumentError.of("metadata", metadata, f"an object, for record {row['_id']!r}")
    return Record(row["_id"], " ".join(parts).strip(), metadata)


def _grade(value: str, path: Path) -> int:
    try:
        grade = int(float(value))
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError.of("grade", value, f"a number, in {path.name}") from error
    if abs(grade) > _MOST_GRADE:
        raise InvalidArgumentError.of("grade", value, f"at most {_MOST_GRADE}, in {path.name}")
    return grade


def read_table(path: Path, delimiter: str, columns: int) -> list[list[str]]:
    """The rows of a file in UTF-8 that are not empty, the header among them.

    Raises:
        InvalidArgumentError: no such file, no table, or a row of fewer columns.
    """
    try:
        with _opened(path).open(encoding="utf-8-sig", newline="") as lines:
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except (UnicodeError, csv.Error) as error:
        raise InvalidArgumentError.of("path", path.name, f"a table ({error})") from error
    if short := [row for row in rows if len(row) < columns]:
        raise InvalidArgumentError.of("path", short[0], f"{columns} columns in {path.name}")
    return rows


def _lines(path: Path, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Objects with at least `keys`, whose values, texts or numbers, become strings."""
    with _opened(path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield {**row, **{key: _written(row[key]) for key in keys}}
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                expected = f"an object with {', '.join(keys)} in line {number} of {path.name}"
                raise InvalidArgumentError.of("path", line[:80], expected) from error


def _written(value: object) -> str:
    """A text or number as text."""
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(value)


def _opened(path: Path) -> Path:
    if not path.is_file():
        raise InvalidArgumentError.of("path", path.name, f"a file in {path.parent.name}")
    return path
