"""Before against after, collection by collection: how sure the gain is, and what follows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.statistics import (
    Difference,
    Estimate,
    compare,
    detectable,
    estimate,
    holm,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.evaluation.evaluate import Evaluation

DECIDES = "nDCG@10"
JUDGED = ("vector", "hybrid")


@dataclass(frozen=True, slots=True)
class Compared:
    """One collection with both models.

    Attributes:
        name: of the collection.
        before: what the old model has found.
        after: what the new one has found.
        general: whether it is of another domain.
        left_out: test queries that stand in the training data, and were not asked.
    """

    name: str
    before: Evaluation
    after: Evaluation
    general: bool = False
    left_out: int = 0

    def gain(self, mode: str, measure: str = DECIDES) -> Difference:
        """What the new model is better, query by query."""
        return compare(self.after.values[mode][measure], self.before.values[mode][measure])

    def estimates(self, measure: str = DECIDES) -> dict[str, tuple[Estimate, Estimate]]:
        """By mode the means before and after, with intervals."""
        return {
            mode: (self.before.estimate(mode, measure), self.after.estimate(mode, measure))
            for mode in self.after.values
        }

    def detectable(self, mode: str, measure: str = DECIDES) -> float:
        """The gain that so many queries would show four times in five."""
        return detectable(self.after.values[mode][measure], self.before.values[mode][measure])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is better.

    Attributes:
        compared: every collection, in the order in which it was measured.
        commit: SHA-256 of the configuration, which was written down at `committed_at`.
        runs: all that were noted.
        alpha: highest p-value, corrected by Holm over collections, that counts as significant.

    Raises:
        InvalidArgumentError: no collection of the domain was compared, or an alpha outside 0..1.
    """

    compared: tuple[Compared, ...]
    commit: str
    committed_at: str
    configuration: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...] = ()
    alpha: float = 0.05

    def __post_init__(self) -> None:
        number("alpha", self.alpha, 0.0, 1.0)
        if not any(not each.general for each in self.compared):
            raise InvalidArgumentError.of(
                "compared", [each.name for each in self.compared], "a collection of the domain"
            )

    def p(self, mode: str) -> dict[str, float]:
        """By collection, the p-value of nDCG@10, corrected over collections."""
        raised = holm([each.gain(mode).p for each in self.compared])
        return {each.name: p for each, p in zip(self.compared, raised, strict=True)}

    @property
    def better(self) -> bool:
        """Significantly better by vectors on a collection of the domain, nowhere there worse."""
        return self._any("vector", 1) and not any(self._any(mode, -1) for mode in JUDGED)

    @property
    def forgotten(self) -> tuple[str, ...]:
        """General collections on which the new model is significantly worse by vectors."""
        p = self.p("vector")
        return tuple(
            each.name for each in self.compared
            if each.general and each.gain("vector").mean < 0 and p[each.name] <= self.alpha
        )  # fmt: skip

    def _any(self, mode: str, sign: int) -> bool:
        p = self.p(mode)
        own = (each for each in self.compared if not each.general)
        return any(each.gain(mode).mean * sign > 0 and p[each.name] <= self.alpha for each in own)

    def said(self) -> str:
        """The verdict in a sentence or two."""
        worse = f" On {', '.join(self.forgotten)} it is worse: see merge_models." * bool(
            self.forgotten
        )
        if self.better:
            return f"The new model is significantly better.{worse}"
        return f"The new model is not significantly better; promoting it has to be forced.{worse}"

    def markdown(self) -> str:
        """The report: configuration, every measure before and after, p-values, power, all runs."""
        parts = [
            "# Fine-tuning",
            self.said(),
            (f"Configuration `{self.commit}`, written down at {self.committed_at}, before the test "
            "queries were read. They were asked once."),
            f"```json\n{json.dumps(self.configuration, indent=1)}\n```",
            *(self._section(each) for each in self.compared),
            "## Runs",
            "\n".join(f"- {json.dumps(run)}" for run in self.runs) or "None was noted.",
        ]
        return "\n\n".join(parts) + "\n"

    @known_keywords
    def save(self, folder: str | Path) -> None:
        """Write `report.md`, and with the extra `plot` the picture `report.svg` that it shows."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        text = self.markdown()
        if _draws():
            from langchain_chroma_hybrid.finetune.drawing import draw  # noqa: PLC0415  # needs an extra

            draw({each.name: each.estimates() for each in self.compared}, path / "report.svg")
            text = text.replace("## Runs", "![nDCG@10 before and after](report.svg)\n\n## Runs", 1)
        (path / "report.md").write_text(text, encoding="utf-8")

    def _section(self, each: Compared) -> str:
        """One collection: a row for each mode and measure."""
        head = ["mode", "measure", "before", "after", "gain, 95 %", "p", "p (Holm)", "would show"]
        lines = [head, ["---"] * len(head)]
        for mode, measures in each.after.values.items():
            for measure in measures:
                before = estimate(each.before.values[mode][measure])
                after, gain = estimate(measures[measure]), each.gain(mode, measure)
                corrected = f"{self.p(mode)[each.name]:.3f}" if measure == DECIDES else ""
                lines.append([
                    mode, measure,
                    *(f"{e.mean:.3f} ({e.low:.3f} to {e.high:.3f})" for e in (before, after)),
                    f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})", f"{gain.p:.3f}",
                    corrected, f"{each.detectable(mode, measure):.3f}",
                ])  # fmt: skip
        kind = ", another domain" if each.general else ""
        if each.left_out:
            kind += f"; {each.left_out} more stand in the training data, and were not asked"
        title = f"## {each.name} ({len(each.after.queries)} queries{kind})"
        return title + "\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _draws() -> bool:
    try:
        require("matplotlib", "plot")
    except ImportError:
        return False
    return True
