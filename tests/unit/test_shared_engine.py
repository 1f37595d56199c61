"""One collection has one lexical index, and one index belongs to one collection."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, RankBM25Index, TantivyIndex
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, InvalidArgumentError
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
