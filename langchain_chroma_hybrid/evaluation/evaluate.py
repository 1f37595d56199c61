"""nDCG@10, MRR@10 and recall@k of each mode, with intervals and paired tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.evaluation.metrics import Qrels, measure_names, per_query
from langchain_chroma_hybrid.evaluation.runs import Runner, judged
from langchain_chroma_hybrid.evaluation.statistics import Difference, Estimate, compare, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid.core.search import Mode
    from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

MODES: tuple[Mode, ...] = ("lexical", "vector", "hybrid", "two_step")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Values per query of every mode and measure; 0..1, higher is better.

    Attributes:
        queries: ids of the judged queries, in the order of all values.
        values: by mode, by measure, one value per query.
    """

    queries: tuple[str, ...]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]

    def estimate(self, mode: str, measure: str = "nDCG@10") -> Estimate:
        """The mean over queries and its 95 % bootstrap interval."""
        return estimate(self.values[mode][measure])

    def compare(self, mode: str, other: str, measure: str = "nDCG@10") -> Difference:
        """What `mode` is better than `other`, query by query, with a paired test."""
        return compare(self.values[mode][measure], self.values[other][measure])

    def table(self) -> str:
        """Means as a Markdown table; nDCG@10 with its interval, p-values against the best mode."""
        best = max(self.values, key=lambda mode: self.estimate(mode).mean)
        measures = list(self.values[best])
        head = ["mode", *measures, "95 % of nDCG@10", f"p against {best}"]
        lines = [head, ["---"] * len(head)]
        for mode in self.values:
            first = self.estimate(mode)
            means = [f"{self.estimate(mode, measure).mean:.3f}" for measure in measures]
            p = "" if mode == best else _p(self.compare(best, mode).p)
            lines.append([mode, *means, f"{first.low:.3f} to {first.high:.3f}", p])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def save(self, path: str | Path) -> None:
        """Write queries and values as JSON."""
        content = {"queries": self.queries, "values": self.values}
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@known_keywords
def evaluate(
    target: ChromaHybridRetriever | Chroma,
    queries: Mapping[str, str],
    qrels: Qrels,
    *,
    modes: Sequence[Mode] = MODES,
    ks: Sequence[int] = (10, 100),
) -> Evaluation:
    """Ask every judged query in every mode; the retriever's filters and options hold.

    ```python
    from langchain_chroma_hybrid.evaluation import evaluate, load_clicks

    chroma.add_documents(documents)
    data = load_clicks([("R123-78", "1")])
    print(evaluate(chroma, data.queries, data.qrels).table())
    ```

    Args:
        target: a `ChromaHybridRetriever`, or a `Chroma` or `HybridChroma` with default options.
        queries: text by query id; those without a relevant record in `qrels` are left out.
        qrels: grade by record id by query id; above 0 means relevant.
        modes: what to compare.
        ks: depths of recall, >= 1.

    Raises:
        InvalidArgumentError: nothing is judged, or an unknown mode or k.
        MissingDependencyError: the extra `eval` is not installed.
    """
    kept = judged(queries, qrels)
    runner, names = Runner(target, kept), measure_names(ks)
    grades = {query: qrels[query] for query in kept}
    values: dict[str, dict[str, tuple[float, ...]]] = {}
    for mode in modes:
        found = per_query(grades, runner.run(max(10, *ks), mode=mode), names)
        values[mode] = {name: tuple(found[name][query] for query in kept) for name in names}
    return Evaluation(tuple(kept), values)


def _p(value: float) -> str:
    least = 0.001
    return f"{value:.3f}" if value >= least else f"< {least}"
