"""A proxy before a Chroma server: who asks, what, and whether he may."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOT_FORWARDED = {"host", "connection", "transfer-encoding", "content-length"}


@dataclass
class Proxy:
    """Requests with a known token go on to the server, others are refused.

    Attributes:
        users: by token; without any, everybody may do everything.
        asked: (user, method, path) of each request that was let through.
        refused: the same of those that were not.
        forbids: called with method and path; what it says yes to is refused.
        delay: seconds that each request waits, when `slow` says so of its path.
    """

    port: int = 0
    users: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    forbids: Callable[[str, str], bool] = lambda _method, _path: False
    slow: Callable[[str], bool] = lambda _path: False
    delay: float = 0.0

    def of(self, user: str) -> list[str]:
        """What a user has asked for."""
        return [f"{method} {path}" for who, method, path in self.asked if who == user]

    def forget(self) -> None:
        """Begin counting anew."""
        self.asked.clear()
        self.refused.clear()


def _token(headers: Any) -> str:
    bearer = headers.get("Authorization", "").removeprefix("Bearer ")
    return headers.get("X-Chroma-Token") or headers.get("X-Token") or bearer


def _handler(proxy: Proxy, upstream: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms for each answer

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            user = proxy.users.get(_token(self.headers), "" if not proxy.users else "nobody")
            entry = (user, self.command, self.path)
            if user == "nobody" or proxy.forbids(self.command, self.path):
                proxy.refused.append(entry)
                self._answer(403, b'{"error": "AuthError", "message": "refused by the proxy"}')
                return
            proxy.asked.append(entry)
            if proxy.slow(self.path):
                time.sleep(proxy.delay)
            connection = http.client.HTTPConnection("127.0.0.1", upstream)
            given = {n: v for n, v in self.headers.items() if n.lower() not in _NOT_FORWARDED}
            connection.request(self.command, self.path, body, given)
            answer = connection.getresponse()
            self._answer(answer.status, answer.read())
            connection.close()

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _forward  # noqa: N815  # http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def proxy_of(upstream: int, **options: Any) -> Iterator[Proxy]:
    """A proxy of the server at that port, for the block."""
    proxy = Proxy(**options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy, upstream))
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
