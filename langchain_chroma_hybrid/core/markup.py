"""Texts with the words that match marked, and results as HTML for notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_chroma_hybrid.core.hit import Hit, LegHit

# Of a text in a table, in characters.
_LONGEST = 300
_STYLE = "text-align: left; vertical-align: top"


def escape(text: str) -> str:
    """The text as HTML that shows it and holds nothing else; NUL, which HTML has not, as U+FFFD."""
    return html.escape(text.replace("\0", "\N{REPLACEMENT CHARACTER}"))


def pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """The text in its order, in pieces that lie within a span, or do not.

    Args:
        text: of the record.
        spans: `(start, end)` in characters, disjoint and ascending, as `Hit.spans` is.
    """
    at = 0
    for start, end in spans:
        yield text[at:start], False
        yield text[start:end], True
        at = end
    yield text[at:], False


def marked(
    text: str,
    spans: Sequence[tuple[int, int]],
    before: str,
    after: str,
    plain: Callable[[str], str] = str,
) -> str:
    """The text with marks around `spans`, which are disjoint and ascending, as `Hit.spans` is.

    Args:
        text: of the record.
        spans: `(start, end)` in characters.
        before: what stands before each.
        after: what stands behind each.
        plain: what becomes of the text itself, such as `html.escape`.
    """
    marks = {True: (before, after), False: ("", "")}
    shown = ((marks[found], plain(piece)) for piece, found in pieces(text, spans))
    return "".join(f"{first}{piece}{last}" for (first, last), piece in shown)


def as_html(text: str, spans: Sequence[tuple[int, int]] = ()) -> str:
    """The text as HTML that holds nothing but itself, matching words between `<mark>`."""
    return marked(text, spans, "<mark>", "</mark>", escape)


def result_html(hits: Sequence[Hit], legs: Sequence[str], notes: Sequence[str]) -> str:
    """A table of the hits with their ranks in each of the legs, and the notes, for a notebook."""
    rows = [_row([escape(name) for name in ("relevance", *legs, "id", "text")], "th")]
    for hit in hits:
        by_name = {leg.name: leg for leg in hit.legs}
        ranks = [_rank(by_name.get(name)) for name in legs]
        relevance = "" if hit.relevance is None else f"{hit.relevance:.3f}"
        rows.append(_row([relevance, *ranks, escape(hit.id), _passage(hit)], "td"))
    said = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<table>{''.join(rows)}</table>{said}" if hits else f"<p>nothing found</p>{said}"


def _rank(leg: LegHit | None) -> str:
    return "-" if leg is None or leg.rank is None else f"{leg.rank}"


def _passage(hit: Hit) -> str:
    """The text, cut around the first match where it is long."""
    text = hit.record.text or ""
    first = hit.spans[0][0] if hit.spans else 0
    start = max(0, first - _LONGEST // 3) if len(text) > _LONGEST else 0
    end = start + _LONGEST
    inside = [(a - start, min(b, end) - start) for a, b in hit.spans if start <= a < end]
    shown = as_html(text[start:end], inside)
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def _row(cells: Sequence[str], kind: str) -> str:
    inner = "".join(f'<{kind} style="{_STYLE}">{cell}</{kind}>' for cell in cells)
    return f"<tr>{inner}</tr>"
