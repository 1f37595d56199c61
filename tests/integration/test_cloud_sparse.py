"""Sparse indexes that are not ours, over a double of Chroma Cloud (`tests/cloud.py`)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from chromadb import K, Schema, SparseVectorIndexConfig, VectorIndexConfig
from chromadb.api.types import SparseEmbeddingFunction, SparseVector
from chromadb.utils.embedding_functions import (
    ChromaBm25EmbeddingFunction,
    register_sparse_embedding_function,
)
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.embeddings.chroma import trust
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    EmbeddingError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.migration import migrate
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.cloud import Cloud, client_of
from tests.helpers import CORPUS, MODES, documents, filled, fresh_name, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("cache")

KEY = "sparse_embedding"
BUILT: list[dict[str, Any]] = []


@register_sparse_embedding_function
class Letters(SparseEmbeddingFunction[Any]):
    """Somebody's own function, of whose dimensions nobody knows what they mean."""

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, input: list[str]) -> Any:
        return [self._of(text) for text in input]

    def _of(self, text: str) -> SparseVector:
        words = sorted({(ord(w[0]) << 8) + len(w) for w in text.lower().split()})
        return SparseVector(words, [self.weight] * len(words))

    @staticmethod
    def name() -> str:
        return "letters"

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Letters:
        BUILT.append(config)
        return Letters(**config)

    def get_config(self) -> dict[str, Any]:
        return {"weight": self.weight}


class Failing(Letters):
    def __call__(self, input: list[str]) -> Any:
        raise RuntimeError("the key sk-123 is refused")


@pytest.fixture(autouse=True)
def nobody_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    BUILT.clear()
    monkeypatch.setattr(trust, "_here", trust.NOBODY)


def made(cloud: Cloud, function: Any, source: Any = K.DOCUMENT, *, bm25: bool = True) -> str:
    """A collection with somebody's own sparse index, by plain chromadb."""
    schema = Schema().create_index(VectorIndexConfig(space="cosine"))
    index = SparseVectorIndexConfig(source_key=source, embedding_function=function, bm25=bm25)
    name = fresh_name()
    client_of(cloud).create_collection(
        name, schema=schema.create_index(index, key=KEY), embedding_function=None
    )
    return name


def opened(cloud: Cloud, name: str, **options: Any) -> HybridChroma:
    return HybridChroma(name, WordEmbeddings(), client=client_of(cloud), **options)


@pytest.fixture
def store(cloud: Cloud) -> Iterator[HybridChroma]:
    """Over an index by Chroma's own BM25."""
    store = opened(cloud, made(cloud, ChromaBm25EmbeddingFunction(avg_doc_length=7)))
    store.add_documents(documents())
    store.similarity_search("warm", k=1)
    cloud.forget()
    yield store
    store.delete_collection()


def foreign(cloud: Cloud, **options: Any) -> HybridChroma:
    """Over an index by somebody's own function, filled by plain chromadb."""
    name = made(cloud, Letters(), bm25=False)
    texts = [text for _, text, _ in CORPUS]
    client_of(cloud).get_collection(name).add(
        ids=[id_ for id_, _, _ in CORPUS],
        documents=texts,
        embeddings=WordEmbeddings().embed_documents(texts),
        metadatas=[dict(metadata) for _, _, metadata in CORPUS],
    )
    BUILT.clear()
    cloud.forget()
    return opened(cloud, name, **options)


# Chroma's own BM25


def test_chromas_bm25_is_pushed_down(store, cloud, cache):
    found = store.similarity_search("blocked pump", k=2, filter={"tenant": "a"})
    assert ids_of(found)[0] == "pump"
    [sent] = cloud.searches
    words = ChromaBm25EmbeddingFunction(avg_doc_length=7).embed_query(["blocked pump"])[0]
    assert str({"query": words.to_dict(), "key": KEY, "limit": 100})[1:-1] in str(sent["rank"])
    assert not list(cache.rglob("meta.json"))


def test_writes_bring_its_vectors_along(store, cloud):
    uuid = str(store._chroma_collection.id)
    made_here = cloud.vectors(uuid)["pump"][KEY]
    [expected] = ChromaBm25EmbeddingFunction(avg_doc_length=7)([documents()[1].page_content])
    assert made_here == expected.to_dict()
    store.update_document("pump", documents()[1].model_copy(update={"page_content": "a puffin"}))
    assert ids_of(store.similarity_search("puffins", mode="lexical")) == ["pump"]
    assert not store.similarity_search("blocked", mode="lexical")


