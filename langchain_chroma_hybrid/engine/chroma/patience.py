"""A server that is busy for a moment is asked again; one that stays so is one clear error."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, TypeVar

import httpx
from chromadb.errors import QuotaError, RateLimitError

from langchain_chroma_hybrid.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chromadb.config import Settings

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
_BUSY = {429, 502, 503, 504}
_REFUSED = {400, 403, 413, 422}
_MOST_CHARACTERS = 300


def patiently(call: Callable[[], T], settings: Settings) -> T:
    """What `call` gives, which may be repeated: with 429 or 503 up to `TRIES` times in all.

    The pauses double, each a random part of itself, so that many clients do not come back together;
    what the server says in `Retry-After` counts, up to `LONGEST_PAUSE` seconds.

    Raises:
        SearchError: a quota is used up, or the server was busy each time; without credentials.
        Exception: any other error, as it was.
    """
    pause = FIRST_PAUSE
    for left in reversed(range(TRIES)):
        try:
            return call()
        except Exception as error:
            reason = _reason(error, last=not left)
            if reason is None:
                raise
            if reason:
                said, whole = _said(error, settings)
                cause = error if whole else None
                raise SearchError(f"Chroma's server: {reason}: {said}") from cause
            time.sleep(_pause(error, pause))
        pause *= 2
    raise AssertionError


def _reason(error: Exception, *, last: bool) -> str | None:
    """Why to give up; empty for another try, None for an error that is none of these."""
    status = status_of(error)
    limits = status in _REFUSED and "quota" in str(error).lower()
    if isinstance(error, QuotaError) or limits:
        return "a quota is exceeded (ask for less: k, fetch_k, a shorter filter; or have it raised)"
    if status not in _BUSY:
        return None
    return f"busy ({status}), {TRIES} times in a row" if last else ""


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of chromadb's came of; None where there is none."""
    if isinstance(error, RateLimitError):
        return 429
    found = next(_responses(error), None)
    return None if found is None else found.status_code


def _responses(error: BaseException | None) -> Iterator[httpx.Response]:
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            yield error.response
        error = error.__cause__ or error.__context__


def _pause(error: Exception, pause: float) -> float:
    wanted = next((r.headers.get("Retry-After", "") for r in _responses(error)), "")
    least = float(wanted) if wanted.isdigit() else 0.0
    jitter = pause * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
    return min(LONGEST_PAUSE, max(least, jitter))


def _said(error: Exception, settings: Settings) -> tuple[str, bool]:
    """What the server said, short and without what it was shown; and whether that is all of it."""
    text = str(error)
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text
    cleaned = said
    for secret in _secrets(settings):
        cleaned = cleaned.replace(secret, "***")
    told = any(secret in text for secret in _secrets(settings))
    return cleaned[:_MOST_CHARACTERS], not told


def _secrets(settings: Settings) -> list[str]:
    headers = settings.chroma_server_headers or {}
    given = [settings.chroma_client_auth_credentials, *map(str, headers.values())]
    return [secret for secret in given if secret]
