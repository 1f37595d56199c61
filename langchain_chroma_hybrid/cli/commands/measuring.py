"""The commands over judged queries, and the one that serves.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.cli.options import FAILED, Errors, Model, Output, Place, command

commands = typer.Typer()

Folder = Annotated[
    Path, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels.tsv; or a CSV file: query, id.")
]
Save = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]


@commands.command("eval")
@command
def evaluate(
    folder: Folder,
    place: Place,
    model: Model,
    output: Output,
    mode: Annotated[
        list[str] | None, typer.Option(help="What to compare, repeatable; all if left out.")
    ] = None,
    save: Save = None,
) -> None:
    """Measure every mode on judged queries (extra `eval`)."""
    from langchain_chroma_hybrid.cli.measuring import evaluate as run

    run(folder, place, model, output.kind, modes=mode, save=save)


@commands.command()
@command
def tune(
    folder: Folder,
    place: Place,
    model: Model,
    output: Output,
    measure: Annotated[str, typer.Option(help="nDCG@k, MRR@k or recall@k.")] = "nDCG@10",
    save: Save = None,
    plot: Annotated[Path | None, typer.Option(help="Draw weights (extra `plot`).")] = None,
) -> None:
    """Look for better weights, fusion and depth by judged queries (extra `eval`)."""
    from langchain_chroma_hybrid.cli.measuring import tune as run

    found = run(folder, place, model, output.kind, measure=measure, save=save, plot=plot)
    if not found:
        raise typer.Exit(FAILED)


@commands.command()
@command
def mcp(
    place: Place,
    model: Model,
    output: Errors,  # noqa: ARG001  # read by `command`
    base_filter: Annotated[
        str | None,
        typer.Option(help="What a record has to pass to be there at all: a filter, as JSON."),
    ] = None,
    about: Annotated[
        str | None, typer.Option(help="What is in the collection, as models are told of it.")
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of 127.0.0.1 to serve at, in place of stdin and stdout."
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="What callers by HTTP have to bring; else CHROMA_HYBRID_TOKEN, if set."),
    ] = None,
    *,
    write: Annotated[bool, typer.Option("--write", help="Let models add and delete.")] = False,
) -> None:
    """Serve a collection to models by the Model Context Protocol (extra `mcp`)."""
    from langchain_chroma_hybrid.cli.output import stdout_aside

    # Stdout is for the protocol alone.
    with stdout_aside():
        require("mcp.server.mcpserver", "mcp")
        from langchain_chroma_hybrid.cli.serving import prepared

        serve = prepared(
            place,
            model,
            base_filter=base_filter,
            write=write,
            about=about,
            http=http,
            token=token,
        )
    serve()
