"""What a search found: what is shown of each file, and what is said of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from langchain_chroma_hybrid.core.markup import escape
from langchain_chroma_hybrid.errors import ChromaHybridError
from langchain_chroma_hybrid.multimodal import as_content_blocks
from langchain_chroma_hybrid.multimodal.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid import Hit
    from langchain_chroma_hybrid.multimodal import FileMoments, ImageReport

STYLE = """<style>
.said { font-size: .8rem; overflow-wrap: anywhere; }
.said .faint, .gone { opacity: .65; }
.gone { display: flex; aspect-ratio: 1; align-items: center; justify-content: center;
  border: 1px dashed rgba(128, 128, 128, .5); font-size: .85rem; text-align: center; }
</style>"""
GONE = '<div class="gone">This picture cannot be shown any more</div>'
TOO_LARGE = '<div class="gone">Too large to be played here</div>'
NAMES = {"lexical": "words", "vector": "picture"}
_MOST_BYTES = 4_000_000
_MOST_PLAYED = 200_000_000  # Streamlit reads all of what it plays


@dataclass(frozen=True, slots=True)
class Tile:
    """A file in the gallery; `uri` and `version` tell whether it is still the same.

    `kind` is image, audio or video; `at` the second to begin with.
    """

    id: str
    name: str
    uri: str
    version: str
    said: str
    kind: str
    at: float


def tiles(found: Sequence[FileMoments], *, scored: bool) -> list[Tile]:
    """The files of a search in their order; without scores where nothing was asked for."""
    return [
        Tile(
            file.hit.id,
            _name(file.hit),
            str(file.hit.record.metadata.get("uri", "")),
            str(file.hit.record.metadata.get("sha256", "")),
            _said(file, scored=scored),
            str(file.hit.record.metadata.get("kind", "image")),
            file.moments[0].at if file.moments else 0.0,
        )
        for file in found
    ]


def playable(uri: str, root: str | Path) -> Path | None:
    """The file of a sound or video below `root`; None if it is gone, elsewhere, or too large."""
    try:
        path = Roots(root).find(Path(uri))
        return path if path.is_file() and path.stat().st_size <= _MOST_PLAYED else None
    except (ChromaHybridError, OSError, RuntimeError, ValueError):
        return None


def picture(
    uri: str, root: str | Path, edge: int, kind: str = "image", at: float = 0.0
) -> bytes | None:
    """A JPEG of a picture or frame below `root`; None if it is gone, broken, or elsewhere."""
    document = Document("", metadata={"uri": uri, "kind": kind, "start": at, "end": at + 0.1})
    [block, *_] = as_content_blocks(
        [document], roots=root, max_bytes=_MOST_BYTES, max_edge=edge, frames=1
    )
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
    return ", ".join(said) or "nothing that can be read"


def _name(hit: Hit) -> str:
    return str(hit.record.metadata.get("file_name", hit.id))


def _said(file: FileMoments, *, scored: bool) -> str:
    """Name, seconds, what is said, scores, and each leg that found it, as HTML."""
    lines = [f"<b>{escape(_name(file.hit))}</b>"]
    if file.moments:
        lines.append(f"at {_clock(file.moments[0].at)}")
    text = file.moments[0].text if file.moments else file.hit.record.text
    if text:
        lines.append(escape(text[:200]))
    if scored:
        lines.append(f'<span class="faint">{_scores(file.hit)}</span>')
    return f'<div class="said">{"<br>".join(lines)}</div>'


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def _scores(hit: Hit) -> str:
    relevance = "" if hit.relevance is None else f", relevance {hit.relevance:.2f}"
    found = [f"{NAMES.get(leg.name, leg.name)} #{leg.rank}" for leg in hit.legs if leg.rank]
    return f"score {hit.fused:.2f}{relevance}<br>found by {', '.join(found)}"
