"""The text of Word files: XML in a zip archive, both as hostile as they like."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, NoReturn
from xml.parsers import expat

from langchain_chroma_hybrid.documents.splitting import storable
from langchain_chroma_hybrid.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.documents.splitting import Splitting

_PART = "word/document.xml"
# Of its XML unpacked; a file of some kilobytes may unpack to any size.
_LARGEST = 200_000_000
_STEP = 65_536
_OLD = b"\xd0\xcf\x11\xe0"  # a container of Microsoft's: an old .doc, or an encrypted file
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main "
_STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main "
_SAME_AGAIN = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"
_BREAKS = {"p": "\n", "br": "\n", "cr": "\n", "tab": "\t", "tc": "\t"}


def read_docx(path: Path, splitting: Splitting, _: str) -> Iterator[Document]:
    """Passages of the text, tables among it; without headers, notes and what was deleted.

    Raises:
        DocumentError: encrypted, broken, too large when unpacked, or with entities of its own.
    """
    with path.open("rb") as file:
        if file.read(4) == _OLD:
            raise DocumentError("encrypted, or an old .doc: save it as .docx without a password")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_PART) as part:
            text = _Text().of(iter(lambda: part.read(_STEP), b""))
    except KeyError as error:
        raise DocumentError(f"a broken .docx: no {_PART} in it") from error
    except (zipfile.BadZipFile, expat.ExpatError, EOFError, RuntimeError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"a broken .docx: {error}") from error
    yield from splitting.passages([(storable(text).strip(), {})], path)


class _Text:
    """What a reader sees, out of XML that is never held as a tree."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._writing = False
        self._skipped = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        # Word writes none; entities are how a small file becomes a large one.
        self._parser.StartDoctypeDeclHandler = self._refuse

    def of(self, pieces: Iterator[bytes]) -> str:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > _LARGEST:
                raise DocumentError(f"more than {_LARGEST / 1e6:.0f} MB when unpacked")
            self._parser.Parse(piece, False)
        self._parser.Parse(b"", True)
        return "".join(self._parts)

    def _start(self, name: str, _: Mapping[str, str]) -> None:
        self._skipped += name == _SAME_AGAIN
        local = _local(name)
        self._writing = local == "t"
        if local in ("br", "cr", "tab") and not self._skipped:
            self._parts.append(_BREAKS[local])

    def _end(self, name: str) -> None:
        self._skipped -= name == _SAME_AGAIN
        self._writing = False
        local = _local(name)
        if local in ("p", "tc") and not self._skipped:
            self._parts.append(_BREAKS[local])

    def _characters(self, text: str) -> None:
        if self._writing and not self._skipped:
            self._parts.append(text)

    def _refuse(self, *_: Any) -> NoReturn:
        raise DocumentError("a document type of its own, which Word never writes: not opened")


def _local(name: str) -> str:
    for namespace in (_WORD, _STRICT):
        if name.startswith(namespace):
            return name.removeprefix(namespace)
    return ""
