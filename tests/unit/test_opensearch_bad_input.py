"""What is wrong with a cluster is said in one line, which holds no password."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import subprocess
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import Analyzer, ElasticsearchIndex, OpenSearchIndex
from langchain_chroma_hybrid.core.filters import AllOf, AnyOf, Compare
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    IndexLockedError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.opensearch.clients import NoAnswerError, TookTooLongError
from tests.helpers import ids_of, make_store
from tests.opensearch import any_url, fresh, is_real, recorded, server_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "hunter2"  # noqa: S105  # nobody's
BUSY = {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}}


@pytest.fixture
def index(make_opensearch: Callable[..., OpenSearchIndex]) -> OpenSearchIndex:
    made = make_opensearch("OpenSearch", retry_timeout=1.0, lock_timeout=0.2)
    made.apply([Record("a", "pump"), Record("b", "valve")])
    return made


def told(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """All that anybody sees of it."""
    return "".join(traceback.format_exception(error)) + caplog.text


@pytest.mark.parametrize("kind", [OpenSearchIndex, ElasticsearchIndex])
@pytest.mark.parametrize(
    "server",
    [None, "", 7, "host:9200", "ftp://me:hunter2@host", "https://me:hunter2@[host/x", "https://",
     "https://me:hunter2@host/a/b", "https://me:hunter2@host/?x=1", "https://me:hunter2@host:x",
     # Of a password with a slash the rest looks like a prefix.
     "https://me:12/hunter2@host:9200", "https://me:12?hunter2@host", "https://me:12#hunter2@host",
     "https://me:hunter2@host/%2Fx", "https://me:hunter2@host/Docs", "http://a..b:9200",
     "http://exa mple:9200", f"http://{'a' * 64}:9200", "http://host:70000"],
)  # fmt: skip
def test_what_is_no_address(kind: Any, server: Any, caplog: pytest.LogCaptureFixture):
    with pytest.raises(InvalidArgumentError, match="server: expected an address") as error:
        kind(server)
    assert SECRET not in told(error.value, caplog)


@pytest.mark.parametrize("kind", [OpenSearchIndex, ElasticsearchIndex])
def test_a_client_of_another_kind(kind: Any):
    import elasticsearch
    import opensearchpy

    for package, name, own in (
        (opensearchpy, "OpenSearch", OpenSearchIndex),
        (elasticsearch, "Elasticsearch", ElasticsearchIndex),
    ):
        for prefix in ("", "Async"):
            if (own, prefix) == (kind, ""):
                continue
            client = object.__new__(getattr(package, prefix + name))
            expected = {OpenSearchIndex: "opensearch-py", ElasticsearchIndex: "elasticsearch"}
            with pytest.raises(InvalidArgumentError, match=f"`{expected[kind]}`, got "):
                kind(client)


def test_no_message_of_one_names_the_other(make_opensearch: Callable[..., OpenSearchIndex]):
    index = make_opensearch("Elasticsearch", retry_timeout=0.2, lock_timeout=0.1)
    index.bind("first", "folder")
    client = recorded(index)
    where = {"server": server_of("Elasticsearch"), "prefix": "lch-tests"}
    calls: list[Callable[[], object]] = [
        lambda: ElasticsearchIndex(7),
        lambda: ElasticsearchIndex(where["server"], nam="x"),
        lambda: ElasticsearchIndex.exists(**where, nam="x"),
        lambda: ElasticsearchIndex.destroy(**where, nam="x"),
        lambda: make_opensearch("Elasticsearch", index.name, analyzer=Analyzer("german")),
        lambda: index.bind("second", "server"),
        *[lambda: index.count()] * 7,  # noqa: PLW0108  # each gets another answer
        lambda: index.close() or index.count(),
    ]
    answers = [(401, ""), (403, BUSY), (400, BUSY), (503, BUSY), TookTooLongError("30 s"),
               NoAnswerError("reset"), (404, {"error": "index_not_found_exception"})]  # fmt: skip
    for n, call in enumerate(calls):
        client.answers = [answers[n - 6]] * 9 if 6 <= n < 13 else []
        with pytest.raises((LexicalIndexError, InvalidArgumentError, TypeError)) as told:
            call()
        assert "opensearch" not in str(told.value).lower(), n


@pytest.mark.parametrize("kind", [OpenSearchIndex, ElasticsearchIndex])
def test_a_server_that_is_not_there(kind: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(LexicalIndexError, match=f"`server`: .* at {place} cannot be") as error:
            kind(f"http://me:{SECRET}@{place}", retry_timeout=0.2)
    assert SECRET not in told(error.value, caplog)


@pytest.mark.parametrize("kind", [OpenSearchIndex, ElasticsearchIndex])
def test_a_certificate_that_nobody_knows(kind: Any, tmp_path: Path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=else",
         "-keyout", tmp_path / "key", "-out", tmp_path / "cert", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(3):
                try:
                    context.wrap_socket(listener.accept()[0], server_side=True).close()
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://me:{SECRET}@127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(LexicalIndexError, match=r"certificate.*`ca_certs`") as error:
            kind(url, retry_timeout=0.2)
    assert SECRET not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("argument", "value"),
    [("prefix", "A b"), ("prefix", "-x"), ("prefix", ""), ("name", "a.b"), ("name", ""),
     ("shards", 0), ("replicas", -1), ("lease", 0.0), ("lock_timeout", -1.0),
     ("request_timeout", 0.0), ("retry_timeout", "1"), ("verify_certs", "no"),
     ("verify_certs", None), ("ca_certs", ""), ("ca_certs", 7), ("ca_certs", "/no/such/file")],
)  # fmt: skip
def test_other_arguments(argument: str, value: Any):
    with pytest.raises(InvalidArgumentError, match=f"^{argument}: expected"):
        OpenSearchIndex("http://localhost:1", **{argument: value})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(401, "Unauthorized", "does not accept who asks"),
     (403, {"error": {"type": "security_exception", "reason": f"no right {SECRET}"}},
      r"may not do this.*no right \*\*\*.*create, write, read"),
     (400, {"error": {"reason": "max_clause_count is 1024"}}, "could not answer.*max_clause"),
     (413, "too large", "413.*too large")],
)  # fmt: skip
def test_what_a_server_refuses(index: OpenSearchIndex, status: int, body: Any, expected: str):
    index._cluster._secrets = [SECRET]
    client = recorded(index)
    client.answers = [(status, body)]
    with pytest.raises(LexicalIndexError, match=expected) as error:
        index.search("pump", 1)
    assert SECRET not in str(error.value)
    assert len(client.sent) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_it_cannot_take_now_is_tried_again(index: OpenSearchIndex, status: int):
    client = recorded(index)
    client.answers = [(status, BUSY), NoAnswerError("reset"), None]
    assert [hit.id for hit in index.search("pump", 1)] == ["a"]
    assert len(client.sent) == 3
    client.answers = [(status, BUSY)] * 99
    with pytest.raises(LexicalIndexError, match=rf"at the moment \({status}\): queue is full"):
        index.search("pump", 1)
    assert len(client.sent) < 15


def test_no_answer_in_time_is_not_tried_again(index: OpenSearchIndex):
    client = recorded(index)
    client.answers = [TookTooLongError("30 s")]
    with pytest.raises(LexicalIndexError, match="longer than `request_timeout`"):
        index.search("pump", 1)
    assert len(client.sent) == 1


def test_a_shard_that_does_not_answer_is_no_answer(index: OpenSearchIndex):
    good = {"hits": {"hits": [], "total": {"value": 0}}}
    partial = {"responses": [good, good, good, {**good, "_shards": {"failed": 1}}]}
    recorded(index).answers = [(200, partial)]
    assert [hit.id for hit in index.search("pump", 1)] == ["a"]


def bulk_with(statuses: list[int]) -> tuple[int, Any]:
    """The answer of a node that took only some of a write."""
    items = [
        {"index": {"status": s, **({} if s < 300 else {"error": {"reason": f"failed {s}"}})}}
        for s in statuses
    ]
    return 200, {"errors": True, "items": items}


def test_what_a_node_did_not_take_of_a_write_is_sent_again(index: OpenSearchIndex):
    client = recorded(index)
    client.answers = [None, None, bulk_with([201, 429, 409]), None]
    index.apply([Record(each, "seal") for each in ("x", "y", "z")])
    bulks = [body for _, path, _, body in client.sent if path.endswith("_bulk")]
    assert [body.count('"_id"') for body in bulks] == [3, 1]
    assert '"_id":"y"' in bulks[1]


def test_a_node_that_goes_away_in_the_middle_of_a_write(index: OpenSearchIndex):
    client = recorded(index)
    client.answers = [None, None, NoAnswerError("reset by peer"), None]
    index.apply([Record("x", "seal")])
    client.answers = [None, None, *[NoAnswerError("reset by peer")] * 99]
    before = index.version()
    with pytest.raises(LexicalIndexError, match="cannot be reached: reset by peer"):
        index.apply([Record("y", "seal")])
    client.answers = []
    assert [hit.id for hit in index.search("seal", 5)] == ["x"]
    assert index.version() != before


def test_a_write_that_is_refused_says_why(index: OpenSearchIndex):
    recorded(index).answers = [None, None, bulk_with([201, 400])]
    with pytest.raises(LexicalIndexError, match=r"\(400\): failed 400"):
        index.apply([Record(each, "seal") for each in ("x", "y")])
    index.apply([Record(each, "seal") for each in ("x", "y")])
    assert {hit.id for hit in index.search("seal", 5)} == {"x", "y"}


def test_writers_wait_for_each_other(
    index: OpenSearchIndex, make_opensearch: Callable[..., OpenSearchIndex]
):
    other = make_opensearch("OpenSearch", index.name, lock_timeout=0.2, lease=0.5)
    with index.locked(), pytest.raises(IndexLockedError, match=r"another writer kept.* for 0\.2 s"):
        other.apply([Record("c", "seal")])
    other.apply([Record("c", "seal")])
    assert index.count() == 3


def test_the_lock_of_a_dead_writer_is_taken_and_he_is_told(
    index: OpenSearchIndex, make_opensearch: Callable[..., OpenSearchIndex]
):
    other = make_opensearch("OpenSearch", index.name, lease=0.3, lock_timeout=10.0)

    def sleep_with_the_lock() -> None:
        with index.locked():
            index._side.update(lambda info: replace(info, until=0.0))
            other.apply([Record("c", "seal")])
            index.apply([Record("d", "seal")])

    with pytest.raises(IndexLockedError, match="took the lock"):
        sleep_with_the_lock()
    assert set(index.match(None)) == {"a", "b", "c"}


def test_two_analyzers_on_one_index(
    index: OpenSearchIndex, make_opensearch: Callable[..., OpenSearchIndex]
):
    for options in ({"analyzer": Analyzer("german")}, {"lexical_fields": {"title": 1.0}}):
        with pytest.raises(AnalyzerMismatchError, match=rf"{index.name}.*rebuild\(\)"):
            make_opensearch("OpenSearch", index.name, **options)
    boosted = make_opensearch("OpenSearch", index.name, lexical_fields={"page_content": 2.0})
    assert boosted.count() == 2


def test_an_index_of_somebody_else_or_of_a_newer_version():
    index = fresh("OpenSearch", "odd")
    alias = "/lch-tests.odd"
    send = index._cluster.request
    for meta, kind, expected in (
        ({}, LexicalIndexError, "mapping that is not ours"),
        ({"format": 99}, IndexFormatError, "version 99, this package knows 1"),
    ):
        OpenSearchIndex.destroy(any_url("OpenSearch"), prefix="lch-tests", name="odd")
        send("PUT", alias, {"mappings": {"_meta": meta}})
        with pytest.raises(kind, match=expected):
            fresh("OpenSearch", "odd")
        send("DELETE", alias)


def test_an_index_that_was_removed(index: OpenSearchIndex):
    where = {"server": any_url("OpenSearch"), "prefix": "lch-tests", "name": index.name}
    assert OpenSearchIndex.exists(**where)
    for _ in range(2):
        OpenSearchIndex.destroy(**where)
    assert not OpenSearchIndex.exists(**where)
    for call in (index.count, lambda: index.search("pump", 1), lambda: index.apply([], ["a"])):
        with pytest.raises(IndexFormatError, match="was removed"):
            call()


def test_a_filter_that_is_deeper_than_a_server_takes(index: OpenSearchIndex):
    where: Any = Compare("n", "$ne", 0)
    for n in range(30):
        where = (AllOf if n % 2 else AnyOf)((where, Compare("n", "$ne", n + 1)))
    client = recorded(index)
    assert [hit.id for hit in index.search("pump", 5, where=where)] == ["a"]
    searches = [line for *_, body in client.sent for line in str(body).splitlines()]
    assert max(line.count('"bool"') for line in searches) < 20


def test_very_many_hits_come_in_pages(
    index: OpenSearchIndex, monkeypatch: pytest.MonkeyPatch
):
    for module in ("asking", "reading"):
        monkeypatch.setattr(f"langchain_chroma_hybrid.lexical.opensearch.{module}.PAGE", 7)
    index.apply([Record(f"r{n:03}", "seal " * (n % 5 + 1)) for n in range(40)])
    assert sorted(index.ids()) == ["a", "b", *(f"r{n:03}" for n in range(40))]
    client = recorded(index)
    assert len(index.search("seal", 40)) == 40
    *_, last = client.sent[1][3].splitlines()
    score, order = json.loads(last)["search_after"]
    assert (score > 0, order[0]) == (True, "r")
    if is_real("OpenSearch"):  # osmem-server takes a score for another than it gave
        assert len({hit.id for hit in index.search("seal", 40)}) == 40
    assert len(index.plan(None, 100).ids or ()) == 42
    assert len(index.match(None, limit=20)) == 20


def test_a_store_by_address():
    url = any_url("OpenSearch")
    address = f"opensearch+{url}/lch-stores?replicas=0"
    store, other = make_store(lexical=address), make_store(lexical=address)
    store.add_texts(["a pump", "a valve"], [{"n": 1}, {"n": 2}], ["a", "b"])
    other.add_texts(["a seal"], ids=["c"])
    assert ids_of(store.similarity_search("pumps seals", mode="lexical")) == ["a"]
    assert ids_of(other.similarity_search("pumps seals")) == ["c"]
    assert ids_of(store.similarity_search("valve", filter={"n": 2})) == ["b"]
    where = {"server": url, "prefix": "lch-stores", "name": f"c{store._collection.id.hex}"}
    assert OpenSearchIndex.exists(**where)
    assert store.verify().ok
    store.rebuild()
    assert ids_of(store.similarity_search("pumps", mode="lexical")) == ["a"]
    store.delete_collection()
    assert not OpenSearchIndex.exists(**where)
    assert ids_of(other.similarity_search("seal", mode="lexical")) == ["c"]


@pytest.mark.parametrize(
    "rest",
    [f"{SECRET}@host:9200?replicas=two", f"{SECRET}@host:9200?verify_certs=perhaps",
     f"{SECRET}@host:9200?unknown=1", f"{SECRET}@host:9200/a/b", f"1?replicas={SECRET}@host",
     f"1?verify_certs={SECRET}@host", f"1?ca_certs={SECRET}@host", f"1/{SECRET}@host?replicas=0"],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["opensearch+https", "elasticsearch+http"])
def test_an_address_that_says_too_much(engine: str, rest: str):
    with pytest.raises(InvalidArgumentError) as error:
        make_store(lexical=f"{engine}://me:{rest}")
    assert SECRET not in str(error.value)


def test_an_address_is_shown_without_its_password():
    store = make_store(lexical=f"elasticsearch+https://me:{SECRET}@host:9200/docs")
    config = store.lexical_config
    assert SECRET not in config.signature + config.description + repr(config)
    assert "me@host:9200/docs" in config.signature
