"""Intentions of writers, beside the index."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import LexicalIndexError
from langchain_chroma_hybrid.lexical.journal import LeasedJournal
from langchain_chroma_hybrid.lexical.protocol import Unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.names import Names
    from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex

_CONFLICT, _MISSING = 409, 404


class OpenSearchJournal(LeasedJournal[str]):
    """A writer's documents, each with a lease by the clocks of hosts.

    A clock that is wrong by more than the lease makes the living look dead, whose ids are then
    repaired for nothing, or the dead alive, whose ids are repaired later.

    Thread safety: may be called from many threads.
    """

    def __init__(self, cluster: Cluster, names: Names, side: SideIndex, lease: float) -> None:
        """`lease` in seconds."""
        super().__init__(lease)
        self._cluster, self._names, self._side = cluster, names, side
        self._taken: dict[int, str] = {}  # the documents of dead writers, by number

    @contextmanager
    def take_over(self) -> Iterator[Unfinished]:
        """What dead writers left undone; their documents are gone when the block ends well.

        Raises:
            LexicalIndexError: the cluster has gone; then all of it is left as it was.
        """
        self._be_this_process()
        others = [hit for hit in self._documents() if hit["_source"]["writer"] != self._me]
        now = time.time()
        dead = [hit for hit in others if hit["_source"]["until"] <= now]
        living = [hit["_source"]["ids"] for hit in others if hit["_source"]["until"] > now]
        claimed = {hit["_id"]: hit["_source"]["ids"] for hit in dead if self._claim(hit)}
        numbers = {next(self._numbers): each for each in claimed.items()}
        # Kept alive under their own names, as those of a write that is under way here.
        self._taken.update({number: id_ for number, (id_, _) in numbers.items()})
        if numbers:
            self._keep({number: ids for number, (_, ids) in numbers.items()})
        try:
            yield Unfinished(_decoded(claimed.values()), bool(living), _decoded(living))
        except BaseException:
            with self._mutex:
                left = {n: self._pending.pop(n) for n in numbers if n in self._pending}
            with suppress(LexicalIndexError):
                self._write(left, 0.0)
            raise
        self.done(list(numbers))

    @property
    def _me(self) -> str:
        return self._writer.hex

    def _encoded(self, ids: Collection[str]) -> str:
        return json.dumps(list(ids))

    def _note(self, entries: Mapping[int, str]) -> None:
        self._write(entries, time.time() + self._lease)

    def _forget(self, numbers: Collection[int]) -> None:
        self._side.remove(map(self._id, numbers))

    def _end_lease(self, entries: Mapping[int, str]) -> None:
        self._write(entries, 0.0)

    def _write(self, entries: Mapping[int, str], until: float) -> None:
        """Note entries, all of them or LexicalIndexError."""
        for number, ids in entries.items():
            path = f"/{self._names.side}/_doc/{self._id(number)}"
            self._cluster.request(
                "PUT", path, self._document(ids, until), params={"refresh": "true"}
            )

    def _claim(self, hit: Mapping[str, Any]) -> bool:
        """Whether a dead writer's document is this one's now, and nobody else's."""
        body = self._document(hit["_source"]["ids"], time.time() + self._lease)
        params = {
            "if_seq_no": str(hit["_seq_no"]),
            "if_primary_term": str(hit["_primary_term"]),
            "refresh": "true",
        }
        path = f"/{self._names.side}/_doc/{hit['_id']}"
        status, _ = self._cluster.request("PUT", path, body, params=params, expect=(_CONFLICT,))
        if status != _CONFLICT:
            return True
        # It may have been ours, sent twice.
        status, now = self._cluster.request("GET", path, expect=(_MISSING,))
        return status != _MISSING and now["_source"]["writer"] == self._me

    def _document(self, ids: str, until: float) -> dict[str, Any]:
        common = {"kind": "intention", "name": self._names.name}
        return {**common, "writer": self._me, "until": until, "ids": ids}

    def _id(self, number: int) -> str:
        return self._taken.get(number) or f"{self._names.name}.{self._me}.{number}"

    def _documents(self) -> list[Mapping[str, Any]]:
        return self._side.documents(["intention"])


def _decoded(noted: Any) -> frozenset[str]:
    return frozenset(id_ for ids in noted for id_ in json.loads(ids))