def test_everything_looks_as_everywhere(store):
    embedded = filled()
    for mode in MODES:
        for query in ("Error R123-78", "water in the river", "zebra"):
            expected = embedded.similarity_search_with_relevance_scores(query, k=8, mode=mode)
            found = store.similarity_search_with_relevance_scores(query, k=8, mode=mode)
            assert set(ids_of(found)) == set(ids_of(expected))
            assert all(0.0 <= score <= 1.0 for _, score in found)
    result = store.explain("blocked albatross pump", k=2)
    best = result.hits[0]
    lexical, vector = best.legs
    assert (best.id, lexical.rank, vector.rank) == ("pump", 1, 1)
    assert lexical.terms == ("pump", "blocked")
    assert [best.record.text[a:b] for a, b in best.spans] == ["pump", "blocked"]
    assert result.unmatched == ("albatross",)


def test_an_identifier_counts_for_all_of_its_parts(store):
    found = store.explain("Error R123-99 R123-78", k=8)
    assert found.unmatched == ("R123-99",)
    assert found.hits[0].id == "pump"
    scores = {hit.id: hit.relevance for hit in found.hits}
    assert scores["pump"] > scores["valve"]


def test_must_and_not_hold(store):
    search = ChromaHybridRetriever(vectorstore=store, k=8, query_syntax="simple").search
    assert {hit.id for hit in search("+pump -error water").hits} == {"water", "manual"}


def test_no_query_raises(store):
    many = " ".join(f"pump{n}" for n in range(300))
    for query in ("", "  ", "the of", "!?", "\ud800 pump", many):
        store.similarity_search(query, k=3)
        ChromaHybridRetriever(vectorstore=store, k=3).search(query)
        store.similarity_search(query, k=3, mode="lexical")


def test_a_query_of_stop_words_goes_by_vectors(store, cloud):
    assert len(store.similarity_search("of the", k=8)) == len(CORPUS)
    assert str(cloud.searches).count("$knn") == 1


def test_an_analyzer_of_ours_is_refused(store, cloud, tmp_path):
    name = store._collection_name
    with pytest.raises(AnalyzerMismatchError, match="'chroma_bm25'"):
        opened(cloud, name, analyzer="german").similarity_search("pump")
    own = opened(cloud, name, analyzer="german", lexical_directory=tmp_path)
    assert ids_of(own.similarity_search("blocked", k=1, mode="lexical")) == ["pump"]


def test_a_retriever_over_langchains_store_finds_the_same(store, cloud):
    plain = Chroma(store._collection_name, WordEmbeddings(), client=client_of(cloud))
    cloud.forget()
    retriever = ChromaHybridRetriever.from_vectorstore(plain, k=2, lexical="chroma:")
    assert ids_of(retriever.invoke("blocked pump"))[0] == "pump"
    assert len(cloud.searches) == 2  # one to try


def test_a_migration_keeps_it(store, cloud):
    migrate(store, WordEmbeddings(32))
    cloud.forget()
    assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
    assert KEY in str(cloud.searches)


def test_stored_settings_are_checked(store, cloud):
    again = opened(cloud, store._collection_name)
    schema = again._chroma_collection._model.serialized_schema
    config = schema["keys"][KEY]["sparse_vector"]["sparse_vector_index"]["config"]
    stored = config["embedding_function"]
    wrong = {"k": "a", "avg_doc_length": 0, "b": 2, "stopwords": "the", "code": "os"}
    for name, value in wrong.items():
        config["embedding_function"] = {**stored, "config": {**stored["config"], name: value}}
        with pytest.raises(LexicalIndexError, match=f"index 'sparse_embedding': .*{name}"):
            again.similarity_search("pump")


def test_a_package_that_lacks_is_named(store, cloud, monkeypatch):
    monkeypatch.setitem(sys.modules, "snowballstemmer", None)
    again = opened(cloud, store._collection_name)
    cloud.forget()
    found = ChromaHybridRetriever(vectorstore=again, k=1).search("blocked pump")
    assert [hit.id for hit in found.hits] == ["pump"]
    assert "pip install snowballstemmer" in found.notes[0]
    assert not cloud.searches
    with pytest.raises(EmbeddingError, match="pip install snowballstemmer"):
        again.add_texts(["a text that others would not find"])


# Any other function


def test_no_strangers_function_is_built(cloud):
    store = foreign(cloud)
    found = ChromaHybridRetriever(vectorstore=store, k=1).search("blocked pump")
    assert [hit.id for hit in found.hits] == ["pump"]
    assert (BUILT, cloud.searches) == ([], [])
    said = r"only the database names .*'letters'.*sparse_embedding_function=.*trust_stored_models"
    assert [note for note in found.notes if "letters" in note] == [found.notes[0]]
    with pytest.raises(LexicalIndexError, match=said):
        opened(cloud, store._collection_name, lexical="chroma:").similarity_search("pump")
    with pytest.raises(EmbeddingError, match=said):
        store.add_texts(["a text that others would not find"])
    store.delete(["cat"])
    assert len(store.get()["ids"]) == len(CORPUS) - 1
    assert not BUILT


