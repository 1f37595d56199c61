"""The commands `finetune` and `promote`."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.measuring import read_judgements
from langchain_chroma_hybrid.cli.migrating import given_embeddings
from langchain_chroma_hybrid.cli.models import named
from langchain_chroma_hybrid.cli.opening import open_store
from langchain_chroma_hybrid.cli.output import line, note, progress, show_one
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.datasets import read_table
from langchain_chroma_hybrid.finetune import (
    Experiment,
    TrainingData,
    embedded_copy,
    fine_tune,
    from_beir,
    from_judgements,
    from_llama_index,
    from_pairs,
    from_scored_pairs,
    make_queries,
    mine_negatives,
)
from langchain_chroma_hybrid.finetune import promote as promoted
from langchain_chroma_hybrid.finetune.data import LEAST_EXAMPLES
from langchain_chroma_hybrid.finetune.negatives import SOURCES
from langchain_chroma_hybrid.finetune.queries import MADE_OF_RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.cli.options import Format, Model, Place, Sure
    from langchain_chroma_hybrid.finetune import FineTuned
    from langchain_chroma_hybrid.vectorstores import HybridChroma


def finetune(
    path: Path | None,
    place: Place,
    model: Model,
    kind: Format,
    to: Path,
    *,
    base: str | None,
    negatives: str,
    dev: float,
    test: Path | None,
    training: Mapping[str, Any],
    restart: bool,
) -> bool:
    """Train a model and say what became of it; False where the test says that it is no better."""
    one_of("--negatives", negatives, ("auto", "none", *SOURCES))
    start = base or model.embeddings
    if start is None:
        raise InvalidArgumentError.of("--base", None, "a model to train: minilm, a folder, ...")
    _check_test(test, path)
    store = open_store(place, model)
    data = read_data(path, store)
    note(str(data.report))
    negatives = _that_fit(data) if negatives == "auto" else negatives
    parts = data.split(dev, seed=training["seed"])
    train = _with_negatives(store, parts.train, negatives, training["seed"])
    held = parts.dev if len(parts.dev) >= LEAST_EXAMPLES else None
    origin: Any = named(start) or start
    with progress("training") as show:
        made = fine_tune(origin, train, to, dev=held, restart=restart, progress=show, **training)
    _tell({"folder": made.folder, "fingerprint": made.fingerprint, "loss": made.loss,
           "negatives": negatives, "dev": dict(made.metrics),
           "seconds": made.seconds}, kind)  # fmt: skip
    settings = {**training, "base": start, "negatives": negatives, "dev": dev, "data": data.digest}
    return test is None or _better(store, made, settings, test, data)


def _check_test(test: Path | None, data: Path | None) -> None:
    """Refuse a file that is not there, or that is the one to learn from."""
    if test is None:
        return
    if not test.exists():
        raise InvalidArgumentError.of("--test", str(test), "a BEIR folder or a CSV file")
    if data is not None and test.is_file() and data.is_file() and test.samefile(data):
        raise InvalidArgumentError.of("--test", str(test), "other queries than those of DATA")


def _that_fit(data: TrainingData) -> str:
    """Those of both legs, or none for queries made of records: many others answer a title, too."""
    made = set(data.report.kept) & set(MADE_OF_RECORDS)
    return "none" if made or data.kind == "scored" else "both"


def _with_negatives(
    store: HybridChroma, train: TrainingData, source: Any, seed: int
) -> TrainingData:
    """The examples with negatives out of the collection, where they are wanted and can be used."""
    if source == "none" or train.kind == "scored":
        return train
    mined = mine_negatives(store, train, source=source, seed=seed)
    note(str(mined.report))
    return mined


def _better(
    store: HybridChroma,
    made: FineTuned,
    settings: Mapping[str, Any],
    test: Path,
    data: TrainingData,
) -> bool:
    """Write the settings down, ask the test queries, and tell the verdict."""
    folder = Path(made.folder)
    experiment = Experiment(folder.with_name(f"{folder.name}-experiment"), settings)
    experiment.note(folder.name, made)
    copy = embedded_copy(store, made.embeddings())
    name = store._collection_name  # noqa: SLF001  # langchain_chroma's
    found = experiment.compare(name, store, copy, test, trained_on=data)
    if found.left_out:
        note(f"--test: {found.left_out} queries stand in DATA, and were not asked")
    verdict = experiment.verdict()
    verdict.save(experiment.folder)
    note(f"{verdict.said()} Report: {experiment.folder / 'report.md'}")
    return verdict.better


def promote(
    place: Place,
    model: Model,
    sure: Sure,
    kind: Format,
    *,
    old: str | None,
    experiment: Path | None,
    dev: Path | None,
    save: Path | None,
    force: bool,
) -> bool:
    """Bring the model into the collection once the user says so; whether it stayed there."""
    new = given_embeddings(model)
    verdict = None if experiment is None else Experiment.load(experiment).verdict()
    queries = None if dev is None else read_judgements(dev)
    store = open_store(place, replace(model, embeddings=old))
    sure.ask(f"Embed {store._collection_name!r} anew by {model.embeddings}?")  # noqa: SLF001  # as above
    with progress("embedding anew") as show:
        done = promoted(store, new, verdict=verdict, force=force, dev=queries, progress=show)
    found: dict[str, Any] = {"promoted": done.promoted}
    if done.gain is not None:
        found["gain"] = {"nDCG@10": done.gain.mean, "p": done.gain.p}
    if done.tuned is not None:
        found["settings"] = dict(done.tuned.settings.options)
        if save is not None and done.tuned.accepted:
            done.tuned.settings.save(save)
    _tell(found, kind)
    return done.promoted


def read_data(path: Path | None, store: HybridChroma) -> TrainingData:
    """Examples of a file or folder, of the kind that its name says; None makes queries.

    Raises:
        InvalidArgumentError: no such file, or of another kind.
    """
    if path is None:
        return make_queries(store)
    if path.is_dir():
        return from_beir(path)
    suffix = path.suffix.lower()
    if suffix == ".json" and path.is_file():
        return from_llama_index(path)
    if suffix != ".csv" or not path.is_file():
        expected = "a BEIR folder with qrels/train.tsv, a CSV file, or LlamaIndex' JSON file"
        raise InvalidArgumentError.of("DATA", str(path), expected)
    head, *lines = read_table(path, ",", 1) or [[]]
    names = [name.strip().lower() for name in head]
    if "id" in names:
        return from_judgements(store, read_judgements(path))
    if not {"query", "text"} <= set(names):
        raise InvalidArgumentError.of("DATA", head, "columns query and id, or query and text")
    rows = [dict(zip_longest(names, row[: len(names)])) for row in lines]
    if "score" in names:
        return from_scored_pairs([(r["query"], r["text"], _score(r["score"])) for r in rows])
    return from_pairs([(row["query"], row["text"]) for row in rows])


def _score(value: str | None) -> float:
    try:
        return float(value or "")
    except ValueError as error:
        raise InvalidArgumentError.of("score", value, "a number from 0 to 1") from error


def _tell(values: Mapping[str, Any], kind: Format) -> None:
    """A line for each value, or one record."""
    if kind != "table":
        show_one(values, kind)
        return
    for name, value in values.items():
        line(f"{name}: {value}")
