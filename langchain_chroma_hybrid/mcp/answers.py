"""What tools answer: a text for the model, and the same as values that programs read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from langchain_chroma_hybrid.core.citations import NOTICE, fenced, one_line
from langchain_chroma_hybrid.core.filter_schema import short
from langchain_chroma_hybrid.core.search_tool import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.citations import Citation
    from langchain_chroma_hybrid.core.description import Description, KeyDescription
    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.core.values import Record

MAX_CHARACTERS = 8_000
"""Most characters of all texts in one answer."""
_MAX_METADATA = 1_000  # characters of one record's metadata
_MAX_SOURCE = 300

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_WHOLE = {"type": "integer"}
TEXTS = {"type": "array", "items": _TEXT}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _several(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _object(properties)}


_SOURCE = {
    "number": {"type": "integer", "description": "As it is cited: [1]."},
    "id": _TEXT,
    "source": _TEXT_OR_NULL,
    "relevance": {"type": ["number", "null"], "description": "0 to 1, comparable."},
    "quote": _TEXT,
    "passage": _TEXT,
    "resource": {"type": "string", "description": "URI of the whole record."},
}
_RECORD = {
    "id": _TEXT,
    "text": _TEXT,
    "start": {"type": "integer", "description": "Where in the record's text `text` begins."},
    "characters": {"type": "integer", "description": "Of the record's whole text."},
    "metadata": {"type": "object"},
}
_KEY = {
    "name": _TEXT,
    "type": _TEXT_OR_NULL,
    "list": {"type": "boolean"},
    "share": {"type": "number"},
    "low": _NUMBER_OR_NULL,
    "high": _NUMBER_OR_NULL,
    "values": {"type": "array"},
    "complete": {"type": "boolean"},
}
SOURCES = _object({"sources": _several(_SOURCE), "unmatched": TEXTS})
RECORDS = _object({"records": _several(_RECORD), "missing": TEXTS})
KEYS = _object(
    {"collection": _TEXT, "records": _WHOLE, "looked_at": _WHOLE, "keys": _several(_KEY)}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The text and the values of one answer."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resources:
    """URIs of a collection's records."""

    collection: str

    @property
    def root(self) -> str:
        """The URI of the collection itself."""
        return f"chroma://{self.collection}"

    @property
    def template(self) -> str:
        """The URIs of all records."""
        return f"{self.root}/{{id}}"

    def uri(self, id_: str) -> str:
        """The URI of one record."""
        return f"{self.root}/{quote(id_, safe='')}"

    def id_of(self, uri: str) -> str | None:
        """The id in a URI; None if it is none of ours."""
        beginning, id_ = f"{self.root}/", ""
        if uri.startswith(beginning):
            try:
                id_ = unquote(uri[len(beginning) :], errors="strict")
            except UnicodeDecodeError:
                return None
        return id_ or None

    def sources(self, result: SearchResult, *, filtered: bool) -> Answer:
        """Results as numbered sources, and what is to be said of them."""
        text, cited = Shown(MAX_CHARACTERS).told(result, filtered=filtered)
        sources = [self._source(each) for each in cited]
        return Answer(text, {"sources": sources, "unmatched": list(result.unmatched)})

    def _source(self, cited: Citation) -> dict[str, Any]:
        """One source as `_SOURCE` says."""
        return {
            "number": cited.number,
            "id": cited.id,
            "source": cited.source and cited.source[:_MAX_SOURCE],
            "relevance": cited.relevance,
            "quote": cited.quote[:MAX_CHARACTERS],
            "passage": cited.passage,
            "resource": self.uri(cited.id),
        }


def records(found: Mapping[str, Record], missing: Sequence[str], start: int) -> Answer:
    """Whole records from a character of their texts on, as many as there is room for."""
    left = MAX_CHARACTERS
    shown, values = [], []
    for record in found.values():
        text = record.text or ""
        part = text[start : start + left]
        left -= len(part)
        metadata = _bounded(record.metadata)
        said = f"id: {one_line(record.id)}, metadata: {json.dumps(metadata, ensure_ascii=False)}"
        end = start + len(part)
        if len(part) < len(text):
            said += f"\ncharacters {min(start, len(text))} to {min(end, len(text))} of {len(text)}"
            said += f"; it goes on with start={end}" if end < len(text) else ""
        shown.append(f"{said}\n{fenced(part)}")
        values.append(
            {
                "id": record.id,
                "text": part,
                "start": start,
                "characters": len(text),
                "metadata": metadata,
            }
        )
    said_of = [f"No record {short(id_)}." for id_ in missing]
    text = "\n\n".join([*said_of, *([NOTICE] if shown else []), *shown])
    return Answer(text, {"records": values, "missing": list(missing)})


def _bounded(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as far as there is room for them, the short ones first."""
    left = _MAX_METADATA
    kept: dict[str, Any] = {}
    for key, value in sorted(metadata.items(), key=lambda item: (len(str(item)), item[0])):
        left -= len(str(key)) + len(str(value))
        if left < 0:
            kept["…"] = f"{len(metadata) - len(kept)} more keys, too long to show"
            break
        kept[key] = value
    return kept


def described(collection: str, found: Description) -> Answer:
    """What metadata look like."""
    values = {
        "collection": collection,
        "records": found.records,
        "looked_at": found.looked_at,
        "keys": [_key(each) for each in found.keys],
    }
    return Answer(f"Collection {collection}: {found}", values)


def _key(key: KeyDescription) -> dict[str, Any]:
    """One key as `_KEY` says."""
    return {
        "name": key.name,
        "type": key.kind and key.kind.__name__,
        "list": key.many,
        "share": key.share,
        "low": key.low,
        "high": key.high,
        "values": [v[:_MAX_SOURCE] if isinstance(v, str) else v for v in key.values],
        "complete": key.complete,
    }
