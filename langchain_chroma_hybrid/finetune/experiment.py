"""An honest comparison: the configuration comes first, and test queries are asked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma_hybrid._files import write_json
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.datasets import Dataset, load_beir, load_csv
from langchain_chroma_hybrid.evaluation.evaluate import Evaluation, evaluate
from langchain_chroma_hybrid.finetune.verdict import Compared, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma import Chroma

    from langchain_chroma_hybrid.finetune.training import FineTuned
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
        InvalidArgumentError: the folder has another configuration.
    """

    @known_keywords
    def __init__(self, folder: str | Path, configuration: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        text = json.dumps(configuration, sort_keys=True)
        self.commit = hashlib.sha256(text.encode()).hexdigest()
        self.configuration = json.loads(text)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / _CONFIGURATION
        if not path.exists():
            now = datetime.now(UTC).isoformat(timespec="seconds")
            content = {"commit": self.commit, "at": now, "configuration": self.configuration}
            write_json(path, content)
        stored = json.loads(path.read_text(encoding="utf-8"))
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
        try:
            stored = json.loads((Path(folder) / _CONFIGURATION).read_text(encoding="utf-8"))
            return cls(folder, stored["configuration"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidArgumentError.of("folder", str(folder), "one of an Experiment") from error

    @known_keywords
    def note(self, name: str, run: FineTuned | Mapping[str, Any]) -> None:
        """List a run, also one whose model was not taken."""
        values = dict(run) if isinstance(run, Mapping) else asdict(run)
        self._add({**values, "kind": "run", "name": name})

    @known_keywords
    def compare(
        self,
        name: str,
        before: ChromaHybridRetriever | Chroma,
        after: ChromaHybridRetriever | Chroma,
        test: str | Path | Dataset,
        *,
        general: bool = False,
        ks: Sequence[int] = (10, 100),
    ) -> Compared:
        """Ask both every test query by vectors, by words and by both; only the first time.

        Args:
            name: of the collection.
            before: the collection with the base.
            after: the same records with the new model.
            test: a BEIR folder or CSV file, opened by now and not before; or what it holds.
            general: a collection of another domain, to see what was forgotten; it decides nothing.
            ks: depths of recall.

        Raises:
            InvalidArgumentError: nothing is judged.
            MissingDependencyError: the extra `eval` is not installed.
        """
        known = {each.name: each for each in self.compared()}
        if name in known:
            return known[name]
        data = test if isinstance(test, Dataset) else _read(Path(test))
        both = [
            evaluate(target, data.queries, data.qrels, modes=MODES, ks=ks)  # type: ignore[arg-type]  # of names
            for target in (before, after)
        ]
        found = Compared(name, both[0], both[1], general)
        self._add({
            "kind": "test", "name": name, "general": general, "queries": found.before.queries,
            "before": found.before.values, "after": found.after.values,
        })  # fmt: skip
        return found

    def runs(self) -> list[dict[str, Any]]:
        """All that was noted and measured, in its order."""
        path = self.folder / _RUNS
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def compared(self) -> list[Compared]:
        """What the test queries said."""
        return [
            Compared(row["name"], _stored(row, "before"), _stored(row, "after"), row["general"])
            for row in self.runs()
            if row["kind"] == "test"
        ]

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
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with (self.folder / _RUNS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "at": now}) + "\n")


def _read(path: Path) -> Dataset:
    if not path.exists():
        raise InvalidArgumentError.of("test", str(path), "a BEIR folder or a CSV file")
    return load_csv(path) if path.suffix.lower() == ".csv" else load_beir(path)


def _stored(row: Mapping[str, Any], side: str) -> Evaluation:
    """The values of one model, as they were when its queries were asked."""
    values = {
        mode: {measure: tuple(each) for measure, each in found.items()}
        for mode, found in row[side].items()
    }
    return Evaluation(tuple(row["queries"]), values)
