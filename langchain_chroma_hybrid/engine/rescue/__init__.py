"""A data folder with collections whose vector files are torn, made whole in a new folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.chroma.bridge import from_chroma
from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
from langchain_chroma_hybrid.embeddings.function import is_embedding_function
from langchain_chroma_hybrid.engine.chroma.clients import close_client, connect
from langchain_chroma_hybrid.engine.rescue.folders import (
    copied,
    new_folder,
    old_folder,
    publish,
    workspace,
)
from langchain_chroma_hybrid.engine.rescue.reading import contents, opened
from langchain_chroma_hybrid.engine.rescue.segments import Place, places
from langchain_chroma_hybrid.engine.rescue.trial import unreadable
from langchain_chroma_hybrid.engine.rescue.vectors import Loss, loss, prepare, refill
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.engine.sync.reconcile import progress_bar
from langchain_chroma_hybrid.errors import InvalidArgumentError, RescueError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

__all__ = ["RescueReport", "RescuedCollection", "rescue"]


@dataclass(frozen=True, slots=True)
class RescuedCollection:
    """What becomes of a collection whose vector files are torn.

    Attributes:
        name, tenant, database: which one.
        problem: what Chroma says of it, or dies of.
        records: how many it had.
        kept: of these, those whose vectors Chroma's log still has.
        embedded: those that are embedded again.
        left_out: those that have lost their vectors and that no text can give back, such as
            pictures. They are in the old folder alone.
    """

    name: str
    tenant: str
    database: str
    problem: str
    records: int
    kept: int
    embedded: int
    left_out: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class RescueReport:
    """What a rescue has found and done.

    Attributes:
        to: the new folder; None where there is none, because nothing is torn.
        torn: the collections that were mended.
        whole: names of those that are in the new folder as they were.
    """

    to: Path | None
    torn: tuple[RescuedCollection, ...]
    whole: tuple[str, ...]


@known_keywords
def rescue(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    embeddings: Any = None,
    collections: Iterable[str] | None = None,
    trust_stored_models: Any = None,
    batch_size: int = 256,
    approve: Callable[[RescueReport], object] | None = None,
    progress: Progress | None = None,
) -> RescueReport:
    """Make a whole copy of a local data folder that holds torn collections.

    A `kill -9` while Chroma writes its vector files leaves a collection that no client opens. Its
    texts and metadata are there; its vectors are made again, but for those that Chroma's log still
    has. All else is in the new folder as it was: ids, metadata, configurations, the other
    collections with their vectors, and the lexical indexes. The old folder is only read.

    Works on a copy beside `to`, which takes its place at the end, in one step. What a killed
    rescue has left there goes at the start of the next one. Memory holds a page of records, and the
    ids of those that are to be embedded.

    Args:
        path: the data folder. Nobody may use it meanwhile.
        to: a new folder, or an empty one.
        embeddings: the model that filled the torn collections: LangChain `Embeddings` or a Chroma
            embedding function, or several by the names of collections. None, as for a collection
            that is not named, takes the one that the collection remembers.
        collections: names of those to bring over; None means all.
        trust_stored_models: models that collections may name, see `trust_stored_models`.
        batch_size: most texts to embed at a time.
        approve: told what is torn and how much will be embedded, before that begins; what it
            raises stops the rescue.
        progress: told of (records embedded, records to embed); None shows a bar on a terminal.

    Raises:
        InvalidArgumentError: no such folder or collection, or something is at `to`.
        EmbeddingError: nothing that may embed, or not the model that filled the collection.
        RescueError: it cannot go on; nothing is written.
    """
    positive("batch_size", batch_size)
    old = old_folder(path)
    new, models = new_folder(to, old), _models(embeddings)
    trusted = TrustedModels.of(trust_stored_models)
    with workspace(new) as work:
        chosen, others = _chosen(old, copied(old, work / "tried"), collections)
        torn = unreadable(work / "tried", chosen)
        reach("collections tried")
        whole = tuple(place.name for place in chosen if place not in torn)
        if not torn:
            return RescueReport(None, (), whole)
        # Again from the old folder: what was tried may have changed what Chroma's log holds.
        copy = copied(old, work / "copy", [place.folder for place in (*torn, *others)])
        reach("folder copied")
        _drop(copy, others)
        losses = {place: _loss(copy, place, models(place.name), trusted) for place in torn}
        report = RescueReport(new, tuple(_told(losses, torn)), whole)
        if approve is not None:
            approve(report)
        _refill(copy, losses, batch_size, progress)
        reach("folder filled")
        publish(copy, new)
        reach("folder in place")
    return report


def _models(embeddings: Any) -> Callable[[str], Any]:
    """The model of each collection, by its name."""
    if isinstance(embeddings, Mapping):
        several = {name: _checked(each) for name, each in embeddings.items()}
        return several.get
    one = _checked(embeddings)
    return lambda _: one


def _checked(embeddings: Any) -> Any:
    """LangChain `Embeddings`, or None."""
    if is_embedding_function(embeddings):
        return from_chroma(embeddings)
    able = callable(getattr(embeddings, "embed_documents", None))
    if embeddings is not None and (isinstance(embeddings, type) or not able):
        expected = "LangChain Embeddings or a Chroma EmbeddingFunction"
        raise InvalidArgumentError.of("embeddings", embeddings, expected)
    return embeddings


def _chosen(
    old: Path, copy: Path, names: Iterable[str] | None
) -> tuple[list[Place], list[Place]]:
    """The collections that are meant, and the others."""
    try:
        close_client(connect(copy))  # also lets SQLite finish what a kill has interrupted
    except Exception as error:
        expected = f"a folder that this version of Chroma opens ({error})"
        raise InvalidArgumentError.of("path", str(old), expected) from error
    known = places(copy)
    if names is None:
        return known, []
    wanted = set(names)
    if isinstance(names, str) or not wanted <= {place.name for place in known}:
        there = ", ".join(sorted({repr(place.name) for place in known})) or "none"
        expected = f"names of collections in the folder (there are: {there})"
        raise InvalidArgumentError.of("collections", names, expected)
    return [p for p in known if p.name in wanted], [p for p in known if p.name not in wanted]


def _drop(copy: Path, others: Sequence[Place]) -> None:
    for place in others:
        client = connect(copy, tenant=place.tenant, database=place.database)
        client.delete_collection(place.name)
        close_client(client)


def _loss(copy: Path, place: Place, model: Any, trusted: TrustedModels) -> Loss:
    with opened(copy, place) as store:
        found = loss(store)
        prepare(store, found, model, trusted)
        return found


def _told(losses: Mapping[Place, Loss], torn: Mapping[Place, str]) -> list[RescuedCollection]:
    """What is about to become of the collections."""
    return [
        RescuedCollection(
            place.name,
            place.tenant,
            place.database,
            torn[place],
            records=found.records,
            kept=found.records - len(found.lost) - len(found.left_out),
            embedded=len(found.lost),
            left_out=tuple(found.left_out),
        )
        for place, found in losses.items()
    ]


def _refill(
    copy: Path, losses: Mapping[Place, Loss], batch_size: int, progress: Progress | None
) -> None:
    """Fill the collections, and see that each holds what it held and can be searched.

    Raises:
        RescueError: it does not.
    """
    held, done = {}, 0
    total = sum(len(found.lost) for found in losses.values())
    with progress_bar(progress, "embedding") as show:
        def more(count: int) -> None:
            nonlocal done
            done += count
            if show is not None:
                show(done, total)

        for place, found in losses.items():
            with opened(copy, place) as store:
                held[place] = contents(store, {record.id for record in found.left_out})
                refill(store, found, batch_size, more)
    problems = unreadable(copy, list(losses))
    for place in losses:
        with opened(copy, place) as store:
            same = contents(store, ()) == held[place]
        if place in problems or not same:
            why = problems.get(place, "its records are not those of the old folder")
            raise RescueError(f"collection {place.name!r}: {why}; nothing is written")
