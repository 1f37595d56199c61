"""What goes into Chroma's calls and what comes out of them, errors included."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from chromadb.base_types import SparseVector
from chromadb.errors import DuplicateIDError, NotFoundError
from chromadb.errors import InvalidArgumentError as ChromaRefusesError

from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.chroma.patience import unreachable
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    CollectionError,
    EmbeddingError,
    FilterError,
    InvalidArgumentError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.engine.chroma.rows import Rows


def records_of(found: Mapping[str, Any]) -> Iterator[Record]:
    """Rows of a `get` as records; Chroma gives None for what a row does not have."""
    rows = zip(found["ids"], found["documents"], found["metadatas"], found["uris"], strict=True)
    for id_, text, metadata, uri in rows:
        yield Record(id_, text, _said(metadata) if metadata else {}, uri)


def _said(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata without what an index keeps there."""
    if not any(isinstance(value, SparseVector) for value in metadata.values()):
        return metadata
    return {k: value for k, value in metadata.items() if not isinstance(value, SparseVector)}


def columns(rows: Rows) -> dict[str, Any]:
    """`rows` as arguments of a write, without what they do not have."""
    given = {
        "ids": list(rows.ids),
        "embeddings": rows.embeddings,
        "documents": rows.documents,
        "metadatas": rows.metadatas,
        "uris": rows.uris,
    }
    return {name: values for name, values in given.items() if values is not None}


def row(embedding: Sequence[float]) -> Any:
    """One vector `(d,)` as a query takes it."""
    return [np.asarray(embedding, dtype=np.float32)]


def pages(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """`ids`, `size` at a time, taken as they are needed."""
    rest = iter(ids)
    while page := list(islice(rest, size)):
        yield page


def let_go(error: BaseException) -> None:
    """Of what the frames of an error hold: one of chromadb's over HTTP holds the error itself.

    Else neither goes before the garbage collector comes, nor a store that was dropped.
    """
    traceback.clear_frames(error.__traceback__)


@contextmanager
def reworded(call: str) -> Iterator[None]:
    """What Chroma says of arguments of `call` that are the user's own, as an error of ours."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, DuplicateIDError) as error:
        if isinstance(error, ChromaHybridError):
            raise
        said = str(error)
        named = "include: " if "include" in said else "ids: " if "ID" in said else ""
        raise InvalidArgumentError(f"{call}: {named}{said}") from error


@contextmanager
def translated() -> Iterator[None]:
    """Chroma's errors that have a meaning here, as ours; the rest passes as it is."""
    try:
        yield
    except httpx.TransportError as error:
        raise unreachable(error) from error
    except NotFoundError as error:
        message = f"the Chroma collection is gone: {error}"
        raise CollectionError(message) from error
    except ChromaRefusesError as error:
        if str(error).startswith("Regex"):
            # Its message shows the pattern, which may be a base filter's.
            reason = str(error).rpartition("error: ")[2].strip()
            message = f"$regex in where_document or a base filter: {reason}"
            raise FilterError(message) from None
        if "expecting embedding with dimension" not in str(error):
            raise
        message = f"embedding: {error}"
        raise EmbeddingError(message) from error
    except ValueError as error:
        if "provide an embedding function" not in str(error):
            raise
        raise EmbeddingError.of("embedding_function", None, "one that gives vectors") from error
