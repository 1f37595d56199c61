"""The index beside those of records: what is known of each index, its lock, its notes.

Documents there are changed by compare and set: nothing is overwritten that was not read.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from langchain_chroma_hybrid.errors import IndexFormatError, IndexLockedError
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.opensearch.cluster import as_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.names import Names

_CONFLICT, _MISSING = 409, 404
_PAGE = 1_000
_AT_ONCE = 3  # conflicts: what was known is old as soon as another host has written


@dataclass(frozen=True, slots=True)
class Info:
    """What is known of an index.

    Attributes:
        instance: another one for an index that was made anew.
        generation: the index in which its records are.
        version: grows with each write; begun ones count. Documents have it as external version.
        total: records.
        textless: those without any term.
        unused: numbers of fields in which there is none.
        owner: the collection that it belongs to, as JSON.
        writer: who has the lock, until `until`, in seconds of the clocks of hosts.
        stamp: of the latest change, by which a request knows its own.
    """

    instance: str
    generation: str
    version: int
    total: int = 0
    textless: int = 0
    unused: tuple[int, ...] = ()
    owner: str = "{}"
    writer: str = ""
    until: float = 0.0
    stamp: str = ""

    @property
    def owned_by(self) -> Owner:
        """The collection that it belongs to."""
        return Owner.of(json.loads(self.owner))

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> Info:
        """As it was noted."""
        known = {name: source[name] for name in cls.__slots__ if name in source}
        try:
            return cls(**{**known, "unused": tuple(source.get("unused", ()))})
        except TypeError as error:
            raise _not_ours() from error


def first_info(generation: str, fields: int) -> Info:
    """Of an empty index. Its version is above all that one of the same name may have had."""
    now = int(time.time() * 1_000)
    return Info(uuid.uuid4().hex, generation, now, unused=tuple(range(fields)))


class SideIndex:
    """The documents of one index there. Thread-safe."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster, self._names = cluster, names
        self._known: tuple[Info, int, int] | None = None
        self._mutex = threading.Lock()

    def info(self) -> Info:
        """As it is now.

        Raises:
            IndexFormatError: there is none.
        """
        return self._get()[0]

    @property
    def latest(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The search that finds it, to be sent with others."""
        return {"index": self._names.side}, {
            "size": 1, "query": {"ids": {"values": [self._names.key]}}
        }  # fmt: skip

    def exists(self) -> bool:
        """Whether there is one."""
        status, _ = self._cluster.request("GET", self._path(), expect=(_MISSING,))
        return status != _MISSING

    def create(self, info: Info) -> None:
        """Begin with `info`, where nobody else has."""
        self._cluster.request(
            "PUT", self._path(), self._document(info), expect=(_CONFLICT,),
            params={"op_type": "create", "refresh": "true"},
        )  # fmt: skip

    def update(self, change: Callable[[Info], Info]) -> Info:
        """Put what `change` makes of the state in its place; what it raises changes nothing.

        `change` may be asked more than once.

        Raises:
            LexicalIndexError: others change it again and again, or the cluster takes no change.
        """
        attempts, tries = self._cluster.attempts(), 0
        with self._mutex:
            info, seq_no, term = self._known or self._get()
            while True:
                new = replace(change(info), stamp=uuid.uuid4().hex)
                status, answer = self._cluster.request(
                    "PUT", self._path(), self._document(new), expect=(_CONFLICT,),
                    params={"if_seq_no": str(seq_no), "if_primary_term": str(term),
                            "refresh": "true"},
                )  # fmt: skip
                if status != _CONFLICT:
                    self._known = new, answer["_seq_no"], answer["_primary_term"]
                    return new
                self._known = info, seq_no, term = self._get()
                if info.stamp == new.stamp:  # it was sent twice
                    return info
                tries += 1
                if tries > _AT_ONCE and not attempts.again():
                    raise self._cluster.refused(status, answer)

    def forget(self) -> None:
        """Read anew what is there."""
        with self._mutex:
            self._known = None

    def note(self, key: str) -> Any:
        """What lies under a key; None for nothing."""
        path = self._path(f".note.{key}")
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        if status == _MISSING:
            return None
        try:
            return json.loads(answer["_source"]["content"])
        except (KeyError, TypeError, ValueError) as error:
            raise _not_ours() from error

    def set_note(self, key: str, content: object) -> None:
        """Keep JSON under a key."""
        body = {"kind": "note", "name": self._names.name, "content": json.dumps(content)}
        path = self._path(f".note.{key}")
        self._cluster.request("PUT", path, body, params={"refresh": "true"})

    def remove_all(self, kinds: Iterable[str], *, but: str = "") -> None:
        """Remove documents of some kinds, whoever wrote them, but one by its `_id`."""
        self._cluster.request("POST", f"/{self._names.side}/_refresh")
        self.remove({hit["_id"] for hit in self.documents(list(kinds))} - {but})

    def remove(self, ids: Iterable[str]) -> None:
        """Remove documents by `_id`; those that are not there are no error."""
        lines = as_lines({"delete": {"_id": each}} for each in ids)
        if lines:
            path = f"/{self._names.side}/_bulk"
            self._cluster.request("POST", path, lines, params={"refresh": "true"})

    def documents(self, kinds: list[str]) -> list[Mapping[str, Any]]:
        """All documents of some kinds of this index, each with what a change of it has to say."""
        name = {"term": {"name": self._names.name}}
        body: dict[str, Any] = {
            "size": _PAGE,
            "query": {"bool": {"filter": [name, {"terms": {"kind": kinds}}]}},
            "seq_no_primary_term": True,
        }
        found: list[Mapping[str, Any]] = []
        while True:
            search = body | {"from": len(found)}
            (answer,) = self._cluster.searches([({"index": self._names.side}, search)])
            hits = answer["hits"]["hits"]
            found += hits
            if len(hits) < _PAGE:
                return found

    def _get(self) -> tuple[Info, int, int]:
        status, answer = self._cluster.request("GET", self._path(), expect=(_MISSING,))
        if status == _MISSING:
            raise IndexFormatError(
                f"the lexical index {self._names.alias!r} was removed: open the collection anew"
            )
        return Info.of(answer["_source"]), answer["_seq_no"], answer["_primary_term"]

    def _document(self, info: Info) -> dict[str, Any]:
        return {"kind": "info", "name": self._names.name, **asdict(info)}

    def _path(self, rest: str = "") -> str:
        return f"/{self._names.side}/_doc/{quote(self._names.key + rest, safe='')}"


def taken(info: Info, writer: str, lease: float) -> Info:
    """With the lock in the hands of `writer`, for `lease` seconds.

    Raises:
        HeldError: another one has it.
    """
    now = time.time()
    if info.writer not in ("", writer) and info.until > now:
        raise HeldError("another writer has the lock")
    return replace(info, writer=writer, until=now + lease)


def kept(info: Info, writer: str, lease: float) -> Info:
    """The same for who has the lock.

    Raises:
        IndexLockedError: another one has taken it, after the lease had ended.
    """
    if info.writer != writer:
        raise IndexLockedError(
            "another writer took the lock of the lexical index, whose lease had ended: the clocks "
            "of hosts differ, or this one stood still"
        )
    return taken(info, writer, lease)


def _not_ours() -> IndexFormatError:
    return IndexFormatError(
        "what is noted of the lexical index is not ours: expected another `name` or `prefix`, or "
        "that somebody removes it"
    )


class HeldError(Exception):
    """Another writer has the lock."""
