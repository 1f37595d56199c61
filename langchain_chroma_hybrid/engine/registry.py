"""One engine per collection in a process, and where its lexical index lies."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis import Analyzer
from langchain_chroma_hybrid.engine._steps import passed
from langchain_chroma_hybrid.engine.hybrid import HybridIndex
from langchain_chroma_hybrid.engine.journal import Journal
from langchain_chroma_hybrid.engine.keeper import Upkeep
from langchain_chroma_hybrid.engine.marks import Marks, Noted, read
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, InvalidArgumentError
from langchain_chroma_hybrid.lexical.tantivy_index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

# The part of an index folder that is ours, not the lexical index's.
_NOTES = "journal"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """How the lexical half of a collection is built.

    Attributes:
        lexical_fields: boost by field; `page_content` is the text, other names are metadata keys.
        directory: parent of the index folders; None means beside the data.
        index: an index of the caller's own, which then decides about everything above.
        lock_timeout: seconds to wait for another writer of the index.
        upkeep: how the index follows the collection; the first to open it in a process decides.
    """

    analyzer: Analyzer = field(default_factory=Analyzer)
    lexical_fields: Mapping[str, float] | None = None
    directory: Path | None = None
    index: LexicalIndex | None = None
    lock_timeout: float = 30.0
    upkeep: Upkeep = field(default_factory=Upkeep)

    @property
    def signature(self) -> str:
        """Equal for configurations that build the same index."""
        if self.index is not None:
            return f"index {id(self.index)}"
        fields = sorted((self.lexical_fields or {"page_content": 1.0}).items())
        return f"analyzer {self.analyzer.fingerprint}, lexical_fields {fields}"


_engines: weakref.WeakValueDictionary[tuple[str, str], HybridIndex] = weakref.WeakValueDictionary()
_signatures: dict[tuple[str, str], str] = {}
_lock = threading.Lock()


def open_index(store: ChromaStore, config: LexicalConfig) -> HybridIndex:
    """The engine of a collection; everyone in this process who asks gets the same one.

    Raises:
        AnalyzerMismatchError: it is open, or lies on disk, with another analyzer or other fields.
        IndexFormatError: the folder on disk cannot be used.
    """
    key = (store.location, store.uuid)
    with _lock:
        _refuse_shared(key, config)
        engine = _engines.get(key)
        if engine is None or not engine.usable:
            sweep(store, config)
            engine = _build(store, config)
            _engines[key] = engine
            _signatures[key] = config.signature
        elif _signatures[key] != config.signature:
            message = (
                f"collection {store.name!r} is open in this process with {_signatures[key]}, "
                f"now asked for with {config.signature}: use one configuration"
            )
            raise AnalyzerMismatchError(message)
        else:
            engine.attend()
        return engine


def _refuse_shared(key: tuple[str, str], config: LexicalConfig) -> None:
    """One index holds one collection: two would take each other's records for leftovers."""
    for other, engine in list(_engines.items()):
        if config.index is not None and engine.lexical is config.index and other != key:
            got = f"the index of collection {engine.store.name!r}"
            raise InvalidArgumentError.of("lexical", got, "an index of its own")


def drop_index(store: ChromaStore, config: LexicalConfig) -> None:
    """Forget the engine of a collection and remove its folder, whatever state that is in."""
    with _lock:
        engine = _engines.pop((store.location, store.uuid), None)
        if engine is not None and engine.usable:
            engine.discard()
        if config.index is not None:
            config.index.clear()
        folder = index_folder(store, config)
        if folder is not None and folder.exists():
            TantivyIndex.destroy(folder, lock_timeout=config.lock_timeout)
        passed("index removed")


def sweep(store: ChromaStore, config: LexicalConfig) -> None:
    """Remove the index folders of collections that are gone.

    Only beside the data and in the cache folder, only folders with our own note in them that names
    this tenant and database, and only when Chroma says that there is no such collection.
    """
    folder = index_folder(store, config)
    if folder is None or config.directory is not None or not folder.parent.is_dir():
        return
    for other in sorted(folder.parent.iterdir()):
        if other.name == store.uuid or not _UUID.fullmatch(other.name):
            continue
        # What cannot be removed now is tried again at the next open.
        with suppress(Exception):
            if read(other / _NOTES).place == store.place and not store.exists(other.name):
                TantivyIndex.destroy(other, lock_timeout=0.0)


def index_folder(store: ChromaStore, config: LexicalConfig) -> Path | None:
    """Where the index lies; None for RAM.

    Beside the data of a persistent client; for a server in the user's cache folder, by server,
    tenant, database and collection.
    """
    if config.index is not None:
        return None
    if config.directory is not None:
        return config.directory / store.uuid
    if store.directory is not None:
        return store.directory / "lexical" / store.uuid
    if store.location == "memory":
        return None
    place = hashlib.blake2b(store.location.encode(), digest_size=8).hexdigest()
    return _user_cache() / "langchain-chroma-hybrid" / place / store.uuid


def noted(store: ChromaStore, config: LexicalConfig) -> Noted:
    """What the last process that used the index left to know about it; opens and makes nothing."""
    folder = index_folder(store, config)
    return Noted() if folder is None else read(folder / _NOTES)


def _build(store: ChromaStore, config: LexicalConfig) -> HybridIndex:
    folder = index_folder(store, config)
    lexical = config.index or TantivyIndex(
        folder,
        analyzer=config.analyzer,
        lexical_fields=config.lexical_fields,
        lock_timeout=config.lock_timeout,
    )
    notes = _notes(folder, lexical, store)
    marks = Marks(notes, store.place)
    return HybridIndex(
        store, lexical, Journal(notes), marks, config.upkeep, owned=config.index is None
    )


def _notes(folder: Path | None, lexical: LexicalIndex, store: ChromaStore) -> Path | None:
    """Where journal and state lie; nowhere for an index that ends with the process."""
    if not lexical.capabilities.durable:
        return None
    if folder is None:
        # A durable index of the caller's own, beside which there may be no room.
        folder = index_folder(store, LexicalConfig())
    return None if folder is None else folder / _NOTES


def _user_cache() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
