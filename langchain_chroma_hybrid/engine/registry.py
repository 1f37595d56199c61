"""One lexical half per collection in a process."""

from __future__ import annotations

import logging
import re
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from langchain_chroma_hybrid._files import NOTES
from langchain_chroma_hybrid.engine.chroma.collection import Remembered
from langchain_chroma_hybrid.engine.config import LexicalConfig
from langchain_chroma_hybrid.engine.half import LexicalHalf
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.places import files_note, index_folder
from langchain_chroma_hybrid.engine.query.background import CollectionBackground
from langchain_chroma_hybrid.engine.server_half import (
    ServerHalf,
    server_has_words,
    why_not_asked,
)
from langchain_chroma_hybrid.engine.sync.announcements import Announcements
from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint, read
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexBoundError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.factory import (
    open_index,
    remove_from,
    remove_index,
    unused_at,
)
from langchain_chroma_hybrid.lexical.protocol import Journaled

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress, SyncReport
    from langchain_chroma_hybrid.lexical.protocol import Journal, LexicalIndex

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_halves: weakref.WeakValueDictionary[tuple[str, str], LexicalHalf] = weakref.WeakValueDictionary()
# Parent folders and servers, with tenant and database, that were looked through for dead
# collections.
_swept: set[tuple[str, str]] = set()
_lock = threading.Lock()
_log = logging.getLogger(__name__)
# Seconds for which an index that others may use is left alone, whoever asks about it.
_UNUSED = 30 * 86_400.0


def open_half(store: ChromaStore, config: LexicalConfig) -> LexicalHalf:
    """The lexical half of a collection; everyone in this process who asks gets the same one.

    But for one whose server has the words: that asks through the caller's own client.

    Raises:
        AnalyzerMismatchError: it is open, or lies on disk, with another analyzer or other fields.
        LexicalIndexError: the folder on disk cannot be made or used.
    """
    if server_has_words(store, config):
        own = ServerHalf(store, config, Remembered(store.directory))
        own.join(store)
        return own
    if (aside := why_not_asked(store, config)) is not None:
        _log.info("%s: %s", store.name, aside)
    key = (store.location, store.uuid)
    with _lock:
        half = _halves.get(key)
        if half is None or not half.usable:
            half = _build(store, config)
            _halves[key] = half
        refuse_other(half, config, store)
        half.join(store)
    _sweep_once(store, config)
    return half


def refuse_other(half: LexicalHalf, config: LexicalConfig, store: ChromaStore) -> None:
    """One index has one configuration.

    Raises:
        AnalyzerMismatchError: `config` would build another index than the one that is open.
        InvalidArgumentError: it says otherwise who writes to a collection on a server.
    """
    name, writers = store.name, half.policy.writers
    if store.on_server and writers != config.policy.writers:
        expected = f"{writers!r}, with which {name!r} is open in this process"
        raise InvalidArgumentError.of("writers", config.policy.writers, expected)
    if half.signature != config.signature:
        message = (
            f"collection {name!r} is open in this process with {half.description}, now asked for "
            f"with {config.description}: use one configuration"
        )
        raise AnalyzerMismatchError(message)


def drop_half(store: ChromaStore, config: LexicalConfig) -> None:
    """Forget the lexical half of a collection and remove its index, whatever state that is in."""
    with _lock:
        half = _halves.pop((store.location, store.uuid), None)
    # Outside: what may have to wait must not keep others from opening other collections.
    if half is not None and half.usable:
        half.discard()
    if config.index is not None:
        with suppress(IndexBoundError):  # another collection's stays as it is
            config.index.bind(store.uuid, store.location)
            config.index.clear()
    if config.address is not None:
        remove_from(config.address, store.uuid, lock_timeout=config.lock_timeout)
    folder = index_folder(store, config)
    if folder is not None and folder.exists():
        remove_index(folder, lock_timeout=config.lock_timeout)
    if folder is not None:
        with suppress(OSError):  # Windows: while somebody has it open
            files_note(folder).unlink(missing_ok=True)
    ModelNotes(store).drop()
    reach("index removed")


def leave_half(store: ChromaStore, half: LexicalHalf) -> None:
    """Let go of a half, which closes when nobody else uses it."""
    with _lock:
        half.users.discard(store)
        last = not half.users
        if last and _halves.get((store.location, store.uuid)) is half:
            del _halves[store.location, store.uuid]
    if last:
        half.close(store)


def close_half(store: ChromaStore, half: LexicalHalf) -> None:
    """Close a half, whoever uses it."""
    with _lock:
        if _halves.get((store.location, store.uuid)) is half:
            del _halves[store.location, store.uuid]
    half.close(store)


def give_to(to: str, store: ChromaStore, half: LexicalHalf | None, lexical: LexicalIndex) -> None:
    """Give an index of the caller's own to another collection."""
    if half is not None:
        close_half(store, half)
    with _lock:
        again = _halves.pop((store.location, store.uuid), None)
        if again is not None and again.usable:  # opened by a query since
            again.discard()
        lexical.bind(to, store.location, instead_of=store.uuid)


