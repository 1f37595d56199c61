"""Copying records to another collection with vectors of another model, in batches."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid.engine.chroma.rows import Rows, with_vectors
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Matrix
    from langchain_chroma_hybrid.engine.migrate.ledger import Ledger

    TextOf = Callable[[Record], str]
    Progress = Callable[[int, int], None]
    Changing = Callable[[Collection[str]], AbstractContextManager[None]]


def unwatched(_: Collection[str]) -> AbstractContextManager[None]:
    """Nobody is told of a change."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class NewVectors:
    """Makes the vectors of records by a model.

    Attributes:
        embeddings: of texts, and of pictures if they have `embed_image`; None makes none.
        text_of: what of a record is embedded; None means its text.
    """

    embeddings: Embedder | None
    text_of: TextOf | None = None

    def of(self, records: Sequence[Record]) -> Matrix:
        """Vectors `(n, d)` in the order of the records.

        Raises:
            EmbeddingError: the model did not give one vector for each.
            InvalidArgumentError: there is no model.
        """
        pictures = [record for record in records if record.uri is not None]
        texts = [record for record in records if record.uri is None]
        made = dict(zip((r.id for r in texts), self._of_texts(texts), strict=True))
        made |= dict(zip((r.id for r in pictures), self._of_pictures(pictures), strict=True))
        return np.array([made[record.id] for record in records], dtype=np.float32)

    def _of_texts(self, records: Sequence[Record]) -> Sequence[Sequence[float]]:
        of = self.text_of or _text
        # Models refuse a text without characters.
        texts = [of(record) or " " for record in records]
        return _one_each(self._model().embed_documents(texts), len(texts)) if texts else []

    def _of_pictures(self, records: Sequence[Record]) -> Sequence[Sequence[float]]:
        if not records:
            return []
        model = self._model()
        embed = getattr(model, "embed_image", None)
        if embed is None:
            expected = "a model of pictures too, with embed_image"
            raise EmbeddingError.of("embeddings", type(model).__name__, expected)
        return _one_each(embed(uris=[record.uri for record in records]), len(records))

    def _model(self) -> Embedder:
        if self.embeddings is None:
            expected = (
                "the old model, for what was written since the migration; discard=True leaves that "
                "behind"
            )
            raise InvalidArgumentError.of("embeddings", None, expected)
        return self.embeddings


@dataclass(frozen=True, slots=True)
class Copier:
    """Brings a collection into the state of another one, apart from the vectors.

    Attributes:
        batch_size: records that are embedded and written at a time.
        changing: what the target's index has to be told of a change, if it has one by now.
    """

    source: ChromaStore
    target: ChromaStore
    vectors: NewVectors
    ledger: Ledger
    batch_size: int
    changing: Changing = unwatched

    def look(self, progress: Progress | None = None) -> int:
        """Copy what is new or changed since the ledger was written, remove what is gone.

        Returns:
            How many records that were.

        Raises:
            CollectionError: one of the two is gone.
            EmbeddingError: not one vector per record; what was copied before stays.
        """
        look, total, done, changes = self.ledger.begin(), self.source.count(), 0, 0
        for batch in _batches(self.source.select(None), self.batch_size):
            changes += self._copy(batch, look)
            done += len(batch)
            if progress is not None:
                progress(min(done, total), total)
        return changes + self._remove(look)

    def _copy(self, batch: Sequence[Record], look: int) -> int:
        changed, known = self.ledger.changed(batch)
        if changed:
            self._write(changed, known)
        self.ledger.note(batch, look)
        reach("batch copied")
        return len(changed)

    def _write(self, records: Sequence[Record], known: set[str]) -> None:
        """Put records into the target; `known` are the ids that it has already."""
        rows = Rows(
            [record.id for record in records],
            documents=[record.text for record in records],  # type: ignore[misc]  # Chroma takes None
            metadatas=[dict(record.metadata) or None for record in records],
            uris=[record.uri for record in records],  # type: ignore[misc]  # the same
        )
        complete = with_vectors(rows, self.vectors.of(records))  # type: ignore[arg-type]  # rows of a matrix
        with self.changing(rows.ids):
            if known:  # an upsert would leave metadata keys that are gone
                self.target.delete(known)
            for step in complete.batches(self.target.batch_size):
                self.target.upsert(step)
        reach("batch written")

    def _remove(self, look: int) -> int:
        """Delete from the target what this look has not met, and count it."""
        unseen = self.ledger.unseen(look)
        # Pages can miss records while others are deleted.
        there = self.source.fetch(unseen)
        gone = [id_ for id_ in unseen if id_ not in there]
        if gone:
            with self.changing(gone):
                self.target.delete(gone)
            self.ledger.forget(gone)
        return len(gone)


def _one_each(
    vectors: Sequence[Sequence[float]], count: int
) -> Sequence[Sequence[float]]:
    if len(vectors) != count:
        raise EmbeddingError.of("embeddings", f"{len(vectors)} vectors", f"{count}, one per record")
    return vectors


def _text(record: Record) -> str:
    return record.text or ""


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    rest = iter(records)
    while batch := list(islice(rest, size)):
        yield batch
