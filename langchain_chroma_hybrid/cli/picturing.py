"""The commands `images add` and `images search`: pictures by words and by pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.filling import in_step, make_store
from langchain_chroma_hybrid.cli.models import named
from langchain_chroma_hybrid.cli.opening import json_option, offline, open_store
from langchain_chroma_hybrid.cli.output import (
    head,
    line,
    note,
    progress,
    show_all,
    show_one,
    table,
    warn,
)
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError
from langchain_chroma_hybrid.multimodal.collection import LEXICAL_FIELDS, ImageCollection

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Format, Model, Place, Sure
    from langchain_chroma_hybrid.core.hit import Hit
    from langchain_chroma_hybrid.multimodal.report import ImageReport
    from langchain_chroma_hybrid.vectorstores import HybridChroma

_OPTION = "--embeddings"
_JOINT = "a model that embeds texts and pictures alike, such as clip-ViT-B-32"


def add(
    folder: Path,
    place: Place,
    model: Model,
    sure: Sure,
    kind: Format,
    *,
    prune: bool,
) -> bool:
    """Bring in the pictures of a folder; whether all could be read."""
    if not folder.is_dir():
        raise InvalidArgumentError.of("FOLDER", str(folder), "an existing folder")
    embeddings = _embeddings(model)
    photos = ImageCollection(make_store(place, embeddings, fields=LEXICAL_FIELDS))
    if prune and (gone := gone_files(photos.store, folder)):
        sure.ask(f"Delete {gone} pictures whose files are gone?")
    with progress("embedding") as show:
        report = (photos.sync if prune else photos.add_folder)(folder, progress=show)
    in_step(photos.store)
    return show_report(report, kind)


def show_report(report: ImageReport, kind: Format, *, quiet: bool = False) -> bool:
    """Print what became of the files, `quiet` beside the results; whether all could be read."""
    for failure in report.failed:
        warn(str(failure))
    for failure in report.damaged:
        note(f"read in part: {failure}")
    states = ("added", "updated", "described", "unchanged", "deleted", "failed")
    counts = {state: len(getattr(report, state)) for state in states}
    if quiet:
        note(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    elif kind == "table":
        line(", ".join(f"{count} {state}" for state, count in counts.items()))
    else:
        problems = {
            state: [{"file": each.name, "problem": each.reason} for each in failures]
            for state, failures in (("failed", report.failed), ("damaged", report.damaged))
            if failures or state == "failed"
        }
        show_one({**counts, **problems}, kind)
    return not report.failed


def search(
    words: str | None,
    picture: Path | None,
    place: Place,
    model: Model,
    kind: Format,
    *,
    k: int,
    image_weight: float,
    where: str | None,
) -> bool:
    """Print the pictures that are nearest to words, to a picture, or to both."""
    if not words and picture is None:
        raise InvalidArgumentError.of("WORDS, --picture", None, "one of them, or both")
    if picture is not None and not picture.is_file():
        raise PictureError.of("--picture", str(picture), "an existing file")
    condition = json_option("--where", where)
    parse(condition, names=("--where", ""))
    store = open_store(place, fields=LEXICAL_FIELDS, embeddings=_embeddings(model))
    options: dict[str, Any] = {"k": k, "filter": condition}
    if words and picture is not None:
        options["image_weight"] = image_weight
    result = ImageCollection(store).explain(words or "", image=picture, **options)
    for text in result.notes:
        note(text)
    if kind != "table":
        show_all((_row(rank, hit) for rank, hit in enumerate(result.hits, 1)), kind)
    elif result.hits:
        columns = {"relevance": "number", "file": "text", "text": "wide"}
        rows = [[f"{h.relevance or 0.0:.3f}", _file(h), head(h.record.text)] for h in result.hits]
        table(columns, rows)
    if not result.hits:
        note("nothing found")
    return bool(result.hits)


def _embeddings(model: Model) -> MultimodalEmbeddings:
    """The joint model that `--embeddings` names.

    Raises:
        InvalidArgumentError: none is named, or one for texts alone.
    """
    offline(model)
    if model.embeddings is None:
        raise InvalidArgumentError.of(_OPTION, None, _JOINT)
    found = named(model.embeddings)
    if found is None:
        return MultimodalEmbeddings(model.embeddings, local_files_only=not model.network)
    if not isinstance(found, MultimodalEmbeddings):
        raise InvalidArgumentError.of(_OPTION, model.embeddings, _JOINT)
    return found


def gone_files(store: HybridChroma, folder: Path) -> int:
    """How many files of a folder are known that are not there any more."""
    root = {"root": str(folder.expanduser().resolve())}
    known = store.get(where=root, include=["metadatas"])["metadatas"]
    files = {path_of(str(metadata.get("uri"))) for metadata in known}
    return sum(file is not None and not file.exists() for file in files)


def _row(rank: int, hit: Hit) -> dict[str, Any]:
    """A picture that was found, as JSON."""
    metadata = dict(sorted(hit.record.metadata.items()))
    return {
        "rank": rank,
        "id": hit.id,
        "relevance": hit.relevance,
        "file": _file(hit),
        "legs": {leg.name: leg.rank for leg in hit.legs},
        "text": hit.record.text,
        "metadata": metadata,
    }


def _file(hit: Hit) -> str:
    return str(hit.record.metadata.get("uri") or hit.record.uri or hit.id)
