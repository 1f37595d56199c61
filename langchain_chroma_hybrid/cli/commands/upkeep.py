"""The commands about the lexical index, and about the collections that have one.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import (
    FAILED,
    Model,
    Output,
    Place,
    Server,
    Sure,
    command,
)

commands = typer.Typer()


@commands.command("list")
@command
def list_collections(server: Server, output: Output) -> None:
    """List the collections: records, embedding function, whether the lexical index is in step."""
    from langchain_chroma_hybrid.cli.records import list_collections as run

    run(server, output.kind)


@commands.command()
@command
def info(place: Place, output: Output) -> None:
    """Print what is known of a collection and its lexical index."""
    from langchain_chroma_hybrid.cli.upkeep import info as run

    run(place, output.kind)


@commands.command()
@command
def verify(
    place: Place,
    output: Output,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what differs.")] = False,
) -> None:
    """Compare the lexical index with the collection, record by record."""
    from langchain_chroma_hybrid.cli.upkeep import verify as run

    if not run(place, output.kind, fix=fix):
        raise typer.Exit(FAILED)


@commands.command()
@command
def sync(
    place: Place,
    output: Output,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare content too, not only ids.")
    ] = False,
) -> None:
    """Build the lexical index, or bring in what others wrote to the collection."""
    from langchain_chroma_hybrid.cli.upkeep import sync as run

    run(place, output.kind, deep=deep)


@commands.command()
@command
def rebuild(place: Place, output: Output) -> None:
    """Throw the lexical index away and build it from the collection."""
    from langchain_chroma_hybrid.cli.upkeep import rebuild as run

    run(place, output.kind)


@commands.command()
@command
def rescue(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of a local Chroma.", envvar="CHROMA_HYBRID_PATH"
        ),
    ],
    model: Model,
    output: Output,
    sure: Sure,
    to: Annotated[
        Path | None, typer.Option(help="The new folder; DIR-rescued if left out.")
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", "-c", help="One to bring over, repeatable; else all."),
    ] = None,
) -> None:
    """Make a whole copy of a folder whose collections Chroma cannot open after a kill."""
    from langchain_chroma_hybrid.cli.rescuing import rescue as run

    run(folder, to, model, sure, output.kind, collections=collection)
