"""A request whose answer is lost is sent twice; names that others have are theirs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import ElasticsearchIndex, OpenSearchIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import IndexFormatError, LexicalIndexError
from langchain_chroma_hybrid.lexical.opensearch import cluster
from langchain_chroma_hybrid.lexical.opensearch.clients import NoAnswerError, OpenSearchClient
from tests.helpers import ids_of, make_store
from tests.opensearch import any_url, fresh

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Loses each answer once that changes something; what was lost."""
    lost: list[str] = []
    send = OpenSearchClient.send
    again: list[Any] = []

    def sends(self: OpenSearchClient, *request: Any) -> tuple[int, Any]:
        answer = send(self, *request)
        if request[0] != "GET" and not request[1].endswith("_msearch") and request not in again:
            again[:] = [request]
            lost.append(" ".join(request[:2]))
            message = "reset by peer"
            raise NoAnswerError(message)
        return answer

    monkeypatch.setattr(OpenSearchClient, "send", sends)
    monkeypatch.setattr(cluster, "_PAUSE", 0.0)
    return lost


def test_an_answer_that_is_lost_changes_nothing(lossy: list[str]):
    where = {"prefix": f"twice-{uuid.uuid4().hex[:8]}", "name": "lost"}
    index, other = (OpenSearchIndex(any_url("OpenSearch"), replicas=0, **where) for _ in range(2))
    index.bind("first", "folder")
    index.set_state("state", {"ready": True})
    index.apply([Record("a", "pump"), Record("b", "valve")])
    index.apply([], ["b"])
    other.clear()
    other.apply([Record("c", "pump")])
    assert [hit.id for hit in index.search("pump", 5)] == ["c"]
    writer, next_one = index.journal(), other.journal()
    writer.begin(["a", "b"])
    writer.close()  # who has died
    with next_one.take_over() as left:
        assert left.ids == {"a", "b"}
    with index.journal().take_over() as left:
        assert not left.ids
    OpenSearchIndex.destroy(any_url("OpenSearch"), **where)
    assert not OpenSearchIndex.exists(any_url("OpenSearch"), **where)
    assert {"PUT", "POST", "DELETE"} == {each.split()[0] for each in lossy}


@pytest.fixture
def index(make_opensearch: Callable[..., OpenSearchIndex]) -> OpenSearchIndex:
    made = make_opensearch("OpenSearch")
    made.apply([Record("a", "pump")])
    return made


def there(index: OpenSearchIndex, path: str) -> bool:
    return index._cluster.request("GET", path, expect=(404,))[0] != 404


def test_what_others_have_behind_our_alias_stays(index: OpenSearchIndex):
    send, alias = index._cluster.request, f"lch-tests.{index.name}"
    theirs, like_ours = f"/{index.name}-logs", f"/{alias}.logs"
    for path in (theirs, like_ours):
        send("PUT", path, {"mappings": {"properties": {"line": {"type": "text"}}}})
    add = {"index": theirs[1:], "alias": alias}
    send("POST", "/_aliases", {"actions": [{"add": add}]})
    for call in (index.clear, lambda: OpenSearchIndex.destroy(
        any_url("OpenSearch"), prefix="lch-tests", name=index.name
    )):  # fmt: skip
        call()
        assert there(index, theirs)
        assert there(index, like_ours)
    assert not there(index, f"/{alias}")


def test_an_index_of_ours_behind_the_alias_of_another(
    index: OpenSearchIndex, make_opensearch: Callable[..., OpenSearchIndex]
):
    other = make_opensearch("OpenSearch")
    other.apply([Record("b", "pump")])
    add = {"index": other._side.info().generation, "alias": f"lch-tests.{index.name}"}
    index._cluster.request("POST", "/_aliases", {"actions": [{"add": add}]})
    again = make_opensearch("OpenSearch", index.name)
    assert [hit.id for hit in again.search("pump", 5)] == ["a"]
    again.clear()
    assert [hit.id for hit in other.search("pump", 5)] == ["b"]


