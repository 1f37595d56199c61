"""A server that is busy or away for a moment is asked again; one that stays so is one error."""

from __future__ import annotations

import json
import random
import socket
import ssl
import time
from typing import TYPE_CHECKING, TypeVar

import httpx
from chromadb.errors import AuthorizationError, ChromaAuthError, QuotaError, RateLimitError

from langchain_chroma_hybrid.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chromadb.config import Settings

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
_BUSY = {429, 502, 503, 504}
_REFUSED = {400, 403, 413, 422}
_NOT_ALLOWED = {401, 403}
# What another try does not change: an address, a certificate, a proxy.
_WRONG = (httpx.UnsupportedProtocol, httpx.ProxyError, httpx.LocalProtocolError)
_MOST_CHARACTERS = 300
_AGAIN = ""


class UnansweredError(SearchError):
    """Chroma's server did not do what it was asked for, whichever call that was."""


class OverQuotaError(UnansweredError):
    """More was asked for than the server gives."""


def patiently(call: Callable[[], T], settings: Settings) -> T:
    """What `call` gives, which may be repeated: where nobody answers, up to `TRIES` times in all.

    That is with 429, 502, 503 and 504, a connection that is refused or lost, and a time that is
    over. The pauses double, each a random part of itself, so that many clients do not come back
    together; what the server says in `Retry-After` counts, up to `LONGEST_PAUSE` seconds.

    Raises:
        SearchError: a quota is used up, access is refused, there is no such server, or it was busy
            or away each time; without credentials, whatever else a server says that repeats them.
        Exception: any other error, as it was.
    """
    pause = FIRST_PAUSE
    for left in reversed(range(TRIES)):
        try:
            return call()
        except httpx.TransportError as error:
            if not left or _is_wrong(error):
                raise unreachable(error) from error
            time.sleep(_pause(error, pause))
        except Exception as error:
            reason = _reason(error, last=not left)
            said, whole = _said(error, settings)
            if reason is None and whole:
                raise
            if reason != _AGAIN:
                kind = OverQuotaError if _is_quota(error) else UnansweredError
                told = ": ".join(filter(None, ("Chroma's server", reason, said)))
                raise kind(told) from (error if whole else None)
            time.sleep(_pause(error, pause))
        pause *= 2
    raise AssertionError


def unreachable(error: httpx.TransportError) -> UnansweredError:
    """The error for a server that does not answer, with its address but for what is secret."""
    try:
        url = error.request.url
    except RuntimeError:
        address = ""
    else:
        address = f" at {url.scheme}://{url.host}{f':{url.port}' if url.port else ''}"
    return UnansweredError(f"Chroma's server cannot be reached{address}: {_kind(error)}")


def _kind(error: httpx.TransportError) -> str:
    said = str(error)[:_MOST_CHARACTERS]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _is_wrong(error: httpx.TransportError) -> bool:
    """Whether the next try would end in the same way."""
    if isinstance(error, _WRONG):
        return True
    if not isinstance(error, httpx.ConnectError):
        return False
    causes = list(_causes(error))
    unknown = [c for c in causes if isinstance(c, socket.gaierror) and c.errno != socket.EAI_AGAIN]
    return bool(unknown) or any(isinstance(c, ssl.SSLError) for c in causes)


def _reason(error: Exception, *, last: bool) -> str | None:
    """Why to give up, or `_AGAIN`; None for an error that is none of these."""
    status = status_of(error)
    if _is_quota(error):
        return "a quota is exceeded (ask for less: k, fetch_k, a shorter filter; or have it raised)"
    if isinstance(error, json.JSONDecodeError):
        return "what answers at this address is no Chroma"
    if status in _NOT_ALLOWED:
        return f"access is refused ({status})"
    if status not in _BUSY:
        return None
    return f"busy ({status}), {TRIES} times in a row" if last else _AGAIN


def _is_quota(error: Exception) -> bool:
    said = status_of(error) in _REFUSED and "quota" in str(error).lower()
    return isinstance(error, QuotaError) or said


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of chromadb's came of; None where there is none."""
    if isinstance(error, RateLimitError):
        return 429
    if isinstance(error, ChromaAuthError | AuthorizationError):
        return error.code()
    found = next(_responses(error), None)
    return None if found is None else found.status_code


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _responses(error: BaseException) -> Iterator[httpx.Response]:
    return (c.response for c in _causes(error) if isinstance(c, httpx.HTTPStatusError))


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
    """What was sent with a request to show who asks: whole headers, and the token in them."""
    headers = settings.chroma_server_headers or {}
    given = [settings.chroma_client_auth_credentials, *map(str, headers.values())]
    tokens = [secret.rpartition(" ")[2] for secret in given if secret]
    return sorted({*filter(None, given), *filter(None, tokens)}, key=len, reverse=True)
