"""One collection has one lexical index, and one index belongs to one collection."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, RankBM25Index, TantivyIndex
from langchain_chroma_hybrid._langchain.bridge import handle_of
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexBoundError,
    InvalidArgumentError,
)
from tests.helpers import ids_of, make_store, plain_chroma


@pytest.mark.parametrize("make", [TantivyIndex, RankBM25Index])
def test_an_index_is_not_shared_by_two_collections(make):
    index = make()
    first, second = make_store(lexical=index), make_store(lexical=index)
    first.add_texts(["a pump"], ids=["a"])
    with pytest.raises(InvalidArgumentError, match=r"lexical.*of its own"):
        second.add_texts(["a valve"], ids=["b"])
    assert ids_of(first.similarity_search("pump", mode="lexical")) == ["a"]


def test_other_settings_over_the_same_store_are_refused():
    chroma = plain_chroma()
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, k=1)
    assert ids_of(retriever.invoke("R123-78")) == ["pump"]
    for settings in (
        {"analyzer": "german"},
        {"analyzer": Analyzer(None)},
        {"lexical_fields": {"page_content": 1, "tenant": 3}},
    ):
        other = ChromaHybridRetriever.from_vectorstore(chroma, k=1, **settings)
        with pytest.raises(AnalyzerMismatchError, match="one configuration"):
            other.invoke("R123-78")
    same = ChromaHybridRetriever.from_vectorstore(chroma, k=2, analyzer=Analyzer("english"))
    assert len(same.invoke("R123-78")) == 2


def test_a_syntax_that_the_index_does_not_know_is_refused():
    store = make_store(lexical=RankBM25Index())
    store.add_texts(["a pump"], ids=["a"])
    assert ids_of(store.similarity_search("+pump")) == ["a"]
    with pytest.raises(InvalidArgumentError, match=r"query_syntax.*RankBM25Index"):
        store.similarity_search("+pump", query_syntax="simple")


def test_an_index_on_disk_remembers_whose_it_is(tmp_path):
    """As another process would open it, after the first one has gone."""
    place = tmp_path / "index"
    first = make_store(tmp_path / "one", lexical=TantivyIndex(place))
    first.add_texts(["a pump"], ids=["a"])
    first.close()
    second = make_store(tmp_path / "two", lexical=TantivyIndex(place))
    with pytest.raises(IndexBoundError) as error:
        second.similarity_search("valve")
    for store in (first, second):
        assert str(store._collection.id) in str(error.value)
    for folder in ("one", "two"):
        assert str(tmp_path / folder) in str(error.value)
    with pytest.raises(IndexBoundError):
        second.rebuild()
    second.delete_collection()
    assert [hit.id for hit in TantivyIndex(place).search("pump", 1)] == ["a"]


@pytest.mark.parametrize("make", [TantivyIndex, RankBM25Index])
def test_an_index_of_a_collection_that_is_gone_may_be_had(make, tmp_path):
    index = make(tmp_path / "index") if make is TantivyIndex else make()
    store = make_store(tmp_path / "db", lexical=index)
    store.add_texts(["a pump"], ids=["a"])
    store.reset_collection()
    store.add_texts(["a valve"], ids=["b"])
    assert ids_of(store.similarity_search("pump valve", mode="lexical")) == ["b"]
    store._client.delete_collection(store._collection.name)
    other = make_store(tmp_path / "db", lexical=index)
    other.add_texts(["a seal"], ids=["c"])
    assert ids_of(other.similarity_search("pump valve seal", mode="lexical")) == ["c"]


def test_what_is_known_of_an_index_of_ones_own(tmp_path):
    store = make_store(lexical=TantivyIndex(tmp_path / "index"))
    before = handle_of(store).about()
    assert (before.indexed, before.problem) == (
        0, "not built yet: the first search or `sync` builds it"
    )  # fmt: skip
    store.add_texts(["a pump"], ids=["a"])
    store.similarity_search("pump")
    after = handle_of(store).about()
    assert (after.indexed, after.problem, after.folder) == (1, None, tmp_path / "index")
    assert after.size_bytes > 0
