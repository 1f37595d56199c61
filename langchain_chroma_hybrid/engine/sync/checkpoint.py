"""What one process tells the next about an index: whether it is complete, and as of when."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from langchain_chroma_hybrid._files import StateFiles
from langchain_chroma_hybrid.errors import LexicalIndexError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from langchain_chroma_hybrid.engine.chroma.change_token import TokenReading

_STATE = "state"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class CheckpointData:
    """What an earlier process left.

    Attributes:
        known: there is a note at all.
        ready: the index was complete.
        token: Chroma's change token when both halves were known to be in step, but for what the
            journals name.
        sure: any write since then has changed the token; else a count is to be looked at.
        place: tenant and database of the collection.
        announced: what each process had last told of its writes, when both halves were in step.
    """

    known: bool = False
    ready: bool = False
    token: tuple[int, ...] | None = None
    sure: bool = False
    place: str = ""
    announced: Mapping[str, str] | None = None


class States(Protocol):
    """Where state is kept: a lexical index, or the files within its folder."""

    def state(self, name: str) -> Mapping[str, Any]:
        """What was set last under `name`; else empty."""

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep it; raises OSError or LexicalIndexError."""


class Checkpoint:
    """The note in an index, and its present state in memory.

    Losing it costs a comparison of ids, never a record; so it is written now and then.
    """

    def __init__(self, states: States, place: str) -> None:
        self._states = states
        self._place = place
        self._mutex = threading.Lock()
        self._saved: CheckpointData | None = None
        self._now = CheckpointData(known=True, place=place)
        self._told = False
        self._over = False

    @property
    def token(self) -> tuple[int, ...] | None:
        """Chroma's change token when both halves were last known to be in step."""
        return self._now.token

    @property
    def sure_token(self) -> tuple[int, ...] | None:
        """The same, if a write since then would have changed it."""
        return self._now.token if self._now.sure else None

    def load(self) -> CheckpointData:
        """What an earlier process left; nothing if it cannot be read."""
        self._saved = read_from(self._states)
        return self._saved

    def set(
        self, *, ready: bool, reading: TokenReading, announced: Mapping[str, str] | None = None
    ) -> None:
        """Note in memory; a change of `ready` is written at once."""
        seen = reading.token, reading.settled
        self._now = CheckpointData(True, ready, *seen, self._place, announced)
        self._told = True
        if self._saved is None or not self._saved.known or self._saved.ready != ready:
            self.save()

    def save(self) -> None:
        """Write the note, if it says anything new."""
        with self._mutex:
            if self._over or self._saved == self._now:
                return
            # Who only looked knows nothing better than what an earlier process noted.
            if not self._told and read_from(self._states).known:
                return
            content = {
                "format": _FORMAT,
                "ready": self._now.ready,
                "token": self._now.token,
                "sure": self._now.sure,
                "place": self._place,
                "announced": self._now.announced,
            }
            with suppress(OSError, LexicalIndexError):
                self._states.set_state(_STATE, content)
                self._saved = self._now

    def drop(self) -> None:
        """Write nothing more: the index is gone."""
        with self._mutex:
            self._over = True


def read(folder: Path) -> CheckpointData:
    """The note in `folder`; an empty one if there is none that this version can read."""
    return read_from(StateFiles(folder))


def read_from(states: States) -> CheckpointData:
    """The note in an index; an empty one if there is none that this version can read."""
    content = states.state(_STATE)
    if content.get("format") != _FORMAT or not _is_whole(content):
        return CheckpointData()
    token = content["token"]
    return CheckpointData(
        known=True,
        ready=content["ready"],
        token=None if token is None else tuple(token),
        sure=content.get("sure", False),
        place=content["place"],
        announced=content.get("announced"),
    )


def _is_whole(content: Mapping[str, Any]) -> bool:
    token = content.get("token", ...)
    return (
        isinstance(content.get("ready"), bool)
        and isinstance(content.get("sure", False), bool)
        and isinstance(content.get("place"), str)
        and _is_texts(content.get("announced"))
        and (token is None or (isinstance(token, list) and {*map(type, token)} <= {int}))
    )


def _is_texts(content: object) -> bool:
    if not isinstance(content, dict):
        return content is None
    return all(isinstance(value, str) for value in content.values())
