"""The text of HTML pages, as a reader sees it."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.documents.splitting import storable
from langchain_chroma_hybrid.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.documents.splitting import Splitting

# A tree takes a multiple of its page.
_LARGEST = 50_000_000
_UNSEEN = ("script", "style", "template", "noscript", "head", "svg")
_BLOCKS = (
    "address", "article", "aside", "blockquote", "caption", "dd", "div", "dl", "dt",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
)  # fmt: skip
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*\n\s*")


def read_html(path: Path, splitting: Splitting, _: str) -> Iterator[Document]:
    """Passages of a page; its encoding is what it says itself.

    Raises:
        DocumentError: too large, or no page.
        MissingDependencyError: Beautiful Soup is not installed.
    """
    soup = require("bs4", "files").BeautifulSoup
    size = path.stat().st_size
    if size > _LARGEST:
        raise DocumentError(f"{size / 1e6:.0f} MB of HTML, at most {_LARGEST / 1e6:.0f} are read")
    data = path.read_bytes()
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError("binary data, not text")
    with warnings.catch_warnings():  # of what looks like XML, or like an address
        warnings.simplefilter("ignore")
        page = soup(data, "html.parser")
    title = storable(page.title.get_text(" ", strip=True)) if page.title else ""
    yield from splitting.passages([(_text(page), {"title": title} if title else {})], path)


def _text(page: Any) -> str:
    """Without scripts and the like; blocks stand in lines of their own."""
    for tag in page.find_all(_UNSEEN):
        tag.extract()
    for tag in page.find_all("br"):
        tag.replace_with("\n")
    for tag in page.find_all(_BLOCKS):
        tag.insert_before("\n")
        tag.append("\n")
    text = _BLANKS.sub(" ", storable(page.get_text()))
    lines = "\n".join(line.strip() for line in text.split("\n"))
    return _LINES.sub("\n\n", lines).strip()
