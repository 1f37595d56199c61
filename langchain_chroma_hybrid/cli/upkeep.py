"""The commands about the lexical index: `info`, `verify`, `sync` and `rebuild`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.opening import open_store, remembered
from langchain_chroma_hybrid.cli.output import json_line, line, pairs, progress, table
from langchain_chroma_hybrid.engine.registry import index_folder, last_checkpoint
from langchain_chroma_hybrid.errors import LexicalIndexError
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Place
    from langchain_chroma_hybrid.engine.sync.reconcile import SyncReport
    from langchain_chroma_hybrid.vectorstores import HybridChroma

_SHOWN = 20


def info(place: Place, *, as_json: bool) -> None:
    """Print what is known of a collection and its lexical index; changes nothing."""
    store = open_store(place)
    found = _about(store)
    if as_json:
        json_line(found)
        return
    found["size"] = f"{found.pop('size_bytes') / 1e6:.1f} MB"
    pairs({name.replace("_", " "): _shown(value) for name, value in found.items()})


def verify(place: Place, *, fix: bool, as_json: bool) -> bool:
    """Print how the lexical index differs from the collection; whether it did not."""
    report = open_store(place).verify(fix=fix)
    if as_json:
        json_line({"ok": report.ok, "fixed": fix and not report.ok, **asdict(report)})
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


def sync(place: Place, *, deep: bool, as_json: bool) -> None:
    """Bring in what others wrote and print how much it was."""
    store = open_store(place)
    with progress("syncing") as show:
        report = store.sync(deep=deep, progress=show)
    _tell(report, as_json=as_json)


def rebuild(place: Place, *, as_json: bool) -> None:
    """Build the lexical index anew and print how many records it holds."""
    store = open_store(place)
    with progress("rebuilding") as show:
        report = store.rebuild(progress=show)
    _tell(report, as_json=as_json)


def _tell(report: SyncReport, *, as_json: bool) -> None:
    if as_json:
        json_line(asdict(report))
        return
    counts = f"{report.added} added, {report.updated} updated, {report.removed} removed"
    line(f"{counts} in {report.took_ms / 1e3:.1f} s")


def _about(store: HybridChroma) -> dict[str, Any]:
    collection, config = bridge.handle_of(store).index().store, store.lexical_config
    folder = index_folder(collection, config)
    state = last_checkpoint(collection, config)
    analyzer, indexed, problem = config.analyzer.fingerprint, 0, None
    if folder is None or not state.known:
        problem = "not built yet: the first search or `chroma-hybrid sync` builds it"
    else:
        try:
            # The folder is there, so that this only reads.
            lexical = TantivyIndex(
                folder, analyzer=config.analyzer, lexical_fields=config.lexical_fields
            )
            indexed = lexical.count()
            lexical.close()
            problem = None if state.ready else "not complete: `chroma-hybrid sync` completes it"
        except LexicalIndexError as error:
            problem = str(error)
    return {
        "collection": collection.name,
        "id": collection.uuid,
        "place": collection.location,
        "records": collection.count(),
        "space": collection.space,
        "embedding_function": remembered(store),
        "lexical_index": None if folder is None else str(folder),
        "size_bytes": _size(folder),
        "indexed": indexed,
        "analyzer": analyzer,
        "ready": problem is None,
        "problem": problem,
    }


def _size(folder: Path | None) -> int:
    if folder is None or not folder.is_dir():
        return 0
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else value
