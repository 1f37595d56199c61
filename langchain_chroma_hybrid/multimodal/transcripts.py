"""Transcripts: what is said in a recording, and when, from .srt, .vtt, .ass and Whisper's JSON."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.keywords import known_fields, known_keywords
from langchain_chroma_hybrid.embeddings.local_files import open_regular
from langchain_chroma_hybrid.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TRANSCRIPT_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".json")
_MAX_BYTES = 64 * 1024 * 1024
_LONGEST = 360_000.0  # seconds that a time may say
_CLOCK = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?"
_ARROW = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_TIME = re.compile(rf"^\s*{_CLOCK}\s*$")
# Of HTML, WebVTT (also times) and ASS; not `2 < 3 > 1` or `{name}`.
_TAGS = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<[\d:.]{5,20}>|\{\\[^{}]{0,200}\}")
_BREAKS = re.compile(r"[\s\0]+")
_ASS_BREAKS = re.compile(r"\\[Nnh]")
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


@known_fields
@dataclass(frozen=True, slots=True)
class Cue:
    """Something that is said, in one line, from `start` to `end` in seconds."""

    start: float
    end: float
    text: str


@known_keywords
def read_transcript(path: Path) -> list[Cue]:
    """The cues of a transcript in order of time; none for JSON that is no transcript.

    Text is UTF-8, or UTF-16 with a mark, or Windows-1252. Formatting is taken out.

    Raises:
        MediaError: it cannot be read, is larger than 64 MiB, or has no cue.
    """
    with open_regular(path, "transcript", MediaError) as file:
        data = file.read(_MAX_BYTES + 1) or b""
    if len(data) > _MAX_BYTES:
        raise MediaError(f"{path}: expected a transcript of at most {_MAX_BYTES} bytes, got more")
    suffix = path.suffix.lower()
    if suffix == ".json":
        return list(_of_json(data))
    lines = _decoded(data).splitlines()
    found = cues(_of_ass(lines) if suffix in (".ass", ".ssa") else _of_srt(lines))
    if not found:
        raise MediaError(f"{path}: expected a transcript, got no line with a time")
    return found


def cues(found: Iterable[tuple[Any, Any, Any]]) -> list[Cue]:
    """Those of `(start, end, text)` that make sense, each text in one line, in order of time."""
    kept = []
    for start, end, text in found:
        try:
            first, last = float(start), float(end)
        except (TypeError, ValueError):
            continue
        line = _BREAKS.sub(" ", str(text).encode("utf-8", "replace").decode("utf-8")).strip()
        if line and math.isfinite(first) and 0 <= first <= last <= _LONGEST:
            kept.append(Cue(first, last, line))
    return sorted(kept, key=lambda cue: (cue.start, cue.end))


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeError:
        return data.decode("cp1252", "replace")


def _of_srt(lines: list[str]) -> Iterator[tuple[float, float, str]]:
    """Also of WebVTT: what stands below a line with an arrow, up to an empty line."""
    times, said = None, list[str]()
    for line in [*lines, ""]:
        arrow = _ARROW.match(line)
        if times and (arrow or not line.strip()):
            # Without an empty line, what stands above an arrow is the next cue's number.
            numbered = arrow and said and said[-1].strip().isdigit()
            yield (*times, " ".join(said[:-1] if numbered else said))
            times = None
        if arrow:
            groups = arrow.groups()
            times, said = (_seconds(groups[:4]), _seconds(groups[4:])), []
        elif times:
            said.append(html.unescape(_TAGS.sub("", line)))


def _of_ass(lines: list[str]) -> Iterator[tuple[float, float, str]]:
    """What stands behind `Dialogue:`, in the columns that `Format:` names."""
    names = ["layer", "start", "end", "style", "name", "l", "r", "v", "effect", "text"]
    events = False
    for line in lines:
        head, _, rest = line.partition(":")
        if line.startswith("["):
            events = line.strip().lower() == "[events]"
        elif events and head.strip().lower() == "format":
            names = [name.strip().lower() for name in rest.split(",")]
        elif events and head.strip().lower() == "dialogue":
            cells = dict(zip(names, rest.split(",", len(names) - 1), strict=False))
            times = [_TIME.match(cells.get(name, "")) for name in ("start", "end")]
            if times[0] and times[1]:
                first, last = (_seconds(found.groups()) for found in (times[0], times[1]))
                yield first, last, _ASS_BREAKS.sub(" ", _TAGS.sub("", cells.get("text", "")))


def _of_json(data: bytes) -> Iterator[Cue]:
    """Whisper's JSON, that of whisper.cpp, or a list of objects with start, end and text."""
    try:
        found = json.loads(_decoded(data))
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        found = found.get("segments") or found.get("transcription")
    if not isinstance(found, list):
        return
    rows = []
    for each in (entry for entry in found if isinstance(entry, dict)):
        offsets = each.get("offsets")
        if isinstance(offsets, dict):
            milliseconds = (offsets.get("from"), offsets.get("to"))
            numbers = [n / 1000 if isinstance(n, int | float) else None for n in milliseconds]
        else:
            numbers = [each.get("start"), each.get("end")]
        rows.append((*numbers, each.get("text", "")))
    yield from cues(rows)


def _seconds(clock: Iterable[str | None]) -> float:
    hours, minutes, seconds, parts = (each or "0" for each in clock)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{parts}")
