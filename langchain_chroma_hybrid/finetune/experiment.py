"""An honest comparison: the configuration comes first, and test queries are asked once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma_hybrid._files import append_line, path_of, read_lines, write_json
from langchain_chroma_hybrid.core.checks import plain
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.datasets import Dataset, load_beir, load_csv
from langchain_chroma_hybrid.evaluation.evaluate import Evaluation, evaluate
from langchain_chroma_hybrid.finetune import alike
from langchain_chroma_hybrid.finetune.data import TrainingData
from langchain_chroma_hybrid.finetune.training import FineTuned
from langchain_chroma_hybrid.finetune.verdict import Compared, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

MODES = ("vector", "lexical", "hybrid")
_CONFIGURATION, _RUNS = "configuration.json", "runs.jsonl"


class Experiment:
    """A folder with one configuration, all runs, and what the test queries said.

    The configuration is on disk, with its time and SHA-256, before a test file is opened; another
    one in the same folder is refused. Every collection's test queries are asked once: later calls
    give back what was found then.

    ```python
    from langchain_chroma_hybrid.finetune import Experiment

    experiment = Experiment("experiment", {"loss": "auto", "epochs": 2, "seed": 0})
    print(experiment.commit[:8])
    ```

    Args:
        folder: of the experiment; made if it is not there.
        configuration: what was decided on dev queries: base, loss, epochs, negatives, seed, how
            the data was split; values that JSON can hold.

    Attributes:
        commit: SHA-256 of the configuration. Tell it to somebody, or put the file into git, to
            show later that it came first.

    Raises:
        InvalidArgumentError: the folder has another configuration, or is none, or what JSON cannot
            hold.
    """

    @known_keywords
    def __init__(self, folder: str | Path, configuration: Mapping[str, Any]) -> None:
        self.folder = path_of("folder", folder)
        self.configuration = plain("configuration", configuration)
        text = json.dumps(self.configuration, sort_keys=True)
        self.commit = hashlib.sha256(text.encode()).hexdigest()
        path = self.folder / _CONFIGURATION
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            content = {"commit": self.commit, "at": _now(), "configuration": self.configuration}
            write_json(path, content)
        stored = _written(path)
        if stored["commit"] != self.commit:
            raise InvalidArgumentError.of(
                "configuration", self.configuration, f"that of {self.folder.name}, or a new folder"
            )
        self.committed_at = str(stored["at"])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """One that was begun before.

        Raises:
            InvalidArgumentError: there is none.
        """
        return cls(folder, _written(path_of("folder", folder) / _CONFIGURATION)["configuration"])

    @known_keywords
    def note(self, name: str, run: FineTuned | Mapping[str, Any]) -> None:
        """List a run, also one whose model was not taken.

        Raises:
            InvalidArgumentError: neither what `fine_tune` returns nor values that JSON can hold.
        """
        values = asdict(run) if isinstance(run, FineTuned) else plain("run", run)
        self._add({**values, "kind": "run", "name": name})

    @known_keywords
    def compare(
        self,
        name: str,
        before: ChromaHybridRetriever | Chroma,
        after: ChromaHybridRetriever | Chroma,
        test: str | Path | Dataset,
        *,
        trained_on: TrainingData | None = None,
        general: bool = False,
        ks: Sequence[int] = (10, 100),
    ) -> Compared:
        """Ask both every test query by vectors, by words and by both; only the first time.

        Args:
            name: of the collection.
            before: the collection with the base.
            after: the same records with the new model.
            test: a BEIR folder or CSV file, opened by now and not before; or what it holds.
            trained_on: all that the new model has learnt from. Test queries that are, exactly or
                nearly, one of its texts are not asked, and the report says how many.
            general: a collection of another domain, to see what was forgotten; it decides nothing.
            ks: depths of recall.

        Raises:
            InvalidArgumentError: nothing is judged, or the model was trained on all of it.
            MissingDependencyError: the extra `eval` is not installed.
        """
        if not isinstance(trained_on, TrainingData | None):
            raise InvalidArgumentError.of_kind("trained_on", trained_on, "TrainingData or None")
        known = {each.name: each for each in self.compared()}
        if name in known:
            return known[name]
        data = test if isinstance(test, Dataset) else _read(path_of("test", test))
        queries = _unseen(data.queries, trained_on)
        both = [
            evaluate(target, queries, data.qrels, modes=MODES, ks=ks)  # type: ignore[arg-type]  # of names
            for target in (before, after)
        ]
        found = Compared(name, both[0], both[1], general, len(data.queries) - len(queries))
        self._add({
            "kind": "test", "name": name, "general": general, "left_out": found.left_out,
            "queries": found.before.queries,
            "before": found.before.values, "after": found.after.values,
        })  # fmt: skip
        return found

    def runs(self) -> list[dict[str, Any]]:
        """All that was noted and measured, in its order."""
        return read_lines(self.folder / _RUNS)

    def compared(self) -> list[Compared]:
        """What the test queries said."""
        return [
            Compared(row["name"], _stored(row, "before"), _stored(row, "after"), row["general"],
                     row.get("left_out", 0))
            for row in self.runs()
            if row["kind"] == "test"
        ]  # fmt: skip

    @known_keywords
    def verdict(self, *, alpha: float = 0.05) -> Verdict:
        """Whether the new model is better, by all collections that were compared.

        Raises:
            InvalidArgumentError: none was, or general ones alone.
        """
        listed = [row for row in self.runs() if row["kind"] == "run"]
        return Verdict(tuple(self.compared()), self.commit, self.committed_at,
                       self.configuration, tuple(listed), alpha)  # fmt: skip

    def _add(self, row: Mapping[str, Any]) -> None:
        append_line(self.folder / _RUNS, {**row, "at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _written(path: Path) -> dict[str, Any]:
    """What is known of an experiment."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("commit", "at", "configuration")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArgumentError.of("folder", str(path.parent), "one of an Experiment") from error


def _read(path: Path) -> Dataset:
    if not path.exists():
        raise InvalidArgumentError.of("test", str(path), "a BEIR folder or a CSV file")
    return load_csv(path) if path.suffix.lower() == ".csv" else load_beir(path)


def _unseen(queries: Mapping[str, str], trained_on: TrainingData | None) -> Mapping[str, str]:
    """The test queries that say something of others than those that were learnt by heart."""
    if trained_on is None:
        return queries
    learnt = (text for row in trained_on.examples for text in (row.query, row.text))
    seen = alike.among(queries.values(), learnt)
    left = {name: text for name, text in queries.items() if text not in seen}
    if queries and not left:
        expected = "queries that the model was not trained on"
        raise InvalidArgumentError.of("test", f"{len(queries)} that it was", expected)
    return left


def _stored(row: Mapping[str, Any], side: str) -> Evaluation:
    """The values of one model, as they were when its queries were asked."""
    values = {
        mode: {measure: tuple(each) for measure, each in found.items()}
        for mode, found in row[side].items()
    }
    return Evaluation(tuple(row["queries"]), values)
