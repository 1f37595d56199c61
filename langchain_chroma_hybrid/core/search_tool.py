"""What a search tool takes from a model and what it tells it, whichever framework calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.citations import SOURCE_KEYS
from langchain_chroma_hybrid.core.filter_schema import short
from langchain_chroma_hybrid.core.relevance import THRESHOLD
from langchain_chroma_hybrid.errors import ToolArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from langchain_chroma_hybrid.core.citations import Citations
    from langchain_chroma_hybrid.core.filter_schema import FilterSchema
    from langchain_chroma_hybrid.core.search import SearchResult

DESCRIPTION = (
    "Search the documents by words and by meaning; names, codes and numbers are found exactly. "
    "Returns numbered sources: cite them as [1]."
)

_LONGEST = 80  # characters that a message repeats of what a model gave


@dataclass(frozen=True, slots=True)
class Subject:
    """What a tool looks for: the one argument that it cannot do without."""

    name: str
    about: str
    wanted: str


QUERY = Subject(
    "query",
    "What to look for: a question, or the words and codes that the text has.",
    "say what to look for, as a text",
)


@dataclass(frozen=True, slots=True)
class SearchArguments:
    """The arguments of a search tool: what it looks for, `k` and, where keys are declared, filters.

    Attributes:
        tool: the tool's name.
        filters: the keys that a model may filter by.
        k: how many sources where the model does not say.
        max_k: most sources of one call.
    """

    tool: str
    filters: FilterSchema
    k: int
    max_k: int
    subject: Subject = QUERY

    def schema(self) -> dict[str, Any]:
        """The arguments as the model is told of them."""
        k = {"type": "integer", "minimum": 1, "maximum": self.max_k, "default": self._default}
        properties = {
            self.subject.name: {"type": "string", "description": self.subject.about},
            "k": {**k, "description": "How many sources."},
            **({"filters": self.filters.schema()} if self.filters.keys else {}),
        }
        return schema_of(self.tool, properties, required=[self.subject.name])

    def read(self, arguments: Mapping[str, Any]) -> tuple[str, int, dict[str, Any] | None]:
        """What to look for, how many sources, and Chroma's `where`.

        Raises:
            ToolArgumentError: the message is for the model.
        """
        filtered = ("filters",) if self.filters.keys else ()
        check_names(self.tool, arguments, (self.subject.name, "k", *filtered))
        wanted = arguments.get(self.subject.name)
        if not isinstance(wanted, str) or not wanted.strip():
            raise ToolArgumentError(f"{self.subject.name}: {self.subject.wanted}")
        where = self.filters.where(arguments.get("filters"))
        return wanted, self._k(arguments.get("k")), where

    @property
    def _default(self) -> int:
        return int(min(self.k, self.max_k))

    def _k(self, given: Any) -> int:
        """A number of results that the tool allows."""
        if given is None:
            return self._default
        return min(whole("k", given, 1, f"a number from 1 to {self.max_k}"), self.max_k)


def whole(name: str, given: Any, least: int, expected: str) -> int:
    """A whole number, as models write them.

    Raises:
        ToolArgumentError: something else, or less than `least`.
    """
    try:
        found = int(given)
    except (TypeError, ValueError, OverflowError):
        found = least - 1
    cut = isinstance(given, float) and found != given
    if isinstance(given, bool) or found < least or cut:
        raise ToolArgumentError(f"{name}: got {short(given)}, expected {expected}")
    return found


def schema_of(
    tool: str, properties: Mapping[str, Any], *, required: Sequence[str] = ()
) -> dict[str, Any]:
    """The JSON schema of a tool's arguments, which takes no others."""
    return {
        "type": "object",
        "title": tool,
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def check_names(tool: str, arguments: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse arguments that nothing would read.

    Raises:
        ToolArgumentError: names them, and those that there are.
    """
    if unknown := [name for name in arguments if name not in known]:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise ToolArgumentError(f"{tool} has no {', '.join(unknown)[:_LONGEST]}: {takes}")


@dataclass(frozen=True, slots=True)
class Shown:
    """How results are shown to a model.

    Attributes:
        max_characters: most characters of all passages of one call.
        source_keys: metadata keys that say where a record comes from.
    """

    max_characters: int
    source_keys: tuple[str, ...] = SOURCE_KEYS

    def told(self, result: SearchResult, *, filtered: bool) -> tuple[str, Citations]:
        """The text for the model, and the sources in it; `filtered`: by filters of the call."""
        cited = result.as_citations(
            source_keys=self.source_keys, max_characters=self.max_characters
        )
        sources = [str(cited)] if result.hits else []
        return "\n\n".join([*remarks(result, filtered=filtered), *sources]), cited


def remarks(result: SearchResult, *, filtered: bool) -> list[str]:
    """What the model has to know beside the sources."""
    best = max((hit.relevance or 0.0 for hit in result.hits), default=None)
    said = []
    if result.unmatched:
        named = ", ".join(f'"{word[:_LONGEST]}"' for word in result.unmatched)
        said.append(f"Nothing that this search may see contains {named}.")
    if best is None:
        hint = " It may be otherwise without the filters." if filtered else ""
        said.append(f"Nothing relevant was found.{hint}")
    elif best < THRESHOLD:
        said.append(
            f"Nothing clearly relevant was found: the best source has a relevance of {best:.2f} "
            "(0 to 1). Say so rather than guess."
        )
    return said
