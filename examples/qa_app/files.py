"""Files as passages: txt, md, html, pdf, docx, csv, jsonl."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from bs4 import BeautifulSoup
from langchain_text_splitters import RecursiveCharacterTextSplitter
from pypdf import PdfReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from langchain_core.documents import Document

# Text of a file, and what is to be said of it.
Part = tuple[str, dict[str, Any]]
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MOST_XML = 50_000_000


class UnreadableError(ValueError):
    """What is the matter with a file, in one line."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's passages, or why there are none."""

    path: Path
    documents: Iterable[Document] = ()
    problem: str | None = None


def read_files(paths: Iterable[Path]) -> Iterator[ReadFile]:
    """Read files one after the other; none of them raises."""
    for path in paths:
        try:
            documents = list(_documents(path))
        except FileNotFoundError:
            yield ReadFile(path, problem="gone: it was deleted meanwhile")
        except UnicodeError:
            yield ReadFile(path, problem="not text in utf-8")
        except UnreadableError as error:
            yield ReadFile(path, problem=str(error))
        except Exception as error:  # noqa: BLE001  # what broken files do to readers is endless
            said = " ".join(str(error).split()) or type(error).__name__
            yield ReadFile(path, problem=f"cannot be read: {said}")
        else:
            scan = "; scanned pages need OCR first" if path.suffix.lower() == ".pdf" else ""
            yield ReadFile(path, documents, None if documents else f"no text in it{scan}")


def _documents(path: Path) -> Iterator[Document]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(suffix[1:] for suffix in _READERS)
        raise UnreadableError(f"of a kind that is not read (these are: {kinds})")
    splitter = RecursiveCharacterTextSplitter(chunk_size=500, chunk_overlap=50)
    for text, metadata in reader(path):
        yield from splitter.create_documents([text.replace("\0", " ")], [metadata])


def _text(path: Path) -> Iterator[Part]:
    yield path.read_text(encoding="utf-8-sig"), {}


def _html(path: Path) -> Iterator[Part]:
    page = BeautifulSoup(path.read_bytes(), "html.parser")
    for tag in page(["script", "style", "head", "template"]):
        tag.decompose()
    yield page.get_text("\n", strip=True), {}


def _pdf(path: Path) -> Iterator[Part]:
    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("encrypted: it opens by a password only")
    for number, page in enumerate(reader.pages, 1):
        yield page.extract_text(), {"page": number}


def _docx(path: Path) -> Iterator[Part]:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("word/document.xml").file_size > _MOST_XML:
            raise UnreadableError("too large once it is unpacked")
        # What a few entities grow to is bounded by expat.
        root = ET.fromstring(archive.read("word/document.xml"))  # noqa: S314
    paragraphs = root.iter(f"{_WORD}p")
    yield "\n".join("".join(t.text or "" for t in p.iter(f"{_WORD}t")) for p in paragraphs), {}


def _csv(path: Path) -> Iterator[Part]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            cells = {k: v.strip() for k, v in row.items() if k and isinstance(v, str) and v.strip()}
            text = "\n".join(f"{name}: {cell}" for name, cell in cells.items())
            yield cells.pop("text", text), {**cells, "row": number}


def _jsonl(path: Path) -> Iterator[Part]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise UnreadableError(f'line {number}: expected {{"text": …, "metadata": {{…}}}}')
        yield record["text"], {**(record.get("metadata") or {}), "row": number}


_READERS: dict[str, Callable[[Path], Iterator[Part]]] = {
    ".txt": _text,
    ".md": _text,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
    ".csv": _csv,
    ".jsonl": _jsonl,
}
