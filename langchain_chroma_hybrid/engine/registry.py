"""One engine per collection in a process, and where its lexical index lies."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis import Analyzer
from langchain_chroma_hybrid.engine.hybrid import HybridIndex
from langchain_chroma_hybrid.engine.journal import Journal
from langchain_chroma_hybrid.errors import AnalyzerMismatchError
from langchain_chroma_hybrid.lexical.tantivy_index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.engine.chroma_store import ChromaStore
    from langchain_chroma_hybrid.lexical.base import LexicalIndex

# A server gives no cheap sign of change: its count is trusted for this many seconds.
_SERVER_MAX_AGE = 1.0


@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """How the lexical half of a collection is built.

    Attributes:
        lexical_fields: boost by field; `page_content` is the text, other names are metadata keys.
        directory: parent of the index folders; None means beside the data.
        index: an index of the caller's own, which then decides about everything else here.
    """

    analyzer: Analyzer = field(default_factory=Analyzer)
    lexical_fields: Mapping[str, float] | None = None
    directory: Path | None = None
    index: LexicalIndex | None = None

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
        engine = _engines.get(key)
        if engine is None:
            engine = _build(store, config)
            _engines[key] = engine
            _signatures[key] = config.signature
        elif _signatures[key] != config.signature:
            message = (
                f"collection {store.name!r} is open in this process with {_signatures[key]}, "
                f"now asked for with {config.signature}: use one configuration"
            )
            raise AnalyzerMismatchError(message)
        return engine


def drop_index(store: ChromaStore, config: LexicalConfig) -> None:
    """Forget the engine of a collection and remove its folder, whatever state that is in."""
    with _lock:
        engine = _engines.pop((store.location, store.uuid), None)
        if engine is not None:
            engine.discard()
        folder = index_folder(store, config)
        if folder is not None:
            TantivyIndex.destroy(folder)


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


def _build(store: ChromaStore, config: LexicalConfig) -> HybridIndex:
    folder = index_folder(store, config)
    lexical = config.index or TantivyIndex(
        folder, analyzer=config.analyzer, lexical_fields=config.lexical_fields
    )
    journal = Journal(folder / "journal" if folder else None)
    on_server = store.directory is None and store.location != "memory"
    return HybridIndex(store, lexical, journal, max_age=_SERVER_MAX_AGE if on_server else 0.0)


def _user_cache() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
