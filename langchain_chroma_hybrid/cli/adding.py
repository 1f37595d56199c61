"""The command `add`: files, folders and JSON lines into a collection, each only once."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.filling import in_step, make_store, there_is
from langchain_chroma_hybrid.cli.opening import embeddings_of, words_only
from langchain_chroma_hybrid.cli.output import Printed, note, table, warn
from langchain_chroma_hybrid.documents import Change, FileIndex, read_files, read_records
from langchain_chroma_hybrid.documents.reading import problem_of
from langchain_chroma_hybrid.documents.scan import GONE
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_chroma_hybrid.cli.options import Format, Model, Place, Sure
    from langchain_chroma_hybrid.documents import ReadFile

STDIN = "-"
_COLUMNS = ("source", "became", "added", "removed", "unchanged", "problem")


def add(
    paths: Sequence[str],
    place: Place,
    model: Model,
    sure: Sure,
    kind: Format,
    *,
    prune: bool,
    chunk_size: int,
    chunk_overlap: int,
    encoding: str,
) -> bool:
    """Bring files in and print what became of each; whether none was skipped by an error."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it finds odd is not the user's
    if "" in paths:  # such as a variable that is not set; it would be the current folder
        raise InvalidArgumentError.of("PATH", "", "a file or a folder; . is the current one")
    named = [path for path in paths if path != STDIN]
    files = read_files(
        named, chunk_size=chunk_size, chunk_overlap=chunk_overlap, encoding=encoding
    )
    target = _Target(place, model, encoding)
    changes: list[Change] = []
    try:
        with Printed(kind) as out:
            for change in _changes(target, files, sure, paths, prune):
                changes.append(change)
                if change.failed and change.problem:
                    warn(f"{change.source}: {change.problem}")
                if kind != "table":
                    out.add(_row(change))
        target.done()
    finally:
        if kind == "table" and changes:
            _show(changes)
        target.close()
    note(_summary(changes))
    return not any(change.failed for change in changes)


class _Target:
    """The collection, which is opened, or made, when there is something for it."""

    def __init__(self, place: Place, model: Model, encoding: str) -> None:
        self._place, self._model, self._encoding = place, model, encoding
        self.there = there_is(place)

    @cached_property
    def index(self) -> FileIndex:
        """Its files."""
        embeddings = embeddings_of(self._model)
        self._store = make_store(self._place, embeddings, trust=self._model.trust)
        return FileIndex(self._store, embeds=self._embeds, encoding=self._encoding)

    def data_below(self, roots: Sequence[Path]) -> Path | None:
        """Chroma's own folder, if it is below one of those that are to be added."""
        data = None if self._place.path is None else self._place.path.resolve()
        inside = data is not None and any(data != r and data.is_relative_to(r) for r in roots)
        return data if inside else None

    def close(self) -> None:
        """Give back what was opened."""
        if "index" in vars(self):
            self.index.close()
            self._store.close()

    def done(self) -> None:
        """All is written."""
        if "index" in vars(self):
            in_step(self._store)

    def _embeds(self) -> None:
        why = words_only(self._store, self._model)
        if why is not None:
            raise InvalidArgumentError(f"--embeddings: nothing can embed what is added, as {why}")


def _changes(
    target: _Target, files: Iterable[ReadFile], sure: Sure, paths: Sequence[str], prune: bool
) -> Iterator[Change]:
    """What became of each file, of stdin, and of files that are gone."""
    closed: list[Path] = []
    roots = [Path(os.path.realpath(Path(path).expanduser())) for path in paths if path != STDIN]
    data = target.data_below(roots)
    for file in files:
        if data is not None and file.path.is_relative_to(data):
            continue
        gone = file.problem == GONE and prune and target.there
        if gone and target.index.deleted([file.path], []):
            continue
        if file.state == "failed":
            closed.append(file.path)
        if file.state == "read" or (file.state == "empty" and target.there):
            yield target.index.add(file)
        else:
            failed = file.named or file.state != "unsupported"
            source = str(file.path)
            yield Change(source, "skipped", problem=file.problem, failed=failed)
    if STDIN in paths:
        yield _from_stdin(target)
    if prune and target.there:
        yield from _pruned(target.index, target.index.deleted(roots, closed), sure)


def _from_stdin(target: _Target) -> Change:
    """Records as JSON lines, all of them or, where one is broken, none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stdin.jsonl"
        with file.open("wb") as copy:
            shutil.copyfileobj(_bytes(), copy)
        problem, records = problem_of(lambda: read_records(file))  # type: ignore[arg-type, return-value]  # of any kind
        if problem is not None:
            return Change(STDIN, "skipped", problem=problem, failed=True)
        return target.index.add_records(records, None)  # type: ignore[arg-type]  # as above


def _pruned(index: FileIndex, sources: Sequence[str], sure: Sure) -> Iterator[Change]:
    """Take out what came out of files that are gone, once the user says so."""
    if sources:
        records = sum(map(index.records_of, sources))
        for source in sources:
            note(f"gone: {source}")
        sure.ask(f"Delete {records} records of {len(sources)} files that are gone?")
    for source in sources:
        yield Change(source, "removed", removed=index.forget(source))


def _bytes() -> Any:
    return getattr(sys.stdin, "buffer", sys.stdin)


def _row(change: Change) -> dict[str, object]:
    row = asdict(change)
    return {name: row[name] for name in _COLUMNS}


def _show(changes: Sequence[Change]) -> None:
    columns = {
        "file": "wide", "became": "text", "added": "number", "removed": "number",
        "unchanged": "number", "why": "wide",
    }  # fmt: skip
    rows = (["" if value is None else str(value) for value in _row(c).values()] for c in changes)
    table(columns, rows)


def _summary(changes: Sequence[Change]) -> str:
    files = [f"{sum(c.became == each for c in changes)} {each}"
             for each in ("added", "changed", "unchanged", "removed", "skipped")]  # fmt: skip
    return f"files: {', '.join(files)}"
