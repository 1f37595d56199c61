"""nDCG, MRR and recall per query, by ir-measures (trec_eval underneath)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Qrels: TypeAlias = "Mapping[str, Mapping[str, int]]"
"""Grade by record id by query id; a grade above 0 means relevant."""


def measure_names(ks: Sequence[int]) -> tuple[str, ...]:
    """`nDCG@10`, `MRR@10` and `recall@k` for every k."""
    return ("nDCG@10", "MRR@10", *(f"recall@{k}" for k in ks))


@known_keywords
def per_query(
    qrels: Qrels, runs: Mapping[str, Sequence[str]], names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Value by query by measure, 0..1, higher is better.

    nDCG takes grades as gains. A query of `qrels` without results counts 0; queries without a
    relevant record are left out.

    Args:
        qrels: the judgements.
        runs: ids found by query, best first.
        names: `nDCG@k`, `MRR@k`, `recall@k`.

    Raises:
        InvalidArgumentError: no query has a relevant record, or an unknown measure.
        MissingDependencyError: the extra `eval` is not installed.
    """
    measures = require("ir_measures", "eval")
    judged = {query: found for query, found in qrels.items() if max(found.values(), default=0) > 0}
    if not judged:
        raise InvalidArgumentError.of("qrels", qrels, "at least one query with a relevant record")
    wanted = {measures.parse_measure(_theirs(name)): name for name in names}
    run = {
        query: {id_: float(-place) for place, id_ in enumerate(runs.get(query, ()))}
        for query in judged
    }
    grades = {query: {id_: int(g) for id_, g in found.items()} for query, found in judged.items()}
    values = {name: dict.fromkeys(judged, 0.0) for name in names}
    for result in measures.iter_calc(list(wanted), grades, run):
        values[wanted[result.measure]][result.query_id] = float(result.value)
    return values


def depth_of(name: str) -> int:
    """How many results a measure looks at.

    Raises:
        InvalidArgumentError: an unknown measure.
    """
    return int(_theirs(name).partition("@")[2])


def _theirs(name: str) -> str:
    """The name under which ir-measures knows a measure."""
    kind, _, k = name.partition("@")
    known = {"nDCG": "nDCG", "MRR": "RR", "recall": "R"}
    if kind not in known or not k.isdigit() or int(k) < 1:
        raise InvalidArgumentError.of("measure", name, "nDCG@k, MRR@k or recall@k")
    return f"{known[kind]}@{int(k)}"
