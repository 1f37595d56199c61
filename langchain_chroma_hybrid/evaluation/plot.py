"""The measure against the lexical weight; needs the extra `plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.evaluation.statistics import Estimate


def draw(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    before: Estimate,
    measure: str,
    path: str | Path,
) -> None:
    """Write a picture (`.svg`, `.png` or `.pdf`): one line per fusion, and the baseline.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    # No pyplot: it would keep every figure and choose a display.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for fusion, points in curves.items():
        shares, means = zip(*sorted(points), strict=True)
        axes.plot(shares, means, marker="o", label=fusion)
    axes.axhline(before.mean, color="black", linestyle="--", label="as it was")
    axes.axhspan(before.low, before.high, color="black", alpha=0.08)
    axes.set_xlabel("weight of the lexical leg")
    axes.set_ylabel(measure)
    axes.legend()
    figure.savefig(Path(path))
