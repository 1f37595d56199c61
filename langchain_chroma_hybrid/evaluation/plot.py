"""The measure against the lexical weight; needs the extra `plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from langchain_chroma_hybrid.evaluation.tune import Tuned


def draw(tuned: Tuned, path: str | Path) -> None:
    """Write a picture (`.svg`, `.png` or `.pdf`): one line per fusion, and the baseline.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    # No pyplot: it would keep every figure and choose a display.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for fusion, points in _curves(tuned).items():
        shares, means = zip(*sorted(points), strict=True)
        axes.plot(shares, means, marker="o", label=fusion)
    before = tuned.baseline.estimate()
    axes.axhline(before.mean, color="black", linestyle="--", label="as it was")
    axes.axhspan(before.low, before.high, color="black", alpha=0.08)
    axes.set_xlabel("weight of the lexical leg")
    axes.set_ylabel(tuned.measure)
    axes.legend()
    figure.savefig(Path(path))


def _curves(tuned: Tuned) -> dict[str, list[tuple[float, float]]]:
    """By fusion: share of the lexical leg and mean."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for trial in tuned.trials:
        weights = trial.options.get("weights")
        if isinstance(weights, tuple | list):
            share = weights[0] / sum(weights)
            name = str(trial.options.get("fusion", "default"))
            curves.setdefault(name, []).append((share, trial.mean()))
    return curves
