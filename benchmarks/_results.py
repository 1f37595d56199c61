"""Sections of generated text in files that people write too."""

from __future__ import annotations

import io
import os
import platform
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
README = HERE.parent / "README.md"


def write_section(path: Path, name: str, text: str) -> None:
    """Put `text` between the markers of `name` in `path`; both are made if they are not there."""
    begin, end = f"<!-- {name}: generated, do not edit -->", f"<!-- /{name} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Results\n"
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        new = head + block + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{block}\n"
    path.write_text(new, encoding="utf-8")


@contextmanager
def recorded(name: str, title: str, *packages: str) -> Iterator[None]:
    """Show what the block prints, and keep it as a section of the results."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        yield
    print(printed.getvalue())
    text = f"## {title}\n\n```text\n{printed.getvalue().strip()}\n```\n\n{setting(*packages)}"
    write_section(RESULTS, name, text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def setting(*packages: str) -> str:
    """Versions and machine in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Python {platform.python_version()}, {versions}; {platform.machine()}, {cores} cores"
