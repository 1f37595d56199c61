"""What engines share: which texts of a record are searched, and which records can be indexed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.values import digest
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.values import Record

PAGE_CONTENT = "page_content"
"""The name under which `lexical_fields` has `Record.text`."""


def field_texts(record: Record, name: str) -> list[str]:
    """The texts of one lexical field: strings as they are, other values as Python writes them."""
    value = record.text if name == PAGE_CONTENT else record.metadata.get(name)
    if value is None:
        return []
    values = value if isinstance(value, list | tuple) else [value]
    return [part if isinstance(part, str) else str(part) for part in values]


def fields_of(lexical: object) -> tuple[str, ...]:
    """Names of what an index searches: the text alone, unless it says more."""
    return tuple(getattr(lexical, "lexical_fields", None) or (PAGE_CONTENT,))


def checked(records: Sequence[Record]) -> dict[str, str]:
    """The digest of each record by id, if all are such that Chroma can hold them.

    Raises:
        InvalidArgumentError: an id that is no Unicode text, a text that is neither None nor str, or
            metadata that is not scalars and lists of scalars under strings.
    """
    digests = [_digest(record) for record in records]
    return {record.id: found for record, found in zip(records, digests, strict=True)}


def _digest(record: Record) -> str:
    try:
        record.id.encode()
        if isinstance(record.text, str | None) and all(map(_is_metadata, record.metadata.items())):
            return digest(record)
    except (AttributeError, TypeError, ValueError):
        pass
    expected = "a Unicode id, text or None, and metadata of scalars and lists of scalars"
    raise InvalidArgumentError.of("upserts", record, expected)


def _is_metadata(item: tuple[object, object]) -> bool:
    key, value = item
    values = value if isinstance(value, list | tuple) else [value]
    return isinstance(key, str) and all(map(_is_scalar, values))


def _is_scalar(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max  # Chroma makes floats of those over 64 bits
    return isinstance(value, str | float)


def matched_terms(
    analyzer: Analyzer, query: str, record: Record, names: Iterable[str]
) -> tuple[str, ...]:
    """The words in the fields `names` of `record` that match `query`, each once, as they stand."""
    words: dict[str, str] = {}
    for text in (text for name in names for text in field_texts(record, name)):
        for start, end in analyzer.highlight(query, text):
            words.setdefault(text[start:end].casefold(), text[start:end])
    return tuple(words.values())


def checked_fields(fields: Mapping[str, float] | None) -> dict[str, float]:
    """`lexical_fields` with its default.

    Raises:
        InvalidArgumentError: no fields, a name that is no string, a boost not in (0, infinity).
    """
    given = {PAGE_CONTENT: 1.0} if fields is None else fields
    good = isinstance(given, Mapping) and bool(given)
    if not (good and all(_is_boost(name, boost) for name, boost in given.items())):
        expected = f"a mapping of names to finite boosts > 0, such as {{{PAGE_CONTENT!r}: 1.0}}"
        raise InvalidArgumentError.of("lexical_fields", fields, expected)
    return {name: float(boost) for name, boost in given.items()}


def _is_boost(name: object, boost: object) -> bool:
    number = isinstance(boost, Real) and not isinstance(boost, bool)
    return isinstance(name, str) and number and 0 < float(boost) < math.inf  # type: ignore[arg-type]  # a Real