@pytest.mark.parametrize(
    ("part", "meta", "kind", "said"),
    [("", {}, LexicalIndexError, "template 'PREFIX' .* not ours"),
     ("", {"_meta": {"of": "else"}, "version": 7}, LexicalIndexError, "template 'PREFIX' .* not"),
     ("", {"_meta": {"of": "langchain-chroma-hybrid"}, "version": 7}, IndexFormatError,
      "template 'PREFIX' .* version 7, this package knows 1"),
     (".-side", {}, LexicalIndexError, r"template 'PREFIX\.-side' .* not ours")],
)  # fmt: skip
def test_a_template_of_somebody_else(
    index: OpenSearchIndex, part: str, meta: Any, kind: type[Exception], said: str
):
    prefix = f"logs-{uuid.uuid4().hex[:8]}"
    path, body = f"/_index_template/{prefix}{part}", {"index_patterns": ["logs-x-*"], **meta}
    index._cluster.request("PUT", path, body)
    with pytest.raises(kind, match=said.replace("PREFIX", prefix)):
        fresh("OpenSearch", prefix=prefix)
    (found,) = index._cluster.request("GET", path)[1]["index_templates"]
    assert found["index_template"]["index_patterns"] == ["logs-x-*"]
    index._cluster.request("DELETE", path)


def test_notes_of_somebody_else(index: OpenSearchIndex):
    prefix = f"logs-{uuid.uuid4().hex[:8]}"
    index._cluster.request("PUT", f"/{prefix}.-side", {"mappings": {}})
    with pytest.raises(LexicalIndexError, match=rf"index '{prefix}\.-side' .* not ours"):
        fresh("OpenSearch", prefix=prefix)


def test_notes_that_were_removed_are_made_anew_as_they_were():
    prefix = f"gone-{uuid.uuid4().hex[:8]}"
    index = fresh("OpenSearch", prefix=prefix)
    scale = index._scale
    writer = index.journal()
    index._cluster.request("DELETE", f"/{prefix}.-side")
    writer.begin(["a"])  # makes the index of notes again
    with pytest.raises(IndexFormatError, match="was removed"):
        index.apply([Record("a", "pump")])
    again = fresh("OpenSearch", index.name, prefix=prefix)
    again.apply([Record("a", "pump")])
    assert [hit.id for hit in again.search("pump", 5)] == ["a"]
    _, about = again._cluster.request("GET", f"/{prefix}.-side")
    assert about[f"{prefix}.-side"]["mappings"]["properties"]["kind"] == {"type": "keyword"}
    assert again._scale == pytest.approx(scale, rel=0.5)
    assert again._scale != 1.0


def test_an_alias_or_template_that_somebody_has_removed(
    index: OpenSearchIndex, make_opensearch: Callable[..., OpenSearchIndex]
):
    generation = index._side.info().generation
    gone = {"index": generation, "alias": f"{generation}.write"}
    index._cluster.request("POST", "/_aliases", {"actions": [{"remove": gone}]})
    with pytest.raises(IndexFormatError, match="open the collection anew"):
        index.apply([Record("b", "pump")])
    again = make_opensearch("OpenSearch", index.name)
    again.apply([Record("b", "pump")])
    assert {hit.id for hit in again.search("pump", 5)} == {"a", "b"}
    index._cluster.request("DELETE", "/_index_template/lch-tests")
    again.clear()
    assert there(index, "/_index_template/lch-tests")


@pytest.mark.parametrize("status", [403, 429])
def test_a_block_on_an_index(index: OpenSearchIndex, status: int):
    index._cluster._retry_timeout = 0.1
    block = {"type": "cluster_block_exception",
             "reason": "index [x] blocked by: [FORBIDDEN/12/index read-only (api)]"}  # fmt: skip
    send = index._cluster._opened().send

    class Blocked:
        def send(self, method: str, path: str, *rest: Any) -> tuple[int, Any]:
            if not path.endswith("/_bulk"):
                return send(method, path, *rest)
            return 200, {"errors": True, "items": [{"index": {"status": status, "error": block}}]}

        def close(self) -> None:
            pass

    index._cluster._client = Blocked()
    with pytest.raises(LexicalIndexError, match=r"blocked by: .*read-only") as error:
        index.apply([Record("b", "pump")])
    assert "user of" not in str(error.value)


