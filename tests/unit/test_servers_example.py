"""The servers of `examples/servers` are those that everything here is tested with."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_what_a_service_names_is_there_and_reached_from_this_host_alone() -> None:
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:")
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert service["healthcheck"]["test"]
