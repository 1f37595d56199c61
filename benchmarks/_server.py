"""A Chroma server on loopback for the benchmarks that need one, and who asks it what."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Of the library's threads those that no query waits for.
_BACKGROUND = {"chroma-hybrid-sweep": "listing", "chroma-hybrid-content-check": "check"}


@contextmanager
def chroma_run(data: Path) -> Iterator[tuple[int, psutil.Process]]:
    """`chroma run` over a folder, for the block: its port and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    chroma = str(Path(sys.executable).with_name("chroma"))
    command = [chroma, "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(data)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(port)
        yield port, psutil.Process(server.pid)
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server does not start")


class Asked:
    """Counts every request of this process, whichever client and thread it comes from.

    Attributes:
        waited: of the queries and openings, by method and path.
        background: of the threads that nobody waits for, by what they do.
    """

    def __init__(self) -> None:
        self.waited: Counter[str] = Counter()
        self.background: Counter[str] = Counter()
        self._lock = threading.Lock()
        send = httpx.Client.send

        def counted(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            self._count(request)
            return send(client, request, **options)

        httpx.Client.send = counted  # type: ignore[assignment,method-assign]

    def _count(self, request: httpx.Request) -> None:
        path = _UUID.sub("*", request.url.path).partition("/databases/")[2].partition("/")[2]
        aside = _BACKGROUND.get(threading.current_thread().name)
        with self._lock:
            if aside is None:
                self.waited[f"{request.method} {path}"] += 1
            else:
                self.background[aside] += 1
