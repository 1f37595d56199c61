"""What is no answer of a cluster is one clear error, whoever gives it: a proxy, a web server."""

from __future__ import annotations

import threading
import traceback
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import ElasticsearchIndex, OpenSearchIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import IndexFormatError, LexicalIndexError
from tests.opensearch import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "hun@ter2:"  # noqa: S105  # nobody's
ECHO = b64encode(f"me:{SECRET}".encode())
JSON, HTML = "application/json", "text/html; charset=utf-8"
STRANGE = "`server`: what is at .* does not answer as"
KINDS = [OpenSearchIndex, ElasticsearchIndex]


@contextmanager
def web_server(status: int, kind: str, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A web server of one answer: its address, with a password, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-elastic-product", "Elasticsearch")
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  # as the server calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://me:hun%40ter2%3A@127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "content", "body"),
    [(200, HTML, b"<html>Sign in"), (404, HTML, b"<html>Not found"), (404, "text/plain", b""),
     (404, JSON, b'{"detail": "Not Found"}'), (200, JSON, b""), (200, JSON, b'{"cut": "of'),
     (200, JSON, b"[1]"), (200, JSON, b'{"hello": "world"}'), (200, JSON, b'{"mappings": {}}'),
     (404, JSON, b'{"error'), (200, JSON, b'{"_source": 7, "_seq_no": 1}'),
     (200, JSON, b'{"x": "' + ECHO + b'"}'), (200, JSON, b'"hun%40ter2%3A')],
)  # fmt: skip
def test_an_address_of_something_else(
    kind: type[OpenSearchIndex], status: int, content: str, body: bytes
):
    with web_server(status, content, body) as (url, asked):
        for call in (kind, kind.exists, kind.destroy):
            with pytest.raises(LexicalIndexError, match=STRANGE) as error:
                call(url, retry_timeout=0.1)
            said = "".join(traceback.format_exception(error.value))
            for secret in (SECRET, ECHO.decode(), "hun%40ter2%3A"):
                assert secret not in said
        assert len(asked) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_load_balancer_with_nobody_behind_it(kind: type[OpenSearchIndex], status: int):
    with web_server(status, HTML, b"<h1>try later</h1>") as (url, asked):
        with pytest.raises(LexicalIndexError, match=rf"\({status}\): <h1>try later"):
            kind(url, retry_timeout=0.2)
        assert len(asked) > 1


@pytest.fixture
def index(make_opensearch: Callable[..., OpenSearchIndex]) -> OpenSearchIndex:
    made = make_opensearch("OpenSearch", retry_timeout=0.3)
    made.apply([Record("a", "pump"), Record("b", "valve")])
    return made


GOOD = {"hits": {"hits": [], "total": {"value": 0}}}
INFO = {"instance": "x", "generation": "y", "version": 1}
LATEST = {**GOOD, "hits": {"hits": [{"_source": INFO}]}}
PARTIAL = {**GOOD, "_shards": {"failed": 1, "failures": [{"reason": {"reason": "disk is gone"}}]}}


@pytest.mark.parametrize(
    "answer",
    [{}, [], None, "<html>", {"responses": []}, {"responses": [GOOD]}, {"responses": [{}] * 4},
     {"responses": [LATEST, GOOD, GOOD, GOOD]},
     {"responses": [GOOD] * 5}, {"responses": ["x"] * 4}, {"responses": {"hits": 1}}],
)  # fmt: skip
def test_an_answer_to_a_search_that_is_none(index: OpenSearchIndex, answer: Any):
    client = recorded(index)
    client.answers = [(200, answer)]
    with pytest.raises(LexicalIndexError, match=STRANGE):
        index.search("pump", 1)
    assert len(client.sent) == 1


@pytest.mark.parametrize(
    ("part", "said"),
    [(PARTIAL, "some shard has not answered: disk is gone"),
     ({**GOOD, "timed_out": True}, "some shard has not answered, or not in time")],
)  # fmt: skip
def test_hits_that_may_be_missing(index: OpenSearchIndex, part: Any, said: str):
    part = {**part, "hits": {"hits": [{"_source": {"id": "of a record"}}]}}
    recorded(index).answers = [(200, {"responses": [GOOD, GOOD, GOOD, part]})] * 9
    with pytest.raises(LexicalIndexError, match=rf"\(503\): {said}$"):
        index.search("pump", 1)


@pytest.mark.parametrize(
    "answer",
    [{}, "", {"items": []}, {"items": [{"index": {"status": 201}}]}, {"items": [{}, {}]},
     {"items": [{"index": {}}] * 2}, {"errors": False}],
)  # fmt: skip
def test_a_write_of_which_nobody_knows_how_it_ended(index: OpenSearchIndex, answer: Any):
    client = recorded(index)
    client.answers = [None, None, (200, answer)]
    with pytest.raises(LexicalIndexError, match=STRANGE):
        index.apply([Record(each, "seal") for each in ("x", "y")])
    assert client.sent[-1][3]["writer"] == "", "the lock is free"
    index.apply([Record(each, "seal") for each in ("x", "y")])
    assert {hit.id for hit in index.search("seal", 5)} == {"x", "y"}


def test_a_count_that_fails_keeps_no_writer_waiting(index: OpenSearchIndex):
    """The lock is free at once, and not when its lease ends."""
    client = recorded(index)
    client.answers = [None, None, None, None, (200, "<html>")]
    with pytest.raises(LexicalIndexError, match=STRANGE):
        index.apply([Record("x", "seal")])
    assert index._side.info().writer == ""
    index.apply([Record("y", "seal")])
    assert index.count() == 4


def test_a_note_that_is_not_ours(index: OpenSearchIndex):
    for source in ({}, {"content": 7}, {"content": "{"}):
        recorded(index).answers = [(200, {"_source": source, "_seq_no": 1})]
        with pytest.raises(IndexFormatError, match="not ours"):
            index.state("state")
