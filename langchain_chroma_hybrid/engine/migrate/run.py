"""A migration from its first look to the switch, and the way back.

The collection is copied to a second one, with new vectors, while everybody goes on reading and
writing. Then writers wait for a moment, what they have changed meanwhile is copied too, and one
file (or, on a server, one record) says that the other collection has the place from now on. Whoever
dies on the way leaves the old collection as it was, and the next try goes on from the last batch.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.chroma.replacement import (
    delete_collection,
    is_replacement,
    make_replacement,
)
from langchain_chroma_hybrid.engine.guard import SAME, similarity
from langchain_chroma_hybrid.engine.migrate.carry import carry, hand_over
from langchain_chroma_hybrid.engine.migrate.copier import Copier, NewVectors
from langchain_chroma_hybrid.engine.migrate.ledger import Ledger
from langchain_chroma_hybrid.engine.migrate.plan import Costs, costs, refuse
from langchain_chroma_hybrid.engine.model_gate import BELIEVED, SWITCHING, only_one, under_way
from langchain_chroma_hybrid.engine.model_notes import FilledBy, ModelNotes, Notes
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.engine.sync.reconcile import progress_bar
from langchain_chroma_hybrid.errors import (
    CollectionError,
    InvalidArgumentError,
    ModelChangedError,
    WriteError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import chromadb
    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.core.search import Embedder
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.engine.migrate.copier import Progress, TextOf
    from langchain_chroma_hybrid.engine.migrate.report import MigrationReport

    Follow = Callable[[chromadb.Collection], HybridIndex]

# Looks before writers have to wait: each finds less than the one before.
_LOOKS = 5
_FEW = 100
_PROBES = 3
# Seconds in which a write that was under way may end.
_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Site:
    """Where a migration takes place, through one caller's client.

    Attributes:
        index: of the collection as it is.
        follow: leads the caller to another collection, and gives its index.
    """

    client: ClientAPI
    collection: chromadb.Collection
    index: HybridIndex
    config: LexicalConfig
    follow: Follow

    @property
    def store(self) -> ChromaStore:
        """The collection as it is."""
        return self.index.store


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """How to migrate; see `migration.migrate`."""

    batch_size: int = 256
    target_name: str | None = None
    price: float | None = None
    restart: bool = False
    progress: Progress | None = None
    text_of: TextOf | None = None
    function: Any = None


class Migration:
    """One collection's way to another model. For one thread."""

    def __init__(self, site: Site, embeddings: Embedder, options: MigrationOptions) -> None:
        self._site, self._options = site, options
        self._notes = ModelNotes(site.store)
        self._model = EmbeddingModel.of(embeddings)
        self._vectors = NewVectors(embeddings, options.text_of)

    def costs(self) -> Costs:
        """What it will take; embeds a few records.

        Raises:
            InvalidArgumentError: the collection is empty, or filled by this very model.
        """
        filled = self._notes.read().models.get(self._site.store.uuid)
        known = None if filled is None else filled.model.fingerprint
        if known is not None and known == self._model.fingerprint:
            expected = f"another model than the one that has filled {self._site.store.name!r}"
            raise InvalidArgumentError.of("embeddings", str(self._model), expected)
        return costs(self._site.store, self._vectors, self._name(), self._options.price)

    def run(self) -> MigrationReport:
        """Do it, or go on where an earlier try has ended.

        Raises:
            IndexLockedError: another process is at it.
            CollectionError: the collection was deleted meanwhile; what was begun is removed.
            WriteError: no room on disk; nothing was written.
        """
        start = time.monotonic()
        with only_one(self._site.store):
            found = self.costs()
            refuse(self._site.store, found)
            try:
                target = self._target()
                self._to(target, Ledger(self._notes, str(target.id)))
            except CollectionError:
                self._give_up()
                raise
        seconds = time.monotonic() - start
        return replace(found.report, target=target.name, seconds=seconds, done=True)

    def _to(self, target: chromadb.Collection, ledger: Ledger) -> None:
        """Copy until little is left, the rest while writers wait, and switch."""
        site = self._site
        new = ChromaStore(site.client, target, site.config.sparse)
        copier = Copier(site.store, new, self._vectors, ledger, self._options.batch_size)
        _check_resumed(new, copier)
        with progress_bar(self._options.progress, "embedding anew") as progress:
            for _ in range(_LOOKS):
                if copier.look(progress) <= _FEW:
                    break
        with writers_waiting(self._notes, site.store):
            _look_and_verify(copier)
            carry(site.index, new, site.config)
            reach("index carried")
            self._switch(new)
        hand_over(site.index, new.uuid, site.config)
        index = site.follow(target)
        changing = index.half.writer.changing
        # What was under way when the writers were told to wait.
        late = replace(copier, changing=lambda ids: changing(index.store, ids, wait=True))
        late.look()
        reach("migration done")
        ledger.close()

    def _name(self) -> str:
        going = self._notes.read().migration or {}
        if self._options.target_name or going.get("name"):
            return str(self._options.target_name or going["name"])
        known = self._notes.read().name or self._site.store.name
        said = (self._model.key or str(time.time())).encode()
        mark = self._model.fingerprint or hashlib.sha256(said).hexdigest()
        wanted = f"{known[:480]}-{mark[:8]}"
        return next(filter(self._is_free, chain([wanted], (f"{wanted}-{i}" for i in count(2)))))

    def _is_free(self, name: str) -> bool:
        """Whether there is no collection of that name, or what another try has begun."""
        found = _by_name(self._site.client, name)
        return found is None or self._is_ours(found)

    def _is_ours(self, found: chromadb.Collection) -> bool:
        """Whether a try has begun it, which may be thrown away."""
        return is_replacement(found, self._site.store.root, self._kept())

    def _kept(self) -> set[str]:
        """Ids of the collections that have or had the place."""
        return {self._site.store.uuid, *self._notes.read().models}

    def _target(self) -> chromadb.Collection:
        """The collection to fill: begun now, or by an earlier try."""
        site, going = self._site, self._notes.read().migration
        if self._options.restart or (going is not None and not self._goes_on(going)):
            self._give_up()
        name = self._name()
        noted = {"name": name, "model": self._model.note(), "phase": "copying"}
        self._notes.change(lambda n: under_way(self._notes, n, **noted), tell=True)
        reach("migration noted")
        made = self._made(name)
        with closing(Ledger(self._notes, str(made.id))) as ledger:
            known = len(ledger)
        if not known and made.count():
            # Begun by another host: what is in it is not known here.
            delete_collection(site.client, str(made.id))
            made = self._made(name)
        reach("target made")
        return made

    def _made(self, name: str) -> chromadb.Collection:
        site, function = self._site, self._options.function
        root, kept, sparse = site.store.root, self._kept(), site.config.sparse
        return make_replacement(site.client, site.collection, root, name, function, kept, sparse)

    def _goes_on(self, going: Any) -> bool:
        """Whether what was begun is by this model; False to begin anew.

        Raises:
            InvalidArgumentError: it is by another one.
        """
        begun = EmbeddingModel.read(going.get("model")) or EmbeddingModel()
        if begun.key == self._model.key:
            return True
        expected = (
            f"{begun}, by which a migration of {self._site.store.name!r} was begun (give that one "
            "to go on, or restart=True to begin anew)"
        )
        raise InvalidArgumentError.of("embeddings", str(self._model), expected)

    def _give_up(self) -> None:
        """Remove what was begun."""
        name = (self._notes.read().migration or {}).get("name")
        if name is not None:
            found = _by_name(self._site.client, str(name))
            if found is not None and self._is_ours(found):
                delete_collection(self._site.client, str(found.id))
        self._notes.change(lambda n: replace(n, migration=None, copied=None))

    def _switch(self, new: ChromaStore) -> None:
        """From now on the new collection has the place."""
        old = self._site.store.uuid

        def switched(notes: Notes) -> Notes:
            models = {old: FilledBy(EmbeddingModel()), **notes.models}
            models[new.uuid] = FilledBy(self._model, owned=True)
            name = notes.name or self._site.store.name
            places = {"live": new.uuid, "previous": old, "name": name}
            return replace(notes, models=models, migration=None, **places)

        self._notes.change(switched)
        reach("switched")


