"""The command about sound and video.

The work is imported by the command that does it: chromadb takes seconds, which `--help` and a
typing error should not cost.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import FAILED, Model, Output, Place, Sure, command

commands = typer.Typer()


@commands.command()
@command
def media(
    folder: Annotated[Path, typer.Argument(help="Where the files are.")],
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    words: Annotated[
        str | None, typer.Argument(help="What is said, shown or heard; else nothing is searched.")
    ] = None,
    *,
    picture: Annotated[Path | None, typer.Option(help="A picture to search with.")] = None,
    sound: Annotated[Path | None, typer.Option(help="A sound to search with.")] = None,
    k: Annotated[int, typer.Option("-k", help="Number of files.")] = 5,
    where: Annotated[str | None, typer.Option(help="Chroma's filter, as JSON.")] = None,
    speech: Annotated[
        str | None,
        typer.Option(help="Whisper for files without transcript: a size, or a folder."),
    ] = None,
    listenings: Annotated[
        int, typer.Option(metavar="N", help="How often --speech listens to each part.")
    ] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Read every file anew, as after a change of --speech.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what belongs to files that are gone.")
    ] = False,
) -> None:
    """Bring in pictures, sound and video, and find the second (extra `media`)."""
    from langchain_chroma_hybrid.cli.hearing import bring_in, check, find, hearing

    check(picture, sound, k, where)
    hear = hearing(speech, listenings, model)
    read = bring_in(folder, place, model, sure, output.kind, speech=hear, prune=prune, force=force,
                    asked=any((words, picture, sound)))  # fmt: skip
    found = True
    if any((words, picture, sound)):
        found = find(words, picture, sound, place, model, output.kind, k=k, where=where)
    if not (read and found):
        raise typer.Exit(FAILED)
