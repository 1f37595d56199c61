"""What cannot be used gives one clear error of ours, or a sane result; nothing is lost."""

from __future__ import annotations

import gc
import json
import math
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2
from langchain_core.documents import Document

from langchain_chroma_hybrid import (
    ChromaHybridError,
    ChromaHybridRetriever,
    HybridChroma,
    TantivyIndex,
)
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    CollectionError,
    EmbeddingError,
    FilterError,
    IndexFormatError,
    InvalidArgumentError,
    LexicalIndexError,
    UnknownArgumentError,
)
from tests.helpers import (
    CORPUS,
    COSINE,
    MODES,
    FaultyEmbeddings,
    WordEmbeddings,
    filled,
    fresh_name,
    ids_of,
    make_store,
    no_vector,
    not_a_number,
    one_short,
)

if TYPE_CHECKING:
    from pathlib import Path

QUERY = "red pump"
# A name, a bad value, and what the message has to say beside the name.
BAD_VALUES = [
    ("k", 0, "1.*0"),
    ("k", -1, "1.*-1"),
    ("k", "4", "'4'"),
    ("k", True, "True"),
    ("k", 2.5, "2.5"),
    ("fetch_k", 0, "1.*0"),
    ("fetch_k", "20", "'20'"),
    ("mode", "fuzzy", "two_step.*fuzzy"),
    ("fusion", "sum", "rrf.*sum"),
    ("query_syntax", "lucene", "simple.*lucene"),
    ("on_leg_error", "ignore", "degrade.*ignore"),
    ("c", -1, "0.*-1"),
    ("c", math.nan, "nan"),
    ("score_threshold", 1.5, "1.5"),
    ("score_threshold", "0.5", "'0.5'"),
    ("dedupe_key", 3, "3"),
    ("weights", (1,), "2 numbers.*1"),
    ("weights", (1, 2, 3), "2 numbers.*3"),
    ("weights", (1, -1), "-1"),
    ("weights", (1, math.nan), "nan"),
    ("weights", (1, math.inf), "inf"),
    ("weights", (0, 0), "above 0"),
    ("weights", {"lexical": 0, "vector": 0}, "above 0"),
    ("weights", {"bm25": 1}, "lexical.*vector.*|bm25"),
    ("weights", "ab", "ab"),
    ("weights", 0.5, "0.5"),
    ("filter", {"tenant": {"$like": "a"}}, r"\$like"),
    ("filter", {"$nor": [{"a": 1}]}, r"\$nor"),
    ("filter", {"tenant": {"$in": "a"}}, "'a'"),
    ("filter", {"$or": {"a": 1}}, "list"),
    ("filter", {"tenant": None}, "None"),
    ("filter", {"$and": [{}]}, "non-empty"),
    ("filter", "tenant = a", "dict"),
    ("where_document", {"$contains": ""}, "non-empty"),
    ("where_document", {"$has": "x"}, r"\$has"),
    ("where_document", {"tenant": "a"}, "tenant"),
]


def shown(name):
    """Chroma's searches say `filter` for what Chroma says `where`."""
    return "where|filter" if name == "filter" else name


