"""Pictures that a search found: what is shown of each, and what is said of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.markup import escape
from langchain_chroma_hybrid.multimodal import as_content_blocks

if TYPE_CHECKING:
    from langchain_chroma_hybrid import Hit, SearchResult
    from langchain_chroma_hybrid.multimodal import ImageReport

STYLE = """<style>
.said { font-size: .8rem; overflow-wrap: anywhere; }
.said .faint, .gone { opacity: .65; }
.gone { display: flex; aspect-ratio: 1; align-items: center; justify-content: center;
  border: 1px dashed rgba(128, 128, 128, .5); font-size: .85rem; text-align: center; }
</style>"""
GONE = '<div class="gone">This picture cannot be shown any more</div>'
NAMES = {"lexical": "words", "vector": "picture"}
_MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the gallery; `uri` and `version` tell whether it is still the same."""

    id: str
    name: str
    uri: str
    version: str
    said: str


def tiles(result: SearchResult, *, scored: bool) -> list[Tile]:
    """The hits of a search in their order; without scores where nothing was asked for."""
    return [
        Tile(
            hit.id,
            _name(hit),
            str(hit.record.metadata.get("uri", "")),
            str(hit.record.metadata.get("sha256", "")),
            _said(hit, scored=scored),
        )
        for hit in result.hits
    ]


def picture(uri: str, root: str | Path, edge: int) -> bytes | None:
    """A JPEG of a picture below `root`; None if it is gone, broken, or elsewhere."""
    document = Document("", metadata={"uri": uri})
    [block] = as_content_blocks([document], roots=root, max_bytes=_MOST_BYTES, max_edge=edge)
    return base64.b64decode(block["base64"]) if block["type"] == "image" else None


def folder(name: str) -> Path:
    """The folder that was typed, with all links followed.

    Raises:
        ValueError: nothing, or what cannot be the name of one.
    """
    if not name:
        raise ValueError("name a folder of pictures; . is the current one")
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{name!r} cannot be the name of a folder: {error}") from error


def captions(folder: Path) -> dict[str, str]:
    """What `captions.jsonl` in a folder says of its files; lines of `file` and `caption`.

    Raises:
        ValueError: a line that is none.
    """
    path = folder / "captions.jsonl"
    found = {}
    # Not by `splitlines`: a caption may hold breaks that JSON leaves as they are.
    lines = path.read_text(encoding="utf-8-sig").split("\n") if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found[str(row["file"])] = str(row["caption"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"captions.jsonl, line {number}: no `file` and `caption`") from error
    return found


def summary(report: ImageReport) -> str:
    """What became of a folder's pictures, in a line."""
    counts = {
        "new": len(report.added),
        "changed": len(report.updated) + len(report.described),
        "as before": len(report.unchanged),
        "gone": len(report.deleted),
    }
    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    return ", ".join(said) or "no picture that can be read"


def _name(hit: Hit) -> str:
    return str(hit.record.metadata.get("file_name", hit.id))


def _said(hit: Hit, *, scored: bool) -> str:
    """Name, caption, scores, and each leg that found it, as HTML."""
    lines = [f"<b>{escape(_name(hit))}</b>"]
    if hit.record.text:
        lines.append(escape(hit.record.text[:200]))
    if scored:
        lines.append(f'<span class="faint">{_scores(hit)}</span>')
    return f'<div class="said">{"<br>".join(lines)}</div>'


def _scores(hit: Hit) -> str:
    relevance = "" if hit.relevance is None else f", relevance {hit.relevance:.2f}"
    found = [f"{NAMES.get(leg.name, leg.name)} #{leg.rank}" for leg in hit.legs if leg.rank]
    return f"score {hit.fused:.2f}{relevance}<br>found by {', '.join(found)}"
