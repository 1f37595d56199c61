"""What `finetune.py` writes into RESULTS.md."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import _results
import numpy as np

from langchain_chroma_hybrid.evaluation.statistics import compare, detectable, holm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.evaluation import Difference

Runs: TypeAlias = "Mapping[tuple[str, str, int], dict[str, Any]]"
"""By collection, way and seed."""

MODES = ("vector", "hybrid")
_OTHERS = {
    "both": ("none", "random", "vector", "lexical"),
    "texts both": ("none", "both", "texts random", "texts vector", "texts lexical"),
}
"""What negatives of both legs are compared with."""


def mean(run: Mapping[str, Any], mode: str) -> str:
    """nDCG@10 over all queries."""
    return f"{np.mean(run['values'][mode]['nDCG@10']):.3f}"


def _mean_of(runs: Runs, collection: str, way: str, mode: str, seeds: Any = None) -> list[float]:
    """nDCG@10 of each query, the mean over seeds."""
    found = [run["values"][mode]["nDCG@10"] for key, run in runs.items()
             if key[:2] == (collection, way) and (seeds is None or key[2] in seeds)]  # fmt: skip
    means: list[float] = np.mean(found, axis=0).tolist()
    return means


def _gains(runs: Runs, mode: str) -> dict[tuple[str, str], list[str]]:
    """Of each way after training: mean, gain over the base, p-value by Holm, what would show."""
    tests = {}
    for collection, way in sorted({key[:2] for key in runs if key[1] != "base"}):
        after, base = (_mean_of(runs, collection, each, mode) for each in (way, "base"))
        tests[collection, way] = (np.mean(after), compare(after, base), detectable(after, base))
    raised = holm([test.p for _, test, _ in tests.values()])
    return {
        key: [f"{mean:.3f}", _shown(test), f"{p:.3f}", f"{least:.3f}"]
        for p, (key, (mean, test, least)) in zip(raised, tests.items(), strict=True)
    }


def _against_others(runs: Runs) -> list[list[str]]:
    """What negatives of both legs gain over each other source, over the seeds that both have."""
    tests = {}
    for collection, way in sorted({key[:2] for key in runs if key[1] in _OTHERS}):
        for other, mode in product(_OTHERS[way], MODES):
            seeds = [seed for *key, seed in runs if key == [collection, way]
                     and (collection, other, seed) in runs]  # fmt: skip
            if seeds:
                pair = [_mean_of(runs, collection, each, mode, seeds) for each in (way, other)]
                tests[collection, way, other, mode, str(len(seeds))] = compare(*pair)
    raised = holm([test.p for test in tests.values()])
    return [[*key, _shown(test), f"{p:.3f}"]
            for p, (key, test) in zip(raised, tests.items(), strict=True)]  # fmt: skip


def _shown(test: Difference) -> str:
    return f"{test.mean:+.3f} ({test.low:+.3f} to {test.high:+.3f})"


def _costs(runs: Runs, key: tuple[str, str]) -> list[str]:
    """Spread over seeds, seconds of mining, training and embedding, and memory of the GPU."""
    own = [run for name, run in runs.items() if name[:2] == key]
    means = [np.mean(run["values"]["vector"]["nDCG@10"]) for run in own]
    seconds = [np.mean([run[n] for run in own]) for n in ("training_s", "embedding_s")]
    spread = f"{np.std(means, ddof=1):.3f}" if len(own) > 1 else "-"
    gpu = max(run["gpu_mb"] for run in own)
    mining = max(run["mining_s"] for run in own)  # once for all seeds
    return [spread, f"{mining:.0f}, {seconds[0]:.0f}, {seconds[1]:.0f}", str(gpu or "-")]


def write(runs: Runs) -> None:
    """A row for each way, and one for what each source of negatives is against both."""
    vector, hybrid = (_gains(runs, mode) for mode in MODES)
    rows = [[*key, str(sum(name[:2] == key for name in runs)), *vector[key], *hybrid[key],
             *_costs(runs, key)] for key in vector]  # fmt: skip
    head = ["collection", "way", "seeds", *("vectors", "gain", "p", "shows"),
            *("hybrid", "gain", "p", "shows"), "sd of seeds", "seconds", "GPU MB"]  # fmt: skip
    bases = ", ".join(
        f"{key[0]} {mean(run, 'vector')} / {mean(run, 'hybrid')} "
        f"({len(run['values']['vector']['nDCG@10'])} queries)"
        for key, run in runs.items() if key[1] == "base"
    )  # fmt: skip
    commits = ", ".join(sorted({run["commit"] for run in runs.values()}))
    settings = "; ".join(sorted({run["setting"] for run in runs.values()}))
    peak = max(run["peak_mb"] for run in runs.values())
    _results.write_section(_results.RESULTS, "finetune", "\n\n".join([
        "## Fine-tuning",
        f"Configuration of commits {commits}, nDCG@10. Base, vectors / hybrid: {bases}.",
        _results.table(head, rows),
        "What negatives of both legs gain over others:",
        _results.table(["collection", "way", "over", "mode", "seeds", "gain", "p"],
                       _against_others(runs)),
        f"At most {peak} MB of main memory. {settings}",
    ]))  # fmt: skip
