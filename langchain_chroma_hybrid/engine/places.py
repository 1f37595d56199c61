"""Where our own files of a collection lie."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._files import NOTES, user_cache
from langchain_chroma_hybrid.engine.sync.checkpoint import CheckpointData, read, read_from

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.config import LexicalConfig


def data_folder(store: ChromaStore) -> Path | None:
    """Beside the data of a persistent client; for a server, in the user's cache; None for RAM."""
    if store.in_memory or store.directory is not None:
        return store.directory
    place = hashlib.blake2b(store.location.encode(), digest_size=8).hexdigest()
    return user_cache() / place


def index_folder(store: ChromaStore, config: LexicalConfig) -> Path | None:
    """Where the index lies; None for RAM.

    Beside the data of a persistent client; for a server in the user's cache folder, by server,
    tenant, database and collection.
    """
    if config.index is not None or config.address is not None:
        return None
    if config.directory is not None:
        return config.directory / store.uuid
    folder = data_folder(store)
    if folder is None or store.on_server:
        return folder and folder / store.uuid
    return folder / "lexical" / store.uuid


def files_note(folder: Path) -> Path:
    """Where it is noted which records came out of which files, by the folder of the index."""
    return folder.parent.parent / "files" / f"{folder.name}.sqlite3"


def model_note(store: ChromaStore) -> Path | None:
    """Where it is noted which model has filled a collection, and what replaces it."""
    folder = data_folder(store)
    return folder and folder / "models" / f"{store.root}.json"


def last_checkpoint(store: ChromaStore, config: LexicalConfig) -> CheckpointData:
    """What the last process that used the index left to know about it; opens and makes nothing."""
    if config.index is not None:
        return read_from(config.index)
    folder = index_folder(store, config)
    return CheckpointData() if folder is None else read(folder / NOTES)
