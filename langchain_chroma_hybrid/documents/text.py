"""Plain text, Markdown and CSV, a block at a time, however large the file is."""

from __future__ import annotations

import codecs
import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from langchain_chroma_hybrid.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.documents.splitting import Splitting

_BLOCK = 1_000_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEXT_COLUMNS = ("text", "page_content")


def read_text(path: Path, splitting: Splitting, encoding: str) -> Iterator[Document]:
    """Passages of a text file."""
    with opened(path, encoding) as file:
        yield from splitting.passages(((block, {}) for block in blocks(file)), path)


def read_markdown(path: Path, splitting: Splitting, encoding: str) -> Iterator[Document]:
    """Passages of a Markdown file, cut at its headings where that fits."""
    with opened(path, encoding) as file:
        yield from splitting.passages(((each, {}) for each in blocks(file)), path, markdown=True)


def read_csv(path: Path, splitting: Splitting, encoding: str) -> Iterator[Document]:
    """A document for each row; of one with a column `text`, the other columns are metadata."""
    with opened(path, encoding, newline="") as file:
        rows = csv.reader(file, _dialect(file))
        try:
            yield from splitting.passages(_rows(rows), path)
        except csv.Error as error:
            raise DocumentError(f"line {rows.line_num}: {error}") from error


@contextmanager
def opened(path: Path, encoding: str, newline: str | None = None) -> Iterator[TextIO]:
    """A file as text; its byte order mark counts more than `encoding`.

    Raises:
        DocumentError: it is no text, or of another encoding.
    """
    with path.open("rb") as file:
        beginning = file.read(4)
    marked = next((name for mark, name in _MARKS if beginning.startswith(mark)), encoding)
    try:
        with path.open(encoding=marked, newline=newline) as text:
            yield text
    except UnicodeError as error:
        expected = f"not text in {marked}: name its encoding, if it is text"
        raise DocumentError(expected) from error


def blocks(file: TextIO) -> Iterator[str]:
    """The whole text in pieces of about a million characters that end where a paragraph does."""
    rest = ""
    while more := file.read(_BLOCK):
        check_text(more)
        rest += more
        cut = max(rest.rfind("\n\n"), 0) or max(rest.rfind("\n"), 0) or max(rest.rfind(" "), 0)
        if len(rest) >= _BLOCK:
            yield rest[: cut or len(rest)]
            rest = rest[cut or len(rest) :]
    if rest.strip():
        yield rest


def check_text(text: str) -> None:
    """Raise `DocumentError` for what only looks like text."""
    if "\0" in text:
        raise DocumentError("binary data, not text")


def _dialect(file: TextIO) -> Any:
    """How cells are separated; by commas where the beginning does not tell."""
    sample = file.read(65_536)
    check_text(sample)
    file.seek(0)
    head = sample.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    return type("Dialect", (csv.excel,), {"delimiter": delimiter, "strict": True})


def _rows(rows: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Text and metadata of each row that has any."""
    names = [name.strip() for name in next(rows, [])]
    _check_names(names)
    column = next((name for name in _TEXT_COLUMNS if name in names), None)
    for number, cells in enumerate(filter(None, rows), 1):
        if len(cells) != len(names):
            said = f"{len(cells)} cells, where the first line has {len(names)}"
            raise DocumentError(f"line {rows.line_num}: {said}")
        pairs = zip(names, map(str.strip, cells), strict=True)
        filled = {name: cell for name, cell in pairs if cell}
        check_text("".join(filled.values()))
        if column is not None:
            yield filled.pop(column, ""), {**filled, "row": number}
        else:
            yield "\n".join(f"{name}: {cell}" for name, cell in filled.items()), {"row": number}


def _check_names(names: Sequence[str]) -> None:
    if not all(names):
        raise DocumentError(f"line 1: column {[*names].index('') + 1} has no name")
    if reserved := [name for name in names if name.startswith("chroma:")]:
        raise DocumentError(f"line 1: no column can be called {reserved[0]!r} in a collection")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DocumentError(f"line 1: several columns are called {twice[0]!r}")
