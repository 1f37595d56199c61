"""What is asked again of a server, and what its failures become."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import httpx
import pytest
from chromadb.config import Settings
from chromadb.errors import ChromaAuthError, RateLimitError

from langchain_chroma_hybrid.engine.chroma import patience
from langchain_chroma_hybrid.engine.chroma.calls import translated
from langchain_chroma_hybrid.errors import SearchError

REQUEST = httpx.Request("GET", "https://me:pa55@chroma.example:8443/api/v2?token=t0ken")
SETTINGS = Settings(chroma_server_headers={"Authorization": "Bearer k-3c9a"})


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.001)


def raised(kind: type[httpx.TransportError], cause: BaseException | None = None) -> Any:
    """How httpx raises it."""
    error = kind("Bearer k-3c9a" if cause is None else str(cause), request=REQUEST)
    error.__cause__ = cause
    return error


def asked(error: Exception) -> tuple[int, SearchError]:
    """How often a call is made that fails so, and what that ends in."""
    calls = []

    def call() -> None:
        calls.append(1)
        raise error

    with pytest.raises(SearchError) as caught:
        patience.patiently(call, SETTINGS)
    return len(calls), caught.value


@pytest.mark.parametrize(
    "error",
    [
        raised(httpx.ConnectError, ConnectionRefusedError(111, "Connection refused")),
        raised(httpx.ConnectError, socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
        raised(httpx.ReadError, ConnectionResetError(104, "reset by peer")),
        raised(httpx.ReadTimeout, TimeoutError("timed out")),
        raised(httpx.RemoteProtocolError, OSError("disconnected without sending a response")),
    ],
    ids=lambda error: f"{type(error).__name__}-{error}",
)
def test_who_is_away_is_asked_again(error):
    times, said = asked(error)
    assert times == patience.TRIES
    _is_one_clear_error(said, error)


@pytest.mark.parametrize(
    "error",
    [
        raised(httpx.ConnectError, socket.gaierror(socket.EAI_NONAME, "Name not known")),
        raised(httpx.ConnectError, ssl.SSLCertVerificationError("self-signed certificate")),
        raised(httpx.UnsupportedProtocol, ValueError("no such protocol")),
        raised(httpx.ProxyError, OSError("407 Proxy Authentication Required")),
    ],
    ids=lambda error: f"{type(error).__name__}-{error}",
)
def test_a_wrong_address_is_told_at_once(error):
    times, said = asked(error)
    assert times == 1
    _is_one_clear_error(said, error)


def _is_one_clear_error(said: SearchError, error: Exception) -> None:
    assert "cannot be reached at https://chroma.example:8443: " in str(said)
    assert type(error).__name__ in str(said)
    assert "pa55" not in str(said)
    assert "t0ken" not in str(said)


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_is_told_at_once(status):
    response = httpx.Response(status, request=REQUEST)
    error = Exception('{"error": "Forbidden", "message": "k-3c9a may not"}')
    error.__cause__ = httpx.HTTPStatusError("no", request=REQUEST, response=response)
    times, said = asked(error)
    assert (times, str(said)) == (1, f"Chroma's server: access is refused ({status}): *** may not")
    assert said.__cause__ is None
    assert asked(ChromaAuthError("not you"))[0] == 1


def test_it_goes_on_when_somebody_answers():
    answers = [raised(httpx.ReadError), RateLimitError("slow down"), "answer"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patience.patiently(call, SETTINGS) == "answer"


def test_what_is_asked_once_ends_in_the_same_error():
    with pytest.raises(SearchError, match=r"at https://chroma.example:8443"), translated():
        raise raised(httpx.ConnectError)
