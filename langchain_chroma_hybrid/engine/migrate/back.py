"""The way back from a migration, and its end: the old collection returns, or goes."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.chroma.replacement import (
    collection_of,
    delete_collection,
)
from langchain_chroma_hybrid.engine.guard import verdict_of
from langchain_chroma_hybrid.engine.migrate.carry import hand_over, told
from langchain_chroma_hybrid.engine.migrate.copier import Copier, NewVectors
from langchain_chroma_hybrid.engine.migrate.ledger import Ledger, remove_ledger
from langchain_chroma_hybrid.engine.migrate.names import Exchange, finish_begun, names_lock
from langchain_chroma_hybrid.engine.migrate.run import Site, writers_waiting
from langchain_chroma_hybrid.engine.model_gate import only_one
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.registry import drop_half
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError

if TYPE_CHECKING:
    import chromadb
    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.migrate.copier import TextOf

_BATCH = 256
_AT_REST: dict[str, Any] = {"migration": None, "copied": None}


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
        InvalidArgumentError: records were written since, and no model is given for them, or
            it is not the one that has filled the old collection.
    """
    notes = ModelNotes(site.store)
    with only_one(site.store):
        old = _previous(site, notes)
        store = ChromaStore(site.client, old, site.config.sparse)
        _refuse_other(store, notes, embeddings)
        with writers_waiting(notes, site.store):
            changes = 0 if discard else _bring_back(site, store, notes, embeddings, text_of)
            now = site.store.uuid
            notes.change(lambda n: replace(n, live=store.uuid, previous=now, **_AT_REST))
            reach("switched")
        hand_over(site.index, store.uuid, site.config)
        site.follow(old)
        return changes


def _refuse_other(old: ChromaStore, notes: ModelNotes, embeddings: Embedder | None) -> None:
    """Raise where it is noted that another model has filled the old collection."""
    filled = notes.read().models.get(old.uuid)
    if embeddings is None or filled is None:
        return
    model = EmbeddingModel.of(embeddings)
    if verdict_of(filled.model, model) == "other":
        expected = f"the model that has filled {old.name!r}, {filled.model}"
        raise InvalidArgumentError.of("embeddings", str(model), expected)


def _bring_back(
    site: Site,
    old: ChromaStore,
    notes: ModelNotes,
    embeddings: Embedder | None,
    text_of: TextOf | None,
) -> int:
    """Copy what was written since the migration; gives how much that was."""
    site.index.flush()
    vectors = NewVectors(embeddings, text_of)
    with closing(Ledger(notes, site.store.uuid)) as ledger:
        if not len(ledger):  # another host has migrated it
            ledger.learn(old)
        with told(old, site.config) as changing:
            return Copier(site.store, old, vectors, ledger, _BATCH, changing).look()


def drop_previous(site: Site) -> str:
    """Delete the collection that had the place before, and give its name to the one that has it.

    Returns:
        The name.

    Raises:
        CollectionError: there is none, or its name was taken by another meanwhile.
    """
    notes = ModelNotes(site.store)
    with only_one(site.store):
        name = _exchange(site, notes, _previous(site, notes))
        drop_kept(site.client, site.store, site.config)
        reach("old dropped")
        notes.change(lambda n: replace(n, previous=None, copied=None))
        remove_ledger(notes)
        return name


def drop_kept(client: ClientAPI, store: ChromaStore, config: LexicalConfig) -> None:
    """Delete all collections that have had the place of this one, and their indexes."""
    for old in _kept(client, store):
        # An index of the caller's own is that of the collection that stays.
        drop_half(ChromaStore(client, old), replace(config, index=None))
        delete_collection(client, str(old.id))


def _kept(client: ClientAPI, store: ChromaStore) -> list[chromadb.Collection]:
    """The collections that have had the place of this one, as far as they are there."""
    notes = ModelNotes(store).read()
    others = dict.fromkeys([*filter(None, [notes.previous]), *notes.models])
    found = [collection_of(client, uuid) for uuid in others if uuid != store.uuid]
    return [old for old in found if old is not None]


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
    with names_lock(folder) if folder is not None else nullcontext():
        if folder is not None:
            finish_begun(folder)
        now = collection_of(client, new.uuid)
        if now is None or now.name == name:
            return name
        # Of several that have had the place, the one with the name.
        old = next((each for each in _kept(client, new) if each.name == name), old)
        places = client.tenant, client.database
        Exchange(name, now.name, str(old.id), new.uuid, *places).run(client, folder)
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
