"""What the commands print: results on stdout in the format asked for, notes on stderr."""

from __future__ import annotations

import csv
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from langchain_chroma_hybrid.cli.plain import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from langchain_chroma_hybrid.cli.options import Format
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

Cell = str | Text
# What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Less columns than this hold no table.
_NARROW = 60


def note(text: str) -> None:
    """Tell the user something that is not a result."""
    sys.stderr.write(f"note: {printable(one_line(text))}\n")


def warn(text: str) -> None:
    """Tell the user what went wrong with a part; the command goes on with the rest."""
    sys.stderr.write(f"skipped: {printable(one_line(text))}\n")


def line(text: str) -> None:
    """One line of plain text."""
    sys.stdout.write(f"{text}\n")


def json_line(value: Mapping[str, Any], file: TextIO | None = None) -> None:
    """One object, in ASCII, so that every terminal and pipe can carry it."""
    (file or sys.stdout).write(json.dumps(value, default=str) + "\n")


class Printed:
    """Objects, one after the other, in a format that programs read.

    Args:
        kind: `json` for one array, `jsonl` for a line each, `csv` with mappings as columns.
        file: where they go; None means stdout.
        columns: of CSV; None for those that the objects have, which are held until the end.
    """

    def __init__(
        self, kind: Format, file: TextIO | None = None, columns: Sequence[str] | None = None
    ) -> None:
        self._kind, self._file = kind, file or sys.stdout
        self._held: list[dict[str, Any]] = []
        self._columns = columns
        self._count = 0
        if columns is not None and kind == "csv":
            self._rows([columns])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self._end()

    def add(self, value: Mapping[str, Any]) -> None:
        """Print one more."""
        if self._kind == "csv":
            flat = _flat(value)
            if self._columns is None:
                self._held.append(flat)
            else:
                self._rows([[flat.get(name) for name in self._columns]])
        elif self._kind == "json":
            self._file.write(",\n" if self._count else "[\n")
            self._file.write(json.dumps(value, default=str))
        else:
            json_line(value, self._file)
        self._count += 1

    def _end(self) -> None:
        if self._kind == "json":
            self._file.write("\n]\n" if self._count else "[]\n")
        elif self._held:
            columns = list(dict.fromkeys(name for flat in self._held for name in flat))
            self._rows([columns, *([flat.get(name) for name in columns] for flat in self._held)])

    def _rows(self, rows: Iterable[Iterable[Any]]) -> None:
        # Lines end as the standard says, which also has cells with a lone `\r` put into quotes.
        write = csv.writer(self._file).writerow
        for row in rows:
            write([_cell(value) for value in row])


def show_one(value: Mapping[str, Any], kind: Format) -> None:
    """One object, where there is never another."""
    if kind == "json":
        line(json.dumps(value, default=str, indent=2))
        return
    with Printed(kind) as out:
        out.add(value)


def show_all(values: Iterable[Mapping[str, Any]], kind: Format) -> None:
    """Several objects."""
    with Printed(kind) as out:
        for value in values:
            out.add(value)


def table(columns: Mapping[str, str], rows: Iterable[Iterable[Cell]], title: str = "") -> None:
    """A table; `columns` gives each head its kind: `number`, `text`, or `wide` for what is left.

    Where no terminal reads it, or a narrow one: rows as lines, tabs between the cells, nothing cut.
    """
    console = _console()
    if not on_terminal() or console.width < _NARROW:
        for text in filter(None, [title]):
            line(one_line(text))
        for cells in [columns, *rows]:
            line("\t".join(one_line(printable(str(cell))) for cell in cells))
        return
    shown = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        expand="wide" in columns.values(),
    )
    for name, kind in columns.items():
        shown.add_column(
            name,
            justify="right" if kind == "number" else "left",
            overflow="fold",
            no_wrap=kind == "number",
            ratio=1 if kind == "wide" else None,
            # Ids may be as long as they like; what is to be read keeps its place.
            max_width=console.width // 4 if kind == "text" else None,
        )
    for row in rows:
        cells = (c if isinstance(c, Text) else Text(printable(c)) for c in row)
        shown.add_row(*cells)
    console.print(shown)


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, one to a line."""
    if not on_terminal():
        for name, value in values.items():
            line(f"{name}\t{one_line(printable(str(value)))}")
        return
    shown = Table.grid(padding=(0, 2))
    shown.add_column()
    shown.add_column(overflow="fold")
    for name, value in values.items():
        shown.add_row(name, Text(printable(str(value))))
    _console().print(shown)


def head(text: str | None, length: int = 160) -> str:
    """The beginning of a text in one line; the whole of it where no terminal reads it."""
    words = one_line(text or "")
    whole = len(words) <= length or not on_terminal()
    return words if whole else f"{words[: length - 1]}…"


def on_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return sys.stdout.isatty()


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Whatever is printed in the block goes to stderr, also by libraries that are not in Python."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def _console() -> Console:
    # Without colours rich would still write bold.
    if os.environ.get("NO_COLOR"):
        return Console(highlight=False, color_system=None)
    return Console(highlight=False)


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """With a column for each key of an inner mapping."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= {f"{name}.{key}": part for key, part in inner.items()}
        else:
            found[name] = inner
    return found


def _cell(value: Any) -> Any:
    """A value as a cell that no spreadsheet runs."""
    if isinstance(value, list | tuple | bool):
        value = json.dumps(value, default=str)
    text = isinstance(value, str)
    return f"'{value}" if text and value.lstrip(" ").startswith(_FORMULA) else value
