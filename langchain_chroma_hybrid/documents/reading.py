"""Files as documents, cut into passages; what is the matter with those that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.documents.html import read_html
from langchain_chroma_hybrid.documents.pdf import read_pdf
from langchain_chroma_hybrid.documents.records import read_records
from langchain_chroma_hybrid.documents.scan import Found, find
from langchain_chroma_hybrid.documents.splitting import Splitting
from langchain_chroma_hybrid.documents.text import read_csv, read_markdown, read_text
from langchain_chroma_hybrid.documents.word import read_docx
from langchain_chroma_hybrid.errors import (
    DocumentError,
    InvalidArgumentError,
    MissingDependencyError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Reader: TypeAlias = "Callable[[Path, Splitting, str], Iterator[Document]]"
State: TypeAlias = Literal["read", "empty", "unsupported", "failed"]

# So many documents of a file are kept; those of a bigger one are read again by whoever wants them.
_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was looked at.

    Attributes:
        path: absolute, all links followed; what `source` holds in the documents' metadata.
        state: `read`; `empty`, without any text; `unsupported`, of a kind that nothing here reads;
            `failed`.
        documents: may be gone through several times. Those of a big file are read again each time,
            which fails if it was changed into something unreadable meanwhile.
        problem: why there are no documents, in words.
        named: by the caller himself, not found in a folder of his.
    """

    path: Path
    state: State
    documents: Iterable[Document] = ()
    problem: str | None = None
    named: bool = True


@known_keywords
def read_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    chunk_size: int = 1_000,
    chunk_overlap: int = 150,
    encoding: str = "utf-8",
) -> Iterator[ReadFile]:
    """Read files, and those in folders, one after the other; no file raises.

    Documents have `source` (absolute path), `file_name` and `start_index` (in characters) in their
    metadata; `page` (from 1) those of a PDF, `title` those of HTML that has one, `row` (from 1)
    those of CSV. Each line of JSON is a document, see `read_records`. A whole file is read before
    it is given, so that one which is broken at its end gives no documents.

    Args:
        paths: files and folders. Hidden files are passed over, links out of a folder refused.
        chunk_size: most characters of a passage, >= 1.
        chunk_overlap: how many of them are repeated in the next one, >= 0.
        encoding: of text, Markdown, CSV and JSON lines without a byte order mark.

    Raises:
        InvalidArgumentError: an argument that cannot be used.
    """
    positive("chunk_size", chunk_size)
    if type(chunk_overlap) is not int or not 0 <= chunk_overlap < chunk_size:
        raise InvalidArgumentError.of("chunk_overlap", chunk_overlap, "0 or more, < chunk_size")
    try:
        "".encode(encoding)
    except (LookupError, TypeError) as error:
        raise InvalidArgumentError.of("encoding", encoding, "such as utf-8 or cp1252") from error
    splitting = Splitting(chunk_size, chunk_overlap)
    return (read(found, splitting, encoding) for found in find(paths))


def read(found: Found, splitting: Splitting, encoding: str) -> ReadFile:
    """One file; whatever is the matter with it is told, not raised."""
    path = found.path
    if found.problem is not None:
        return ReadFile(path, "failed", problem=found.problem, named=found.named)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        what = f"of a kind that is not read (these are: {kinds})"
        return ReadFile(path, "unsupported", problem=what, named=found.named)
    again = partial(reader, path, splitting, encoding)
    problem, documents = problem_of(again)
    if problem is not None:
        return ReadFile(path, "failed", problem=problem, named=found.named)
    if not documents:
        why = "; scanned pages need OCR first" if path.suffix.lower() == ".pdf" else ""
        return ReadFile(path, "empty", problem=f"no text in it{why}", named=found.named)
    return ReadFile(path, "read", documents, named=found.named)


def problem_of(
    again: Callable[[], Iterator[Document]],
) -> tuple[str | None, Iterable[Document]]:
    """What keeps a file from being read to its end, or else its documents."""
    try:
        documents = again()
        kept = list(islice(documents, _KEPT))
        more = sum(1 for _ in documents)
    except Exception as error:  # noqa: BLE001  # what broken files do to their readers is endless
        return in_words(error), ()
    return None, _Again(again) if more else kept


def in_words(error: Exception) -> str:
    """What is the matter with a file, in one line."""
    if isinstance(error, DocumentError | MissingDependencyError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "gone: it was deleted meanwhile"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, RecursionError | MemoryError):
        return "cannot be read: nested too deeply, or too large"
    return " ".join(f"cannot be read: {type(error).__name__}: {error}".split())


@dataclass(frozen=True, slots=True)
class _Again:
    """Documents that are too many to keep."""

    read: Callable[[], Iterator[Document]]

    def __iter__(self) -> Iterator[Document]:
        return self.read()


def _read_jsonl(path: Path, splitting: Splitting, encoding: str) -> Iterator[Document]:
    del splitting  # a line is a record
    for record in read_records(path, encoding=encoding):
        origin = {"source": str(path), "file_name": path.name}
        metadata = {**origin, **record.metadata}
        yield Document(record.text or "", metadata=metadata, id=record.id)


_READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".csv": read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
}
SUFFIXES = frozenset(_READERS)
"""Of the files that are read, in lower case."""
