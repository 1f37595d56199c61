"""Cut the PostgreSQL manual into the passages of `postgresql.jsonl`.

    python build.py FOLDER > postgresql.jsonl

`FOLDER` holds the HTML pages of Debian's `postgresql-doc-15`
(`usr/share/doc/postgresql-doc-15/html` in the unpacked package). Needs nothing but Python, and
writes the same bytes for the same pages.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What an administrator or a developer looks up, by the page names of chapters and pages; C
# interfaces, system catalogs and most reference pages stay out.
CHAPTERS = words("""
    ddl indexes textsearch mvcc performance-tips parallel-query runtime runtime-config
    client-authentication user-manag managing-databases maintenance backup high-availability
    monitoring wal logical-replication glossary errcodes-appendix limits""")
PAGES = words("""
    app-psql app-pgdump app-pgrestore app-initdb sql-copy sql-createindex sql-explain sql-lock
    sql-reindex sql-vacuum sql-set-transaction pgtrgm pgstatstatements fuzzystrmatch
    release-15 release-15-3 release-15-5 release-15-8 release-15-9""")
SECTIONS = words("sect1 sect2 sect3 sect4 refsect1 refsect2 refsect3 appendix")
SKIPPED = words("navheader navfooter toc titlepage table informaltable refsynopsisdiv footnotes")
BOXES = words("note tip warning caution important")
HEADINGS = words("h1 h2 h3 h4 h5")
UNNAMED = frozenset(("", "•", "pre"))  # blocks that describe no term: paragraph, item, listing
REPEATED = re.compile("Migration to Version 15[.]|Acknowledgments")
LEAST, SHORT, FULL, LONG = 22, 35, 120, 190  # words: drop and merge below; close, split above
LONGEST_LISTING = 45


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that is not cut further unless it is too long."""

    text: str
    path: tuple[str, ...]
    term: str = ""

    @property
    def words(self) -> int:
        """How many words the text has."""
        return len(self.text.split())


@dataclass
class Page:
    """One HTML page with its place in the book."""

    name: str
    root: ET.Element
    pages: dict[str, Page] = field(repr=False)

    @cached_property
    def title(self) -> str:
        """The heading without its number."""
        return plain_title(next(flat(e) for e in self.root.iter("title")))

    @cached_property
    def parent(self) -> Page | None:
        """The page that its "Up" link leads to."""
        up = (a.get("href", "") for a in self.root.iter("a") if a.get("accesskey") == "u")
        return self.pages.get(next(up, "").removesuffix(".html"))

    def lineage(self) -> list[Page]:
        """This page and the pages above it, the book itself left out."""
        above = self.parent.lineage() if self.parent else []
        return [*above, self] if self.name != "index" else []


def read(folder: Path) -> dict[str, Page]:
    pages: dict[str, Page] = {}
    for path in sorted(folder.glob("*.html")):
        root = ET.fromstring(path.read_bytes())  # noqa: S314 - pages of a signed package
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        pages[path.stem] = Page(path.stem, root, pages)
    return pages


def kind_of(element: ET.Element) -> str:
    return element.get("class", "").split(" ")[0]


def flat(element: ET.Element) -> str:
    """The text of an element on one line, without index marks and commit links."""

    def parts(node: ET.Element) -> Iterator[str]:
        if node.tag == "br":
            yield ", "
        elif node.tag != "table" and kind_of(node) not in {"indexterm", "footnote", "footnotes"}:
            yield ("^" if node.tag == "sup" else "") + (node.text or "")
            for child in node:
                yield from parts(child)
                yield child.tail or ""

    text = unicodedata.normalize("NFC", "".join(parts(element))).replace("§", "")
    text = re.sub(r"\s+", " ", text.replace("\u200b", "")).strip()
    return re.sub(r"\s+([.,;:)])(?=\s|$)", r"\1", text)


def plain_title(text: str) -> str:
    return re.sub(r"^((Chapter|Part|Appendix) )?([A-Z]|[IVX]+|\d+)(\.\d+)*\.\s+", "", text)


def listing(element: ET.Element) -> str:
    text = "".join(element.itertext()).replace("\u00a0", " ").replace("\u200b", "").strip("\n")
    return text if len(text.split()) <= LONGEST_LISTING else ""


def blocks(element: ET.Element, path: tuple[str, ...]) -> Iterator[Block]:
    """The blocks below an element in reading order; `path` holds the headings above it."""
    for child in element:
        kind = kind_of(child)
        if kind in SKIPPED or child.tag in {"table", "hr"}:
            continue
        if kind in SECTIONS:
            yield from blocks(child, (*path, *heading(child, path)))
        elif child.tag == "dl":
            yield from entries(child, path)
        elif child.tag in {"ul", "ol"}:
            yield from (Block(whole(item), path, "•") for item in child.findall("li"))
        elif child.tag == "p":
            yield Block(flat(child), path)
        elif child.tag == "pre":
            yield Block(listing(child), path, "pre")
        elif kind in BOXES:
            yield Block(f"{kind.title()}: {whole(child)}", path)
        elif child.tag == "div":
            yield from blocks(child, path)


def heading(section: ET.Element, path: tuple[str, ...]) -> tuple[str, ...]:
    found = next((e for e in section.iter() if e.tag in HEADINGS), None)
    title = plain_title(flat(found)) if found is not None else ""
    return (title,) if title and title not in path else ()


def whole(element: ET.Element) -> str:
    found = (b for b in blocks(element, ()) if b.text and b.term != "pre")
    return "\n".join(b.text if b.term in UNNAMED else f"{b.term}: {b.text}" for b in found)


