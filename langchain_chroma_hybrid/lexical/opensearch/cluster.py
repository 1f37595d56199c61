"""A cluster behind one of the official clients: its address, retries, what its errors mean."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import IndexFormatError, LexicalIndexError
from langchain_chroma_hybrid.lexical.opensearch.clients import (
    CertificateError,
    NoAnswerError,
    StrangeAnswerError,
    TookTooLongError,
)
from langchain_chroma_hybrid.lexical.opensearch.shapes import is_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from langchain_chroma_hybrid.lexical.opensearch.clients import Client

BUSY = frozenset({429, 502, 503, 504})
"""What is tried again: too many requests, and nobody there to take them."""

_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_MOST_SAID = 300


class Cluster:
    """Requests to one cluster. What it cannot take at the moment is tried again, with pauses.

    Every request may be sent twice: none of ours changes more the second time.

    Thread safety: may be called from many threads. After a fork a client of its own is made.

    Args:
        product: of messages.
        place: host and port, of messages.
        make: gives a client.
        retry_timeout: seconds for which a request is tried again.
        secrets: what is in no message.
    """

    def __init__(
        self,
        product: str,
        place: str,
        make: Callable[[], Client],
        retry_timeout: float,
        secrets: Collection[str] = (),
    ) -> None:
        self.product, self.place = product, place
        self._make, self._secrets = make, [each for each in secrets if each]
        self._retry_timeout = retry_timeout
        self._client: Client | None = make()
        self._owner, self._closed = os.getpid(), False
        self._mutex = threading.Lock()

    def __repr__(self) -> str:
        return f"Cluster({self.product} at {self.place})"

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        expect: Collection[int] = (),
    ) -> tuple[int, Mapping[str, Any]]:
        """The status and body of an answer; a text as `body` is lines of JSON.

        Raises:
            LexicalIndexError: it is neither of 200 nor among `expect`, or there was none, or none
                of a cluster.
        """
        attempts = self.attempts()
        while True:
            try:
                status, answer = self._opened().send(method, path, params or {}, body)
            except StrangeAnswerError as error:
                raise self.strange(str(error)) from None  # has all that came, echoed secrets too
            except (NoAnswerError, TookTooLongError, CertificateError) as error:
                if isinstance(error, NoAnswerError) and attempts.again():
                    continue
                raise self._explained(error) from error
            if status in BUSY and attempts.again():
                continue
            if status >= 300 and status not in expect:  # noqa: PLR2004
                raise self.refused(status, answer)
            if not is_answer(method, path, status, answer):
                raise self.strange(answer)
            return status, answer

    def searches(
        self,
        bodies: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    ) -> list[Mapping[str, Any]]:
        """The answers to searches, each a header and a body, one after another in one request.

        Raises:
            LexicalIndexError: one of them has failed, or some shard of it.
        """
        lines, attempts = as_lines(each for pair in bodies for each in pair), self.attempts()
        # In order: what tells of the latest commit is never newer than what is found.
        params = {"max_concurrent_searches": "1"}
        while True:
            _, answer = self.request("POST", "/_msearch", lines, params=params)
            found: list[Mapping[str, Any]] = answer["responses"]
            if len(found) != len(bodies):
                raise self.strange(f"{len(found)} of {len(bodies)} answers")
            bad = next((each for each in found if "error" in each or _is_partial(each)), None)
            if bad is None:
                for (_, body), each in zip(bodies, found, strict=True):
                    if "aggs" in body and "aggregations" not in each:
                        raise self.strange("a search without the counts that it asked for")
                return found
            status = int(bad.get("status", 500)) if "error" in bad else 503
            if status not in BUSY or not attempts.again():
                raise self.refused(status, bad if "error" in bad else _missing(bad))

    def attempts(self) -> Attempts:
        """How often one thing may be tried."""
        return Attempts(self._retry_timeout)

    def refused(self, status: int, answer: object) -> LexicalIndexError:
        """The error that an answer stands for."""
        said, where = self._said(answer), f"{self.product} at {self.place}"
        if status == 401:  # noqa: PLR2004
            message = f"{where} does not accept who asks: expected user and password in `server`"
            return LexicalIndexError(message)
        if status not in BUSY and "cluster_block" in json.dumps(answer, default=str):
            return LexicalIndexError(
                f"{where} has a block on the index: {said}; expected one that may be read and "
                "written: its administrator sets and lifts blocks, as does a disk that is full"
            )
        if status == 403:  # noqa: PLR2004
            return LexicalIndexError(
                f"the user of `server` may not do this at {where}: {said}; expected one that may "
                "manage index templates, and create, write, read and delete our indices"
            )
        if "index_not_found" in json.dumps(answer, default=str):
            return IndexFormatError(
                f"the lexical index in {where} was removed: open the collection anew"
            )
        if status in BUSY:
            return BusyError(f"{where} does not take requests at the moment ({status}): {said}")
        return LexicalIndexError(f"{where} could not answer ({status}): {said}")

    def strange(self, answer: object) -> LexicalIndexError:
        """The error for what is no answer of a cluster, or not a whole one."""
        return LexicalIndexError(
            f"`server`: what is at {self.place} does not answer as {self.product} does: "
            f"{self._said(answer)}"
        )

    def stale(self) -> LexicalIndexError:
        """The error for searches that do not see what was written and refreshed."""
        return BusyError(
            f"{self.product} at {self.place} goes on answering out of an old copy of what is noted "
            "of the lexical index"
        )

    def open(self) -> None:
        """See that it was not closed.

        Raises:
            LexicalIndexError: it was.
        """
        self._opened()

    def close(self) -> None:
        """Close all connections; whatever is asked afterwards is an error."""
        with self._mutex:
            client, self._client, self._closed = self._client, None, True
        if client is not None and self._owner == os.getpid():
            client.close()

    def _opened(self) -> Client:
        with self._mutex:
            if self._closed:
                raise LexicalIndexError("the lexical index is closed")
            if self._client is None or self._owner != os.getpid():
                self._client, self._owner = self._make(), os.getpid()
            return self._client

    def _explained(self, error: Exception) -> LexicalIndexError:
        """Why there was no answer."""
        said, where = self._hidden(str(error)), f"{self.product} at {self.place}"
        if isinstance(error, CertificateError):
            return LexicalIndexError(
                f"`server`: the certificate of {where} is not to be trusted: {said}; expected one "
                "for this host by an authority that is known, or in the file of `ca_certs`"
            )
        if isinstance(error, TookTooLongError):
            return LexicalIndexError(f"{where} took longer than `request_timeout`")
        return LostError(f"`server`: {where} cannot be reached: {said}")

    def _said(self, answer: object) -> str:
        """The reason in an answer."""
        error = answer.get("error", answer) if isinstance(answer, dict) else answer
        if isinstance(error, dict):
            causes = error.get("root_cause") or [error]
            known = causes[0].get("reason") or error.get("reason") or error.get("type")
            error = known or dict(error)
        return self._hidden(" ".join(str(error or "nothing").split()))

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:_MOST_SAID]


class LostError(LexicalIndexError):
    """The cluster is not there, or has gone."""


class BusyError(LexicalIndexError):
    """The cluster is there, and takes nothing."""


class Attempts:
    """Tries of one thing, with pauses of growing and random length between them."""

    def __init__(self, seconds: float) -> None:
        """No more begins after `seconds`."""
        self._deadline, self._pause = time.monotonic() + seconds, _PAUSE

    def again(self) -> bool:
        """Whether there is time for another one; after a pause."""
        if time.monotonic() + self._pause > self._deadline:
            return False
        time.sleep(self._pause * (0.5 + random.random()))  # noqa: S311  # no secret
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return True


def as_lines(objects: Any) -> str:
    """Objects as lines of JSON; of ASCII, so that no part of a character is lost."""
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in objects)


def _missing(answer: Mapping[str, Any]) -> str:
    """Why hits may be missing: the answer itself has contents of records."""
    failures = answer.get("_shards", {}).get("failures") or [{}]
    reason = failures[0].get("reason", {})
    why = reason.get("reason") if isinstance(reason, dict) else reason
    return f"some shard has not answered{f': {why}' if why else ', or not in time'}"


def _is_partial(answer: Mapping[str, Any]) -> bool:
    """Whether some shard has not answered, so that hits may be missing."""
    return bool(answer.get("timed_out")) or bool(answer.get("_shards", {}).get("failed"))
