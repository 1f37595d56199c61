"""The commands of `chroma-hybrid`, their options and exit codes.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid import __version__
from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.cli.options import (
    Errors,
    Model,
    OneLineErrors,
    Output,
    Place,
    command,
)

NOTHING = 1

app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

K = Annotated[int, typer.Option("-k", help="Number of results.")]
Folder = Annotated[
    Path, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels.tsv; or a CSV file: query, id.")
]
Save = Annotated[Path | None, typer.Option(help="Write the result to this JSON file.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def chroma_hybrid(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print it.")
    ] = False,
) -> None:
    """Search a Chroma collection by words and vectors, and keep its lexical index in step."""


@app.command()
@command
def search(
    query: Annotated[str, typer.Argument(help="What to search for.")],
    place: Place,
    model: Model,
    output: Output,
    mode: Annotated[
        str | None, typer.Option(help="hybrid, vector, lexical or two_step.", show_default=False)
    ] = None,
    k: K = 5,
    where: Annotated[str | None, typer.Option(help="Chroma's filter, as JSON.")] = None,
    where_document: Annotated[str | None, typer.Option(help="The same for texts.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Lexical and vector, such as 0.3,0.7.")
    ] = None,
    fusion: Annotated[str | None, typer.Option(help="adaptive, rrf, min_max, ...")] = None,
    settings: Annotated[Path | None, typer.Option(help="Options that `tune` saved.")] = None,
    *,
    typos: Annotated[
        bool | None,
        typer.Option("--typos/--no-typos", help="Whether unknown words may be misspelt."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show why, and timings.")] = False,
) -> None:
    """Search, and print the results best first."""
    from langchain_chroma_hybrid.cli.searching import search as run

    found = run(
        query,
        place,
        model,
        options={"mode": mode, "k": k, "weights": weights, "fusion": fusion, "typos": typos},
        filters={"where": where, "where_document": where_document},
        settings=settings,
        explain=explain,
        as_json=output.json,
    )
    if not found:
        raise typer.Exit(NOTHING)


@app.command()
@command
def info(place: Place, output: Output) -> None:
    """Print what is known of a collection and its lexical index."""
    from langchain_chroma_hybrid.cli.upkeep import info as run

    run(place, as_json=output.json)


@app.command()
@command
def verify(
    place: Place,
    output: Output,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what differs.")] = False,
) -> None:
    """Compare the lexical index with the collection, record by record."""
    from langchain_chroma_hybrid.cli.upkeep import verify as run

    if not run(place, fix=fix, as_json=output.json):
        raise typer.Exit(NOTHING)


@app.command()
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

    run(place, deep=deep, as_json=output.json)


@app.command()
@command
def rebuild(place: Place, output: Output) -> None:
    """Throw the lexical index away and build it from the collection."""
    from langchain_chroma_hybrid.cli.upkeep import rebuild as run

    run(place, as_json=output.json)


@app.command("eval")
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

    run(folder, place, model, modes=mode, save=save, as_json=output.json)


@app.command()
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

    found = run(folder, place, model, measure=measure, save=save, plot=plot, as_json=output.json)
    if not found:
        raise typer.Exit(NOTHING)


@app.command()
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


@app.command()
@command
def demo(
    place: Place,
    model: Model,
    output: Output,
    query: Annotated[
        list[str] | None, typer.Argument(help="One or several, each in quotes.")
    ] = None,
    k: K = 3,
) -> None:
    """Ask your collection by vectors, by words and by both, side by side."""
    if not query:
        typer.echo(
            'Your data:   chroma-hybrid demo "a question" --path ./db --collection docs\n'
            "Ready made:  `make demo` in a clone of the repository; it searches the PostgreSQL "
            "manual with a real model"
        )
        return
    from langchain_chroma_hybrid.cli.searching import demo as run

    run(query, place, model, k, as_json=output.json)
