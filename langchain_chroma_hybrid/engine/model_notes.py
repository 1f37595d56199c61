"""What is noted of the models of a collection, where every process that opens it looks.

Beside the data of a folder. For a server in the collection in which processes tell each other of
their writes, if there is one; else in the user's cache folder, which other hosts do not see.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from langchain_chroma_hybrid._files import write_json
from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.engine.places import model_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore

_FORMAT = 1
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class FilledBy:
    """Which model has filled a collection.

    Attributes:
        model: as far as it is known.
        owned: we have seen the collection filled from the first record on, or were told so by
            `adopt`; else a few of its records were embedded again and compared.
        seen: the mean cosine of records as they are and embedded again, by the model's key.
    """

    model: EmbeddingModel
    owned: bool = False
    seen: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notes:
    """All that is noted of the collections that have had one place after the other.

    Attributes:
        models: which model has filled each of them, by its id.
        live: id of the one that has the place; None where there was never another.
        name: that callers open them by.
        previous: id of the one that had it before, as long as that is kept.
        migration: what is under way, or was when a process died.
        copied: mark of the ledger that tells what two of them have in common; a ledger with
            another one, as on another host, is outdated.
    """

    models: Mapping[str, FilledBy] = field(default_factory=dict)
    live: str | None = None
    name: str | None = None
    previous: str | None = None
    migration: Mapping[str, Any] | None = None
    copied: str | None = None


# Of collections in memory, which end with the process.
_in_memory: dict[str, dict[str, Any]] = {}
_lock = threading.RLock()


class ModelNotes:
    """The notes of one collection. Thread-safe; processes see each other's at the next reading."""

    def __init__(self, store: ChromaStore) -> None:
        self._store, self.root = store, store.root
        self.on_server = store.on_server
        self.file = model_note(store)

    def read(self) -> Notes:
        """What is noted; nothing if it cannot be read."""
        return _notes(self._content())

    def change(self, change: Callable[[Notes], Notes], *, tell: bool = False) -> Notes:
        """Replace what is noted in one step, and give what it is now.

        `tell`: on a server tell every host, for which a small collection is made beside this one.

        Raises:
            OSError: it cannot be written.
        """
        with self._locked():
            now = change(self.read())
            content = {
                "format": _FORMAT,
                "live": now.live,
                "name": now.name,
                "previous": now.previous,
                "copied": now.copied,
                "migration": now.migration,
                "models": {uuid: _noted(filled) for uuid, filled in now.models.items()},
            }
            self._put(content, tell=tell)
        return now

    def drop(self) -> None:
        """The collection is gone; what is noted of others that had its place stays."""
        uuid = self._store.uuid
        with suppress(OSError):
            if not self.read().models.keys() - {uuid}:
                self._remove()
            else:
                self.change(lambda n: replace(n, models=_without(n.models, uuid)))

    def fill(self, filled: FilledBy, *, tell: bool = False) -> None:
        """Note which model has filled this very collection."""
        uuid = self._store.uuid
        # What cannot be noted is found out again by the next process.
        with suppress(OSError):
            self.change(lambda n: replace(n, models={**n.models, uuid: filled}), tell=tell)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _lock:
            if self.file is None or self._store.on_server:
                yield
                return
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(str(self.file.with_suffix(".lock")), timeout=_TIMEOUT, mode=0o600):
                yield

    def _put(self, content: Mapping[str, Any], *, tell: bool) -> None:
        store = self._store
        if store.on_server and (tell or store.model_record.model() is not None):
            store.model_record.put_model(json.dumps(content))
        elif self.file is None:
            _in_memory[store.root] = dict(content)
        else:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(self.file, content)

    def _remove(self) -> None:
        _in_memory.pop(self._store.root, None)
        if self._store.on_server and self._store.model_record.model() is not None:
            self._store.model_record.drop()
        if self.file is not None:
            for file in (self.file, self.file.with_suffix(".lock")):
                file.unlink(missing_ok=True)

    def _content(self) -> object:
        told = self._store.model_record.model() if self._store.on_server else None
        with suppress(OSError, ValueError, RecursionError):
            if told is not None:
                return json.loads(told)
            if self.file is None:
                return _in_memory.get(self._store.root)
            return json.loads(self.file.read_text("utf-8"))
        return None


def _without(models: Mapping[str, FilledBy], uuid: str) -> dict[str, FilledBy]:
    return {other: filled for other, filled in models.items() if other != uuid}


def _noted(filled: FilledBy) -> dict[str, Any]:
    return {"model": filled.model.note(), "owned": filled.owned, "seen": dict(filled.seen)}


def _notes(content: object) -> Notes:
    """Notes as far as they make sense."""
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return Notes()
    found = {uuid: _filled_by(each) for uuid, each in _mapping(content.get("models")).items()}
    texts = {name: content.get(name) for name in ("live", "name", "previous", "copied")}
    return Notes(
        {uuid: filled for uuid, filled in found.items() if filled is not None},
        **{name: text for name, text in texts.items() if isinstance(text, str)},
        migration=_mapping(content.get("migration")) or None,
    )


def _filled_by(noted: object) -> FilledBy | None:
    fields = _mapping(noted)
    model = EmbeddingModel.read(fields.get("model"))
    seen = _mapping(fields.get("seen")).items()
    numbers = {key: float(cosine) for key, cosine in seen if isinstance(cosine, int | float)}
    return None if model is None else FilledBy(model, fields.get("owned") is True, numbers)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
