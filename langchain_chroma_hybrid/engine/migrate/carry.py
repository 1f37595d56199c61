"""What goes over to the new collection as it is: the lexical index, and what came out of files."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._files import NOTES, StateFiles
from langchain_chroma_hybrid.engine.chroma.change_token import TokenReading
from langchain_chroma_hybrid.engine.migrate.copier import unwatched
from langchain_chroma_hybrid.engine.places import files_note, index_folder
from langchain_chroma_hybrid.engine.registry import give_to, open_half
from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.lexical.factory import remove_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.engine.migrate.copier import Changing
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


def carry(index: HybridIndex, target: ChromaStore, config: LexicalConfig) -> None:
    """Copy the index folder of the collection, in step as it is, to that of `target`.

    What lies in memory is built anew from the new collection, and an index of the caller's own
    stays the one that it is.

    Raises:
        OSError: there is no room, or the folder cannot be written; what was begun is removed.
    """
    source, place = index_folder(index.store, config), index_folder(target, config)
    if source is None or place is None or source == place or index.lexical.folder is None:
        return
    index.sync()
    index.flush()
    if place.exists():  # of an earlier try
        remove_index(place, lock_timeout=config.lock_timeout)
    copy_files(index.lexical, source, place, target)
    with suppress(FileNotFoundError):
        shutil.copyfile(files_note(source), files_note(place))


def copy_files(lexical: LexicalIndex, source: Path, place: Path, target: ChromaStore) -> None:
    """Make a copy of an index that is in step, in `source`, that of `target` in `place`.

    It is there as a whole or not at all: what a killed copy has left, the next one replaces.

    Raises:
        OSError: there is no room, the folder cannot be written, or something is there.
    """
    fresh = place.with_name(f"{place.name}.new")
    with lexical.locked():
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            shutil.copytree(source, fresh, ignore=shutil.ignore_patterns(NOTES, "*.lock"))
            note = Checkpoint(StateFiles(fresh / NOTES), target.place)
            note.set(ready=True, reading=TokenReading(None, False))
            reach("index copied")
            fresh.rename(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise


def hand_over(index: HybridIndex, to: str, config: LexicalConfig) -> None:
    """An index of the caller's own goes from the collection that has lost its place to another."""
    if config.index is not None:
        give_to(to, index.store, index.opened, config.index)


@contextmanager
def told(store: ChromaStore, config: LexicalConfig) -> Iterator[Changing]:
    """Tells the lexical index of `store` what is changed there.

    One of the caller's own is that of another collection at this moment.
    """
    if config.index is not None:
        yield unwatched
    else:
        half = open_half(store, config)
        yield lambda ids: half.writer.changing(store, ids, wait=True)
