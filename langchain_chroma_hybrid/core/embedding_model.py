"""Which model makes a space of vectors, as far as it can be told from its embeddings object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

# What other libraries call the name of their model.
_NAMES = ("model_name", "model", "model_id", "deployment", "deployment_name", "repo_id")


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model and the options that change its document vectors.

    Attributes:
        kind: the class of the embeddings.
        name: of the model, such as a path or what a provider calls it; empty where nobody knows.
        fingerprint: equal for equal vectors, new for a retrained model; None where nobody can know.
        weights: the same of the weights alone, whatever prompts, truncation and scaling are.
        dimension: length of the vectors, where it is known.
        computed_by: backend and precision, such as `torch` or `onnx-int8`. Not a part of the
            fingerprint: what one has embedded may be searched through the other.
    """

    kind: str = ""
    name: str = ""
    fingerprint: str | None = None
    weights: str | None = None
    dimension: int | None = None
    computed_by: str = ""

    @classmethod
    def of(cls, embeddings: object) -> Self:
        """What an embeddings object says of itself. May load the model, for its fingerprint."""
        fingerprint = _text(getattr(embeddings, "fingerprint", None))
        dimension = getattr(embeddings, "dimension", None)
        return cls(
            type(embeddings).__name__,
            _name(embeddings),
            fingerprint or None,
            _text(getattr(embeddings, "weights_fingerprint", None)) or None,
            dimension if isinstance(dimension, int) else None,
            _text(getattr(embeddings, "computed_by", None)),
        )

    @classmethod
    def read(cls, noted: object) -> Self | None:
        """What `noted` holds, as `note` gave it; None if it makes no sense."""
        try:
            found = cls(**noted)  # type: ignore[arg-type]  # an error where it is no mapping
        except TypeError:
            return None
        texts = (found.kind, found.name, found.computed_by)
        digests = (found.fingerprint, found.weights)
        whole = all(isinstance(text, str) for text in texts)
        whole = whole and all(isinstance(digest, str | None) for digest in digests)
        return found if whole and isinstance(found.dimension, int | None) else None

    def note(self) -> dict[str, Any]:
        """The same as values that JSON holds."""
        return asdict(self)

    @property
    def key(self) -> str | None:
        """What two of the same model have in common; None for a callable without a name."""
        return self.fingerprint or (f"{self.kind}({self.name})" if self.name else None)

    @property
    def local(self) -> bool:
        """Whether its name is that of a folder, where another model may lie tomorrow."""
        try:
            return bool(self.name) and Path(self.name).exists()
        except (OSError, ValueError):
            return False

    def __str__(self) -> str:
        """Its name with as much of its fingerprint as tells two apart."""
        said = self.name or self.kind or "a model without a name"
        return f"{said} ({self.fingerprint[:12]})" if self.fingerprint else said


def _name(embeddings: object) -> str:
    for place in _NAMES:
        named = getattr(embeddings, place, None)
        if isinstance(named, str | Path) and str(named):
            return str(named)
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