@pytest.mark.parametrize(("name", "value", "says"), BAD_VALUES)
async def test_bad_values_of_a_call(store, name, value, says):
    options = {name: value}
    retriever = ChromaHybridRetriever(vectorstore=store)
    for call in (
        lambda: store.similarity_search(QUERY, **options),
        lambda: store.similarity_search_with_score(QUERY, **options),
        lambda: store.explain(QUERY, **options),
        lambda: store.similarity_search_with_vectors(QUERY, **options),
        lambda: store.as_retriever(search_kwargs=options).invoke(QUERY),
        lambda: retriever.invoke(QUERY, **options),
        lambda: retriever.search(QUERY, **options),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^({shown(name)}).*({says})"):
            call()
    for coroutine in (
        store.asimilarity_search(QUERY, **options),
        store.asimilarity_search_with_score(QUERY, **options),
        retriever.ainvoke(QUERY, **options),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^({shown(name)})"):
            await coroutine


@pytest.mark.parametrize(("name", "value", "says"), BAD_VALUES)
def test_bad_values_of_a_constructor(store, name, value, says):
    with pytest.raises(InvalidArgumentError, match=f"^({shown(name)})"):
        ChromaHybridRetriever(vectorstore=store, **{name: value})
    if name in ("mode", "weights", "fusion", "c", "fetch_k", "query_syntax", "on_leg_error"):
        with pytest.raises(InvalidArgumentError, match=f"^{name}.*({says})"):
            HybridChroma(fresh_name(), WordEmbeddings(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("lambda_mult", -0.1), ("lambda_mult", 1.5), ("lambda_mult", math.nan), ("lambda_mult", "1"),
     ("fetch_k", 0), ("fetch_k", "20"), ("fetch_k", None), ("k", 0), ("k", "4")],
)  # fmt: skip
def test_bad_values_of_mmr(store, name, value):
    vector = WordEmbeddings().embed_query(QUERY)
    with pytest.raises(InvalidArgumentError, match=f"^{name}"):
        store.max_marginal_relevance_search(QUERY, **{name: value})
    with pytest.raises(InvalidArgumentError, match=f"^{name}"):
        store.max_marginal_relevance_search_by_vector(vector, **{name: value})


async def test_unknown_keywords_raise_and_say_what_is_known(store):
    retriever = ChromaHybridRetriever(vectorstore=store)
    vector = WordEmbeddings().embed_query(QUERY)
    for call in (
        lambda: HybridChroma(fresh_name(), WordEmbeddings(), mod="hybrid"),
        lambda: HybridChroma.from_texts(["x"], WordEmbeddings(), mod="hybrid"),
        lambda: ChromaHybridRetriever(vectorstore=store, mod="hybrid"),
        lambda: ChromaHybridRetriever.from_vectorstore(store, mod="hybrid"),
        lambda: retriever.invoke(QUERY, mod="hybrid"),
        lambda: retriever.batch([QUERY], mod="hybrid"),
        lambda: retriever.search(QUERY, mod="hybrid"),
        lambda: retriever.model_copy(update={"mod": "hybrid"}),
        lambda: store.similarity_search(QUERY, mod="hybrid"),
        lambda: store.similarity_search_with_score(QUERY, mod="hybrid"),
        lambda: store.similarity_search_with_relevance_scores(QUERY, mod="hybrid"),
        lambda: store.similarity_search_with_vectors(QUERY, mod="hybrid"),
        lambda: store.similarity_search_by_vector(vector, mod="hybrid"),
        lambda: store.max_marginal_relevance_search(QUERY, mod="hybrid"),
        lambda: store.search(QUERY, "similarity", mod="hybrid"),
        lambda: store.explain(QUERY, mod="hybrid"),
        lambda: store.as_retriever(search_kwargs={"mod": "hybrid"}).invoke(QUERY),
        lambda: store.add_texts(["x"], mod="hybrid"),
        lambda: store.add_documents([Document("x")], mod="hybrid"),
        lambda: store.delete(["x"], mod="hybrid"),
    ):
        with pytest.raises(UnknownArgumentError, match=r"mod\b.*knows: .*\w"):
            call()
    for coroutine in (
        store.asimilarity_search(QUERY, mod="hybrid"),
        store.aadd_texts(["x"], mod="hybrid"),
        retriever.ainvoke(QUERY, mod="hybrid"),
    ):
        with pytest.raises(UnknownArgumentError, match="mod"):
            await coroutine
    assert store._collection.count() == len(CORPUS)


# Queries never raise.

WORDS = "".join(f"pump{i} " for i in range(105_000))
QUERIES = {
    "empty": "",
    "blank": " \t\n\u3000",
    "surrogate": "red \ud800 pump \udfff",
    "nul": "red\0pump\0",
    "controls": "\x01\x1b[31m\u202e pump",
    "syntax": '+"-( AND pump* ~~ : ^ \\ [',
    "repeated 1 MB": "pump " * 210_000,
    "distinct 1 MB": WORDS,
    "one word of 1 MB": "p" * 1_050_000,
}


@pytest.mark.parametrize("syntax", ["plain", "simple"])
@pytest.mark.parametrize("kind", QUERIES)
def test_no_query_text_raises(store, kind, syntax):
    query = QUERIES[kind]
    assert "MB" not in kind or len(query) > 1_000_000
    for mode in MODES if len(query) < 100 else ("lexical", "hybrid"):
        found = store.similarity_search(query, k=8, mode=mode, query_syntax=syntax)
        if kind in ("empty", "blank"):
            assert len(found) == 8
        if kind in ("surrogate", "nul", "controls", "repeated 1 MB") and syntax == "plain":
            assert {"pump", "water", "manual"} <= set(ids_of(found))


async def test_odd_queries_through_the_other_doors(store):
    retriever = ChromaHybridRetriever(vectorstore=store, explain=True)
    for kind in ("empty", "blank", "surrogate", "nul", "controls", "syntax"):
        query = QUERIES[kind]
        assert retriever.invoke(query) == await retriever.ainvoke(query)
        store.max_marginal_relevance_search(query)
        store.similarity_search_with_score(query)
        store.similarity_search_with_relevance_scores(query, score_threshold=0.5)
        await store.asimilarity_search(query)


@pytest.mark.parametrize("query", [None, 3, b"pump", ["pump"]])
def test_a_query_that_is_no_text(store, query):
    for mode in MODES:
        with pytest.raises(InvalidArgumentError, match=r"^query"):
            store.similarity_search(query, mode=mode)


# Collections with little in them.


def test_an_empty_collection(folder):
    store = make_store(folder)
    for mode in MODES:
        assert store.similarity_search(QUERY, mode=mode) == []
        assert store.similarity_search_with_score(QUERY, mode=mode, filter={"a": 1}) == []
        assert store.max_marginal_relevance_search(QUERY, mode=mode) == []
    assert store.add_texts([]) == store.add_documents([]) == []
    assert store.verify().ok
    store.delete(["unknown"])
    store.delete(where={"a": 1})


def test_a_collection_without_documents(folder):
    store = make_store(folder)
    vectors = [WordEmbeddings().embed_query(text) for text in ("red pump", "blue whale")]
    store._collection.add(ids=["x", "y"], embeddings=vectors, metadatas=[{"n": 1}, {"n": 2}])
    assert ids_of(store.similarity_search(QUERY, k=1)) == ["x"]
    assert ids_of(store.similarity_search(QUERY, filter={"n": 2})) == ["y"]
    assert store.similarity_search(QUERY, mode="lexical") == []
    assert store.verify().ok


BESIDE = [{"analyzer": "german"}, {"analyzer": None}, {"lexical_fields": {"title": 2.0}}]


@pytest.mark.parametrize("option", [*BESIDE, {"lexical_directory": "elsewhere"}])
def test_an_index_of_ones_own_leaves_nothing_to_say_about_it(chroma, option):
    (name,) = option
    with pytest.raises(InvalidArgumentError, match=rf"^{name}.*lexical"):
        make_store(lexical=TantivyIndex(), **option)
    with pytest.raises(InvalidArgumentError, match=rf"^{name}.*lexical"):
        ChromaHybridRetriever.from_vectorstore(chroma, lexical=TantivyIndex(), **option)


def test_a_vector_has_no_text_for_another_mode(store):
    vector = WordEmbeddings().embed_query(QUERY)
    searches = [
        store.similarity_search_by_vector,
        store.similarity_search_by_vector_with_relevance_scores,
        store.max_marginal_relevance_search_by_vector,
    ]
    for search in searches:
        assert search(vector, mode="hybrid") == search(vector)
        for mode in ("lexical", "two_step", None):
            with pytest.raises(InvalidArgumentError, match=r"^mode.*no query text"):
                search(vector, mode=mode)


def test_a_deleted_collection():
    store = filled()
    retriever = ChromaHybridRetriever(vectorstore=store)
    assert retriever.invoke(QUERY)
    store.delete_collection()
    for call in (lambda: retriever.invoke(QUERY), lambda: store.similarity_search(QUERY)):
        # Plain Chroma raises a ValueError.
        for kind in (CollectionError, ValueError):
            with pytest.raises(kind, match=r"(?i)collection"):
                call()


def test_a_collection_that_somebody_else_deleted(store):
    store.similarity_search(QUERY)
    store._client.delete_collection(store._collection.name)
    with pytest.raises(CollectionError, match="gone"):
        store.similarity_search(QUERY)
    with pytest.raises(CollectionError, match="gone"):
        store.add_texts(["one"])
    store._chroma_collection = None


# What is written.

TEXT_ERRORS = [
    ({"texts": ["fine", "bad \ud800"]}, r"texts\[1\].*UTF-8"),
    ({"texts": ["fine", None]}, r"texts\[1\].*None"),
    ({"texts": ["fine", b"bytes"]}, r"texts\[1\].*bytes"),
    ({"texts": "one text"}, "texts.*a str of length 8"),
    ({"ids": ["x", "x"]}, "ids.*'x'"),
    ({"ids": ["x", ""]}, r"ids\[1\].*non-empty"),
    ({"ids": ["x", 3]}, r"ids\[1\].*3"),
    ({"ids": ["x", "\udc80"]}, r"ids\[1\].*UTF-8"),
    ({"ids": ["x"]}, "ids.*2"),
    ({"ids": "xy"}, "ids.*a str of length 2"),
    ({"metadatas": [{}, {}, {}]}, "metadatas.*3"),
    ({"metadatas": [{"a": 1}, "b"]}, r"metadatas\[1\].*a str of length 1"),
    ({"metadatas": [{}, {"a": ["b", None]}]}, r"metadatas\[1\]\['a'\].*None"),
    ({"metadatas": [{}, {"a": {"b": 1}}]}, r"metadatas\[1\]\['a'\].*filter_complex_metadata"),
    ({"metadatas": [{}, {"a": math.nan}]}, r"metadatas\[1\]\['a'\].*nan"),
    ({"metadatas": [{}, {"a": math.inf}]}, r"metadatas\[1\]\['a'\].*inf"),
    ({"metadatas": [{}, {"a": [1.0, math.nan]}]}, r"metadatas\[1\]\['a'\].*nan"),
    ({"metadatas": [{}, {"a": [1, "b"]}]}, r"metadatas\[1\]\['a'\]"),
    ({"metadatas": [{}, {"a": []}]}, r"metadatas\[1\]\['a'\]"),
    ({"metadatas": [{}, {"a": [["b"]]}]}, r"metadatas\[1\]\['a'\]"),
    ({"metadatas": [{}, {"a": 2**63}]}, r"metadatas\[1\]\['a'\].*64"),
    ({"metadatas": [{}, {3: "a"}]}, r"metadatas\[1\].*3"),
    ({"metadatas": [{}, {"": "a"}]}, r"metadatas\[1\].*non-empty"),
    ({"metadatas": [{}, {"a": "\ud800"}]}, r"metadatas\[1\]\['a'\].*UTF-8"),
    ({"metadatas": [{}, {"\ud800": "a"}]}, r"metadatas\[1\].*UTF-8"),
    ({"metadatas": [{}, {"chroma:document": "a"}]}, r"metadatas\[1\].*chroma:"),
    ({"metadatas": [{}, {"chroma:page": 1}]}, r"metadatas\[1\].*chroma:"),
    ({"metadatas": [{}, {"a": np.float64("nan")}]}, r"metadatas\[1\]\['a'\].*nan"),
]


@pytest.mark.parametrize(("given", "says"), TEXT_ERRORS)
async def test_what_cannot_be_stored_is_named_and_nothing_is_written(store, given, says):
    before = store.get()
    columns = {"texts": ["one whale", "two whales"], **given}
    with pytest.raises(InvalidArgumentError, match=says):
        store.add_texts(**columns)
    with pytest.raises(InvalidArgumentError, match=says):
        await store.aadd_texts(**columns)
    assert store.get() == before
    assert store.similarity_search("whale", mode="lexical") == []
    assert store.verify().ok


def test_nul_bytes_are_kept_and_found(store):
    (added,) = store.add_texts(["a grey\0whale"], [{"k\0ey": "v\0alue"}], ["i\0d"])
    assert added == "i\0d"
    (kept,) = store.get_by_ids(["i\0d"])
    assert (kept.page_content, kept.metadata) == ("a grey\0whale", {"k\0ey": "v\0alue"})
    assert ids_of(store.similarity_search("whale", mode="lexical")) == ["i\0d"]
    for mode in MODES:
        where = {"k\0ey": "v\0alue"}
        assert ids_of(store.similarity_search("whale", filter=where, mode=mode)) == ["i\0d"]
    store.delete(["i\0d"])
    assert store.similarity_search("whale", mode="lexical") == []


def test_updates_are_checked_too(store):
    before = store.get()
    for ids, documents in (
        (["pump"], []),
        (["pump", "pump"], [Document("x"), Document("y")]),
        (["pump"], [Document("x", metadata={"a": [None]})]),
        (["pump"], [Document("\ud800")]),
    ):
        with pytest.raises(InvalidArgumentError):
            store.update_documents(ids, documents)
    assert store.get() == before
    store.update_documents(["unknown"], [Document("a whale")])
    assert store.get() == before
    assert store.similarity_search("whale", mode="lexical") == []


def test_deleting_needs_something_to_go_by(store):
    for options in ({}, {"ids": None}, {"where": None}):
        with pytest.raises(InvalidArgumentError, match=r"^ids"):
            store.delete(**options)
    with pytest.raises(FilterError):
        store.delete(where={"tenant": {"$like": "a"}})
    for limit, options in ((1, {"ids": ["pump"]}), (0, {"where": {"tenant": "a"}})):
        with pytest.raises(InvalidArgumentError, match=r"^limit"):
            store.delete(limit=limit, **options)
    store.delete([])
    assert store._collection.count() == len(CORPUS)


# Embeddings.


@pytest.mark.parametrize("fault", [no_vector, not_a_number, lambda v: v[:-1], lambda v: None])
async def test_faulty_vectors_of_documents_are_not_written(store, fault):
    store._embedding_function = FaultyEmbeddings(fault)
    before = store.get()
    with pytest.raises(EmbeddingError, match="embedding"):
        store.add_texts(["one whale", "two whales"])
    with pytest.raises(EmbeddingError, match="embedding"):
        await store.aadd_texts(["one whale", "two whales"])
    assert store.get() == before
    assert store.verify().ok


def test_vectors_of_another_length_than_the_collections(store):
    store._embedding_function = FaultyEmbeddings(one_short)
    before = store.get()
    with pytest.raises(EmbeddingError, match=r"64.*63|63.*64"):
        store.add_texts(["one whale", "two whales"])
    assert store.get() == before
    assert store.verify().ok
    for where in (None, {"tenant": "a"}):
        with pytest.raises(EmbeddingError, match=r"64.*63|63.*64"):
            store.similarity_search("red pump", filter=where)
        with pytest.raises(EmbeddingError, match=r"64.*63|63.*64"):
            store.similarity_search("red pump", filter=where, mode="two_step")
        with pytest.raises(EmbeddingError, match=r"64.*63|63.*64"):
            store.similarity_search_by_vector([0.5] * 63, filter=where)
    assert ids_of(store.similarity_search("R123-78", mode="lexical", k=1)) == ["pump"]


@pytest.mark.parametrize("vector", [[math.nan] * 64, [math.inf] * 64, [], None, "x", [["x"]]])
def test_faulty_vectors_of_queries(store, vector):
    class Faulty(WordEmbeddings):
        def embed_query(self, text):
            return vector

    store._embedding_function = Faulty()
    for where in (None, {"tenant": "a"}):
        for mode in ("hybrid", "vector", "two_step"):
            with pytest.raises(EmbeddingError, match="embedding"):
                store.similarity_search(QUERY, mode=mode, filter=where)
        with pytest.raises(InvalidArgumentError, match=r"embedding|query"):
            store.similarity_search_by_vector(vector, filter=where)
        with pytest.raises(EmbeddingError, match="embedding"):
            store.max_marginal_relevance_search(QUERY, filter=where)


def test_no_embedding_function(store, tmp_path, monkeypatch):
    store._embedding_function = None
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", tmp_path)
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "MODEL_DOWNLOAD_URL", "http://127.0.0.1:9/model")
    with pytest.raises(EmbeddingError, match="embedding_function"):
        store.similarity_search(QUERY)
    with pytest.raises(EmbeddingError, match="embedding_function"):
        store.add_texts(["a whale"])
    with pytest.raises(InvalidArgumentError, match="embedding_function"):
        store.update_documents(["pump"], [Document("x")])
    with pytest.raises(InvalidArgumentError, match="embedding_function"):
        store.similarity_search_by_image("picture.png")
    assert store.similarity_search("R123-78", mode="lexical")


# The index on disk.


def damaged(tmp_path, damage, **options):
    """A store on disk, closed, its index folder damaged, opened again."""
    store = filled(tmp_path)
    store.similarity_search(QUERY)
    name, kept = store._collection.name, store.get()
    (folder,) = (tmp_path / "lexical").iterdir()
    del store
    gc.collect()
    damage(folder)
    settings = {"collection_configuration": COSINE, "persist_directory": str(tmp_path)}
    return HybridChroma(name, WordEmbeddings(), **settings, **options), kept


def remove(*patterns):
    def damage(folder: Path) -> None:
        for pattern in patterns:
            for path in list(folder.glob(pattern)):
                path.unlink()

    return damage


def cut_short(folder: Path) -> None:
    for path in folder.glob("*.store"):
        path.write_bytes(path.read_bytes()[:10])


def garble(folder: Path) -> None:
    (folder / "format.json").write_text("{", encoding="utf-8")


def newer(folder: Path) -> None:
    path = folder / "format.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "format": content["format"] + 1}), encoding="utf-8")


DAMAGES = {
    "no format": remove("format.json"),
    "no list of segments": remove("meta.json"),
    "no segments": remove("*.store", "*.term", "*.idx", "*.fast"),
    "a segment cut short": cut_short,
    "garbled format": garble,
    "newer version": newer,
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_index_says_so_and_rebuild_mends_it(tmp_path, kind):
    store, kept = damaged(tmp_path, DAMAGES[kind])
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)") as caught:
        store.similarity_search("pump")
    assert str(tmp_path) in str(caught.value)
    if kind == "newer version":
        assert "format 3" in str(caught.value)
        assert "format 2" in str(caught.value)
    with pytest.raises(LexicalIndexError):
        store.add_texts(["a whale"])
    assert store.get() == kept
    assert store.rebuild().added == len(CORPUS)
    assert store.verify().ok
    assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]
    assert store.get() == kept


