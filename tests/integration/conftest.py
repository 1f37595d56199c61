"""One Chroma server for all tests that need one."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.engine.chroma import patience
from tests.cloud import Cloud, cloud_before
from tests.durability.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server on loopback."""
    number = free_port()
    data = tmp_path_factory.mktemp("server")
    chroma = Path(sys.executable).with_name("chroma")
    server = subprocess.Popen(
        [chroma, "run", "--host", "127.0.0.1", "--port", str(number), "--path", str(data)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(number))
        yield number
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def cloud(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A double of Chroma Cloud before that server, for which nobody waits long."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    with cloud_before(port) as cloud:
        yield cloud


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"
