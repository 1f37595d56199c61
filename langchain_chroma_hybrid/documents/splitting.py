"""Long texts as passages, by LangChain's splitters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from langchain_core.documents import Document


@dataclass(frozen=True, slots=True)
class Splitting:
    """How texts become passages."""

    size: int
    overlap: int

    def passages(
        self, texts: Iterable[tuple[str, Mapping[str, Any]]], path: Path, *, markdown: bool = False
    ) -> Iterator[Document]:
        """Passages of consecutive texts of a file, each with its own metadata.

        Raises:
            MissingDependencyError: the splitters are not installed.
        """
        splitters = require("langchain_text_splitters", "files")
        kind = splitters.RecursiveCharacterTextSplitter
        options = {
            "chunk_size": self.size,
            "chunk_overlap": self.overlap,
            "add_start_index": True,
        }
        language = splitters.Language.MARKDOWN
        splitter = kind.from_language(language, **options) if markdown else kind(**options)
        start = 0
        for text, metadata in texts:
            origin = {**metadata, "source": str(path), "file_name": path.name}
            for document in splitter.create_documents([text], [origin]):
                document.metadata["start_index"] += start
                yield document
            start += len(text) + 1


def storable(text: str) -> str:
    """Without what no record can hold: halves of characters, as broken fonts make them, and NUL."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", " ")
