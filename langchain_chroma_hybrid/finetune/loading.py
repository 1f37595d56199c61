"""Training data out of what people have: pairs, judgements, clicks, files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma

from langchain_chroma_hybrid._files import path_of
from langchain_chroma_hybrid.core.checks import items
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.datasets import Dataset, load_beir, load_clicks
from langchain_chroma_hybrid.finetune.data import TrainingData
from langchain_chroma_hybrid.finetune.examples import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_ASKED = 1_000


@known_keywords
def from_pairs(pairs: Iterable[tuple[str, str]]) -> TrainingData:
    """Pairs of a query and a text that answers it.

    Raises:
        InvalidArgumentError: something else.
    """
    return TrainingData([Example(*row) for row in _rows("pairs", pairs, 2)])


@known_keywords
def from_scored_pairs(pairs: Iterable[tuple[str, str, float]]) -> TrainingData:
    """Two texts and how much they belong together, 0..1.

    Raises:
        InvalidArgumentError: something else, or a score outside 0..1.
    """
    rows = _rows("pairs", pairs, 3)
    return TrainingData([Example(left, right, score=score) for left, right, score in rows])


@known_keywords
def from_triplets(triplets: Iterable[Sequence[str]]) -> TrainingData:
    """A query, a text that answers it, and one or more that do not.

    Raises:
        InvalidArgumentError: something else.
    """
    rows = _rows("triplets", triplets, 3, more=True)
    return TrainingData([Example(row[0], row[1], tuple(row[2:])) for row in rows])


@known_keywords
def from_beir(path: str | Path, *, split: str = "train") -> TrainingData:
    """A BEIR folder with its corpus; `split` names the judgements, `qrels/train.tsv`.

    Raises:
        InvalidArgumentError: a file is missing or is not what it should be, or judgements of
            records that are not in the corpus.
    """
    data = load_beir(path, split=split)
    texts = {record.id: record.text or "" for record in data.corpus}
    return _of_judgements(data, texts, "raise")


@known_keywords
def from_judgements(store: Chroma, data: Dataset, *, missing: str = "raise") -> TrainingData:
    """Queries with relevant records (grade above 0) of a collection.

    Args:
        store: the collection that has the records.
        data: see `evaluation.load_csv` and `load_beir`.
        missing: ids that are not in the collection: `raise`, or `drop` and report them.

    Raises:
        InvalidArgumentError: ids are not there.
    """
    one_of("missing", missing, ("raise", "drop"))
    if not isinstance(data, Dataset):
        raise InvalidArgumentError.of_kind("data", data, "a Dataset; see evaluation.load_csv")
    ids = [id_ for grades in data.qrels.values() for id_, grade in grades.items() if grade > 0]
    return _of_judgements(data, texts_of(store, ids), missing)


@known_keywords
def from_clicks(
    store: Chroma, clicks: Iterable[tuple[str, str]], *, missing: str = "raise"
) -> TrainingData:
    """Pairs of a query and the id of the record that was clicked; see `from_judgements`."""
    return from_judgements(store, load_clicks(clicks), missing=missing)


@known_keywords
def from_llama_index(path: str | Path) -> TrainingData:
    """The JSON file of LlamaIndex' `EmbeddingQAFinetuneDataset`.

    Raises:
        InvalidArgumentError: another file, or documents that it does not have.
    """
    file = path_of("path", path)
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
        queries, texts = dict(found["queries"]), dict(found["corpus"])
        answers = {query: dict.fromkeys(items("relevant_docs", ids, "lists"), 1)
                   for query, ids in found["relevant_docs"].items()}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        expected = "a file of EmbeddingQAFinetuneDataset.save_json"
        raise InvalidArgumentError.of("path", file.name, expected) from error
    return _of_judgements(Dataset(queries, answers), texts, "raise")


def check_store(store: object) -> None:
    """Raise `InvalidArgumentError` unless it is a store that can be read."""
    if not isinstance(store, Chroma):
        raise InvalidArgumentError.of("store", store, "a HybridChroma or a Chroma")


def texts_of(store: Chroma, ids: Sequence[str]) -> dict[str, str]:
    """Texts by id of those records that the collection has."""
    check_store(store)
    found: dict[str, str] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _ASKED):
        got = store.get(wanted[start : start + _ASKED], include=["documents"])
        found |= dict(zip(got["ids"], got["documents"], strict=True))
    return {id_: text or "" for id_, text in found.items()}


def _of_judgements(data: Dataset, texts: Mapping[str, str], missing: str) -> TrainingData:
    """An example for each relevant record."""
    pairs = [
        (text, id_)
        for query, text in data.queries.items()
        for id_, grade in data.qrels.get(query, {}).items()
        if grade > 0
    ]
    lost = [id_ for _, id_ in pairs if id_ not in texts]
    if lost and missing == "raise":
        raise InvalidArgumentError(
            f"ids: expected records that are there, got {len(lost)} that are not, such as "
            f"{lost[0]!r}; from_judgements and from_clicks pass them over by missing='drop'"
        )
    found = [Example(text, texts[id_], id=id_) for text, id_ in pairs if id_ in texts]
    unknown = len(data.qrels.keys() - data.queries.keys())
    gone = {"id not in the collection": len(lost), "judged query without a text": unknown}
    return TrainingData(found, dropped={why: count for why, count in gone.items() if count})


def _rows(name: str, given: Iterable[Any], count: int, *, more: bool = False) -> list[Any]:
    """Rows of `count` values, the texts among them strings.

    Raises:
        InvalidArgumentError: names the first row that is something else.
    """
    rows = items(name, given, "rows of texts")
    for place, row in enumerate(rows):
        fits = isinstance(row, list | tuple) and (len(row) == count or (more and len(row) > count))
        if not fits or not all(isinstance(text, str) for text in (row if more else row[:2])):
            expected = f"{'at least ' if more else ''}{count} values, the texts first"
            raise InvalidArgumentError.of_kind(f"{name}[{place}]", row, expected)
    return rows