@contextmanager
def writers_waiting(notes: ModelNotes, store: ChromaStore) -> Iterator[None]:
    """Nobody else begins a write inside the block.

    Raises:
        IndexLockedError: another host has begun to migrate.
    """
    notes.change(lambda n: under_way(notes, n, phase=SWITCHING))
    reach("writers wait")
    if store.on_server:
        time.sleep(BELIEVED)  # until every host has asked again
    try:
        yield
    finally:  # after the switch nothing is under way
        notes.change(lambda n: n if n.migration is None else under_way(notes, n, phase="copying"))


def _check_resumed(target: ChromaStore, copier: Copier) -> None:
    """What an earlier try has copied has to be of this very model.

    Raises:
        ModelChangedError: it is not.
    """
    if not len(copier.ledger):
        return
    records = list(target.first(_PROBES).values())
    if records and (seen := similarity(target, records, copier.vectors.of(records))) < SAME:
        raise ModelChangedError(
            f"embeddings: expected the model by which the migration to {target.name!r} was begun, "
            f"got one whose vectors have a cosine of {seen:.2f} to its: give that one, or "
            "restart=True to begin anew"
        )


def _look_and_verify(copier: Copier) -> None:
    """Copy the last changes; a write that was under way may end between the look and the counting.

    Raises:
        WriteError: both still differ after some looks.
    """
    for left in reversed(range(_LOOKS)):
        copier.look()
        try:
            _verify(copier)
        except WriteError:
            if not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _verify(copier: Copier) -> None:
    """Compare both collections, before anybody goes by the new one.

    Raises:
        WriteError: they differ; the old one keeps its place.
    """
    source, target = copier.source, copier.target
    counts = source.count(), target.count(), len(copier.ledger)
    if len(set(counts)) != 1:
        raise WriteError(
            f"{target.name!r} has {counts[1]} records and {source.name!r} {counts[0]} ({counts[2]} "
            "were noted): the old collection keeps its place; run the migration again"
        )
    records = list(target.first(_PROBES).values())
    there = source.fetch([record.id for record in records])
    alike = all(there.get(record.id) == record for record in records)
    if not alike or (records and similarity(target, records, copier.vectors.of(records)) < SAME):
        raise WriteError(
            f"records of {target.name!r} are not those of {source.name!r}: the old collection "
            "keeps its place; run the migration again, with restart=True"
        )


def _by_name(client: ClientAPI, name: str) -> chromadb.Collection | None:
    return next((c for c in client.list_collections() if c.name == name), None)
