"""What every embedding class here shares: checks of texts and vectors, and async."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

Vectors: TypeAlias = NDArray[np.float32]
"""Shape `(n, d)` for documents, `(d,)` for a query."""


class CheckedEmbeddings(Embeddings):
    """LangChain `Embeddings` over arrays, with one clear error for each kind of bad input.

    Subclasses implement `_encode_documents` and `_encode_query`; their results are checked here.
    Every method may be called from several threads. The async methods of `Embeddings` run the sync
    ones in the loop's executor.
    """

    @property
    def fingerprint(self) -> str | None:
        """A digest that is equal for equal vectors and new for a retrained model.

        None when nobody can know, as for a bare function.
        """
        return None

    @property
    def query_fingerprint(self) -> str | None:
        """The same for the vectors of queries, which may depend on more, or on less."""
        return self.fingerprint

    @property
    def weights_fingerprint(self) -> str | None:
        """The same for the weights alone, whatever prompts, length and scale are."""
        return None

    @property
    def computed_by(self) -> str:
        """Backend and precision, such as `onnx-int8`; empty where nobody knows."""
        return ""

    @property
    def dimension(self) -> int | None:
        """Length of the vectors; None before it is known."""
        return None

    def document_vectors(self, texts: Sequence[str]) -> Vectors:
        """Embed documents, shape `(n, d)`, in the order given.

        Raises:
            InvalidArgumentError: `texts` is not a non-empty list of non-empty strings.
            EmbeddingError: the model gave something other than one finite vector per text.
        """
        checked = check_texts(texts)
        return check_vectors(self._encode_documents(checked), len(checked), self.dimension)

    def query_vector(self, text: str) -> Vectors:
        """Embed one query, shape `(d,)`.

        Raises:
            InvalidArgumentError: `text` is not a non-empty string.
            EmbeddingError: the model gave something other than one finite vector.
        """
        checked = replace_surrogates(check_text(text, "text"))
        return check_vector(self._encode_query(checked), self.dimension)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """`document_vectors` as lists of floats, for LangChain."""
        vectors: list[list[float]] = self.document_vectors(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """`query_vector` as a list of floats, for LangChain."""
        vector: list[float] = self.query_vector(text).tolist()
        return vector

    @abstractmethod
    def _encode_documents(self, texts: list[str]) -> Any:
        """Vectors of non-empty texts; anything that NumPy reads as `(n, d)`."""

    @abstractmethod
    def _encode_query(self, text: str) -> Any:
        """The vector of a non-empty text; anything that NumPy reads as `(d,)` or `(1, d)`."""


def check_text(text: object, name: str) -> str:
    """Return `text` as it is, or say what is wrong with the argument `name`. Blanks count as text.

    Raises:
        InvalidArgumentError: not a string, or an empty one.
    """
    if not isinstance(text, str):
        raise InvalidArgumentError.of(name, text, "a string")
    if not text:
        raise InvalidArgumentError.of(name, text, "a non-empty string")
    return text


def check_texts(texts: object) -> list[str]:
    """Return the texts as a list, unchanged.

    Raises:
        InvalidArgumentError: no sequence, empty, or an item is not a non-empty string;
            names its position.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise InvalidArgumentError.of("texts", texts, "a list of strings")
    if not texts:
        raise InvalidArgumentError.of("texts", texts, "at least one text")
    return [check_text(text, f"texts[{position}]") for position, text in enumerate(texts)]


def check_vectors(got: Any, count: int, dimension: int | None = None) -> Vectors:
    """Return `got` as float32 of shape `(count, d)`.

    Args:
        got: what an embedding function gave: lists, arrays, a tensor.
        count: number of texts.
        dimension: the `d` that is expected; None takes any.

    Raises:
        EmbeddingError: wrong count, shape or dimension, ragged, no numbers, NaN, infinity.
    """
    array = _as_array(got)
    if array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise EmbeddingError.of(
            "embeddings", array.shape, f"shape ({count}, d), one vector per text"
        )
    if len(array) != count:
        raise EmbeddingError.of("embeddings", f"{len(array)} vectors", f"{count}, one per text")
    if array.shape[1] == 0 or (dimension is not None and array.shape[1] != dimension):
        wanted = "at least 1" if dimension is None else str(dimension)
        raise EmbeddingError.of("embeddings", f"dimension {array.shape[1]}", f"dimension {wanted}")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise EmbeddingError.of("embeddings", f"NaN or infinity in vector {row}", "finite numbers")
    return array


def check_vector(got: Any, dimension: int | None = None) -> Vectors:
    """Return `got`, of shape `(d,)` or `(1, d)`, as float32 of shape `(d,)`.

    Raises:
        EmbeddingError: see `check_vectors`.
    """
    array = _as_array(got)
    row: Vectors = check_vectors(array[None] if array.ndim == 1 else array, 1, dimension)[0]
    return row


def replace_surrogates(text: str) -> str:
    """The text without half characters, which broken JSON leaves and tokenizers raise at."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _as_array(got: Any) -> NDArray[np.float32]:
    """float32 from lists, arrays and tensors; overflow to infinity is left to the finite check."""
    if hasattr(got, "detach"):  # a torch tensor, perhaps on a GPU or with a gradient
        got = got.detach().float().cpu().numpy()
    try:
        array = np.asarray(got)
        if array.dtype == object:
            array = np.asarray([np.asarray(row) for row in got], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbeddingError.of("embeddings", got, "vectors of one length") from error
    if array.dtype.kind not in "fiu":
        raise EmbeddingError.of("embeddings", f"dtype {array.dtype}", "real numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)
