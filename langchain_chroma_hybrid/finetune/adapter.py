"""A small layer after the query's vector, learned; the collection stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from langchain_chroma_hybrid._files import path_of, sync_folder, write_json
from langchain_chroma_hybrid._langchain.arguments import check_embeddings
from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import plain
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.base import CheckedEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.workspace import writing

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

FORMAT = 1
WEIGHTS, NOTES = "adapter.safetensors", "adapter.json"
LINEAR, MLP = {"linear"}, {"inner", "inner_bias", "outer"}


class AdaptedEmbeddings(CheckedEmbeddings):
    """Embeddings whose query vectors go through a layer of `train_adapter`; documents do not.

    So the vectors of a collection stay as they are, and queries are embedded as before and then
    moved: `q + W q`, or `q + W2 relu(W1 q + b)`, at the length that the vector had. May be used by
    several threads, if `base` may.

    Args:
        base: what has embedded the collection: any LangChain `Embeddings`, services included.
        weights: `linear` of shape `(d, d)`; or `inner` `(h, d)`, `inner_bias` `(h,)` and `outer`
            `(d, h)`.

    Raises:
        InvalidArgumentError: weights of other names or shapes, not finite, or for vectors of
            another dimension.
    """

    @known_keywords
    def __init__(self, base: Embeddings, weights: Mapping[str, NDArray[np.float32]]) -> None:
        if base is None:
            raise InvalidArgumentError.of("base", base, "LangChain Embeddings")
        check_embeddings(base, "base")
        self.base, self.weights = base, _checked(weights)
        first = self.weights["linear" if "linear" in self.weights else "inner"]
        self._dimension = int(first.shape[1])
        known = getattr(base, "dimension", None)
        if known not in (None, self._dimension):
            raise self._other(known)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], base: Embeddings) -> Self:
        """What `save` wrote, over the embeddings that it was trained with.

        Raises:
            InvalidArgumentError: another folder, or other embeddings by their fingerprint.
        """
        path = path_of("folder", folder)
        try:
            notes = json.loads((path / NOTES).read_text(encoding="utf-8"))
            weights = require("safetensors.numpy", "local").load_file(path / WEIGHTS)
            version, known = notes["version"], notes["base"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidArgumentError.of("folder", path.name, "one of an adapter") from error
        except Exception as error:  # safetensors has an error of its own
            raise InvalidArgumentError.of("folder", path.name, "whole weights") from error
        if version != FORMAT:
            raise InvalidArgumentError.of("version", version, f"{FORMAT}; of a newer version?")
        own = getattr(base, "fingerprint", None)
        if known is not None and own is not None and own != known:
            raise InvalidArgumentError.of("base", own, f"the embeddings it was made for ({known})")
        found = cls(base, weights)
        if found.digest != notes.get("digest"):
            raise InvalidArgumentError.of("folder", path.name, "the weights that were saved there")
        return found

    def save(self, folder: str | os.PathLike[str], notes: Mapping[str, Any] | None = None) -> None:
        """Write the layer to a new folder, which appears once it is complete.

        Raises:
            InvalidArgumentError: the folder is there, or notes that JSON cannot hold.
            WriteError: no room on disk.
        """
        path, own = path_of("folder", folder).absolute(), plain("notes", notes or {})
        if path.exists():
            raise InvalidArgumentError.of("folder", str(path), "one that is not there")
        part = path.with_name(f".{path.name}.{os.getpid()}")
        known = {"version": FORMAT, "base": self.fingerprint, "digest": self.digest}
        try:
            with writing(path):
                part.mkdir(parents=True)
                require("safetensors.numpy", "local").save_file(self.weights, part / WEIGHTS)
                write_json(part / NOTES, {**own, **known})
                part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(path.parent)

    @property
    def digest(self) -> str:
        """16 hex digits over the layer."""
        found = hashlib.sha256()
        for name in sorted(self.weights):
            found.update(name.encode() + self.weights[name].tobytes())
        return found.hexdigest()[:16]

    @property
    def fingerprint(self) -> str | None:
        """That of the base, since documents are embedded by it."""
        return getattr(self.base, "fingerprint", None)

    @property
    def query_fingerprint(self) -> str | None:
        """That of the base, with the layer's."""
        own = getattr(self.base, "query_fingerprint", self.fingerprint)
        return None if own is None else f"{own}/{self.digest}"

    @property
    def weights_fingerprint(self) -> str | None:
        """That of the base."""
        return getattr(self.base, "weights_fingerprint", None)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._dimension

    def _encode_documents(self, texts: list[str]) -> Any:
        return self.base.embed_documents(texts)

    def _encode_query(self, text: str) -> Any:
        return self.moved(np.asarray(self.base.embed_query(text), dtype=np.float32)[None])

    def moved(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Query vectors `(n, d)` after the layer, each as long as it was.

        Raises:
            InvalidArgumentError: vectors of another dimension.
        """
        if vectors.shape[1] != self._dimension:
            raise self._other(vectors.shape[1])
        w = self.weights
        if "linear" in w:
            change = vectors @ w["linear"].T
        else:
            change = np.maximum(vectors @ w["inner"].T + w["inner_bias"], 0) @ w["outer"].T
        found = vectors + change
        before, after = (np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, found))
        scaled: NDArray[np.float32] = found * (before / np.where(after > 0, after, 1.0))
        return scaled

    def _other(self, dimension: Any) -> InvalidArgumentError:
        expected = f"embeddings of dimension {self._dimension}"
        return InvalidArgumentError.of("base", f"dimension {dimension}", expected)


def _checked(weights: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """The weights as arrays.

    Raises:
        InvalidArgumentError: names, shapes or values that a layer cannot have.
    """
    if not isinstance(weights, Mapping) or set(weights) not in (LINEAR, MLP):
        raise InvalidArgumentError.of_kind("weights", weights, f"a mapping of {LINEAR} or {MLP}")
    try:
        found = {name: np.asarray(w, dtype=np.float32) for name, w in weights.items()}
        if set(found) == LINEAR:
            fits = found["linear"].shape == (len(found["linear"]),) * 2
        else:
            h, d = found["inner"].shape
            fits = (found["inner_bias"].shape, found["outer"].shape) == ((h,), (d, h))
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError.of_kind("weights", weights, "arrays of numbers") from error
    if not fits or not all(np.isfinite(w).all() for w in found.values()):
        shapes = {name: w.shape for name, w in found.items()}
        expected = "finite ones, linear (d, d) or inner (h, d), inner_bias (h,), outer (d, h)"
        raise InvalidArgumentError.of("weights", shapes, expected)
    return found
