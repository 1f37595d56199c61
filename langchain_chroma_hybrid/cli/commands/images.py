"""The commands about pictures.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import FAILED, Model, Output, Place, Sure, command

commands = typer.Typer()


@commands.callback(invoke_without_command=True)
def images(context: typer.Context) -> None:
    """Search pictures by words and by pictures (extra `image`)."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@commands.command()
@command
def add(
    folder: Annotated[Path, typer.Argument(help="Where the pictures are.")],
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete pictures whose files are gone.")
    ] = False,
) -> None:
    """Bring the pictures of a folder into a collection, new and changed ones only."""
    from langchain_chroma_hybrid.cli.picturing import add as run

    if not run(folder, place, model, sure, output.kind, prune=prune):
        raise typer.Exit(FAILED)


@commands.command()
@command
def search(
    place: Place,
    model: Model,
    output: Output,
    words: Annotated[
        str | None, typer.Argument(help="What is to be seen, or is said of it.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="A picture to search with.")] = None,
    image_weight: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the picture beside words.")
    ] = 0.5,
    k: Annotated[int, typer.Option("-k", help="Number of results.")] = 5,
    where: Annotated[str | None, typer.Option(help="Chroma's filter, as JSON.")] = None,
) -> None:
    """Search pictures by words, by a picture, or by both."""
    from langchain_chroma_hybrid.cli.picturing import search as run

    found = run(
        words,
        picture,
        place,
        model,
        output.kind,
        k=k,
        image_weight=image_weight,
        where=where,
    )
    if not found:
        raise typer.Exit(FAILED)
