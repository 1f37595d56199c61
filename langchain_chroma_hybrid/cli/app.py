"""The command line as a whole: what it is called with before and without a command."""

from typing import Annotated

import typer

from langchain_chroma_hybrid import __version__
from langchain_chroma_hybrid.cli.commands import (
    finetuning,
    images,
    lexical,
    measuring,
    media,
    models,
    records,
    searching,
    upkeep,
)
from langchain_chroma_hybrid.cli.options import OneLineErrors

app = typer.Typer(
    cls=OneLineErrors,
    pretty_exceptions_enable=False,
    # Help is plain text, on a terminal and in a pipe.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def chroma_hybrid(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print it.")
    ] = False,
) -> None:
    """Search a Chroma collection by words and vectors, fill it, and keep its index in step."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for part in (searching, records, upkeep, models, finetuning, measuring, media):
    app.add_typer(part.commands)
app.add_typer(images.commands, name="images")
app.add_typer(lexical.commands, name="lexical")
