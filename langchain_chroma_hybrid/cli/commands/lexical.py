"""The commands about where the lexical index is.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import Output, Place, command

commands = typer.Typer()


@commands.callback(invoke_without_command=True)
def lexical(context: typer.Context) -> None:
    """Bring the lexical index to another place or engine."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@commands.command()
@command
def copy(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="An address as for --lexical, or data.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="The same; data is beside the data.")
    ],
    place: Place,
    output: Output,
) -> None:
    """Copy the lexical index of a collection, which stays where it was, too."""
    from langchain_chroma_hybrid.cli.upkeep import copy as run

    run(source, target, place, output.kind)
