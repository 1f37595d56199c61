"""The sides of a joint model that are no text: pictures or sounds, by a model or by a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.embeddings.base import Vectors, check_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
        SentenceTransformerEmbeddings,
    )

_TINY = np.float32(1e-12)
_PLURAL = {"image": "pictures", "audio": "sounds"}


class FunctionSide:
    """A user's function; None where there is none."""

    fingerprint: str | None = None
    processor: Any = None

    def __init__(self, name: str, function: Callable[[list[Any]], Any] | None) -> None:
        if function is not None and not callable(function):
            raise InvalidArgumentError.of(name, function, "a callable")
        self._name, self._function = name, function

    @property
    def there(self) -> bool:
        """Whether one was given."""
        return self._function is not None

    def encode(self, given: Sequence[Any], batch_size: int) -> Any:
        """Raises InvalidArgumentError without a function, EmbeddingError for what it gives."""
        if self._function is None:
            raise InvalidArgumentError.of(self._name, None, "a callable, for this kind of input")
        parts = []
        for at in range(0, len(given), batch_size):
            some = list(given[at : at + batch_size])
            parts.append(check_vectors(self._function(some), len(some)))
        return np.concatenate(parts)


class ModelSide:
    """A Sentence Transformers model, asked for one modality: `image` or `audio`."""

    def __init__(self, embeddings: SentenceTransformerEmbeddings, modality: str) -> None:
        self.embeddings = embeddings
        self._modality = modality

    @property
    def there(self) -> bool:
        """Whether the model knows the modality."""
        return self._modality in self.embeddings.model.modalities

    @property
    def fingerprint(self) -> str:
        """Of the model as a whole."""
        return self.embeddings.fingerprint

    @property
    def processor(self) -> Any:
        """The modality's part of the model's processor."""
        name = "image_processor" if self._modality == "image" else "feature_extractor"
        return getattr(getattr(self.embeddings.model, "processor", None), name, None)

    def encode(self, given: Sequence[Any], batch_size: int) -> Any:
        """One vector for each, in batches, without gradients."""
        model = self._ready()
        options: dict[str, Any] = {}
        longest = getattr(self.processor, "nb_max_samples", None)
        if self._modality == "audio" and longest:
            # CLAP's, which would else cut sounds to the number of tokens that a text may have, and
            # with `fusion` take one of each batch by chance for longer than it is.
            options["processing_kwargs"] = {"audio": {"max_length": longest}}
            if self.processor.truncation == "fusion":
                batch_size = 1
        return model.encode_document(
            [{self._modality: each} for each in given],
            batch_size=batch_size,
            truncate_dim=self.embeddings.options.truncate_dim,
            show_progress_bar=False,
            **options,
        )

    def _ready(self) -> Any:
        """The model; one that has not this side is refused."""
        model = self.embeddings.model
        if not self.there:
            raise InvalidArgumentError.of(
                "model",
                self.embeddings.source.name or type(model).__name__,
                f"a joint model of texts and {_PLURAL[self._modality]}, "
                f"not of {model.modalities} alone",
            )
        return model


def pooled(vectors: Sequence[Vectors]) -> Vectors:
    """The mean direction `(d,)` of vectors of any length, scaled to 1; one vector as it is."""
    if len(vectors) == 1:
        return vectors[0]
    rows = np.asarray(vectors, dtype=np.float32)
    mean = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)).mean(axis=0)
    unit: Vectors = mean / np.maximum(np.linalg.norm(mean), _TINY)
    return unit
