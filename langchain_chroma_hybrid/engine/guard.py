"""Whether the model at hand is the one that has filled the collection."""

from __future__ import annotations

import logging
import threading
import warnings
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.core.search import is_model
from langchain_chroma_hybrid.engine.model_notes import FilledBy, ModelNotes
from langchain_chroma_hybrid.errors import (
    ChromaHybridWarning,
    InvalidArgumentError,
    ModelChangedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Matrix
    from langchain_chroma_hybrid.engine.config import LexicalConfig

# Mean cosine of a few records as they are and embedded again. One model in int8 against float32:
# .992. The same model that reads less of a text: .895; another one: near 0 (docs/models.md).
SAME = 0.97
# The same weights by other settings give the same vectors, or they do not.
EQUAL = 0.999
# Records that are embedded again.
PROBES = 3
_log = logging.getLogger(__name__)
_Verdict: TypeAlias = Literal["same", "other", "unknown"]


class ModelGuard:
    """Looks once, before the first query or write that embeds; then it costs nothing.

    Args:
        store: the collection, through the caller's client.
        embeddings: make the vectors.
        config: its `on_model_change` is what becomes of a query or write by another model; None
            means `raise` where the fingerprint of the model is ours, `warn` where records were
            compared, and `ignore` for callables without a name.

    Thread safety: may be called from many threads; the others wait for the first.
    """

    def __init__(self, store: ChromaStore, embeddings: Embedder, config: LexicalConfig) -> None:
        self._store, self._embeddings = store, embeddings
        self._on_change = config.on_model_change
        self._told = config.policy.writers == "ours"
        there = weakref.ref(store)  # else neither would go before the garbage collector comes
        store.filled_by = lambda: _said(there())
        self._lock = threading.Lock()
        self.passed = self._on_change == "ignore" or not is_model(embeddings)

    def check(self, *, writes: bool = False) -> None:
        """Look, unless that was done.

        `writes`: an empty collection is filled by this model from now on.

        Raises:
            ModelChangedError: another model has filled the collection.
            EmbeddingError: its vectors have another dimension.
        """
        if not self.passed:
            with self._lock:
                if not self.passed:
                    self.passed = self._look(writes=writes)

    def adopt(self) -> EmbeddingModel:
        """From now on the collection is ours, and filled by this model, whatever was noted.

        Raises:
            InvalidArgumentError: nobody could tell this model from another.
        """
        model = EmbeddingModel.of(self._embeddings)
        if model.key is None:
            expected = "a model with a name or a fingerprint, as FunctionEmbeddings takes one"
            raise InvalidArgumentError.of("embedding_function", model.kind, expected)
        ModelNotes(self._store).fill(FilledBy(model, owned=True), tell=True)
        return model

    def _look(self, *, writes: bool) -> bool:
        """Whether there is nothing more to find out."""
        model = EmbeddingModel.of(self._embeddings)
        if model.key is None:
            return True
        notes = ModelNotes(self._store)
        filled = notes.read().models.get(self._store.uuid)
        if filled is not None and verdict_of(filled.model, model) == "same":
            return True
        if self._store.count() == 0:
            if writes:
                notes.fill(FilledBy(model, owned=True), tell=self._told)
            return writes
        return self._compared(notes, filled, model)

    def _compared(self, notes: ModelNotes, filled: FilledBy | None, model: EmbeddingModel) -> bool:
        """The same for a collection with records of which it is not known that they are its own."""
        key = model.key or ""
        verdict = verdict_of(filled.model, model) if filled is not None else "unknown"
        seen = None if filled is None else filled.seen.get(key)
        if verdict == "unknown" and seen is None:
            seen = self._similarity()
            if seen is None:
                return True  # no record is of a text alone
            before = filled or FilledBy(EmbeddingModel())
            if before.model.key is None and seen >= SAME:
                before = replace(before, model=model)
            notes.fill(replace(before, seen={**before.seen, key: seen}))
        least = EQUAL if filled is not None and _settings_differ(filled.model, model) else SAME
        if verdict == "other" or (seen is not None and seen < least):
            self._refuse(filled, model, seen)
        return True

    def _similarity(self) -> float | None:
        """Mean cosine of a few records' vectors and what this model makes of their texts."""
        records = self._store.probes(PROBES)
        if not records:
            return None
        made = self._embeddings.embed_documents([record.text or "" for record in records])
        return similarity(self._store, records, np.array(made))

    def _refuse(self, filled: FilledBy | None, model: EmbeddingModel, seen: float | None) -> None:
        """Say so, or raise.

        Raises:
            ModelChangedError: always, or where `on_change` is None and the fingerprint is ours.
        """
        other = filled.model if filled is not None and filled.model.key else None
        ours = filled is not None and filled.owned and filled.model.key is not None
        message = _message(self._store.name, other, model, seen)
        if self._on_change == "raise" or (self._on_change is None and ours):
            raise ModelChangedError(message)
        _log.warning("%s", message)
        warnings.warn(message, ChromaHybridWarning, stacklevel=2)


def _said(store: ChromaStore | None) -> str:
    """Which model has filled the collection; empty if nobody knows."""
    filled = None if store is None else ModelNotes(store).read().models.get(store.uuid)
    return str(filled.model) if filled is not None and filled.model.key else ""


def similarity(store: ChromaStore, records: Sequence[Record], made: Matrix) -> float:
    """Mean cosine of the records' vectors and of those that were made anew, `(n, d)`.

    Raises:
        EmbeddingError: they have another dimension.
    """
    stored = store.vectors([record.id for record in records]).by_id()
    rows = [row for row, record in enumerate(records) if record.id in stored]
    old = np.array([stored[records[row].id] for row in rows], dtype=np.float64)
    new = np.asarray(made, dtype=np.float64)[rows]
    if old.shape[1:] != new.shape[1:]:
        raise store.of_other_dimension(old.shape[-1], new.shape[-1])
    lengths = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    cosines = (old * new).sum(axis=1) / np.maximum(lengths, 1e-30)
    # A model may know no word of a text; then both are nothing.
    return float(np.mean(np.where(old.any(axis=1) | new.any(axis=1), cosines, 1.0)))


def verdict_of(noted: EmbeddingModel, model: EmbeddingModel) -> _Verdict:
    """Whether they are one model, as far as names and digests tell, without a look at vectors."""
    if noted.fingerprint and model.fingerprint:
        if noted.fingerprint == model.fingerprint:
            return "same"
        return "unknown" if _settings_differ(noted, model) else "other"
    if noted.key is not None and noted.key == model.key and not model.local:
        return "same"
    return "unknown"


def _settings_differ(noted: EmbeddingModel, model: EmbeddingModel) -> bool:
    """The same weights with other prompts, another length or scale: it may or may not matter."""
    return noted.weights is not None and noted.weights == model.weights


def _message(
    name: str, other: EmbeddingModel | None, model: EmbeddingModel, seen: float | None
) -> str:
    """Both models, how far they are from each other, and what to do."""
    expected = f"the model that has filled collection {name!r}"
    if other is not None:
        expected += f", {other}"
    got = str(model)
    if other is not None and _settings_differ(other, model):
        got += ", the same weights with another prompt, length or scale"
    if seen is not None:
        got += f", whose vectors of its records have a cosine of {seen:.2f} to theirs"
    return (
        f"embedding_function: expected {expected}, got {got}: give that one, or embed the records "
        "anew with `migrate(store, embeddings)`; on_model_change='ignore' searches as it is"
    )
