"""The tools that write: what they may write is what the base filter lets anybody see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filter_schema import short
from langchain_chroma_hybrid.core.filters import AllOf, Compare, matches, stored_metadata
from langchain_chroma_hybrid.core.search_tool import check_names, schema_of
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.chroma.rows import rows_of
from langchain_chroma_hybrid.errors import ToolArgumentError
from langchain_chroma_hybrid.mcp.answers import TEXTS, Answer
from langchain_chroma_hybrid.mcp.tools import Arguments, ServedTool, ids_schema, read_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.values import Metadata, Scalar
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.mcp.collection import ServedCollection

_MOST = 100  # records of one call
_FIELDS = ("text", "metadata", "id")


class WritingTools:
    """Add and delete.

    What is added gets the values that the base filter demands by `$eq`, and has to pass all of it.
    With a base filter, an id may only be that of a record that passes: new records get random ones,
    so that nobody finds out, or overwrites, what is hidden from him.

    Args:
        served: the collection.
        changed: called after each change.
    """

    def __init__(self, served: ServedCollection, changed: Callable[[], object]) -> None:
        self._served = served
        self._changed = changed
        self._fixed = dict(_demanded(served.base))

    def tools(self) -> list[ServedTool]:
        """Both of them."""
        add = "Add records, or replace the one whose id is given. Returns their ids."
        delete = "Delete records by their ids, for good."
        return [
            ServedTool("add", "Add records", add, self._add_schema,
                       _output("ids"), self._add, writes=True, destroys=True),
            ServedTool("delete", "Delete records", delete, _delete_schema,
                       _output("deleted", "missing"), self._delete, writes=True, destroys=True),
        ]  # fmt: skip

    def _add(self, arguments: Arguments) -> Answer:
        """Write all records, or none."""
        check_names("add", arguments, ("records",))
        given = _read_records(arguments.get("records"))
        rows = rows_of(
            [each["text"] for each in given],
            [{**self._fixed, **(each.get("metadata") or {})} for each in given],
            [each.get("id") for each in given],
        )
        replaced = self._served.get([id_ for each in given if (id_ := each.get("id")) is not None])
        self._check(given, rows, replaced)
        self._served.write(_replacing(rows, replaced))
        self._changed()
        ids = list(rows.ids)
        return Answer(f"Written: {json.dumps(ids, ensure_ascii=False)}", {"ids": ids})

    def _check(
        self, given: Sequence[Arguments], rows: Rows, replaced: Mapping[str, Record]
    ) -> None:
        """Refuse the whole call if one record may not be written.

        Raises:
            ToolArgumentError: which, and why.
        """
        if self._served.base is None:
            return
        for number, (each, id_) in enumerate(zip(given, rows.ids, strict=True)):
            if each.get("id") is not None and id_ not in replaced:
                hint = "a new one gets its id here: leave it out"
                raise ToolArgumentError(f"records[{number}].id: no record {short(id_)}; {hint}")
            metadata = (rows.metadatas or ())[number] if rows.metadatas else None
            kept = {key: value for key, value in (metadata or {}).items() if value is not None}
            record = Record(id_, each["text"], stored_metadata(kept))
            if not matches(self._served.base, record):
                own = [key for key in self._fixed if key in (each.get("metadata") or {})]
                hint = f": leave out {', '.join(own)}, which is set here" if own else ""
                message = f"records[{number}]: outside of what may be written here{hint}"
                raise ToolArgumentError(message)

    def _delete(self, arguments: Arguments) -> Answer:
        """Delete those that are there."""
        check_names("delete", arguments, ("ids",))
        ids = read_ids(arguments.get("ids"), _MOST)
        deleted = self._served.delete(ids)
        missing = [id_ for id_ in ids if id_ not in deleted]
        if deleted:
            self._changed()
        said = [f"Deleted: {json.dumps(deleted, ensure_ascii=False)}"]
        said += [f"No record {short(id_)}." for id_ in missing]
        return Answer("\n".join(said), {"deleted": deleted, "missing": missing})

    def _add_schema(self) -> dict[str, Any]:
        """What `_read_records` takes."""
        value = {"type": ["string", "number", "boolean", "array"]}
        properties = {
            "text": {"type": "string", "minLength": 1},
            "metadata": {"type": "object", "additionalProperties": value},
            "id": {"type": "string", "minLength": 1, "description": self._about_ids},
        }
        one = schema_of("record", properties, required=["text"])
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": _MOST}
        return schema_of("add", {"records": many}, required=["records"])

    @property
    def _about_ids(self) -> str:
        if self._served.base is None:
            return "A record of that id is replaced; a random one if left out."
        return "Of a record to replace; a new record gets its id here: leave it out."


def _output(*names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys(names, TEXTS),
        "required": list(names),
    }


def _delete_schema() -> dict[str, Any]:
    ids = {**ids_schema(_MOST), "description": "Ids of the records to delete."}
    return schema_of("delete", {"ids": ids}, required=["ids"])


def _read_records(given: Any) -> list[Mapping[str, Any]]:
    """The records of a call, whose metadata are checked where rows are made of them.

    Raises:
        ToolArgumentError: names the first that is none.
    """
    several = [given] if isinstance(given, Mapping) else given
    if not isinstance(several, list) or not 1 <= len(several) <= _MOST:
        got = f"{len(several)} records" if isinstance(several, list) else short(several)
        expected = f'1 to {_MOST} records, such as [{{"text": "..."}}]'
        raise ToolArgumentError(f"records: got {got}, expected {expected}")
    for number, each in enumerate(several):
        name = f"records[{number}]"
        if not isinstance(each, Mapping):
            raise ToolArgumentError(f'{name}: got {short(each)}, expected {{"text": "..."}}')
        check_names(name, each, _FIELDS)
        for field, kind, expected in (
            ("text", str, "a text"),
            ("id", str | None, "a text, or nothing"),
            ("metadata", Mapping | None, 'an object, such as {"year": 2024}'),
        ):
            value = each.get(field)
            blank = kind is str and not str(value).strip()
            if not isinstance(value, kind) or blank:
                message = f"{name}.{field}: got {short(value)}, expected {expected}"
                raise ToolArgumentError(message)
    return several


def _demanded(base: Filter | None) -> list[tuple[str, Scalar]]:
    """Keys with the only value that a filter lets them have."""
    parts = base.parts if isinstance(base, AllOf) else (base,)
    return [(p.key, p.value) for p in parts if isinstance(p, Compare) and p.op == "$eq"]


def _replacing(rows: Rows, replaced: Mapping[str, Record]) -> Rows:
    """The rows, with None under each key that a record has now and is to have no more.

    Chroma keeps the keys that a write does not name.
    """
    metadatas: list[Metadata | None] = []
    for number, id_ in enumerate(rows.ids):
        new = (rows.metadatas[number] if rows.metadatas else None) or {}
        old = replaced[id_].metadata if id_ in replaced else {}
        metadatas.append({**dict.fromkeys(old), **new} or None)  # type: ignore[dict-item]
    return replace(rows, metadatas=metadatas)
