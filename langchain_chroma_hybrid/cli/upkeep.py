"""The commands about the lexical index: `info`, `verify`, `sync`, `rebuild` and `lexical copy`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.opening import open_store
from langchain_chroma_hybrid.cli.output import line, pairs, progress, show_one, table

if TYPE_CHECKING:
    from langchain_chroma_hybrid.cli.options import Format, Place
    from langchain_chroma_hybrid.engine.sync.reconcile import SyncReport
    from langchain_chroma_hybrid.vectorstores import HybridChroma

_SHOWN = 20
BESIDE = "data"
"""Stands for the address of the index beside the data."""


def info(place: Place, kind: Format) -> None:
    """Print what is known of a collection and its lexical index; changes nothing."""
    store = open_store(place)
    found = _about(store)
    if kind != "table":
        show_one(found, kind)
        return
    found["size"] = f"{found.pop('size_bytes') / 1e6:.1f} MB"
    pairs({name.replace("_", " "): _shown(value) for name, value in found.items()})


def verify(place: Place, kind: Format, *, fix: bool) -> bool:
    """Print how the lexical index differs from the collection; whether it did not."""
    report = open_store(place).verify(fix=fix)
    if kind != "table":
        show_one({"ok": report.ok, "fixed": fix and not report.ok, **asdict(report)}, kind)
        return report.ok
    if report.ok:
        line("in step: no differences")
        return True
    found = asdict(report)
    rows = [
        [state, str(len(ids)), ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")]
        for state, ids in found.items()
        if ids
    ]
    table({"state": "text", "records": "number", "ids": "wide"}, rows)
    line("mended" if fix else "`chroma-hybrid verify --fix` mends them")
    return False


def sync(place: Place, kind: Format, *, deep: bool) -> None:
    """Bring in what others wrote and print how much it was."""
    store = open_store(place)
    with progress("syncing") as show:
        report = store.sync(deep=deep, progress=show)
    _tell(report, kind)


def rebuild(place: Place, kind: Format) -> None:
    """Build the lexical index anew and print how many records it holds."""
    store = open_store(place)
    with progress("rebuilding") as show:
        report = store.rebuild(progress=show)
    _tell(report, kind)


def copy(source: str, target: str, place: Place, kind: Format) -> None:
    """Copy the lexical index from one address to another and print how many records it holds."""
    old, new = (open_store(replace(place, lexical=_address(each))) for each in (source, target))
    with progress("copying") as show:
        report = bridge.handle_of(old).copy_index(new.lexical_config, show)
    if kind != "table":
        show_one(asdict(report), kind)
        return
    line(f"{report.records} records, read in the {report.read}, in {report.took_ms / 1e3:.1f} s")


def _address(typed: str) -> str | None:
    """An address as `lexical=` takes it, None for the index beside the data."""
    return None if typed == BESIDE else typed


def _tell(report: SyncReport, kind: Format) -> None:
    if kind != "table":
        show_one(asdict(report), kind)
        return
    counts = f"{report.added} added, {report.updated} updated, {report.removed} removed"
    line(f"{counts} in {report.took_ms / 1e3:.1f} s")


def _about(store: HybridChroma) -> dict[str, Any]:
    """What `info` prints, by name; `ready` means that nothing is the matter with the index."""
    handle = bridge.handle_of(store)
    found = handle.about()
    return {
        "collection": found.collection,
        "id": found.id,
        "place": found.place,
        "records": found.records,
        "space": found.space,
        "embedding_function": handle.embedding_function,
        "model": None if found.model is None else str(found.model),
        "lexical_index": None if found.folder is None else str(found.folder),
        "size_bytes": found.size_bytes,
        "indexed": found.indexed,
        "analyzer": store.lexical_config.analyzer.fingerprint,
        "ready": found.problem is None,
        "problem": found.problem,
    }


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else value
