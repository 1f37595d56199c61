"""Answers and sources as HTML. Whatever comes from a file or a model goes through `escape`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.markup import as_html, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_chroma_hybrid import Hit

STYLE = """<style>
.answer { white-space: pre-wrap; overflow-wrap: anywhere; }
.answer a, .answer a:visited { color: #4c78a8; text-decoration: none; font-weight: 600; }
.source { border-top: 1px solid rgba(128, 128, 128, .25); padding: .35rem 0; }
.source summary { cursor: pointer; overflow-wrap: anywhere; }
.source .passage { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 .5rem 1.1rem;
  max-height: 20rem; overflow-y: auto; font-size: .92rem; }
.source .passage:focus-visible { outline: 1px solid rgba(128, 128, 128, .4); }
.source mark { background: rgba(255, 196, 0, .4); color: inherit; border-radius: 2px; }
.faint { opacity: .65; font-size: .88rem; }
</style>"""
_CITED = re.compile(r"\[(\d{1,3})\]")
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


def label(text: str) -> str:
    """A text for what Streamlit reads as Markdown: labels, progress; nothing in it is a link."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def answer(text: str, turn: int, numbers: Iterable[int]) -> str:
    """An answer whose `[1]` lead to the sources of its turn, where there are such."""
    known = set(numbers)

    def link(found: re.Match[str]) -> str:
        number = int(found[1])
        return f'<a href="#{_place(turn, number)}">[{number}]</a>' if number in known else found[0]

    return f'<div class="answer">{_CITED.sub(link, escape(text))}</div>'


def sources(hits: Sequence[Hit], turn: int) -> str:
    """Numbered sources; each opens its passage, also when the answer's link to it is followed."""
    return "".join(_source(hit, turn, number) for number, hit in enumerate(hits, 1))


def where(hit: Hit) -> str:
    """Which file a passage comes from, and which page or row of it."""
    said = hit.record.metadata
    places = [f"{key} {said[key]}" for key in ("page", "row") if key in said]
    return ", ".join([str(said.get("source", hit.id)), *places])


def _source(hit: Hit, turn: int, number: int) -> str:
    relevance = "" if hit.relevance is None else f"relevance {hit.relevance:.2f}"
    passage = as_html(hit.record.text or "", hit.spans)
    # A browser opens what is closed around the target of a link.
    return (
        f'<details class="source"><summary><b>[{number}]</b> {escape(where(hit))} '
        f'<span class="faint">{relevance}</span></summary>'
        f'<div class="passage" id="{_place(turn, number)}">{passage}</div></details>'
    )


def _place(turn: int, number: int) -> str:
    return f"source-{turn}-{number}"
