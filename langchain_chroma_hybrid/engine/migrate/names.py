"""Exchanging the names of two collections, which Chroma cannot do in one step.

What is under way is noted beside the data, and done to its end by whoever opens a store there
next; on a server, by the next call. In between nobody has the name, and a plain client that opens
it makes an empty collection.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from langchain_chroma_hybrid._files import write_json
from langchain_chroma_hybrid.engine.chroma.clients import connect
from langchain_chroma_hybrid.engine.chroma.replacement import collection_of, rename_collection
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import CollectionError

if TYPE_CHECKING:
    from os import PathLike

    from chromadb.api import ClientAPI

_FILE = "names.json"
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two collections whose names are to be exchanged.

    Attributes:
        name: of the old one, which the new one gets.
        spare: of the new one, which the old one gets.
        old, new: their ids.
        tenant, database: where they are.
    """

    name: str
    spare: str
    old: str
    new: str
    tenant: str
    database: str

    def run(self, client: ClientAPI, folder: Path | None) -> None:
        """Do it, or what is left of it.

        Args:
            client: the caller's.
            folder: of the data; None where nothing can be noted.

        Raises:
            CollectionError: another collection has the name by now; nothing more is renamed.
        """
        note = None if folder is None else _note(folder)
        if note is not None:
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(note, asdict(self))
        reach("names noted")
        self._refuse_taken(client)
        old = collection_of(client, self.old)
        if old is not None and old.name == self.name:
            rename_collection(client, self.old, f"{self.old}.old")
        reach("old renamed")
        rename_collection(client, self.new, self.name)
        reach("new renamed")
        rename_collection(client, self.old, self.spare)
        if note is not None:
            note.unlink(missing_ok=True)

    def _refuse_taken(self, client: ClientAPI) -> None:
        for each in client.list_collections():
            if each.name == self.name and str(each.id) not in (self.old, self.new):
                raise CollectionError(
                    f"another collection is called {self.name!r} by now, with {each.count()} "
                    f"records (a program that was not stopped may have made it), so that "
                    f"{self.spare!r} cannot get that name: rename or delete it"
                )


def finish_names(
    persist_directory: str | PathLike[str] | None, client: ClientAPI | None, name: str | None
) -> None:
    """Do to its end what a process that died has begun there; mostly there is nothing.

    Raises:
        CollectionError: it is about the collection `name`, and another one has its name by now.
    """
    if persist_directory is None and client is not None and client.get_settings().is_persistent:
        persist_directory = client.get_settings().persist_directory
    if persist_directory is None or not _note(Path(persist_directory)).exists():
        return
    folder = Path(persist_directory)
    with names_lock(folder):
        try:
            finish_begun(folder)
        except CollectionError:
            begun = _read(_note(folder))
            if begun is not None and name in (begun.name, begun.spare):
                raise


def finish_begun(folder: Path) -> None:
    """The same, of who holds the lock, and whatever collection it is about."""
    begun = _read(_note(folder))
    if begun is not None:
        begun.run(connect(folder, tenant=begun.tenant, database=begun.database), folder)


def names_lock(folder: Path) -> FileLock:
    """Held by whoever exchanges names there."""
    (folder / "models").mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(str(folder / "models" / "names.lock"), timeout=_TIMEOUT, mode=0o600)


def _note(folder: Path) -> Path:
    return folder / "models" / _FILE


def _read(note: Path) -> Exchange | None:
    with suppress(OSError, ValueError, TypeError):
        found = Exchange(**json.loads(note.read_text("utf-8")))
        if all(isinstance(value, str) for value in asdict(found).values()):
            return found
    return None
