"""The commands about records: what is in a collection, what goes in, and what comes out.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from langchain_chroma_hybrid.cli.options import (
    FAILED,
    Errors,
    Model,
    Output,
    Place,
    Sure,
    command,
)

commands = typer.Typer()

Where = Annotated[str | None, typer.Option(help="Chroma's filter, as JSON.")]


@commands.command()
@command
def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files and folders: txt, md, html, pdf, docx, csv, jsonl; - for jsonl on stdin.",
        ),
    ],
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    chunk_size: Annotated[int, typer.Option(help="Most characters of a passage.")] = 1000,
    chunk_overlap: Annotated[int, typer.Option(help="How many the next one repeats.")] = 150,
    encoding: Annotated[str, typer.Option(help="Of text files that do not say it.")] = "utf-8",
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what came from files that are gone.")
    ] = False,
) -> None:
    """Bring files into a collection, new and changed ones only, and say what became of each."""
    from langchain_chroma_hybrid.cli.adding import add as run

    complete = run(
        paths,
        place,
        model,
        sure,
        output.kind,
        prune=prune,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        encoding=encoding,
    )
    if not complete:
        raise typer.Exit(FAILED)


@commands.command()
@command
def get(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Of the records.")],
    place: Place,
    output: Output,
) -> None:
    """Print records by their ids."""
    from langchain_chroma_hybrid.cli.records import get as run

    if not run(ids, place, output.kind):
        raise typer.Exit(FAILED)


@commands.command()
@command
def facets(
    place: Place,
    output: Output,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Metadata keys; all if left out.")
    ] = None,
    where: Where = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Most values of each key.")] = 20,
) -> None:
    """Count the values of metadata keys; without a key, list the keys."""
    from langchain_chroma_hybrid.cli.records import facets as run

    if not run(keys or (), place, output.kind, where=where, k=k):
        raise typer.Exit(FAILED)


@commands.command()
@command
def export(
    place: Place,
    output: Errors,  # noqa: ARG001  # read by `command`
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; stdout if left out.")
    ] = None,
    kind: Annotated[
        Literal["jsonl", "json", "csv"], typer.Option("--format", help="How records are written.")
    ] = "jsonl",
    where: Where = None,
    *,
    vectors: Annotated[bool, typer.Option("--vectors", help="With their vectors.")] = False,
) -> None:
    """Write all records; as jsonl, so that `add` brings them back."""
    from langchain_chroma_hybrid.cli.records import export as run

    run(place, kind, output=to, where=where, vectors=vectors)


@commands.command()
@command
def delete(
    place: Place,
    output: Output,
    sure: Sure,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Of the records.")
    ] = None,
    where: Where = None,
    where_document: Annotated[str | None, typer.Option(help="The same for texts.")] = None,
) -> None:
    """Delete records by their ids or by a filter, for good; asks first."""
    from langchain_chroma_hybrid.cli.records import delete as run

    filters = {"where": where, "where_document": where_document}
    if not run(ids or (), place, sure, output.kind, filters):
        raise typer.Exit(FAILED)
