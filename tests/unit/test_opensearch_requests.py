"""What is sent to a cluster, word for word: no real one can be asked in these tests."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.opensearch.documents import side_index, template
from langchain_chroma_hybrid.lexical.typos import LEAST_RECORDS
from tests.opensearch import recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import OpenSearchIndex

WORD = {"type": "text", "analyzer": "own", "similarity": "own"}


@pytest.fixture
def index(make_opensearch: Callable[..., OpenSearchIndex]) -> OpenSearchIndex:
    made = make_opensearch("OpenSearch")
    made.apply([Record("a", "red pump", {"n": 1}), Record("b", "blue pump"), Record("c", None)])
    made.search("warm", 1)
    return made


def lines(body: str) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


def test_a_search_with_a_filter_is_one_request(index: OpenSearchIndex):
    sent = recorded(index).sent
    assert [hit.id for hit in index.search("Red", 5, where=parse({"n": 1}))] == ["a"]
    ((method, path, params, body),) = sent
    assert (method, path, params) == ("POST", "/_msearch", {"max_concurrent_searches": "1"})
    side, latest, header, frequent, again, ranked, once_more, occurring = lines(body)
    assert (side, latest["query"]) == (
        {"index": "lch-tests.-side"}, {"ids": {"values": [index.name]}}
    )  # fmt: skip
    assert header == again == once_more
    assert header["index"].startswith(f"lch-tests.{index.name}.")
    assert header["allow_partial_search_results"] is False
    words = [{"term": {"t0": {"value": "x00red"}}}]
    assert frequent == {
        "size": 0, "track_total_hits": True, "query": {"match_all": {}},
        "aggs": {"df": {"filters": {"filters": words}}},
    }  # fmt: skip
    assert occurring["aggs"]["words"]["filters"]["filters"]
    (facts,) = ranked["query"]["bool"].pop("filter")
    assert occurring["query"] == facts
    assert list(facts) == ["terms"]
    assert len(facts["terms"]["facts"]) == 2  # the int, and the float that equals it
    assert ranked == {
        "size": 5,
        "query": {"bool": {"minimum_should_match": 1, "should": [
            {"term": {"t0": {"value": "x00red", "boost": 1.0}}},
        ]}},
        "sort": [{"_score": "desc"}, {"order": "asc"}],
        "_source": ["id"],
        "track_total_hits": False,
    }  # fmt: skip


def test_whether_words_occur_comes_along_once(index: OpenSearchIndex):
    client, where = recorded(index), parse({"n": 1})
    index.search("red pump", 5, where=where)
    assert index.corrections("red pump", where) == {}
    index.search("red pump", 5, where=where)
    index.search("blue", 5, corrections={})
    assert [len(lines(body)) for *_, body in client.sent] == [8, 6, 6]


def test_a_mistyped_word_takes_three_requests(index: OpenSearchIndex):
    index.apply([Record(f"filler{n}", "stone") for n in range(LEAST_RECORDS)])
    client = recorded(index)
    found = index.corrections("blue pumsp", parse({"n": 1}))
    assert found == {"pumsp": ("pump",)}
    occurring, likely, passing = (lines(body)[-1] for *_, body in client.sent)
    assert len(occurring["aggs"]["words"]["filters"]["filters"]) == 2
    assert likely["suggest"] == {
        str(n): {
            "text": f"{code}pumsp",
            "term": {"field": field, "suggest_mode": "always", "max_edits": 1, "prefix_length": 4,
                     "size": 64, "max_term_freq": 1_000_000_000},
        }
        for n, (code, field) in enumerate([("x00", "t0"), ("xzz", "surface")])
    }  # fmt: skip
    assert passing["query"] == likely["query"] == occurring["query"]
    # What is known of a commit is not asked for again.
    assert index.corrections("blue") == {}
    assert len(client.sent) == 4
    assert index.corrections("blue pumsp", parse({"n": 1})) == found
    assert len(client.sent) == 6
    assert index.corrections("blue") == {}
    assert len(client.sent) == 6


def test_a_write_is_in_bulk_under_one_version(index: OpenSearchIndex):
    sent = recorded(index).sent
    index.apply([Record("d", "Red pumps", {"n": 2})], ["a", "unknown"])
    (path, params, body), = [each[1:] for each in sent if each[1].endswith("_bulk")]
    assert re.fullmatch(rf"/lch-tests\.{index.name}\.\w+\.write/_bulk", path)
    assert params == {"require_alias": "true"}
    action, document, *deletes = lines(body)
    version = action["index"]["version"]
    external = {"version": version, "version_type": "external"}
    assert action == {"index": {"_id": "d", **external}}
    assert deletes == [{"delete": {"_id": key, **external}} for key in ("a", "unknown")]
    assert {key: document[key] for key in ("id", "order", "t0", "textless", "surface")} == {
        "id": "d", "order": "d", "t0": ["x00red x00pump"], "textless": False, "surface": "xzzpumps"
    }  # fmt: skip
    assert (len(document["facts"]), len(document["numbers"])) == (1, 4)
    kinds = [(method, path.rpartition("/")[2]) for method, path, *_ in sent]
    assert kinds == [
        ("PUT", index.name), ("PUT", index.name), ("POST", "_bulk"), ("POST", "_refresh"),
        ("POST", "_msearch"), ("PUT", index.name),
    ]  # fmt: skip
    taken, begun, freed = (body for method, *_, body in sent if method == "PUT")
    assert taken["writer"] == begun["writer"] != freed["writer"] == ""
    assert begun["version"] == version == taken["version"] + 1 == freed["version"] - 1
    changes = [params for method, _, params, _ in sent if method == "PUT"]
    assert all({"if_seq_no", "if_primary_term"} < params.keys() for params in changes)


def test_many_writes_under_one_lock_are_refreshed_once(index: OpenSearchIndex):
    sent = recorded(index).sent
    with index.locked():
        for n in range(5):
            index.apply([Record(f"r{n}", "pump")])
    assert sum(path.endswith("_refresh") for _, path, *_ in sent) == 1
    assert index.count() == 8


def test_an_older_write_loses(index: OpenSearchIndex):
    client = recorded(index)
    index.apply([Record("a", "old pump")], ["b"])
    old = next(each for each in client.sent if each[1].endswith("_bulk"))
    index.apply([Record("a", "new valve"), Record("b", "valve")])
    client.client.send(*old)
    index.apply([], ["c"])
    assert {hit.id for hit in index.search("valve", 5)} == {"a", "b"}
    assert [*index.search("pump", 5)] == []


def test_the_template_has_the_scoring_and_the_splitting():
    made = template("p")
    index = made["template"]["settings"]["index"]
    assert made["index_patterns"] == ["p.*.*"]
    assert index["similarity"] == {"own": {"type": "BM25", "k1": 1.2, "b": 0.75}}
    assert index["analysis"]["tokenizer"]["own"]["type"] == "whitespace"
    assert made["template"]["mappings"]["dynamic"] == "strict"
    assert side_index(1)["mappings"]["properties"]["probe"] == WORD


def test_a_new_index_has_one_shard_behind_an_alias(make_opensearch: Callable[..., OpenSearchIndex]):
    made = make_opensearch("OpenSearch", lexical_fields={"title": 2.0, "page_content": 1.0})
    sent = recorded(made).sent
    made.clear()
    puts = [(path, body) for method, path, _, body in sent if method == "PUT"]
    named, (path, create) = [(p, b) for p, b in puts if "_doc" not in p]
    assert named == ("/_index_template/lch-tests", template("lch-tests"))
    assert create["settings"]["index"] == {"number_of_shards": 1, "number_of_replicas": 0}
    assert create["mappings"]["properties"] == {"t0": WORD, "t1": WORD}
    assert create["mappings"]["_meta"]["fields"] == ["page_content", "title"]
    assert create["aliases"] == {f"{path[1:]}.write": {}}
    (swap,) = (body for _, path, _, body in sent if path == "/_aliases")
    assert [next(iter(action)) for action in swap["actions"]] == ["remove_index", "add"]
