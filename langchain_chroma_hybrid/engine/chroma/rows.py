"""What a caller wants written, as rows that Chroma takes: completed, checked, in batches."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.core.explanation import CONTEXT_KEY
from langchain_chroma_hybrid.core.filters.numbers import INT64
from langchain_chroma_hybrid.core.filters.parse import plain
from langchain_chroma_hybrid.core.values import OWN_KEYS
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Metadata
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of records to write; None leaves what Chroma holds, or has nothing to add."""

    ids: Sequence[str]
    embeddings: Sequence[Sequence[float]] | Vector | None = None
    documents: Sequence[str] | None = None
    metadatas: Sequence[Metadata | None] | None = None
    uris: Sequence[str] | None = None

    def batches(self, size: int) -> Iterator[Rows]:
        """The same rows, at most `size` at a time."""
        for start in range(0, len(self.ids), size):
            cut = slice(start, start + size)
            yield Rows(
                self.ids[cut],
                None if self.embeddings is None else self.embeddings[cut],
                None if self.documents is None else self.documents[cut],
                None if self.metadatas is None else self.metadatas[cut],
                None if self.uris is None else self.uris[cut],
            )


def rows_of(
    texts: Iterable[str],
    metadatas: Iterable[Metadata | None] | None,
    ids: Iterable[str | None] | None,
) -> Rows:
    """Rows without vectors; missing ids become UUIDs, missing metadata none at all.

    Raises:
        InvalidArgumentError: names the first bad entry; nothing has been written.
    """
    documents = listed("texts", texts, "several strings")
    for i, text in enumerate(documents):
        if not isinstance(text, str):
            raise InvalidArgumentError.of_kind(f"texts[{i}]", text, _TEXT)
        _check_encodable(f"texts[{i}]", text)
    return Rows(
        _ids(ids, len(documents)),
        documents=documents,
        metadatas=_metadatas(metadatas, len(documents)),
    )


def with_vectors(rows: Rows, vectors: Sequence[Sequence[float]] | None) -> Rows:
    """The rows with their vectors.

    Raises:
        EmbeddingError: not one vector of one length and finite numbers per row.
    """
    if vectors is None:
        return rows
    if len(vectors) != len(rows.ids):
        raise EmbeddingError.of("embeddings", len(vectors), f"{len(rows.ids)} vectors")
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        raise EmbeddingError.of("embeddings", sorted(lengths), "vectors of one length, >= 1")
    matrix = np.asarray(vectors, dtype=np.float32)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        i = int(finite.argmin())
        raise EmbeddingError.of(f"embeddings[{i}]", vectors[i], "finite numbers")
    return replace(rows, embeddings=matrix)


def query_vector(embedding: Any) -> Vector:
    """What an embedding function gave for a query, as float32 `(d,)`.

    Raises:
        EmbeddingError: it is not one row of finite numbers.
    """
    try:
        vector = np.asarray(embedding, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise EmbeddingError.of("embedding", embedding, "one row of numbers") from error
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise EmbeddingError.of("embedding", embedding, "one row of finite numbers")
    return vector


def checked_ids(ids: Iterable[Any]) -> list[str]:
    """Ids that Chroma can hold.

    Raises:
        InvalidArgumentError: names the first that it cannot, or `ids` are none at all.
    """
    several = listed("ids", ids, "several strings")
    for i, id_ in enumerate(several):
        if not isinstance(id_, str) or not id_:
            raise InvalidArgumentError.of(f"ids[{i}]", id_, "a non-empty string")
        _check_encodable(f"ids[{i}]", id_)
    return several


def listed(name: str, values: Any, expected: str) -> list[Any]:
    """Several values as a list.

    Raises:
        InvalidArgumentError: they are none, or one that only looks like several.
    """
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping):
        with suppress(TypeError):  # an array without dimensions
            return list(values)
    # What should have been several is mostly one text, or one document.
    raise InvalidArgumentError.of_kind(name, values, expected)


def is_id(value: object) -> bool:
    """Whether Chroma can hold a record of that id."""
    try:
        return isinstance(value, str) and value != "" and bool(value.encode("utf-8"))
    except UnicodeEncodeError:
        return False


