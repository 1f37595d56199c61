"""The tools of a server: what they are called, what they take, what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filter_schema import FilterSchema, short
from langchain_chroma_hybrid.core.search_tool import (
    DESCRIPTION,
    QUERY,
    SearchArguments,
    Subject,
    check_names,
    schema_of,
    whole,
)
from langchain_chroma_hybrid.errors import ToolArgumentError
from langchain_chroma_hybrid.mcp import answers
from langchain_chroma_hybrid.mcp.answers import Answer, Resources

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.description import Description
    from langchain_chroma_hybrid.core.filter_schema import Key
    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.mcp.collection import ServedCollection

Arguments = Mapping[str, Any]

_K, _MAX_K = 5, 20
_MAX_IDS = 20
# Every call of the model carries the keys that it may filter by.
_MAX_KEYS, _LONGEST_KEY = 20, 64

_ID = Subject("id", "Id of a record, as search gives it.", "say which record, by its id")


@dataclass(frozen=True, slots=True)
class ServedTool:
    """One tool.

    Attributes:
        schema: makes the JSON schema of what it takes.
        output: the JSON schema of what it answers.
        run: does the work, in any thread.
        writes: it changes the collection; `destroys`: what it changes cannot be had back.
    """

    name: str
    title: str
    description: str
    schema: Callable[[], dict[str, Any]]
    output: dict[str, Any]
    run: Callable[[Arguments], Answer]
    writes: bool = False
    destroys: bool = False


class ReadingTools:
    """Search, get, describe, similar.

    Args:
        served: the collection.
        about: what the model is told of what is in it.

    Thread safety: may be used from many threads.
    """

    def __init__(self, served: ServedCollection, about: str | None = None) -> None:
        self._served = served
        self._about = about
        self._resources = Resources(served.name)
        self._filters = FilterSchema({})
        self.refresh()

    def refresh(self) -> Description:
        """Look anew at what is in the collection, and so at what a model may filter by."""
        description = self._served.describe()
        found = description.filterable()
        keys = [name for name in found if len(name) <= _LONGEST_KEY][:_MAX_KEYS]
        allowed: dict[str, Key] = {name: found[name] for name in keys}
        self._filters = FilterSchema(allowed)
        return description

    def tools(self) -> list[ServedTool]:
        """All of them."""
        description = f"{self._about} {DESCRIPTION}" if self._about else DESCRIPTION
        similar = "Find the records that are most like one, by meaning. Returns numbered sources."
        get = (
            "Read whole records by the ids that search gives: text and metadata. A long text comes "
            "in parts: read on with `start`."
        )
        describe = "What is in the collection: how many records, metadata keys, types and values."
        return [
            ServedTool("search", "Search", description, self._search_schema, answers.SOURCES,
                       self._search),
            ServedTool("get", "Read records", get, _get_schema, answers.RECORDS, self._get),
            ServedTool("describe", "Describe the collection", describe,
                       lambda: schema_of("describe", {}), answers.KEYS, self._describe),
            ServedTool("similar", "Find similar records", similar, self._similar_schema,
                       answers.SOURCES, self._similar),
        ]  # fmt: skip

    def _search(self, arguments: Arguments) -> Answer:
        query, k, where = self._read("search", QUERY, arguments)
        return self._sources(self._served.search(query, k, where), where)

    def _similar(self, arguments: Arguments) -> Answer:
        id_, k, where = self._read("similar", _ID, arguments)
        found = self._served.similar(id_, k, where)
        if found is None:
            raise ToolArgumentError(f"id: no record {short(id_)}; search and get show ids")
        return self._sources(found, where)

    def _sources(self, result: SearchResult, where: object) -> Answer:
        return self._resources.sources(result, filtered=where is not None)

    def _get(self, arguments: Arguments) -> Answer:
        check_names("get", arguments, ("ids", "start"))
        ids, start = read_ids(arguments.get("ids"), _MAX_IDS), _start(arguments.get("start"))
        found = self._served.get(ids)
        return answers.records(found, [id_ for id_ in ids if id_ not in found], start)

    def _describe(self, arguments: Arguments) -> Answer:
        check_names("describe", arguments, ())
        return answers.described(self._served.name, self.refresh())

    def _search_schema(self) -> dict[str, Any]:
        return self._arguments("search", QUERY).schema()

    def _similar_schema(self) -> dict[str, Any]:
        return self._arguments("similar", _ID).schema()

    def _arguments(self, tool: str, subject: Subject) -> SearchArguments:
        return SearchArguments(tool, self._filters, _K, _MAX_K, subject)

    def _read(
        self, tool: str, subject: Subject, arguments: Arguments
    ) -> tuple[str, int, dict[str, Any] | None]:
        """The model's arguments; a key or a value that is refused may have come meanwhile."""
        try:
            return self._arguments(tool, subject).read(arguments)
        except ToolArgumentError:
            if not arguments.get("filters"):
                raise
        self.refresh()
        return self._arguments(tool, subject).read(arguments)


def ids_schema(most: int) -> dict[str, Any]:
    """Several ids."""
    items = {"type": "string", "minLength": 1}
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def read_ids(given: Any, most: int) -> list[str]:
    """Several ids, or one alone, as models write them; each once.

    Raises:
        ToolArgumentError: something else.
    """
    several = given if isinstance(given, list | tuple) else [given]
    ids = [str(id_) if isinstance(id_, int) and not isinstance(id_, bool) else id_
           for id_ in several]  # fmt: skip
    if not 1 <= len(ids) <= most or not all(isinstance(id_, str) and id_ for id_ in ids):
        message = f'ids: got {short(given)}, expected 1 to {most} ids as texts, such as ["a", "b"]'
        raise ToolArgumentError(message)
    return list(dict.fromkeys(ids))


def _get_schema() -> dict[str, Any]:
    start = {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "description": "Character of the text to begin at.",
    }
    ids = {**ids_schema(_MAX_IDS), "description": "Ids of records."}
    return schema_of("get", {"ids": ids, "start": start}, required=["ids"])


def _start(given: Any) -> int:
    """Where to begin in a text."""
    return 0 if given is None else whole("start", given, 0, "a number of 0 or more")