def rebuild_half(
    store: ChromaStore, config: LexicalConfig, progress: Progress | None
) -> SyncReport:
    """Throw the index away, whatever state it is in, and build it from the collection.

    Users of an index that is open go on with the new one.
    """
    store.touch()  # says so when the collection has gone
    try:
        half = open_half(store, config)
    except LexicalIndexError:
        drop_half(store, config)
        half = open_half(store, config)
    return half.freshness.rebuild(store, progress or config.policy.progress)


def _sweep_once(store: ChromaStore, config: LexicalConfig) -> None:
    """Look for indexes of dead collections, in the background, the first time in this process."""
    folder, address = index_folder(store, config), config.address
    if address is not None and not store.in_memory:
        look, key = partial(sweep_server, store, address), (address, store.location)
    elif folder is not None and config.directory is None:
        look, key = partial(sweep, store, folder.parent), (str(folder.parent), store.place)
    else:
        return
    if key in _swept:
        return
    _swept.add(key)
    with suppress(RuntimeError):  # no room for a thread
        threading.Thread(target=look, name="chroma-hybrid-sweep", daemon=True).start()


def sweep(store: ChromaStore, parent: Path) -> None:
    """Remove the index folders of collections that are gone.

    Only beside the data and in the cache folder, only folders with our own note in them that names
    this tenant and database, and only when Chroma says that there is no such collection.
    """
    # What cannot be removed now is tried again by the next process.
    with suppress(Exception):
        others = [path for path in parent.iterdir() if _UUID.fullmatch(path.name)]
        others = [path for path in others if path.name != store.uuid]
        alive = store.siblings() if others else set()
        for path in others:
            if path.name in alive or read(path / NOTES).place != store.place:
                continue
            # A server may show this client nothing of what belongs to others on this machine.
            if store.on_server and time.time() - _used(path) < _UNUSED:
                continue
            with suppress(Exception):
                if not store.exists(path.name):
                    remove_index(path, lock_timeout=0.0)
                    files_note(path).unlink(missing_ok=True)


def sweep_server(store: ChromaStore, address: str) -> None:
    """Remove the indexes of collections that are gone from where several servers may have theirs.

    Only those bound to this very place, which nobody has used for long, since other hosts may mean
    another server by the same name; and only when Chroma says that there is no such collection.
    """
    with suppress(Exception):
        others = {*unused_at(address, store.location, _UNUSED)} - {store.uuid}
        for uuid in others - store.siblings() if others else ():
            with suppress(Exception):
                if not store.exists(uuid):
                    remove_from(address, uuid, lock_timeout=0.0)


def _used(folder: Path) -> float:
    """When the index was last written, in seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir(), folder / NOTES))


def _build(store: ChromaStore, config: LexicalConfig) -> LexicalHalf:
    """A lexical half with journal and checkpoint; an index that the caller made stays theirs."""
    try:
        folder = index_folder(store, config)
        lexical = config.index or open_index(
            folder,
            config.address,
            collection=store.uuid,
            analyzer=config.analyzer,
            lexical_fields=config.lexical_fields,
            lock_timeout=config.lock_timeout,
        )
        if config.index is not None:
            _bind(config.index, store)
        elif config.address is not None:  # so that others see whose it is
            lexical.bind(store.uuid, store.location)
    except (LexicalIndexError, RuntimeError) as error:
        raise _explained(error, config) from error
    return LexicalHalf(
        lexical,
        _journal(lexical, store),
        Checkpoint(lexical, store.place),
        config.policy,
        Remembered(store.directory),
        signature=config.signature,
        description=config.description,
        announced=Announcements() if _announces(store, config) else None,
        background=CollectionBackground(lexical),
        owned=config.index is None,
    )


def _bind(lexical: LexicalIndex, store: ChromaStore) -> None:
    """See that an index of the caller's own is that of this collection, or of one that is gone.

    Raises:
        IndexBoundError: another collection has it.
    """
    try:
        lexical.bind(store.uuid, store.location)
    except IndexBoundError as error:
        if error.place != store.location or store.exists(error.collection):
            raise
        orphan = _halves.pop((store.location, error.collection), None)
        if orphan is not None and orphan.usable:
            orphan.discard()
        lexical.bind(store.uuid, store.location, instead_of=error.collection)


def _announces(store: ChromaStore, config: LexicalConfig) -> bool:
    return store.on_server and config.policy.writers == "ours"


def _explained(error: Exception, config: LexicalConfig) -> Exception:
    """The error with what to do, where the place is the trouble and nobody has chosen it."""
    chosen = config.directory or config.address or config.index
    if type(error) not in (LexicalIndexError, RuntimeError) or chosen is not None:
        return error
    return LexicalIndexError(f"{error}; `lexical_directory=` chooses another folder for it")


def _journal(lexical: LexicalIndex, store: ChromaStore) -> Journal:
    """Where writers note what they begin; nowhere for an index that ends with the process.

    With the index, so that whoever reaches that finds what a killed writer has begun.
    """
    if isinstance(lexical, Journaled):
        return lexical.journal()
    if not lexical.capabilities.durable:
        return WriteAheadLog(None)
    folder = lexical.folder or index_folder(store, LexicalConfig())
    return WriteAheadLog(None if folder is None else folder / NOTES)
