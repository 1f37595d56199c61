"""The command `rescue`: a whole copy of a folder with torn collections."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.cli.opening import embeddings_of
from langchain_chroma_hybrid.cli.output import line, note, show_one, table
from langchain_chroma_hybrid.engine.rescue import rescue as rescued

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Format, Model, Sure
    from langchain_chroma_hybrid.engine.rescue import RescueReport

_SHOWN = 20


def rescue(
    folder: Path,
    to: Path | None,
    model: Model,
    sure: Sure,
    kind: Format,
    *,
    collections: Sequence[str] | None,
) -> None:
    """Make the copy, and print what has become of each collection."""

    def ask(report: RescueReport) -> None:
        for one in report.torn:
            note(f"torn: {one.name!r}: {one.problem}")
        count = sum(one.embedded for one in report.torn)
        sure.ask(f"Embed {count} records again, and write {report.to}?")

    report = rescued(
        folder,
        to or folder.with_name(f"{folder.absolute().name}-rescued"),
        embeddings=embeddings_of(model),
        collections=collections or None,
        trust_stored_models=model.trust,
        approve=ask,
    )
    _tell(report, kind)


def _tell(report: RescueReport, kind: Format) -> None:
    """What has become of the collections, and on stderr what is not in the new folder."""
    for one in report.torn:
        if one.left_out:
            ids = ", ".join(repr(record.id) for record in one.left_out[:_SHOWN])
            more = ", …" if len(one.left_out) > _SHOWN else ""
            note(f"left out of {one.name!r}, without a vector that a text gives back: {ids}{more}")
    if kind != "table":
        show_one(asdict(report), kind)
    elif report.to is None:
        line(f"nothing is torn; whole: {', '.join(report.whole) or '-'}")
    else:
        columns = {"collection": "wide", "records": "number", "kept": "number",
                   "embedded": "number", "left out": "number"}  # fmt: skip
        rows = (
            [one.name, *map(str, (one.records, one.kept, one.embedded, len(one.left_out)))]
            for one in report.torn
        )
        table(columns, rows)
        note(f"the new folder: {report.to}")
