"""The commands that find.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import typer

from langchain_chroma_hybrid.cli.options import FAILED, USAGE, Model, Output, Place, command

commands = typer.Typer()

STDIN = "-"
K = Annotated[int, typer.Option("-k", help="Number of results.")]
Where = Annotated[str | None, typer.Option(help="Chroma's filter, as JSON.")]
Mode = Literal["hybrid", "vector", "lexical", "two_step"]
Fusion = Literal["adaptive", "rrf", "min_max", "three_sigma", "theoretical_min_max"]


@commands.command()
@command
def search(
    place: Place,
    model: Model,
    output: Output,
    query: Annotated[
        str | None, typer.Argument(help="What to search for; - reads a query from each line.")
    ] = None,
    *,
    mode: Annotated[Mode | None, typer.Option(help="How to search.", show_default=False)] = None,
    k: K = 5,
    where: Where = None,
    where_document: Annotated[str | None, typer.Option(help="The same for texts.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Lexical and vector, such as 0.3,0.7.")
    ] = None,
    fusion: Annotated[Fusion | None, typer.Option(help="How both legs become one.")] = None,
    score_threshold: Annotated[
        float | None, typer.Option(help="The least relevance of a result, 0 to 1.")
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="Metadata key; the best result for each of its values.")
    ] = None,
    query_syntax: Annotated[
        Literal["plain", "simple"] | None,
        typer.Option(help='simple: "phrases", prefix*, fuzzy~1, +must, -not.'),
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="Options that `tune` saved.")] = None,
    typos: Annotated[
        bool | None,
        typer.Option("--typos/--no-typos", help="Whether unknown words may be misspelt."),
    ] = None,
    highlight: Annotated[bool, typer.Option("--highlight", help="Mark words that match.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show why, and timings.")] = False,
) -> None:
    """Search, and print the results best first."""
    queries, several = _queries(query)
    from langchain_chroma_hybrid.cli.searching import search as run

    found = run(
        queries,
        place,
        model,
        output.kind,
        options={
            "mode": mode, "k": k, "weights": weights, "fusion": fusion, "typos": typos,
            "score_threshold": score_threshold, "group_by": group_by,
            "query_syntax": query_syntax,
        },
        filters={"where": where, "where_document": where_document},
        settings=settings,
        explain=explain,
        highlight=highlight,
        titled=several,
    )  # fmt: skip
    if not found:
        raise typer.Exit(FAILED)


@commands.command()
@command
def similar(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the record.")],
    place: Place,
    output: Output,
    k: K = 5,
    where: Where = None,
) -> None:
    """Print the records that are nearest to a record."""
    from langchain_chroma_hybrid.cli.searching import similar as run

    if not run(id_, place, output.kind, k=k, where=where):
        raise typer.Exit(FAILED)


@commands.command()
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

    run(query, place, model, k, output.kind)


def _queries(typed: str | None) -> tuple[Iterable[str], bool]:
    """The query, or those of stdin, and whether they may be several."""
    if typed not in (None, STDIN):
        return [str(typed)], False
    if typed is None and sys.stdin.isatty():
        raise typer.Exit(_missing())
    queries = filter(None, map(str.strip, sys.stdin))
    first = next(queries, None)
    if first is None:
        raise typer.Exit(_missing())
    return chain([first], queries), True


def _missing() -> int:
    sys.stderr.write("error: Missing argument 'QUERY': type one, or pipe one for each line\n")
    return USAGE