def entries(dl: ET.Element, path: tuple[str, ...]) -> Iterator[Block]:
    """One block for a described term: a setting, an option, a glossary word."""
    terms: list[str] = []
    for child in dl:
        if child.tag == "dt":
            terms.append(flat(child))
        elif child.tag == "dd":
            yield Block(whole(child), path, ", ".join(terms))
            terms = []


def error_classes(page: Page) -> Iterator[Block]:
    """One block for a class of error codes, the only table that is kept."""
    classes: dict[str, list[str]] = {}
    for row in page.root.iter("tr"):
        match [flat(cell) for cell in row.iter("td")]:
            case [title]:
                classes[title] = []
            case [code, name] if classes:
                classes[next(reversed(classes))].append(f"{code} {name}")
    for title, codes in classes.items():
        block = Block(f"{title}. {'; '.join(codes)}.", (page.title,), title)
        yield from sentences(block) if block.words > LONG else (block,)


def sentences(block: Block) -> Iterator[Block]:
    """A block that is too long in pieces of about equal length, cut between sentences."""
    room = block.words / -(-block.words // LONG)
    pieces = [""]
    for sentence in re.split(r"(?<=\n)|(?<=[.;!?] )(?=[A-Z(“0-9])", block.text):
        if len(pieces[-1].split()) >= room * 0.9:
            pieces.append("")
        pieces[-1] += sentence
    if len(pieces) > 1 and len(pieces[-1].split()) < SHORT:
        pieces[-2:] = ["".join(pieces[-2:])]
    yield from (Block(piece.strip(), block.path, block.term) for piece in pieces)


def passages(found: Iterator[Block]) -> Iterator[Block]:
    """Blocks put together to passages: never across sections, a described term by itself."""
    held: list[Block] = []
    for block in found:
        if not block.text:
            continue
        if held and not belongs(held, block):
            yield from close(held)
            held = []
        held.append(block)
    if held:
        yield from close(held)


def belongs(held: list[Block], block: Block) -> bool:
    words = sum(b.words for b in held)
    if block.path != held[0].path or words + block.words > LONG:
        return False
    if block.term == "pre":
        return True
    if block.term == "•" and block.path[0].startswith("Release"):
        return False
    described = block.term not in {"", "•"}
    if described or held[-1].term not in UNNAMED:
        return words < SHORT and block.words < SHORT
    return words < FULL


def close(held: list[Block]) -> Iterator[Block]:
    terms = [b.term for b in held if b.term not in UNNAMED]
    lines = [f"{b.term}: {b.text}" if b.term in terms and len(terms) > 1 else b.text for b in held]
    joined = Block("\n".join(lines), held[0].path, ", ".join(dict.fromkeys(terms)))
    yield from sentences(joined) if joined.words > LONG else (joined,)


def slug(text: str, limit: int = 48) -> str:
    option = re.search(r"--([a-z][a-z-]+)", text)
    first = option[1] if option else text.split(", ", maxsplit=1)[0].lower()
    folded = unicodedata.normalize("NFKD", first).encode("ascii", "ignore").decode()
    short = re.sub(r"[^a-z0-9_.]+", "-", re.sub(r" \([a-z_ ]+\)$", "", folded)).strip("-.")
    return short if len(short) <= limit else short[:limit].rpartition("-")[0]


def kind_name(page: Page, block: Block) -> str:
    names = [p.name for p in page.lineage()]
    special = {"release": "release note", "errcodes-appendix": "error codes"}
    described = "text"
    if block.term:
        described = "setting" if "runtime-config" in names else "entry"
    return next((special[n] for n in names if n in special), described)


def metadata(page: Page, block: Block) -> dict[str, str | int]:
    above = page.lineage()
    data: dict[str, str | int] = {
        "chapter": above[min(1, len(above) - 1)].title,
        "kind": kind_name(page, block),
        "page": f"{page.name}.html",
    }
    if data["kind"] == "release note":
        date = re.search(r"Release date:\s+(\d{4})", "".join(page.root.itertext()))
        data["version"] = page.title.removeprefix("Release ")
        data |= {"year": int(date[1])} if date else {}
    return data


def wanted(page: Page) -> bool:
    names = [p.name for p in page.lineage()]
    return page.name in PAGES or not CHAPTERS.isdisjoint(names)


def name_of(page: Page, block: Block) -> str:
    last = block.term or block.path[-1]
    if last == "Changes" or page.name == "release-15":
        last = " ".join(re.sub(r"[(),]", "", block.text).split()[:7])
    return page.name if last == page.title else f"{page.name}/{slug(last)}"


def kept(page: Page) -> Iterator[Block]:
    """The passages of a page that say something of their own."""
    body = next(page.root.iter("body"))
    for block in passages(blocks(body, (page.title,))):
        if block.words >= LEAST and not REPEATED.match(block.path[-1]):
            yield block
    if page.name == "errcodes-appendix":
        yield from error_classes(page)


def records(pages: dict[str, Page]) -> Iterator[dict[str, object]]:
    names, texts = Counter[str](), set[str]()
    for page in filter(wanted, pages.values()):
        for block in kept(page):
            if block.text in texts:
                continue
            texts.add(block.text)
            name = name_of(page, block)
            names[name] += 1
            yield {
                "id": name if names[name] == 1 else f"{name}-{names[name]}",
                "title": " › ".join((*block.path, *([block.term] if block.term else []))),
                "text": block.text,
                "metadata": metadata(page, block),
            }


def main() -> None:
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for record in records(read(Path(sys.argv[1]))):
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
