"""nDCG@10 before and after, with intervals; needs the extra `plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.evaluation.statistics import estimate

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.finetune.verdict import Verdict


def draw(verdict: Verdict, path: Path) -> None:
    """Write a picture: a group of points for each collection, one for each mode and model.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    # No pyplot: it would keep every figure and choose a display.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    marks = {"vector": "o", "lexical": "s", "hybrid": "^"}
    for place, each in enumerate(verdict.compared):
        for number, mode in enumerate(marks):
            for side, colour in ((each.before, "grey"), (each.after, "black")):
                found = estimate(side.values[mode]["nDCG@10"])
                x = place + (number - 1) * 0.2 + (0.06 if colour == "black" else 0.0)
                error = [[found.mean - found.low], [found.high - found.mean]]
                label = f"{mode}, {'after' if colour == 'black' else 'before'}"
                axes.errorbar(x, found.mean, error, fmt=marks[mode], color=colour, capsize=2,
                              label=label if place == 0 else None)  # fmt: skip
    axes.set_xticks(range(len(verdict.compared)), [each.name for each in verdict.compared])
    axes.set_ylabel("nDCG@10")
    axes.legend(fontsize="small")
    figure.savefig(path)
