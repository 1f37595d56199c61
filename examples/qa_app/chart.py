"""A picture of how each hit came about: what each leg gave to its score, with ranks and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid import Hit

NAMES = {"lexical": "words", "vector": "meaning"}
COLOURS = ("#f2a33a", "#4c78a8", "#72b7b2")


def rows(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """One row for each leg of each hit: its rank there, and its share of the fused score."""
    return [
        {
            "hit": f"[{number}] {_ranks(hit)}",
            "leg": f"{_name(leg.name)}, weight {leg.weight:.2f}",
            "rank": leg.rank,
            "score": round(leg.normalized, 3),
            "share": round(leg.weight * leg.normalized, 4),
        }
        for number, hit in enumerate(hits, 1)
        for leg in hit.legs
    ]


def drawn(found: list[dict[str, Any]]) -> alt.Chart:
    """Bars of what the legs gave, the hits in their order."""
    hits = list(dict.fromkeys(row["hit"] for row in found))
    legs = list(dict.fromkeys(row["leg"] for row in found))
    axis = alt.Axis(tickCount=5, title="weight × score in the leg")
    colours = alt.Scale(domain=legs, range=COLOURS[: len(legs)])
    return (
        alt.Chart(alt.Data(values=found))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", stack="zero", axis=axis, scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("hit:N", sort=hits, title=None, axis=alt.Axis(labelLimit=240)),
            color=alt.Color("leg:N", scale=colours, title=None, legend=alt.Legend(orient="top")),
            order=alt.Order("leg:N", sort="descending"),
            tooltip=["leg:N", "rank:N", "score:Q", "share:Q"],
        )
        .properties(height=alt.Step(30))
    )


def _name(leg: str) -> str:
    return NAMES.get(leg, leg)


def _ranks(hit: Hit) -> str:
    """Its rank in each leg, `-` where the leg did not find it."""
    said = (f"{_name(leg.name)} {f'#{leg.rank}' if leg.rank else '-'}" for leg in hit.legs)
    return ", ".join(said)
