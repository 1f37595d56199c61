"""The text of PDF files, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.documents.splitting import storable
from langchain_chroma_hybrid.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.documents.splitting import Splitting


def read_pdf(path: Path, splitting: Splitting, _: str) -> Iterator[Document]:
    """Passages of each page, which `page` counts from 1.

    Raises:
        DocumentError: encrypted or broken.
        MissingDependencyError: pypdf is not installed.
    """
    yield from splitting.passages(_pages(path), path)


def _pages(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Text and number of each page."""
    pypdf = require("pypdf", "files")
    with path.open("rb") as file:
        try:
            reader = pypdf.PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(""):
                raise DocumentError("encrypted: it opens by a password only")
            for number, page in enumerate(reader.pages, 1):
                yield storable(page.extract_text() or ""), {"page": number}
        except (DocumentError, OSError):
            raise
        except pypdf.errors.DependencyError as error:
            raise DocumentError(f"encrypted: {error}") from error
        except Exception as error:
            raise DocumentError(f"a broken PDF: {error or type(error).__name__}") from error
