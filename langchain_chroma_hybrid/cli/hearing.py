"""The command `media`: pictures, sound and video, to the second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.filling import in_step, make_store
from langchain_chroma_hybrid.cli.models import named
from langchain_chroma_hybrid.cli.opening import json_option, offline, open_store
from langchain_chroma_hybrid.cli.output import head, note, progress, show_all, table
from langchain_chroma_hybrid.cli.picturing import gone_files, show_report
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError, MediaError
from langchain_chroma_hybrid.multimodal.files import LEXICAL_FIELDS
from langchain_chroma_hybrid.multimodal.library import MediaCollection
from langchain_chroma_hybrid.multimodal.speech import Whisper

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.cli.options import Format, Model, Place, Sure
    from langchain_chroma_hybrid.multimodal.moments import FileMoments

_OPTION = "--embeddings"
_ANY = "a model, such as clip-ViT-B-32 for what is shown, or minilm for what is said"


def hearing(speech: str | None, listenings: int, model: Model) -> Whisper | None:
    """What `--speech` and `--listenings` ask for."""
    if speech is not None:
        return Whisper(speech, listenings=listenings, local_files_only=not model.network)
    if listenings != 1:
        raise InvalidArgumentError.of("--listenings", listenings, "--speech beside it")
    return None


def check(picture: Path | None, sound: Path | None, k: int, where: str | None) -> None:
    """What can be known to be wrong with a search before hours are spent on bringing files in."""
    for name, path in (("--picture", picture), ("--sound", sound)):
        if path is not None and not path.is_file():
            raise MediaError.of(name, str(path), "an existing file")
    positive("k", k)
    parse(json_option("--where", where), names=("--where", ""))


def bring_in(
    folder: Path,
    place: Place,
    model: Model,
    sure: Sure,
    kind: Format,
    *,
    speech: Whisper | None,
    prune: bool,
    force: bool,
    asked: bool,
) -> bool:
    """Bring in the files of a folder; whether all could be read.

    With `asked` the counts are a note, since results follow.
    """
    if not folder.is_dir():
        raise InvalidArgumentError.of("FOLDER", str(folder), "an existing folder")
    embeddings = _embeddings(model)
    store = make_store(place, embeddings, fields=LEXICAL_FIELDS)
    archive = MediaCollection(store, speech=speech)
    if prune and (gone := gone_files(store, folder)):
        sure.ask(f"Delete what belongs to {gone} files that are gone?")
    write = archive.sync if prune else archive.add_folder
    with progress("embedding") as show:
        report = write(folder, force=force, progress=show)
    in_step(store)
    return show_report(report, kind, quiet=asked)


def find(
    words: str | None,
    picture: Path | None,
    sound: Path | None,
    place: Place,
    model: Model,
    kind: Format,
    *,
    k: int,
    where: str | None,
) -> bool:
    """Print the files that are nearest, each with its best seconds."""
    condition = json_option("--where", where)
    store = open_store(place, fields=LEXICAL_FIELDS, embeddings=_embeddings(model))
    retriever = MediaCollection(store).as_retriever(k=k, filter=condition)
    found = retriever.moments(words or "", image=picture, audio=sound)
    if kind != "table":
        show_all((_row(rank, file) for rank, file in enumerate(found, 1)), kind)
    elif found:
        columns = {"relevance": "number", "file": "text", "seconds": "text", "text": "wide"}
        table(columns, [_cells(file) for file in found])
    if not found:
        note("nothing found")
    return bool(found)


def _embeddings(model: Model) -> Embeddings:
    """What `--embeddings` names.

    Raises:
        InvalidArgumentError: nothing.
    """
    offline(model)
    if model.embeddings is None:
        raise InvalidArgumentError.of(_OPTION, None, _ANY)
    found = named(model.embeddings)
    if found is None:
        return MultimodalEmbeddings(model.embeddings, local_files_only=not model.network)
    return found


def _cells(file: FileMoments) -> list[str]:
    seconds = ", ".join(f"{moment.at:.1f}" for moment in file.moments)
    text = file.moments[0].text if file.moments else file.hit.record.text
    return [f"{file.hit.relevance or 0.0:.3f}", _place(file), seconds, head(text)]


def _row(rank: int, file: FileMoments) -> dict[str, Any]:
    """A file that was found, as JSON."""
    return {
        "rank": rank,
        "file": _place(file),
        "relevance": file.hit.relevance,
        "moments": [moment.as_dict() for moment in file.moments],
        "metadata": dict(sorted(file.hit.record.metadata.items())),
    }


def _place(file: FileMoments) -> str:
    return str(file.hit.record.metadata.get("uri") or file.hit.id)
