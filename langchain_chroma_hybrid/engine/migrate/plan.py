"""Looking before the leap: how much there is to embed, how long it takes, whether there is room."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.engine.migrate.report import MigrationReport
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError, WriteError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.migrate.copier import NewVectors

_SAMPLE = 16
_NAMED = 5
_TOKENS = 4e6  # characters of a million tokens
# Bytes of a number in the vector index and in Chroma's log of what is not in it yet.
_NUMBER = 8
_RECORD = 1_000


@dataclass(frozen=True, slots=True)
class Costs:
    """What is known of a migration before it begins: a report, and the dimension of its vectors."""

    report: MigrationReport
    dimension: int


def costs(store: ChromaStore, vectors: NewVectors, target: str, price: float | None) -> Costs:
    """Read all records once and embed a few of them.

    Raises:
        InvalidArgumentError: the collection is empty.
        EmbeddingError: the model cannot embed what there is.
    """
    records = pictures = characters = 0
    lost: list[str] = []
    sample: list[Record] = []
    for record in store.select(None):
        records += 1
        pictures += record.uri is not None
        characters += len(record.text or "")
        if record.uri is None and record.text is None:
            lost.append(record.id)
        elif len(sample) < _SAMPLE:
            sample.append(record)
    if not records:
        raise InvalidArgumentError.of("store", f"{store.name!r}, which is empty", "records")
    seconds, dimension = _timed(vectors, sample)
    filled = ModelNotes(store).read().models.get(store.uuid)
    report = MigrationReport(
        store.name,
        target,
        None if filled is None or filled.model.key is None else filled.model,
        EmbeddingModel.of(vectors.embeddings),
        records,
        pictures,
        tuple(lost[:_NAMED]),
        characters,
        seconds * records,
        None if price is None else price * characters / _TOKENS,
    )
    return Costs(report, dimension)


def refuse(store: ChromaStore, found: Costs) -> None:
    """Raise where it would end badly.

    Raises:
        EmbeddingError: records that nothing can be embedded of.
        WriteError: no room on disk.
    """
    report = found.report
    if report.lost:
        raise EmbeddingError(
            f"records: expected a text or a picture's address in each, got neither in "
            f"{', '.join(map(repr, report.lost))}{' and others' * (len(report.lost) == _NAMED)}: "
            "their vectors cannot be made anew; delete them, or give them texts"
        )
    if store.directory is None:
        return
    needed = report.records * (found.dimension * _NUMBER + _RECORD) + 3 * report.characters
    free = shutil.disk_usage(store.directory).free
    if free < needed:
        raise WriteError(
            f"no room for a second collection: about {needed / 1e6:.0f} MB are needed at "
            f"{store.directory}, and {free / 1e6:.0f} MB are free; nothing was written"
        )


def _timed(vectors: NewVectors, sample: list[Record]) -> tuple[float, int]:
    """Seconds for a record, and the dimension."""
    if not sample:
        return 0.0, 0
    vectors.of(sample[:1])  # models load at their first text
    start = time.perf_counter()
    made = vectors.of(sample)
    return (time.perf_counter() - start) / len(sample), made.shape[1]