@pytest.mark.parametrize("options", [{"analyzer": None}, {"lexical_fields": {"tenant": 2.0}}])
def test_another_analyzer_or_other_fields_say_so_and_rebuild_mends_it(tmp_path, options):
    store, kept = damaged(tmp_path, lambda folder: None, **options)
    with pytest.raises(AnalyzerMismatchError, match=r"rebuild\(\)"):
        store.similarity_search("pump")
    assert store.rebuild().added == len(CORPUS)
    assert store.verify().ok
    assert store.similarity_search("pump b", mode="lexical")
    assert store.get() == kept


def test_two_analyzers_at_once_in_one_process(store):
    store.similarity_search(QUERY)
    other = HybridChroma(store._collection.name, WordEmbeddings(), analyzer=None)
    with pytest.raises(AnalyzerMismatchError, match="one configuration"):
        other.similarity_search(QUERY)


def test_a_folder_that_cannot_be_made(tmp_path):
    """A file where the folder should be: permissions would not stop a superuser."""
    (tmp_path / "lexical").write_text("in the way")
    store = make_store(tmp_path)
    for call in (lambda: store.add_texts(["a whale"]), lambda: store.similarity_search(QUERY)):
        with pytest.raises(LexicalIndexError, match="lexical"):
            call()
    assert store._collection.count() == 0
    (tmp_path / "lexical").unlink()
    store.add_texts(["a whale"], ids=["x"])
    assert ids_of(store.similarity_search("whale", mode="lexical")) == ["x"]


def test_a_folder_that_vanishes_while_it_is_open(tmp_path):
    store = filled(tmp_path)
    assert store.similarity_search("pump", mode="lexical")
    shutil.rmtree(tmp_path / "lexical")
    with pytest.raises(LexicalIndexError, match=r"rebuild\(\)"):
        store.similarity_search("pump", mode="lexical")
    store.rebuild()
    assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"analyzer": "klingon"}, "language|analyzer"),
        ({"analyzer": 3}, "analyzer"),
        ({"lexical_fields": {}}, "lexical_fields"),
        ({"lexical_fields": {"title": -1}}, "lexical_fields"),
        ({"lexical_fields": {"title": "2"}}, "lexical_fields"),
    ],
)
def test_bad_lexical_settings(options, name):
    with pytest.raises(InvalidArgumentError, match=name):
        make_store(**options).similarity_search(QUERY)


def test_every_error_of_ours_has_one_base():
    for error in (
        AnalyzerMismatchError, CollectionError, EmbeddingError, FilterError, IndexFormatError,
        InvalidArgumentError, LexicalIndexError, UnknownArgumentError,
    ):  # fmt: skip
        assert issubclass(error, ChromaHybridError)
