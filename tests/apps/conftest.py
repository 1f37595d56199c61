"""The apps as Streamlit runs them, without a browser and without a network."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# Streamlit finds an app's modules beside its script; so do the tests.
sys.path[:0] = [str(EXAMPLES / name) for name in ("qa_app", "image_search")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All here needs the extra `apps`, which `make test` does not install."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("apps")


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch):
    """No connection but to this machine, whoever asks for one: not even an attempt."""
    tried = []
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1"):
            return connect(self, address)
        tried.append(address)
        raise OSError(f"refused by the test: {address}")

    def unresolved(host, *_, **__):
        tried.append(host)
        raise OSError(f"refused by the test: {host}")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    yield
    assert not tried
