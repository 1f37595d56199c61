"""The commands about models: `adopt`, `migrate`, `rollback` and `drop-previous`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid import migration
from langchain_chroma_hybrid.cli.opening import embeddings_of, open_store
from langchain_chroma_hybrid.cli.output import line, note, progress, show_one
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.cli.options import Format, Model, Place, Sure
    from langchain_chroma_hybrid.engine.migrate.report import MigrationReport

_STOP = (
    "--swap-names: stop all programs that open the collection without this package; one that is "
    "running may make an empty collection of its name"
)


def adopt(place: Place, model: Model, kind: Format) -> None:
    """Note which model has filled the collection."""
    store = open_store(place, embeddings=given_embeddings(model))
    store.adopt()
    if kind != "table":
        show_one({"adopted": model.embeddings}, kind)
    else:
        line(f"filled by {model.embeddings}")


def migrate(
    place: Place,
    model: Model,
    sure: Sure,
    kind: Format,
    options: Mapping[str, Any],
    *,
    dry_run: bool,
) -> None:
    """Say what there is to do, and do it once the user says so."""
    store, new = open_store(place), given_embeddings(model)
    plan = migration.migrate(store, new, **options, dry_run=True)
    if dry_run:
        _tell(plan, kind)
        return
    note(str(plan))
    if options["swap_names"]:
        note(_STOP)
    sure.ask(f"Embed {plan.records} records of {plan.collection!r} anew?")
    with progress("embedding anew") as show:
        report = migration.migrate(store, new, **options, progress=show)
    _tell(report, kind)


def rollback(place: Place, model: Model, sure: Sure, kind: Format, *, discard: bool) -> None:
    """Switch back, once the user says so."""
    store = open_store(place)
    old = embeddings_of(model)
    sure.ask(f"Switch {store._collection.name!r} back to the collection before it?")  # noqa: SLF001  # langchain_chroma's
    changes = migration.rollback(store, old, discard=discard)
    if kind != "table":
        show_one({"changes": changes}, kind)
    else:
        line(f"switched back, with {changes} records that were written or deleted since")


def drop_previous(place: Place, sure: Sure, kind: Format) -> None:
    """Delete the old collection, once the user says so."""
    store = open_store(place)
    sure.ask(f"Delete the collection that {store._collection.name!r} has replaced?")  # noqa: SLF001  # as above
    name = migration.drop_previous(store)
    if kind != "table":
        show_one({"collection": name}, kind)
    else:
        line(f"deleted; the new collection is called {name}")


def given_embeddings(model: Model) -> Embeddings:
    """The model of `--embeddings`.

    Raises:
        InvalidArgumentError: there is none.
    """
    found = embeddings_of(model)
    if found is None:
        raise InvalidArgumentError.of("--embeddings", None, "the model: minilm, a folder, ...")
    return found


def _tell(report: MigrationReport, kind: Format) -> None:
    """Show a plan or what was done, in sentences or as one record."""
    if kind == "table":
        line(str(report))
        return
    show_one(
        {
            "collection": report.collection,
            "target": report.target,
            "before": None if report.before is None else str(report.before),
            "after": str(report.after),
            "records": report.records,
            "pictures": report.pictures,
            "characters": report.characters,
            "tokens": report.tokens,
            "seconds": round(report.seconds, 1),
            "cost": report.cost,
            "done": report.done,
        },
        kind,
    )
