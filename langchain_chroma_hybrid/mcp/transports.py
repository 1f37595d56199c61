"""How a server is reached: by stdin and stdout, or by streamable HTTP on loopback."""

from __future__ import annotations

import hmac
import io
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from langchain_chroma_hybrid.mcp.server import CollectionServer

LOOPBACK = "127.0.0.1"
PATH = "/mcp"
_LEAST_TOKEN = 16


def serve_stdio(server: CollectionServer) -> None:
    """Serve the one client at the other end, until it hangs up."""
    # The SDK leads stdout to stderr while it serves: nothing may wait in a buffer until it is back.
    sys.stdout.flush()
    unbuffered = io.FileIO(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(unbuffered, "utf-8", "replace", write_through=True)
    # The thread that reads stdin cannot be interrupted, and an end at once loses nothing.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(server.run_stdio_async)


def bound(port: int) -> socket.socket:
    """A socket on loopback; 0 takes any port that is free.

    Raises:
        InvalidArgumentError: the port is in use, or not to be had.
    """
    found = socket.socket()
    try:
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((LOOPBACK, port))
        found.listen()
    except OSError as error:
        found.close()
        expected = f"a free port of {LOOPBACK} ({error.strerror or error})"
        raise InvalidArgumentError.of("--http", port, expected) from error
    return found


def serve_http(server: CollectionServer, listening: socket.socket, token: str | None) -> None:
    """Serve clients on this computer, until the process is interrupted."""
    app = http_app(server, listening.getsockname()[1], token)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def http_app(server: CollectionServer, port: int, token: str | None) -> ASGIApp:
    """Streamable HTTP at `PATH`, for the hosts and origins of loopback alone."""
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    security = TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]
    )
    app = server.streamable_http_app(streamable_http_path=PATH, transport_security=security)
    return app if token is None else TokenRequired(app, token)


def check_token(token: str) -> None:
    """Refuse what cannot be, or should not be, a token.

    Raises:
        InvalidArgumentError: it is short, or has characters that a header cannot carry.
    """
    fits = token.isascii() and token.isprintable() and " " not in token
    if len(token) < _LEAST_TOKEN or not fits:
        expected = f"{_LEAST_TOKEN} or more ASCII characters without spaces"
        raise InvalidArgumentError.of_kind("--token", token, expected)


class TokenRequired:
    """Lets in only who brings the token, as `Authorization: Bearer ...`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 to everybody else."""
        if scope["type"] != "lifespan" and not self._brought(scope):
            headers = {"WWW-Authenticate": "Bearer"}
            refused = PlainTextResponse("a token is required", 401, headers)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _brought(self, scope: Scope) -> bool:
        given: list[Any] = [v for name, v in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
