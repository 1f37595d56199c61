"""nDCG@10 before and after, with intervals; needs the extra `plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from langchain_chroma_hybrid.evaluation.statistics import Estimate

_MARKS = {"vector": "o", "lexical": "s", "hybrid": "^"}


def draw(found: Mapping[str, Mapping[str, tuple[Estimate, Estimate]]], path: Path) -> None:
    """Write a picture: a group of points for each collection.

    Args:
        found: by collection, by mode, before and after.
        path: of the picture (`.svg`, `.png` or `.pdf`).

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    # No pyplot: it would keep every figure and choose a display.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for place, by_mode in enumerate(found.values()):
        for number, (mode, both) in enumerate(by_mode.items()):
            for side, each in enumerate(both):
                x = place + (number - 1) * 0.2 + side * 0.06
                axes.errorbar(
                    x, each.mean, [[each.mean - each.low], [each.high - each.mean]], capsize=2,
                    fmt=_MARKS.get(mode, "d"), color=("grey", "black")[side],
                    label=f"{mode}, {('before', 'after')[side]}" if place == 0 else None,
                )  # fmt: skip
    axes.set_xticks(range(len(found)), list(found))
    axes.set_ylabel("nDCG@10")
    axes.legend(fontsize="small")
    figure.savefig(path)
