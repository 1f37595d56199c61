"""Where the lexical index is, said in one word: an address, an index, or nothing."""

from __future__ import annotations

import pytest
from llama_index.core.vector_stores.types import VectorStoreQuery

from langchain_chroma_hybrid import ChromaHybridRetriever, RankBM25Index, TantivyIndex
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, InvalidArgumentError
from langchain_chroma_hybrid.llama_index import ChromaHybridVectorStore
from tests.durability.workers import open_store
from tests.helpers import ids_of, make_store, plain_chroma

ADDRESSES = ["tantivy:", "rank_bm25:", "rank_bm25:okapi", "rank_bm25:l", "rank_bm25:plus"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_store_and_retriever_takes_an_address(address):
    store = make_store(lexical=address)
    store.add_texts(["a pump", "a valve", "a seal"], ids=["a", "b", "c"])
    assert ids_of(store.similarity_search("pumps", mode="lexical")) == ["a"]
    retriever = ChromaHybridRetriever.from_vectorstore(plain_chroma(), lexical=address)
    assert ids_of(retriever.invoke("R123-78", mode="lexical", k=1)) == ["pump"]


def test_llama_indexs_store_takes_it_too():
    store = ChromaHybridVectorStore(plain_chroma()._collection, lexical="rank_bm25:")
    asked = VectorStoreQuery(query_str="R123-78", mode="text_search", similarity_top_k=1)
    assert store.query(asked).ids == ["pump"]


def test_stores_with_one_address_share_an_index_and_others_are_refused():
    chroma = plain_chroma()

    def opened(address):
        return ChromaHybridRetriever.from_vectorstore(chroma, lexical=address, k=1)

    assert ids_of(opened("rank_bm25:l").invoke("R123-78")) == ["pump"]
    assert ids_of(opened("rank_bm25:l").invoke("R123-78")) == ["pump"]
    for other in ("rank_bm25:plus", "tantivy:", None):
        with pytest.raises(AnalyzerMismatchError, match="one configuration"):
            opened(other).invoke("R123-78")


def test_two_collections_may_have_one_address(tmp_path):
    for address in ("rank_bm25:", f"tantivy:{tmp_path / 'lexical'}"):
        first, second = make_store(lexical=address), make_store(lexical=address)
        first.add_texts(["a pump"], ids=["a"])
        second.add_texts(["a valve"], ids=["b"])
        assert ids_of(first.similarity_search("pump valve", mode="lexical")) == ["a"]
        assert ids_of(second.similarity_search("pump valve", mode="lexical")) == ["b"]


def test_a_folder_by_address_is_lexical_directory(tmp_path):
    place = tmp_path / "lexical"
    with open_store(tmp_path / "db", lexical=f"tantivy:{place}") as store:
        store.add_texts(["a pump"], ids=["a"])
    (folder,) = place.iterdir()
    with open_store(tmp_path / "db", lexical_directory=place) as store:
        assert ids_of(store.similarity_search("pump", mode="lexical")) == ["a"]
        store.delete_collection()
    assert not folder.exists()


def test_two_objects_over_one_folder_are_one_index(tmp_path):
    """The same analyzer, fields and boosts, that is; other ones are another index."""
    chroma = plain_chroma()

    def opened(**options):
        index = TantivyIndex(tmp_path / "index", **options)
        return ChromaHybridRetriever.from_vectorstore(chroma, lexical=index, k=1)

    assert ids_of(opened().invoke("R123-78")) == ["pump"]
    assert ids_of(opened().invoke("R123-78")) == ["pump"]
    with pytest.raises(AnalyzerMismatchError, match="one configuration"):
        opened(lexical_fields={"page_content": 2.0}).invoke("R123-78")
    other = make_store(lexical=TantivyIndex(tmp_path / "index"))
    with pytest.raises(InvalidArgumentError, match=r"lexical.*of its own"):
        other.add_texts(["a valve"], ids=["b"])
    assert RankBM25Index().signature != RankBM25Index().signature


def test_the_analyzer_counts_where_an_address_is_given():
    store = make_store(lexical="rank_bm25:", analyzer=None)
    store.add_texts(["a pump"], ids=["a"])
    assert store.similarity_search("pumps", mode="lexical") == []


@pytest.mark.parametrize(
    "address",
    ["", "tantivy", "mysql://me:secret@host/db", "rank_bm25:secret", "host=x password=secret",
     "host=x password='secret:'", "/secret/folder", "secret word:"],
)  # fmt: skip
def test_another_address_is_refused_and_no_secret_repeated(address):
    with pytest.raises(InvalidArgumentError, match="lexical: expected an address such as") as error:
        make_store(lexical=address)
    assert "secret" not in str(error.value)


def test_what_an_address_cannot_have_beside_it(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"lexical_directory: expected to be left out"):
        make_store(lexical="tantivy:", lexical_directory=tmp_path)
    store = make_store(lexical="rank_bm25:", lexical_fields={"title": 2.0})
    with pytest.raises(InvalidArgumentError, match=r"lexical_fields.*the text alone"):
        store.add_texts(["a pump"])
