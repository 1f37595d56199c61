"""The command `chroma-hybrid`; importing this loads neither typer nor rich nor chromadb."""

from __future__ import annotations

import os
import sys

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import MissingDependencyError

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and exit with its code."""
    # Read by chromadb while it is imported; nothing here speaks to anybody unasked.
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that has no sign for a character of a document is no reason to stop.
            stream.reconfigure(errors="replace")
    try:
        for library in ("typer", "rich"):
            require(library, "cli")
    except MissingDependencyError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    # Both are needed to declare a command, so not before it is known that they are there.
    from langchain_chroma_hybrid.cli.app import app  # noqa: PLC0415  # as said above

    app(prog_name="chroma-hybrid")
