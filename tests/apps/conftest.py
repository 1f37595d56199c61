"""The apps as Streamlit runs them, without a browser and without a network."""

from __future__ import annotations

import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.apps import guard

# What cannot run here is not collected, so that a skip stays something to look at.
collect_ignore_glob = ["test_browser.py"] if find_spec("selenium") is None else []
if find_spec("streamlit") is None:
    collect_ignore_glob = ["test_*.py"]

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
    tried: list[str] = []
    stand_ins = guard.refusals(tried.append)
    monkeypatch.setattr(socket.socket, "connect", stand_ins["connect"])
    monkeypatch.setattr(socket, "getaddrinfo", stand_ins["getaddrinfo"])
    yield
    assert not tried
