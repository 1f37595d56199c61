"""The way back from a migration, and its end: the old collection returns, or goes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.chroma.replacement import (
    collection_of,
    delete_collection,
)
from langchain_chroma_hybrid.engine.migrate.copier import Copier, NewVectors
from langchain_chroma_hybrid.engine.migrate.ledger import Ledger
from langchain_chroma_hybrid.engine.migrate.names import Exchange, names_lock
from langchain_chroma_hybrid.engine.migrate.run import Site, writers_waiting
from langchain_chroma_hybrid.engine.model_gate import only_one
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.registry import drop_half
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import CollectionError

if TYPE_CHECKING:
    import chromadb

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.engine.migrate.copier import TextOf

_BATCH = 256


def roll_back(
    site: Site, embeddings: Embedder | None, text_of: TextOf | None, *, discard: bool
) -> int:
    """Give the place back to the collection that had it before.

    Args:
        site: with the collection that has it now.
        embeddings: of the old model, for what was written since.
        text_of: as for a migration.
        discard: leave what was written since behind.

    Returns:
        How many records were written since, and embedded by the old model.

    Raises:
        CollectionError: there is none, or it was deleted.
        InvalidArgumentError: records were written since, and no model is given for them.
    """
    notes = ModelNotes(site.store)
    with only_one(site.store):
        old = _previous(site, notes)
        store = ChromaStore(site.client, old)
        ledger = Ledger(notes)
        vectors = NewVectors(embeddings, text_of)
        copier = Copier(site.store, store, vectors, ledger, _BATCH)
        with writers_waiting(notes):
            site.index.flush()
            changes = 0 if discard else copier.look()
            now = site.store.uuid
            notes.change(lambda n: replace(n, live=store.uuid, previous=now))
            reach("switched")
        site.follow(old)
        notes.change(lambda n: replace(n, migration=None))
        ledger.remove()
        return changes


def drop_previous(site: Site) -> str:
    """Delete the collection that had the place before, and give its name to the one that has it.

    Returns:
        The name.

    Raises:
        CollectionError: there is none, or its name was taken by another meanwhile.
    """
    notes = ModelNotes(site.store)
    with only_one(site.store):
        old = _previous(site, notes)
        name = _exchange(site, notes, old)
        drop_half(ChromaStore(site.client, old), site.config)
        delete_collection(site.client, str(old.id))
        reach("old dropped")
        notes.change(lambda n: replace(n, previous=None, migration=None))
        Ledger(notes).remove()
        return name


def swap_names(site: Site) -> str:
    """Exchange the names of the collection and of the one that had its place, and give the name.

    Raises:
        CollectionError: there is none, or another collection has its name by now.
    """
    notes = ModelNotes(site.store)
    with only_one(site.store):
        return _exchange(site, notes, _previous(site, notes))


def _exchange(site: Site, notes: ModelNotes, old: chromadb.Collection) -> str:
    """Give the name of the place to the collection that has it, unless it has it already."""
    new, client, folder = site.store, site.client, site.store.directory
    name = notes.read().name or old.name
    if new.name == name:
        return name
    places = client.tenant, client.database
    exchange = Exchange(name, new.name, str(old.id), new.uuid, *places)
    with names_lock(folder) if folder is not None else nullcontext():
        exchange.run(client, folder)
    return name


def _previous(site: Site, notes: ModelNotes) -> chromadb.Collection:
    found = notes.read().previous
    old = None if found is None else collection_of(site.client, found)
    if old is None:
        raise CollectionError(
            f"no collection is kept that had the place of {site.store.name!r} before"
            + ("" if found is None else f": {found} was deleted")
        )
    return old
