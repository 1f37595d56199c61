"""Fetch a picture from a public server, within limits of time and size."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from langchain_chroma_hybrid.embeddings.images.addresses import is_public
from langchain_chroma_hybrid.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """A body, or where to look instead."""

    body: bytes = b""
    location: str | None = None


def fetch(url: str, *, timeout: float, max_bytes: int, max_redirects: int) -> bytes:
    """The body that `url` leads to.

    Names are resolved here and the connection goes to the address that was checked, so that a name
    cannot point elsewhere a moment later. Proxies are not used and no cookies or credentials sent.

    Args:
        url: `http` or `https`; from the second there is no way back to the first.
        timeout: seconds for everything, redirects included.
        max_bytes: most bytes of the body.
        max_redirects: redirects to follow.

    Raises:
        PictureError: an address that is not public, a status other than 200, no answer in time, too
            long, too many redirects.
    """
    deadline = time.monotonic() + timeout
    secure = False
    for _ in range(max_redirects + 1):
        parts = _checked(url, secure)
        secure = parts.scheme == "https"
        try:
            answer = _get(parts, deadline, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, PictureError):
                raise
            late = time.monotonic() >= deadline
            reason = (
                f"no answer within {timeout:g} s" if late else str(error) or type(error).__name__
            )
            raise PictureError.of("uri", url, f"a server that answers ({reason})") from error
        if answer.location is None:
            return answer.body
        url = urljoin(url, answer.location)
    raise PictureError.of("uri", url, f"at most {max_redirects} redirects")


def _checked(url: str, secure: bool) -> SplitResult:
    """The parts of a URI with a host and no user name; if `secure`, of `https` alone."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise PictureError.of("uri", url, f"a well-formed URI ({error})") from error
    schemes = ("https",) if secure else ("http", "https")
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise PictureError.of("uri", url, " or ".join(schemes) + " with a host name")
    if parts.username is not None:
        raise PictureError.of("uri", parts.hostname, "a URI without user name and password")
    return parts


def _get(parts: SplitResult, deadline: float, max_bytes: int) -> _Answer:
    """One request to a checked host: its body, or where it redirects to, not followed yet."""
    host = str(parts.hostname)
    with _connected(parts, host, deadline) as stream:
        connection = http.client.HTTPConnection(host)
        connection.sock = stream
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, "Accept": "image/*", "Connection": "close"}
        headers["User-Agent"] = "langchain-chroma-hybrid"
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        location = answer.getheader("Location")
        if answer.status in _REDIRECTS and location:
            return _Answer(location=location)
        if answer.status != http.client.OK:
            raise PictureError.of("uri", parts.geturl(), f"status 200, not {answer.status}")
        return _Answer(_body(answer, parts, deadline, max_bytes))


def _body(
    answer: http.client.HTTPResponse, parts: SplitResult, deadline: float, max_bytes: int
) -> bytes:
    body = bytearray()
    for chunk in _chunks(answer):
        body += chunk
        if len(body) > max_bytes:
            raise PictureError.of("uri", parts.geturl(), f"at most {max_bytes} bytes")
    if time.monotonic() >= deadline:
        raise TimeoutError("the answer was cut off")
    return bytes(body)


def _chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK):
        yield chunk


class _connected:  # noqa: N801 - a context manager, used like a function
    """A socket to a checked address that is shut at the deadline, whatever it is doing."""

    def __init__(self, parts: SplitResult, host: str, deadline: float) -> None:
        self._left = deadline - time.monotonic()
        if self._left <= 0:
            raise TimeoutError("no time left")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = _resolve(host, port)
        self._stream = socket.create_connection((address, port), timeout=self._left)
        # A timeout counts for one `recv` only: a server that drips would hold us for ever.
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._shut)
        self._timer.daemon = True
        self._timer.start()
        try:
            if parts.scheme == "https":
                # In two steps, so that the timer has the new socket during the handshake.
                secured = ssl.create_default_context().wrap_socket(
                    self._stream, server_hostname=host, do_handshake_on_connect=False
                )
                self._stream = secured
                secured.do_handshake()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> socket.socket:
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._close()

    def _shut(self) -> None:
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        self._timer.cancel()
        self._stream.close()


def _resolve(host: str, port: int) -> str:
    """The address of `host`; refused if any of its addresses is not public."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address):
            raise PictureError.of("uri", host, f"a public address, not {address}")
    return addresses[0]
