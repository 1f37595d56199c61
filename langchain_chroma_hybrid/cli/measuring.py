"""The commands over judged queries: `eval` and `tune`; they need the extra `eval`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

from langchain_chroma_hybrid.cli.opening import mode_for, open_store, words_only
from langchain_chroma_hybrid.cli.output import Printed, line, note, show_one, table
from langchain_chroma_hybrid.core.search import Mode
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation import Dataset, load_beir, load_csv
from langchain_chroma_hybrid.evaluation import evaluate as evaluated
from langchain_chroma_hybrid.evaluation import tune as tuned_for
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Format, Model, Place
    from langchain_chroma_hybrid.evaluation import Evaluation, Tuned
    from langchain_chroma_hybrid.vectorstores import HybridChroma

# So many judged ids are looked up to see whether they belong to the collection at all.
_ASKED = 1_000


def evaluate(
    folder: Path,
    place: Place,
    model: Model,
    kind: Format,
    *,
    modes: Sequence[str] | None,
    save: Path | None,
) -> None:
    """Print how good each mode is on the queries of `folder`."""
    store, data = open_store(place, model), read_judgements(folder)
    _check_overlap(store, data)
    result = evaluated(
        ChromaHybridRetriever.from_vectorstore(store),
        data.queries,
        data.qrels,
        modes=_modes(store, model, modes),
    )
    if save is not None:
        result.save(save)
    _show(result, kind)


def tune(
    folder: Path,
    place: Place,
    model: Model,
    kind: Format,
    *,
    measure: str,
    save: Path | None,
    plot: Path | None,
) -> bool:
    """Print the options that suit the queries of `folder`; whether any are really better."""
    store, data = open_store(place, model), read_judgements(folder)
    _check_overlap(store, data)
    mode_for(store, model, "hybrid")
    retriever = ChromaHybridRetriever.from_vectorstore(store)
    found = tuned_for(retriever, data.queries, data.qrels, measure=measure)
    if plot is not None:
        found.plot(plot)
    if save is not None and found.accepted:
        found.settings.save(save)
    _tell(found, kind)
    return found.accepted


def read_judgements(folder: Path) -> Dataset:
    """The judged queries of a folder or file."""
    if not folder.exists():
        raise InvalidArgumentError.of("FOLDER", str(folder), "a BEIR folder or a CSV file")
    return load_csv(folder) if folder.suffix.lower() == ".csv" else load_beir(folder)


def _modes(store: HybridChroma, model: Model, asked: Sequence[str] | None) -> list[Mode]:
    """The modes to measure: those asked for, else all that the collection's embeddings allow."""
    every: tuple[Mode, ...] = get_args(Mode)
    if asked:
        for mode in asked:
            if mode not in every:
                raise InvalidArgumentError.of("--mode", mode, f"one of {', '.join(every)}")
            mode_for(store, model, mode)
        return [mode for mode in every if mode in asked]
    why = words_only(store, model)
    if why is None:
        return list(every)
    note(f"lexical search only, because {why}")
    return ["lexical"]


def _check_overlap(store: HybridChroma, data: Dataset) -> None:
    judged = {id_ for grades in data.qrels.values() for id_, grade in grades.items() if grade > 0}
    some = sorted(judged)[:_ASKED]
    if some and not store.get(ids=some, include=[])["ids"]:
        raise InvalidArgumentError.of(
            "judgements", some[:3], "ids of records in this collection; none of them is there"
        )


def _show(result: Evaluation, kind: Format) -> None:
    """Print a row of means for each mode, with the interval of nDCG@10, or a line of JSON."""
    found = {
        mode: {name: result.estimate(mode, name) for name in measures}
        for mode, measures in result.values.items()
    }
    if kind != "table":
        with Printed(kind) as out:
            for mode, estimates in found.items():
                values = {name: asdict(estimate) for name, estimate in estimates.items()}
                out.add({"mode": mode, "queries": len(result.queries), **values})
        return
    rows = []
    for mode, estimates in found.items():
        interval = estimates["nDCG@10"]
        means = [f"{estimate.mean:.3f}" for estimate in estimates.values()]
        rows.append([mode, *means, f"{interval.low:.3f} to {interval.high:.3f}"])
    names = next(iter(result.values.values()))
    columns = {"mode": "text", **dict.fromkeys(names, "number"), "95 % of nDCG@10": "number"}
    table(columns, rows, f"{len(result.queries)} queries")


def _tell(found: Tuned, kind: Format) -> None:
    """Print what tuning gained, and the better options where they were accepted."""
    options = dict(found.settings.options)
    if kind != "table":
        measured, gain = dict(found.settings.measured), asdict(found.gain)
        show_one({"accepted": found.accepted, "options": options, "held_out_gain": gain,
                  "measured": measured}, kind)  # fmt: skip
        return
    before, after = (found.settings.measured[name] for name in ("before", "after"))
    line(f"{found.measure}: {before:.3f} as it was, {after:.3f} at best")
    line(f"held-out gain {found.gain.mean:+.3f} (p = {found.gain.p:.3f})")
    if found.accepted:
        line(f"better: {', '.join(f'{name}={value}' for name, value in options.items())}")
    else:
        line("nothing is significantly better: keep what you have")
