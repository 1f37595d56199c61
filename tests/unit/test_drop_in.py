"""What somebody relies on who writes HybridChroma where Chroma stood."""

from __future__ import annotations

import copy
import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField
from langchain_core.vectorstores import VectorStoreRetriever

from langchain_chroma_hybrid import (
    ChromaHybridRetriever,
    ChromaHybridWarning,
    HybridChroma,
    SearchResult,
)
from langchain_chroma_hybrid.errors import (
    EmbeddingError,
    FilterError,
    InvalidArgumentError,
    UnknownArgumentError,
)
from tests.helpers import (
    CORPUS,
    documents,
    filled,
    fresh_name,
    ids_of,
    make_store,
    plain_chroma,
)

if TYPE_CHECKING:
    from pathlib import Path

QUERY = "red pump R123-78"
RETRIEVERS = {
    "as_retriever": HybridChroma.as_retriever,
    "from_vectorstore": ChromaHybridRetriever.from_vectorstore,
    "constructor": lambda store, **o: ChromaHybridRetriever(vectorstore=store, **o),
}


# Chroma's own function


def put_in_place(folder: Path) -> None:
    """A model of Chroma's form: a vector for each of a few words, no training behind it."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    words = sorted({word for _, text, _ in CORPUS for word in text.lower().split()})
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", *words])}
    table = np.random.default_rng(7).normal(size=(len(vocabulary), 384)).astype(np.float32)
    shape = ["batch", "length"]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
    output = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [*shape, 384])
    node = helper.make_node("Gather", ["table", "input_ids"], ["hidden"])
    tensor = numpy_helper.from_array(table, "table")
    graph = helper.make_graph([node], "tiny", inputs, [output], [tensor])
    opset = [helper.make_opsetid("", 17)]
    model = folder / "onnx"
    model.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), model / "model.onnx")
    tokenizer = {
        "version": "1.0", "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }  # fmt: skip
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    others = ("config", "special_tokens_map", "tokenizer_config")
    for name in (*(f"{other}.json" for other in others), "vocab.txt"):
        (model / name).write_text("{}", encoding="utf-8")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    put_in_place(folder)
    return folder


@pytest.fixture
def chromas_own(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", model)


async def test_without_an_embedding_function_chromas_own_embeds_both_sides(chromas_own):
    stores = [cls(fresh_name()) for cls in (Chroma, HybridChroma)]
    for store in stores:
        store.add_documents(documents())
    plain, ours = stores
    for query in ("the red cat", "water in the river", "maple"):
        expected = plain.similarity_search_with_score(query, k=8)
        found = ours.similarity_search_with_score(query, k=8, mode="vector")
        assert ids_of(found) == ids_of(expected)
        assert [d for _, d in found] == pytest.approx([d for _, d in expected], abs=1e-5)
    both = [store.get(include=["embeddings"])["embeddings"] for store in stores]
    assert np.allclose(*both, atol=1e-6)
    assert ids_of(ours.similarity_search("R123-78", k=1)) == ["pump"]
    assert ids_of(await ours.asimilarity_search("R123-78", k=1)) == ["pump"]
    # Each reads what the other has written.
    other = HybridChroma(plain._collection_name)
    assert ids_of(other.similarity_search("the cat sleeps", k=1, mode="vector")) == ["cat"]
    retriever = ChromaHybridRetriever(vectorstore=plain)
    assert ids_of(retriever.invoke("R123-79", k=1)) == ["valve"]


def test_without_the_model_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", tmp_path / "none")
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "MODEL_DOWNLOAD_URL", "http://127.0.0.1:9/model")
    store = HybridChroma(fresh_name())
    with pytest.raises(EmbeddingError) as caught:
        store.add_texts(["a pump"])
    said = str(caught.value)
    for words in ("embedding_function", "all-MiniLM-L6-v2", str(tmp_path), "network", "lexical"):
        assert words in said
    assert store.get()["ids"] == []


# Settings of a store, and its retrievers

OWN = {
    "mode": "lexical", "weights": [0.9, 0.1], "fusion": "min_max", "c": 7.0, "fetch_k": 33,
    "query_syntax": "simple", "on_leg_error": "degrade",
}  # fmt: skip


@pytest.mark.parametrize("make", RETRIEVERS)
@pytest.mark.parametrize("name", OWN)
def test_a_retriever_goes_by_the_settings_of_its_store(make, name):
    store = make_store(**{name: OWN[name]})
    assert getattr(RETRIEVERS[make](store), name) == OWN[name]
    other = {"mode": "vector", "weights": None, "fusion": "rrf", "c": 60.0, "fetch_k": None,
             "query_syntax": "plain", "on_leg_error": "raise"}[name]  # fmt: skip
    assert getattr(RETRIEVERS[make](store, **{name: other}), name) == other


@pytest.mark.parametrize("make", RETRIEVERS)
def test_it_finds_what_the_store_finds(make):
    store = filled(mode="lexical", query_syntax="simple")
    assert ids_of(RETRIEVERS[make](store).invoke("+maple -cat")) == ["leaves"]


async def test_as_retriever_takes_both_kinds_of_options(store):
    retriever = store.as_retriever(
        k=3, mode="lexical", base_filter={"tenant": "a"}, search_kwargs={"filter": {"year": 2022}}
    )
    assert isinstance(retriever, VectorStoreRetriever)
    assert isinstance(retriever, ChromaHybridRetriever)
    assert ids_of(retriever.invoke("pump")) == ["pump"]
    assert ids_of(await retriever.ainvoke("pump")) == ["pump"]
    assert retriever.tags == ["HybridChroma", "WordEmbeddings"]
    with pytest.raises(InvalidArgumentError, match="base_filter"):
        retriever.invoke("pump", base_filter={"tenant": "b"})
    with pytest.raises(InvalidArgumentError, match="base_filter"):
        store.as_retriever(search_kwargs={"base_filter": {"tenant": "b"}})
    assert retriever.add_documents([Document("a whale", metadata={"tenant": "b"})])
    assert ids_of(retriever.invoke("whale", filter=None)) == []


class Reversed:
    def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
        return [float(n) for n in range(len(pairs))]


def test_as_retriever_takes_a_reranker(store):
    plain = store.as_retriever(k=20, mode="vector").invoke(QUERY)
    found = store.as_retriever(k=20, mode="vector", reranker=Reversed()).invoke(QUERY)
    assert ids_of(found) == ids_of(plain)[::-1]


@pytest.mark.parametrize("given", [{"mod": 1}, {"search_kwargs": {"mod": 1}}])
def test_unknown_names_never_vanish(store, given):
    with pytest.raises(UnknownArgumentError, match="mod"):
        store.as_retriever(**given)


@pytest.mark.parametrize("kwargs", [{"k": 2}, {"k": 3, "fetch_k": 2}, {"k": 2, "fetch_k": 8}, {}])
async def test_mmr_is_the_stores(store, kwargs):
    expected = ids_of(store.max_marginal_relevance_search(QUERY, **kwargs))
    retriever = store.as_retriever(search_type="mmr", search_kwargs=kwargs)
    assert ids_of(retriever.invoke(QUERY)) == expected
    assert ids_of(await retriever.ainvoke(QUERY)) == expected
    assert retriever.explain(QUERY).hits
    with pytest.raises(UnknownArgumentError, match="lambda_mult"):
        retriever.search(QUERY, lambda_mult=0.1)


@pytest.mark.parametrize("fetch_k", [1, 2, 3, 20])
def test_mmr_with_little_to_choose_from_gives_what_chroma_gives(store, chroma, fetch_k):
    vector = store.embeddings.embed_query(QUERY)
    expected = chroma.max_marginal_relevance_search(QUERY, k=4, fetch_k=fetch_k)
    found = store.max_marginal_relevance_search(QUERY, k=4, fetch_k=fetch_k, mode="vector")
    near = store.max_marginal_relevance_search_by_vector(vector, k=4, fetch_k=fetch_k)
    assert sorted(ids_of(found)) == sorted(ids_of(near)) == sorted(ids_of(expected))


async def test_its_fields_can_be_changed_as_langchains(store):
    retriever = store.as_retriever(search_kwargs={"k": 1}, base_filter={"tenant": "a"})
    retriever.search_kwargs = {"k": 2}
    assert len(retriever.invoke(QUERY)) == 2
    retriever.search_kwargs["k"] = 3
    assert len(await retriever.ainvoke(QUERY)) == 3
    for name, value in (("search_type", "hybrid"), ("k", 0), ("base_filter", {"tenant": "b"})):
        with pytest.raises(InvalidArgumentError, match=name):
            setattr(retriever, name, value)
    field = {"search_kwargs": ConfigurableField(id="kwargs")}
    config = {"configurable": {"kwargs": {"k": 1}}}
    assert len(retriever.configurable_fields(**field).invoke(QUERY, config)) == 1


def test_one_threshold_by_option_or_by_search_kwargs(store):
    kind = "similarity_score_threshold"
    for least in (0.0, 0.5, 1.0):
        by_kwargs = store.as_retriever(search_type=kind, search_kwargs={"score_threshold": least})
        by_option = store.as_retriever(search_type=kind, score_threshold=least)
        pairs = store.similarity_search_with_relevance_scores(QUERY, score_threshold=least)
        assert by_kwargs.invoke(QUERY) == by_option.invoke(QUERY) == [doc for doc, _ in pairs]


@pytest.mark.parametrize("make", RETRIEVERS)
async def test_the_same_methods_on_store_and_retriever(make):
    store = filled()
    retriever = RETRIEVERS[make](store)
    for each in (store, retriever):
        for found in (each.explain(QUERY), each.search(QUERY)):
            assert isinstance(found, SearchResult)
            assert found.hits[0].legs
            assert [hit.id for hit in found.hits] == ids_of(retriever.invoke(QUERY))
        assert each.highlight("pump", Document("the pumps")) == [(4, 9)]
        assert {key.name for key in each.describe().keys} == {"tenant", "year"}
        store._client.get_collection(store._collection_name).upsert(
            ids=["new"], documents=["a grey whale"], embeddings=[[0.1] * 64]
        )
        each.sync(deep=True)
        assert each.verify(fix=True).ok
        assert each.rebuild().added == len(CORPUS) + 1
    retriever.close()
    assert ids_of(retriever.invoke("whale", k=1, mode="lexical")) == ["new"]
    store.close()


def test_explain_is_an_option_and_a_method(store):
    retriever = store.as_retriever(explain=True)
    assert "chroma_hybrid_explanation" in retriever.invoke(QUERY)[0].metadata
    assert "chroma_hybrid_explanation" not in retriever.invoke(QUERY, explain=False)[0].metadata
    silent = retriever.model_copy(update={"explain": False})
    assert "chroma_hybrid_explanation" not in silent.invoke(QUERY)[0].metadata
    chosen = silent.configurable_fields(explain=ConfigurableField(id="explain"))
    found = chosen.invoke(QUERY, {"configurable": {"explain": True}})
    assert "chroma_hybrid_explanation" in found[0].metadata
    assert retriever.explain(QUERY).hits


# Scores


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
async def test_a_score_function_without_a_say_warns_once(mode):
    store = filled(relevance_score_fn=lambda d: 0.25, mode=mode)
    with pytest.warns(ChromaHybridWarning, match="relevance_score_fn"):
        store.similarity_search_with_relevance_scores(QUERY)
    assert issubclass(ChromaHybridWarning, UserWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.similarity_search_with_relevance_scores(QUERY)
        await store.asimilarity_search_with_relevance_scores(QUERY)
        filled(relevance_score_fn=lambda d: 0.25).similarity_search(QUERY)
        used = filled(relevance_score_fn=lambda d: 0.25, mode="vector")
        assert used.similarity_search_with_relevance_scores(QUERY, k=1)[0][1] == 0.25


def test_a_threshold_is_of_the_score_function_where_that_counts():
    store = filled(relevance_score_fn=lambda d: 0.25, mode="vector")
    for least, count in ((0.2, 4), (0.3, 0)):
        retriever = store.as_retriever(
            search_type="similarity_score_threshold", search_kwargs={"score_threshold": least}
        )
        assert len(retriever.invoke(QUERY)) == count


# Filters


@pytest.mark.parametrize(
    "where",
    [
        {"tenant": "a", "year": 2022},
        {"year": {"$gt": 2021, "$lt": 2024}},
        {"$and": [{"tenant": "a"}]},
        {"tenant": {"$in": ("a", "b")}, "#document": {"$contains": "pump"}},
    ],
)
def test_get_reads_filters_as_searches_do(store, where):
    found = store.similarity_search(QUERY, k=20, filter=where, mode="vector")
    assert sorted(store.get(where=where)["ids"]) == sorted(ids_of(found))
    assert store.get(where=where)["ids"] != []
    some = store.get(["pump", "cat"], where, 1, 0, {"$contains": "pump"}, ["documents"])
    assert some["metadatas"] is None


@pytest.mark.parametrize("name", ["filter", "where_document"])
async def test_an_empty_filter_is_none(store, chroma, name):
    expected = ids_of(store.similarity_search(QUERY, k=20))
    empty: dict[str, Any] = {name: {}}
    assert ids_of(store.similarity_search(QUERY, k=20, **empty)) == expected
    for make in RETRIEVERS.values():
        assert ids_of(make(store, k=20, **empty).invoke(QUERY)) == expected
        assert ids_of(await make(store, k=20).ainvoke(QUERY, **empty)) == expected
    assert len(store.get(where={}, where_document={})["ids"]) == len(CORPUS)
    vector = store.embeddings.embed_query(QUERY)
    assert len(store.similarity_search_by_vector(vector, 20, **empty)) == len(CORPUS)
    assert len(ChromaHybridRetriever(vectorstore=chroma, k=20, **empty).invoke(QUERY)) == 8


@pytest.mark.parametrize("base", [{"base_filter": {}}, {"base_where_document": {}}])
def test_an_empty_base_filter_is_an_error(store, base):
    for make in RETRIEVERS.values():
        with pytest.raises(FilterError, match=next(iter(base))):
            make(store, **base)
    with pytest.raises(InvalidArgumentError, match="ids"):
        store.delete(where={})
    assert store._collection.count() == len(CORPUS)


# Copies

COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_a_store_shares_what_is_open(folder, how):
    store = filled(folder)
    other = COPIES[how](store)
    assert type(other) is HybridChroma
    assert other is not store
    assert other._handle is store._handle
    other.add_texts(["a grey whale"], ids=["new"])
    assert ids_of(store.similarity_search("whale", k=1)) == ["new"]
    store.reset_collection()
    assert other.similarity_search("whale") == []
    other.add_texts(["a grey whale"], ids=["new"])
    assert ids_of(store.similarity_search("whale", k=1)) == ["new"]
    other.close()
    assert ids_of(store.similarity_search("whale", k=1)) == ["new"]


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_may_have_other_embeddings(store, how):
    from langchain_chroma_hybrid.testing import WordEmbeddings

    other = COPIES[how](store)
    other._embedding_function = WordEmbeddings()
    assert other.similarity_search(QUERY) == store.similarity_search(QUERY)
    assert other._handle.embeddings is not store._handle.embeddings


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", RETRIEVERS)
def test_a_copy_of_a_retriever_shares_the_store(store, make, how):
    retriever = RETRIEVERS[make](store, k=2, base_filter={"tenant": "a"}, filter={"year": 2022})
    other = COPIES[how](retriever)
    assert type(other) is type(retriever)
    assert other.vectorstore is store
    assert other.invoke(QUERY) == retriever.invoke(QUERY) != []


def test_a_deep_copy_has_search_kwargs_of_its_own(store, chroma):
    retriever = store.as_retriever(search_kwargs={"k": 2, "filter": {"tenant": "a"}})
    other = copy.deepcopy(retriever)
    other.search_kwargs["k"] = 1
    other.search_kwargs["filter"]["tenant"] = "b"
    assert retriever.search_kwargs == {"k": 2, "filter": {"tenant": "a"}}
    plain = copy.deepcopy(ChromaHybridRetriever.from_vectorstore(chroma))
    assert ids_of(plain.invoke("R123-78", k=1)) == ["pump"]
    assert plain.vectorstore is chroma


def test_plain_chroma_may_be_searched_by_a_retriever_of_each_kind():
    chroma = plain_chroma()
    assert ChromaHybridRetriever.from_vectorstore(chroma).search(QUERY).hits


def test_what_signatures_name_has_a_public_home(store):
    from langchain_chroma_hybrid import Hit, LexicalConfig, LexicalIndex, TantivyIndex

    found = store.explain(QUERY)
    assert isinstance(found.hits[0], Hit)
    assert isinstance(store.lexical_config, LexicalConfig)
    assert isinstance(TantivyIndex(), LexicalIndex)
