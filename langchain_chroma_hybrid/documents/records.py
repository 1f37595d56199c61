"""Records as JSON lines: what `export` writes, and what others write much like it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.documents.text import check_text, opened
from langchain_chroma_hybrid.engine.chroma.rows import rows_of, with_vectors
from langchain_chroma_hybrid.errors import DocumentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LONGEST = 50_000_000
# By what it is here, what it may be called.
_NAMES = {
    "id": ("id", "_id"),
    "text": ("text", "page_content", "document"),
    "embedding": ("embedding", "vector"),
    "uri": ("uri",),
}


@dataclass(frozen=True, slots=True)
class GivenRecord:
    """One record to be written.

    Attributes:
        text: None for one that has only a vector.
        embedding: its vector `(d,)`; None where it is to be made of the text.
    """

    id: str
    text: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    uri: str | None = None
    embedding: list[float] | None = None


@known_keywords
def read_records(path: Path, *, encoding: str = "utf-8") -> Iterator[GivenRecord]:
    """The records of a file of JSON lines, one after the other.

    A line is an object with `text` (or `page_content`, `document`) or `embedding` (or `vector`),
    and perhaps `id` (or `_id`), `uri`, and `metadata`; all other keys are metadata as well. The id
    of one without depends on its content alone, so that equal ones are one.

    Raises:
        DocumentError: names the first line that cannot be stored, that has an id which came before,
            or a vector of another length.
        OSError: the file cannot be read.
    """
    lines: dict[str, int] = {}
    lengths: set[int] = set()
    with opened(path, encoding) as file:
        number = 0
        while line := file.readline(_LONGEST + 1):
            number += 1
            if not line.strip():
                continue
            try:
                record, named = _record(line)
                lengths.update([] if record.embedding is None else [len(record.embedding)])
                if len(lengths) > 1:
                    raise DocumentError("embedding: of another length than those before")
            except (DocumentError, InvalidArgumentError) as error:
                # A line is the only one of the rows that were checked.
                raise DocumentError(f"line {number}: {error}".replace("s[0]", "")) from error
            first = lines.setdefault(record.id, number)
            if first == number:
                yield record
            elif named:
                raise DocumentError(f"line {number}: the id {record.id!r} is that of line {first}")


def _record(line: str) -> tuple[GivenRecord, bool]:
    """A checked record, and whether its id was given."""
    if len(line) > _LONGEST:
        raise DocumentError(f"longer than {_LONGEST:,} characters")
    check_text(line)
    try:
        given = json.loads(line, parse_constant=_refused)
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON ({error})") from error
    if not isinstance(given, dict):
        raise DocumentError("not a JSON object")
    values = {name: _taken(given, names) for name, names in _NAMES.items()}
    inner = given.pop("metadata", None) or {}
    if not isinstance(inner, dict):
        raise DocumentError("metadata: expected an object")
    metadata = {**given, **inner}
    _check(values, metadata)
    named = values["id"] is not None
    if not named:
        content = json.dumps([values, metadata], sort_keys=True)
        values["id"] = hashlib.sha256(content.encode()).hexdigest()[:32]
    return GivenRecord(metadata=metadata, **values), named


def _taken(given: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value under one of the names, which leaves `given`; None without any."""
    present = [name for name in names if name in given]
    if len(present) > 1:
        raise DocumentError(f"{' and '.join(present)} mean the same")
    return given.pop(present[0]) if present else None


def _check(values: Mapping[str, Any], metadata: dict[str, Any]) -> None:
    """Refuse what no collection can hold."""
    text, uri, vector = values["text"], values["uri"], values["embedding"]
    for name in ("text", "uri"):
        if values[name] is not None and not isinstance(values[name], str):
            raise DocumentError(f"{name}: expected a string")
    if text is None and vector is None:
        raise DocumentError("neither text nor embedding")
    if vector is not None and not (isinstance(vector, list) and all(map(_is_number, vector))):
        raise DocumentError("embedding: expected a list of numbers")
    rows = rows_of([text or ""], [metadata], [values["id"]])
    with_vectors(rows, None if vector is None else [vector])
    if uri is not None:
        rows_of([uri], None, None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(name: str) -> NoReturn:
    raise DocumentError(f"{name} is no number of JSON")
