"""The servers of `examples/servers` are those that everything here is tested with."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from langchain_chroma_hybrid.lexical.postgres.schema import SAFE

ROOT = Path(__file__).parents[2]
SERVERS = ROOT / "examples" / "servers"
COMPOSE = yaml.safe_load((SERVERS / "compose.yaml").read_text(encoding="utf-8"))


def test_chroma_is_of_the_version_of_the_constraints() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    version = re.search(r"^chromadb==(\S+)$", constraints, re.MULTILINE)
    assert version is not None
    assert COMPOSE["services"]["chroma"]["image"] == f"chromadb/chroma:{version[1]}"


def test_pg_textsearch_is_of_a_version_that_no_crash_makes_forget() -> None:
    dockerfile = (SERVERS / "Dockerfile").read_text(encoding="utf-8")
    version = re.search(r"--branch v(\d+)\.(\d+)", dockerfile)
    assert version is not None
    assert tuple(map(int, version.groups())) >= SAFE
    loaded = "shared_preload_libraries=pg_textsearch"
    assert loaded in COMPOSE["services"]["postgres"]["command"]


@pytest.mark.skipif(os.name == "nt", reason="bash, as in the image")
@pytest.mark.parametrize("body", [b'{"nanosecond heartbeat": 1}', b"<html>"])
def test_the_health_of_chroma_is_asked_with_what_its_image_has(body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/heartbeat" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    kind, *command = COMPOSE["services"]["chroma"]["healthcheck"]["test"]
    assert (kind, command[0]) == ("CMD", "bash")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        script = command[-1].replace("/8000", f"/{server.server_port}")
        asked = subprocess.run([*command[:-1], script], timeout=10, check=False)
        thread.join()
    assert asked.returncode == (0 if b"heartbeat" in body else 1)


def test_what_a_service_names_is_there_and_reached_from_this_host_alone() -> None:
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:")
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert service["healthcheck"]["test"]
