"""What can be told of a collection and its lexical index without opening or building anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.places import index_folder, last_checkpoint
from langchain_chroma_hybrid.engine.server_half import server_has_words
from langchain_chroma_hybrid.errors import LexicalIndexError
from langchain_chroma_hybrid.lexical.factory import is_there, open_index
from langchain_chroma_hybrid.lexical.protocol import Replaceable

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.config import LexicalConfig


@dataclass(frozen=True, slots=True)
class About:
    """A collection and its lexical index.

    Attributes:
        place: the data folder, or the server's address with tenant and database.
        space: distance function.
        folder: of the lexical index; None in memory, and where the server has it.
        size_bytes: of that folder.
        indexed: records in the index.
        problem: why the index is not complete, in words; None if it is.
        model: which has filled the collection; None if nobody knows.
    """

    collection: str
    id: str
    place: str
    records: int
    space: str
    folder: Path | None
    size_bytes: int
    indexed: int
    problem: str | None
    model: EmbeddingModel | None


def about(store: ChromaStore, config: LexicalConfig) -> About:
    """Look at both halves.

    Raises:
        CollectionError: the collection is gone.
    """
    if server_has_words(store, config):
        folder, indexed, problem = None, store.count(), None
    else:
        folder = index_folder(store, config) if config.index is None else config.index.folder
        indexed, problem = _state(store, config, folder)
    return About(
        store.name,
        store.uuid,
        store.location,
        store.count(),
        store.space,
        folder,
        _size(folder),
        indexed,
        problem,
        _model(store),
    )


def _state(
    store: ChromaStore, config: LexicalConfig, folder: Path | None
) -> tuple[int, str | None]:
    """How many records are indexed, and what is the matter."""
    try:
        if not _is_there(store, config):
            return 0, "not built yet: the first search or `sync` builds it"
        # So that this only reads.
        lexical = config.index or open_index(
            folder,
            config.address,
            collection=store.uuid,
            analyzer=config.analyzer,
            lexical_fields=config.lexical_fields,
        )
        state = last_checkpoint(store, replace(config, index=lexical))
        indexed = lexical.count()
        outdated = isinstance(lexical, Replaceable) and lexical.outdated
        if config.index is None:
            lexical.close()
    except LexicalIndexError as error:
        return 0, str(error)
    if state.ready and outdated:
        return indexed, "of an older version: the next search has it built anew, and answers"
    return indexed, None if state.ready else "not complete: `sync` completes it"


def _is_there(store: ChromaStore, config: LexicalConfig) -> bool:
    if config.index is None and config.address is not None:
        return is_there(config.address, store.uuid)
    return last_checkpoint(store, config).known


def _model(store: ChromaStore) -> EmbeddingModel | None:
    filled = ModelNotes(store).read().models.get(store.uuid)
    return filled.model if filled is not None and filled.model.key else None


def _size(folder: Path | None) -> int:
    if folder is None or not folder.is_dir():
        return 0
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
