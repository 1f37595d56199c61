"""What the commands print: tables and JSON on stdout, notes and progress on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

# Wide enough for a table in a file or a pipe, where nothing says how wide a line may be.
_PIPED = 160


def note(text: str) -> None:
    """Tell the user something that is not a result."""
    sys.stderr.write(f"note: {' '.join(text.split())}\n")


def line(text: str) -> None:
    """One line of plain text."""
    sys.stdout.write(f"{text}\n")


def json_line(value: Mapping[str, Any]) -> None:
    """One object, in ASCII, so that every terminal and pipe can carry it."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")


def table(columns: Mapping[str, str], rows: Iterable[Iterable[str]], title: str = "") -> None:
    """A table; `columns` gives each head its kind: `number`, `text`, or `wide` for what is left."""
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
        )
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(shown)


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, one to a line."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column()
    shown.add_column(overflow="fold")
    for name, value in values.items():
        shown.add_row(name, Text(printable(str(value))))
    _console().print(shown)


def head(text: str | None, length: int = 160) -> str:
    """The beginning of a text in one line."""
    words = " ".join((text or "").split())
    return words if len(words) <= length else f"{words[: length - 1]}…"


def printable(text: str) -> str:
    """Without control characters: what a document holds must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


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
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED)
