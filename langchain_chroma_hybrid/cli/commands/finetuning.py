"""The commands that make a model and bring it into a collection.

The work is imported by the command that does it, as in the other files.
"""

from pathlib import Path
from typing import Annotated

import typer

from langchain_chroma_hybrid.cli.options import FAILED, Model, Output, Place, Sure, command

commands = typer.Typer()


@commands.command()
@command
def finetune(
    place: Place,
    model: Model,
    output: Output,
    *,
    data: Annotated[
        Path | None,
        typer.Argument(help="What to learn from; if left out, the collection's own titles."),
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of the new model.")],
    base: Annotated[
        str | None, typer.Option(help="Model to train; that of --embeddings if left out.")
    ] = None,
    negatives: Annotated[
        str, typer.Option(help="auto, both, vector, lexical, hybrid, random or none.")
    ] = "auto",
    loss: Annotated[str, typer.Option(help="auto follows the data.")] = "auto",
    epochs: Annotated[float, typer.Option(help="How often all is gone through.")] = 1.0,
    batch_size: Annotated[int, typer.Option(help="Examples of a step.")] = 32,
    learning_rate: Annotated[
        float | None, typer.Option(help="2e-5 if left out, 2e-4 with --lora.")
    ] = None,
    lora: Annotated[
        int | None, typer.Option(help="Rank of matrices to train in place of all weights.")
    ] = None,
    dev: Annotated[float, typer.Option(help="Share of the queries to choose by.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    max_seq_length: Annotated[int | None, typer.Option(help="Tokens read of a text.")] = None,
    test: Annotated[
        Path | None, typer.Option(help="Judged queries, as for eval, that are asked once.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a run was interrupted.")
    ] = False,
) -> None:
    """Train a model for a collection (extra `finetune`); after a kill the same call goes on."""
    from langchain_chroma_hybrid.cli.finetuning import finetune as run

    training = {
        "loss": loss, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate,
        "lora": lora, "seed": seed, "max_seq_length": max_seq_length,
    }  # fmt: skip
    better = run(data, place, model, output.kind, to, base=base, negatives=negatives, dev=dev,
                 test=test, training=training, restart=restart)  # fmt: skip
    if not better:
        raise typer.Exit(FAILED)


@commands.command()
@command
def promote(
    place: Place,
    model: Model,
    output: Output,
    sure: Sure,
    old: Annotated[
        str | None, typer.Option(help="Model that has filled the collection, for --dev.")
    ] = None,
    experiment: Annotated[
        Path | None, typer.Option(help="Folder with the verdict, as `finetune --test` wrote it.")
    ] = None,
    dev: Annotated[
        Path | None,
        typer.Option(help="Judged queries, as for eval, to look whether it is better there."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write better weights to this file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Whatever the verdict is.")] = False,
) -> None:
    """Embed the collection anew by the model of --embeddings, if that is better; asks first."""
    from langchain_chroma_hybrid.cli.finetuning import promote as run

    if not run(place, model, sure, output.kind, old=old, experiment=experiment, dev=dev,
               save=save, force=force):  # fmt: skip
        raise typer.Exit(FAILED)
