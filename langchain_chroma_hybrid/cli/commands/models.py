"""The commands about the model that has filled a collection.

The work is imported by the command that does it, as in the other files.
"""

from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import Model, Output, Place, Sure, command

commands = typer.Typer()


@commands.command()
@command
def adopt(place: Place, model: Model, output: Output) -> None:
    """Note that the model of --embeddings has filled the collection, whoever has done it."""
    from langchain_chroma_hybrid.cli.migrating import adopt as run

    run(place, model, output.kind)


@commands.command()
@command
def migrate(
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what there is to do.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Records embedded at a time.")] = 256,
    target_name: Annotated[
        str | None, typer.Option(help="Of the new collection; else the old with a mark.")
    ] = None,
    price: Annotated[
        float | None, typer.Option(help="Of a million tokens, to say what it costs.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an earlier call has begun.")
    ] = False,
    swap_names: Annotated[
        bool, typer.Option("--swap-names", help="For plain Chroma clients; stop them before.")
    ] = False,
) -> None:
    """Embed the collection anew by the model of --embeddings, and switch to that; asks first."""
    from langchain_chroma_hybrid.cli.migrating import migrate as run

    options = {
        "batch_size": batch_size, "target_name": target_name, "price": price, "restart": restart,
        "swap_names": swap_names,
    }  # fmt: skip
    run(place, model, sure, output.kind, options, dry_run=dry_run)


@commands.command()
@command
def rollback(
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    discard: Annotated[
        bool, typer.Option("--discard", help="Leave what was written since behind.")
    ] = False,
) -> None:
    """Switch back to the collection that `migrate` has kept; --embeddings is its model."""
    from langchain_chroma_hybrid.cli.migrating import rollback as run

    run(place, model, sure, output.kind, discard=discard)


@commands.command("drop-previous")
@command
def drop_previous(place: Place, output: Output, sure: Sure) -> None:
    """Delete the collection that `migrate` has kept; the new one gets its name. Asks first."""
    from langchain_chroma_hybrid.cli.migrating import drop_previous as run

    run(place, sure, output.kind)