def test_a_closed_index_answers_nothing(index: OpenSearchIndex):
    where: Any = None
    index.search("pump", 1)
    for call in (lambda: index.plan(where, 0), lambda: index.weights("pump"), index.without_text,
                 index.count, lambda: list(index.ids())):  # fmt: skip
        index.close()
        with pytest.raises(LexicalIndexError, match="closed"):
            call()


class Changed:
    """A client whose answers are changed on their way."""

    def __init__(self, index: OpenSearchIndex, change: Callable[..., Any]) -> None:
        self.sends, self.change, self.n = index._cluster._opened().send, change, 0
        index._cluster._client, index._cluster._retry_timeout = self, 0.3

    def send(self, method: str, path: str, *rest: Any) -> tuple[int, Any]:
        self.n += 1
        return self.change(method, path, *self.sends(method, path, *rest))

    def close(self) -> None:
        pass


def test_conflicts_without_end_end(index: OpenSearchIndex):
    conflict = {"error": {"type": "version_conflict_engine_exception", "reason": "changed"}}
    client = Changed(index, lambda *a: a[2:])
    send = client.sends
    client.sends = lambda *request: (
        (409, conflict) if request[0] == "PUT" and "/_doc/" in request[1] else send(*request)
    )
    with pytest.raises(LexicalIndexError, match=r"\(409\): changed"):
        index.apply([Record("b", "pump")])
    assert client.n < 30


def test_an_old_copy_of_what_is_noted(index: OpenSearchIndex):
    def old(_method: str, path: str, status: int, answer: Any) -> tuple[int, Any]:
        for each in answer["responses"][:1] if path == "/_msearch" else ():
            each["hits"]["hits"][0]["_source"]["generation"] = "lch-tests.old"
        return status, answer

    client = Changed(index, old)
    for call in (index.count, lambda: list(index.ids())):
        with pytest.raises(LexicalIndexError, match="out of an old copy"):
            call()
    assert client.n < 60


def test_notes_of_an_index_that_are_not_ours(index: OpenSearchIndex):
    path = f"/lch-tests.-side/_doc/{index.name}"
    index._cluster.request("PUT", path, {"kind": "info"}, params={"refresh": "true"})
    opened = lambda: fresh("OpenSearch", index.name)  # noqa: E731
    for call in (index.count, lambda: index.apply([], ["a"]), opened):
        with pytest.raises(IndexFormatError, match="noted of the lexical index is not ours"):
            call()


def test_clients_of_two_clusters_are_two_places():
    import elasticsearch
    import opensearchpy

    for kind, package in ((OpenSearchIndex, opensearchpy.OpenSearch),
                          (ElasticsearchIndex, elasticsearch.Elasticsearch)):  # fmt: skip
        places = [
            kind._reached(package(f"http://me:secret@{host}:9201")).place for host in ("a", "b")
        ]
        assert places == ["a:9201", "b:9201"]


def test_a_query_goes_on_without_a_cluster_where_it_may():
    store = make_store(lexical=f"opensearch+{any_url('OpenSearch')}/lch-gone?replicas=0")
    store.add_texts(["a pump", "a valve"], ids=["a", "b"])
    assert ids_of(store.similarity_search("pump", k=1, mode="lexical")) == ["a"]
    index = store._index.lexical
    client = Changed(index, lambda *_: (503, {"error": {"reason": "gone"}}))
    result = store.explain("pump", k=1, on_leg_error="degrade")
    assert [hit.id for hit in result.hits] == ["a"]
    assert any("gone" in note for note in result.notes)
    with pytest.raises(LexicalIndexError, match="gone"):
        store.similarity_search("pump")
    client.change = lambda *answer: answer[2:]
    assert ids_of(store.similarity_search("pump", k=1, mode="lexical")) == ["a"]