_TEXT = "a string (add_documents takes Documents)"
OF_SEVERAL = (
    "a record's own text: this one was shown with its context (`expand`), which would take its "
    "place; `get_by_ids` gives the record as it is, and without this key the text is stored"
)
"""What is expected of a text that was made of several records."""
_RESERVED_PREFIX = "chroma:"
_METADATA_VALUE = (
    "str, int, float, bool, None, or a non-empty list of one of the first four (LangChain's "
    "`filter_complex_metadata` takes other values out)"
)


def _ids(given: Iterable[str | None] | None, count: int) -> list[str]:
    """An id for each of `count` texts, no id twice; random ones where none is given."""
    if given is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    several = listed("ids", given, "several strings")
    ids = [str(uuid.uuid4()) if id_ is None else id_ for id_ in several]
    if len(ids) != count:
        raise InvalidArgumentError.of("ids", len(ids), f"{count}, one per text")
    checked_ids(ids)
    twice = [id_ for id_, n in Counter(ids).items() if n > 1]
    if twice:
        raise InvalidArgumentError.of("ids", twice, "every id once; these come more than once")
    return ids


def _metadatas(given: Iterable[Metadata | None] | None, count: int) -> list[Metadata | None] | None:
    """Checked metadata per text, filled up with None to `count`; None if none is given at all."""
    if given is None:
        return None
    several = listed("metadatas", given, "several mappings, one for each text")
    if len(several) > count:
        raise InvalidArgumentError.of("metadatas", len(several), f"at most {count}, one per text")
    if not several:
        return None
    metadatas = [_metadata(f"metadatas[{i}]", metadata) for i, metadata in enumerate(several)]
    return [*metadatas, *([None] * (count - len(metadatas)))]


def _metadata(name: str, metadata: Metadata | None) -> Metadata | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise InvalidArgumentError.of_kind(name, metadata, "a mapping")
    # Chroma tells no metadata from empty metadata only by None.
    return dict(_entry(name, key, value) for key, value in metadata.items()) or None


def _entry(name: str, given: object, value: object) -> tuple[str, Any]:
    """A key and its value in plain types; None stays: no such key, and an update removes it."""
    key, place = plain(given), f"{name}[{given!r}]"
    if not isinstance(key, str) or not key:
        raise InvalidArgumentError.of(place, given, "a non-empty string as key")
    if key.startswith(_RESERVED_PREFIX):
        expected = f"a key that does not begin with {_RESERVED_PREFIX}, which Chroma would lose"
        raise InvalidArgumentError.of(place, given, expected)
    _check_encodable(place, key)
    if key == CONTEXT_KEY:
        raise InvalidArgumentError.of_kind(place, value, OF_SEVERAL)
    # What a retriever noted in a copy, a score among them, holds for that one query.
    if value is None or key.startswith(OWN_KEYS):
        return key, None
    elements = [plain(element) for element in (value if isinstance(value, list) else [value])]
    kinds = {type(element) for element in elements}
    if not kinds <= {str, int, float, bool} or len(kinds) != 1:
        # What holds others may hold a text.
        several = isinstance(value, Iterable)
        refuse = InvalidArgumentError.of_kind if several else InvalidArgumentError.of
        raise refuse(place, value, _METADATA_VALUE)
    for element in elements:
        _storable(place, value, element)
    return key, elements if isinstance(value, list) else elements[0]


def _storable(place: str, value: object, element: object) -> None:
    """Refuse what Chroma would take and lose."""
    if isinstance(element, str):
        _check_encodable(place, element)
    elif isinstance(element, float) and not math.isfinite(element):
        # One inside a list makes the whole collection unreadable for good.
        raise InvalidArgumentError.of(place, value, "finite numbers")
    elif isinstance(element, int) and element not in INT64:
        raise InvalidArgumentError.of(place, value, "whole numbers of at most 64 bits")


def _check_encodable(name: str, text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        expected = f"text that UTF-8 can hold (lone surrogate at {error.start})"
        raise InvalidArgumentError.of(name, text[error.start : error.end], expected) from error
