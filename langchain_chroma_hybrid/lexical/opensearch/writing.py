"""Writing documents in parts, each under an external version, so that a late one loses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.opensearch.cluster import BUSY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster

_PART = 8_000_000  # characters that are sent at once
_CONFLICT = 409


def operations(
    documents: Iterable[tuple[str, Mapping[str, Any]]], deletes: Iterable[str], version: int
) -> Iterator[str]:
    """What stands in a bulk request for documents by `_id`, and for those to be removed."""
    for key, document in documents:
        yield f"{_action('index', key, version)}\n{_json(document)}\n"
    for key in deletes:
        yield f"{_action('delete', key, version)}\n"


def write(cluster: Cluster, alias: str, lines: Iterable[str]) -> None:
    """Send operations. Whatever has been written under a later version stays as it is.

    Raises:
        LexicalIndexError: not all of it may be written; the same again does no harm.
    """
    for part in _parts(lines):
        _send(cluster, alias, part)


def _send(cluster: Cluster, alias: str, lines: list[str]) -> None:
    """One part; what the cluster could not take at the moment again."""
    attempts = cluster.attempts()
    while True:
        # An alias, or an index of no mapping would be made where ours was removed.
        params = {"require_alias": "true"}
        _, answer = cluster.request("POST", f"/{alias}/_bulk", "".join(lines), params=params)
        items = [next(iter(item.values())) for item in answer["items"]]
        if len(items) != len(lines):
            raise cluster.strange(f"{len(items)} of {len(lines)} items of a write")
        failed = [
            (line, item)
            for line, item in zip(lines, items, strict=True)
            if "error" in item and item["status"] != _CONFLICT
        ]
        if not failed:
            return
        bad = next((item for _, item in failed if item["status"] not in BUSY), None)
        if bad is not None or not attempts.again():
            bad = bad or failed[0][1]
            raise cluster.refused(bad["status"], bad)
        lines = [line for line, _ in failed]


def _parts(lines: Iterable[str]) -> Iterator[list[str]]:
    """Operations in parts that a request can take."""
    part: list[str] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size > _PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _action(kind: str, key: str, version: int) -> str:
    return _json({kind: {"_id": key, "version": version, "version_type": "external"}})


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
