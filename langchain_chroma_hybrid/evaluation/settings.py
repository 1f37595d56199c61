"""Retriever options that a measurement chose, as a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma_hybrid.core.keywords import known_fields
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.core.validate import LEGS, check, shares
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
KNOWN = ("c", "fetch_k", "fusion", "weights")


@known_fields
@dataclass(frozen=True, slots=True)
class Settings:
    """Options for `ChromaHybridRetriever` or `search_kwargs`; empty means the defaults.

    ```python
    from langchain_chroma_hybrid.evaluation import Settings

    Settings({"fusion": "rrf", "weights": (0.3, 0.7)}).save("retrieval.json")
    settings = Settings.load("retrieval.json")
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, **settings.options)
    ```

    Attributes:
        options: among `fusion`, `weights`, `fetch_k` and `c`, in values that JSON can hold.
        measured: what they were chosen by, for people to read.

    Raises:
        InvalidArgumentError: an option that the retriever would refuse.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.options) - set(KNOWN)):
            raise InvalidArgumentError.of("options", unknown, f"names among {', '.join(KNOWN)}")
        check(SearchRequest("", **self.options))
        if self.options.get("weights") is not None:
            shares(self.options["weights"], LEGS)

    def save(self, path: str | Path) -> None:
        """Write them to `path`."""
        content = {"version": VERSION, "options": self.options, "measured": self.measured}
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InvalidArgumentError: not such a file, of a newer version, or with bad options.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            version, options = content["version"], content["options"]
            measured = content.get("measured", {})
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            name = Path(path).name
            raise InvalidArgumentError.of("path", name, "a file of Settings.save") from error
        if type(version) is not int or version != VERSION:
            raise InvalidArgumentError.of(
                "version", version, f"{VERSION}; made by a newer version?"
            )
        for name, found in (("options", options), ("measured", measured)):
            if not isinstance(found, dict):
                raise InvalidArgumentError.of(name, found, "an object")
        return cls(options, measured)
