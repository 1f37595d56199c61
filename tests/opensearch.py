"""A server of the tests' own that speaks OpenSearch's language: `osmem-server`, all in memory.

It is not Lucene: its scores and their order are its own. Where `LCH_OPENSEARCH_URL` or
`LCH_ELASTICSEARCH_URL` says a real one, that is asked in its place, and for scores, too.
"""

from __future__ import annotations

import atexit
import os
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import ElasticsearchIndex, OpenSearchIndex

if TYPE_CHECKING:
    from langchain_chroma_hybrid.lexical.opensearch.clients import Client

KINDS = {"OpenSearch": OpenSearchIndex, "Elasticsearch": ElasticsearchIndex}
REAL = {"OpenSearch": "LCH_OPENSEARCH_URL", "Elasticsearch": "LCH_ELASTICSEARCH_URL"}


@cache
def own_url() -> str:
    """That of one server for all tests of this process."""
    osmem = pytest.importorskip("osmem_server", reason="osmem-server is not installed")
    server = osmem.OsmemServer.start(japanese=False)
    atexit.register(server.close)
    return str(server.url)


def any_url(product: str) -> str:
    """Of that server, or of a real one."""
    return os.environ.get(REAL[product]) or own_url()


def is_real(product: str) -> bool:
    return bool(os.environ.get(REAL[product]))


class Recorded:
    """A client that notes what is sent, and may answer in place of the server."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sent: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: list[Any] = []

    def send(self, method: str, path: str, params: Any, body: Any) -> tuple[int, Any]:
        self.sent.append((method, path, dict(params), body))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer
        return self.client.send(method, path, params, body)

    def close(self) -> None:
        self.client.close()


def recorded(index: OpenSearchIndex) -> Recorded:
    """Notes what an index sends from now on."""
    cluster = index._cluster
    cluster._client = Recorded(cluster._opened())
    return cluster._client


def server_of(product: str) -> Any:
    """An address, or a client where the tests' own server does not know the client's words."""
    if product == "OpenSearch" or is_real(product):
        return any_url(product)
    return plain_client(any_url(product))


@cache
def plain_client(url: str) -> Any:
    """Elasticsearch's, which asks for plain JSON in place of a kind of its own."""
    transport = pytest.importorskip("elastic_transport", reason="elasticsearch is not installed")

    class PlainNode(transport.Urllib3HttpNode):  # type: ignore[misc,name-defined]
        def perform_request(self, method: Any, target: Any, body: Any = None, headers: Any = None,
                            **options: Any) -> Any:  # fmt: skip
            plain = {}
            for key, value in dict(headers or {}).items():
                kind = value.partition(";")[0].replace("vnd.elasticsearch+", "")
                plain[key] = kind if key in ("accept", "content-type") else value
            return super().perform_request(method, target, body, plain, **options)

    from elasticsearch import Elasticsearch

    return Elasticsearch(url, node_class=PlainNode, max_retries=0)


def fresh(product: str, name: str | None = None, **options: Any) -> OpenSearchIndex:
    """An index with a name of its own, or with one that is given."""
    options = {"prefix": "lch-tests", "replicas": 0, **options}
    return KINDS[product](server_of(product), name=name or f"t{uuid.uuid4().hex}", **options)
