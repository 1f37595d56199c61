"""A proxy before any server that counts round trips: each time that a client speaks again."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Wire:
    """Bytes pass in both directions; `trips` may be set to 0."""

    port: int = 0
    trips: int = 0

    def pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """What either says to the other, until one has gone."""
        answered = threading.Event()
        answered.set()

        def ask(data: bytes) -> None:
            if answered.is_set():
                self.trips += 1
                answered.clear()
            server.sendall(data)

        def answer(data: bytes) -> None:
            answered.set()
            client.sendall(data)

        for source, forward in ((client, ask), (server, answer)):
            ends = source, forward, client, server
            threading.Thread(target=_pump, args=ends, daemon=True).start()


def _pump(
    source: socket.socket, forward: Callable[[bytes], None], *ends: socket.socket
) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            forward(data)
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(host: str, port: int) -> Iterator[Wire]:
    """A proxy on loopback before the server at `host` and `port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Wire(listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    made.pass_on(client, socket.create_connection((host, port)))

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
