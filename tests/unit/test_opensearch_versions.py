"""Indexes of older versions in OpenSearch: they answer until one of today's takes their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, HybridChroma, OpenSearchIndex
from langchain_chroma_hybrid.core.analysis.analyzer import RULES
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, IndexFormatError, IndexLockedError
from langchain_chroma_hybrid.lexical.protocol import Replaceable
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name, ids_of
from tests.opensearch import any_url, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

# By rules 3 "10mg" is one word, by rules 4 two.
RECORDS = [Record("a", "aspirin 10mg", {"n": 1}), Record("b", "a pump"), Record("c", "a valve")]
NEXT = max(RULES) + 1
Make: TypeAlias = "Callable[..., OpenSearchIndex]"


@pytest.fixture
def make(make_opensearch: Make) -> Make:
    return lambda name=None, **options: make_opensearch("OpenSearch", name, **options)


@pytest.fixture
def old(make: Make) -> str:
    """The name of an index of an older version."""
    index = make(analyzer=Analyzer(version=min(RULES)))
    index.bind("first", "folder")
    index.set_state("state", {"ready": True})
    index.apply(RECORDS)
    index.apply([], ["c"])
    return str(index.name)


def upgraded(index: OpenSearchIndex) -> OpenSearchIndex:
    with index.successor() as new, index.locked():
        new.apply(RECORDS[:2])
        index.switch()
    return index


def found(index: OpenSearchIndex, query: str) -> set[str]:
    return {hit.id for hit in index.search(query, 9)}


def notes_of(store: HybridChroma, query: str) -> tuple[str, ...]:
    retriever = ChromaHybridRetriever.from_vectorstore(store)
    return retriever.search(query, mode="lexical").notes


def indices(index: OpenSearchIndex) -> list[str]:
    _, answer = index._cluster.request("GET", f"/lch-tests.{index.name}.*")
    return list(answer)


def test_it_is_read_and_written_as_it_was_made(old: str, make: Make) -> None:
    index = make(old)
    assert isinstance(index, Replaceable)
    assert index.outdated
    assert index.analyzer.version == min(RULES)
    today = make()
    assert index.signature == today.signature.replace(today.name, old)
    index.apply([Record("d", "ibuprofen 10mg")], ["b"])
    assert found(index, "10mg") == {"a", "d"}
    assert found(index, "pump") == set()
    assert index.outdated
    assert not today.outdated


def test_the_switch_is_seen_by_who_has_it_open(old: str, make: Make) -> None:
    index, reader, writer = make(old), make(old), make(old)
    begun = iter(reader.ids())
    first = next(begun)
    seen = reader.foreign_commits()
    own = index.foreign_commits()
    upgraded(index)
    assert not index.outdated
    assert {first, *begun} == {"a", "b"}
    assert index.foreign_commits() == own
    assert index.analyzer.version == max(RULES)
    assert found(reader, "10 mg") == found(index, "10 mg") == {"a"}
    assert not reader.outdated
    assert reader.foreign_commits() == seen + 1
    assert (index.state("state"), reader.count()) == ({"ready": True}, 2)
    # What is written now is newer than all that the successor was told.
    writer.apply([Record("a", "a zebra"), Record("new", "one more pump")], ["b"])
    assert not writer.outdated
    for each in (reader, index, make(old)):
        assert found(each, "zebra pumps") == {"a", "new"}
        assert found(each, "aspirin") == set()
    assert indices(index) == [index._side.info().generation]


def test_one_at_a_time_has_the_successor(old: str, make: Make) -> None:
    index, other = make(old), make(old)
    with index.successor() as new:
        with pytest.raises(IndexLockedError), other.successor():
            pass
        new.apply(RECORDS[:1])
        assert found(index, "pump") == {"b"}
    with other.successor() as new:
        assert new.count() == 1, "a half-built one is gone on with"
        new.apply(RECORDS[1:2])
        with other.locked():
            other.switch()
    for each in (index, other, make()):
        with pytest.raises(IndexLockedError, match="needs no successor"), each.successor():
            pass
    assert found(index, "aspirin pump") == {"a", "b"}


def test_what_is_made_anew_meanwhile_stays(old: str, make: Make) -> None:
    index, other = make(old), make(old)
    with index.successor() as new:
        new.apply(RECORDS[:1])
        other.clear()
        other.apply(RECORDS)
        index.switch()
        assert index.count() == 3
        new.apply(RECORDS[:1])  # finds its own gone, which nobody needs
    assert index.count() == other.count() == 3
    assert not index.outdated
    assert len(indices(index)) == 1


@pytest.mark.parametrize("step", ["/lch-tests.-side/_bulk", "/_aliases"])
def test_who_dies_in_the_middle_of_a_switch_has_switched(old: str, make: Make, step: str) -> None:
    index = make(old, lease=0.2)
    request = index._cluster.request

    def dies(method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        if path == step:
            raise ZeroDivisionError
        return request(method, path, *args, **kwargs)

    def switch() -> None:
        with index.successor() as new, index.locked():
            new.apply(RECORDS[:2])
            index._cluster.request = dies
            index.switch()

    with pytest.raises(ZeroDivisionError):
        switch()
    other = make(old)
    assert not other.outdated
    assert found(other, "10 mg") == {"a"}
    other.apply([Record("d", "a zebra")])
    assert found(make(old), "zebra pump") == {"b", "d"}
    # The next writer has removed what was in the way.
    assert indices(other) == [other._side.info().generation]
    assert len(other._side.documents(["info"])) == 1


@pytest.mark.parametrize("spoil", ["removed", "another"])
def test_a_successor_that_makes_no_sense_is_begun_anew(old: str, make: Make, spoil: str) -> None:
    index = make(old)
    with index.successor() as new:
        new.apply(RECORDS[:1])
        info = new._side.info()
        gone = info.generation
    if spoil == "removed":
        index._cluster.request("DELETE", f"/{gone}")
    else:
        live = index._side.info().generation
        new._side.forget()
        new._side.update(lambda was: type(was)(was.instance, live, was.version))
    with index.successor() as new:
        assert new.count() == 0
    assert index.count() == 2


def test_other_settings_and_newer_rules_are_refused(old: str, make: Make) -> None:
    with pytest.raises(AnalyzerMismatchError, match=r"rebuild\(\)"):
        make(old, analyzer=Analyzer("german", version=min(RULES)))
    index = make()
    meta = {"format": 1, "analyzer": f"{NEXT}:english", "fields": ["page_content"]}
    body = {"_meta": meta}
    index._cluster.request("PUT", f"/{index._side.info().generation}/_mapping", body)
    with pytest.raises(IndexFormatError, match=f"version {NEXT}, this package knows {max(RULES)}"):
        make(index.name)


def test_an_index_that_somebody_has_removed_is_begun_anew(make: Make) -> None:
    index = make()
    index.bind("first", "folder")
    index.set_state("state", {"ready": True})
    index.apply(RECORDS)
    index._cluster.request("DELETE", f"/{index._side.info().generation}")
    with pytest.raises(IndexFormatError, match="was removed"):
        index.count()
    again = make(index.name)
    assert (again.count(), again.state("state")) == (0, {})
    again.bind("first", "folder")
    again.apply(RECORDS)
    assert found(index, "pump") == {"b"}


def test_a_store_answers_with_a_note_until_it_is_rebuilt() -> None:
    name, address = fresh_name(), f"opensearch+{any_url('OpenSearch')}/lch-old?replicas=0"
    def opened(**options: Any) -> HybridChroma:
        return HybridChroma(name, WordEmbeddings(), lexical=address, **options)

    store = opened(analyzer=Analyzer(version=min(RULES)))
    store.add_texts(["aspirin 10mg", "a pump"], ids=["a", "b"])
    assert notes_of(store, "aspirin") == ()
    store.close()
    newer = opened(backfill="manual")
    (note,) = notes_of(newer, "pump")
    assert note.startswith("the lexical index is of an older version and answers as it did")
    newer.sync()
    assert notes_of(newer, "10 mg") == ()
    assert ids_of(newer.similarity_search("10 mg", mode="lexical")) == ["a"]
    assert newer.verify().ok
    newer.delete_collection()


def test_the_alias_follows_what_is_noted(old: str, make: Make) -> None:
    """One request is the switch; what it leads to is refreshed before, the alias comes last."""
    index = make(old)
    with index.successor() as new, index.locked():
        new.apply(RECORDS[:2])
        client = recorded(index)
        index.switch()
        sent = [(path, body) for method, path, _, body in client.sent if method != "GET"]
    paths = [path for path, _ in sent]
    note = f"/lch-tests.-side/_doc/{old}"
    (generation,) = {body["generation"] for path, body in sent if path == note}
    (swap,) = (body["actions"] for path, body in sent if path == "/_aliases")
    assert [next(iter(action)) for action in swap] == ["remove_index", "add"]
    assert swap[1]["add"] == {"index": generation, "alias": f"lch-tests.{old}"}
    assert swap[0]["remove_index"]["index"] != generation
    places = [paths.index(each) for each in (f"/{generation}/_refresh", note, "/_aliases")]
    assert places == sorted(places)