@pytest.mark.parametrize("way", ["handed over", "trusted by the store", "trusted by the process"])
def test_it_serves_where_somebody_says_so(cloud, way):
    options: dict[str, Any] = {}
    if way == "handed over":
        options = {"sparse_embedding_function": Letters()}
    elif way == "trusted by the store":
        options = {"trust_stored_models": "letters"}
    else:
        trust.trust_stored_models("letters")
    store = foreign(cloud, lexical="chroma:", **options)
    assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
    assert [bool(sent["rank"]) for sent in cloud.searches] == [False, True]
    assert len(BUILT) == (way != "handed over")
    store.add_texts(["an albatross"], ids=["new"])
    assert ids_of(store.similarity_search("albatross", k=1, mode="lexical")) == ["new"]
    result = store.explain("blocked albatross", k=8)
    assert result.unmatched == ()
    assert {hit.id for hit in result.hits} >= {"new", "pump"}
    assert all(0.0 <= hit.relevance <= 1.0 for hit in result.hits)


def test_another_function_than_the_one_it_is_filled_by(cloud):
    store = foreign(cloud, sparse_embedding_function=ChromaBm25EmbeddingFunction())
    said = "sparse_embedding_function: expected 'letters'.*got 'chroma_bm25'"
    with pytest.raises(InvalidArgumentError, match=said):
        store.similarity_search("pump")
    with pytest.raises(InvalidArgumentError, match=said):
        store.add_texts(["x"])


def test_what_is_no_function_is_refused_at_once(cloud):
    for wrong in ("letters", Letters, WordEmbeddings()):
        with pytest.raises(InvalidArgumentError, match="sparse_embedding_function: expected"):
            HybridChroma(fresh_name(), sparse_embedding_function=wrong)


def test_one_that_fails_is_one_error_without_what_it_says(cloud):
    store = foreign(cloud, sparse_embedding_function=Failing())
    with pytest.raises(LexicalIndexError, match="'letters': RuntimeError was raised"):
        store.similarity_search("blocked pump")
    with pytest.raises(EmbeddingError, match="'letters': RuntimeError was raised") as caught:
        store.add_texts(["x"])
    assert "sk-123" not in str(caught.value)
    degrading = ChromaHybridRetriever(vectorstore=store, k=1, on_leg_error="degrade")
    assert ids_of(degrading.invoke("blocked pump")) == ["pump"]


def test_two_stores_of_one_collection_have_each_its_own_say(cloud):
    store = foreign(cloud)
    name = store._collection_name
    given = opened(cloud, name, sparse_embedding_function=Letters())
    for _ in range(2):
        cloud.forget()
        assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
        assert not cloud.searches
        assert ids_of(given.similarity_search("blocked pump", k=1)) == ["pump"]
        assert cloud.searches


def test_a_migration_needs_the_function(cloud):
    store = foreign(cloud)
    name = store._collection_name
    with pytest.raises(EmbeddingError, match="only the database names"):
        migrate(store, WordEmbeddings(32))
    given = opened(cloud, name, sparse_embedding_function=Letters())
    migrate(given, WordEmbeddings(32))
    cloud.forget()
    assert ids_of(given.similarity_search("blocked pump", k=1)) == ["pump"]
    assert KEY in str(cloud.searches)
    assert not BUILT


# Indexes over something else


def test_an_index_over_a_metadata_key_is_kept_up(cloud):
    name = made(cloud, ChromaBm25EmbeddingFunction(), "title")
    store = opened(cloud, name)
    store.add_texts(["a text", "another"], [{"title": "Albatross"}, {"year": 1}], ids=["1", "2"])
    kept = cloud.vectors(str(store._chroma_collection.id))
    assert kept["1"][KEY]["indices"] == ChromaBm25EmbeddingFunction()(["albatross"])[0].indices
    assert KEY not in kept.get("2", {})
    found = ChromaHybridRetriever(vectorstore=store, k=1).search("text")
    assert [hit.id for hit in found.hits] == ["1"]
    assert "over 'title', not the text" in found.notes[0]


def test_an_index_whose_vectors_writers_bring(cloud):
    name = made(cloud, None, None, bm25=False)
    [vector] = Letters()(["an albatross"])
    client_of(cloud).get_collection(name).add(
        ids=["1"],
        documents=["an albatross"],
        embeddings=WordEmbeddings().embed_documents(["an albatross"]),
        metadatas=[{KEY: vector, "year": 1}],
    )
    store = opened(cloud, name)
    store.add_texts(["a text"], ids=["3"])
    found = ChromaHybridRetriever(vectorstore=store, k=1).search("albatross")
    assert "hand it over" in found.notes[0]
    with pytest.raises(EmbeddingError, match="hand it over"):  # it would lose them
        migrate(store, WordEmbeddings(32))
    given = opened(cloud, name, sparse_embedding_function=Letters(), lexical="chroma:")
    given.add_texts(["a puffin"], ids=["2"])
    assert ids_of(given.similarity_search("an albatross", mode="lexical")) == ["1"]
    assert ids_of(given.similarity_search("a puffin", k=1, mode="lexical")) == ["2"]
