"""What a LlamaIndex store over Chroma has to do: both faces alike, upstream's layout, bad input."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

pytest.importorskip("llama_index.core")
from llama_index.core import Settings
from llama_index.core.schema import (
    ImageNode,
    IndexNode,
    NodeRelationship,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.chroma import ChromaVectorStore

from langchain_chroma_hybrid import llama_index
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    EmbeddingError,
    FilterError,
    InvalidArgumentError,
    UnknownArgumentError,
)
from langchain_chroma_hybrid.llama_index import (
    ChromaHybridRetriever,
    ChromaHybridVectorStore,
    from_llama,
    to_llama,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from langchain_chroma_hybrid.testing.llama_suite import LlamaStoreSuite
from tests import helpers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chromadb.api.models.Collection import Collection

WORDS = WordEmbeddings()
MODEL = to_llama(WORDS)
EXPLANATION = "chroma_hybrid_explanation"


def nodes() -> list[TextNode]:
    found = []
    for id_, text, metadata in helpers.CORPUS:
        source = RelatedNodeInfo(node_id=f"doc-{metadata['tenant']}")
        node = TextNode(id_=id_, text=text, metadata=dict(metadata, note=None))
        node.relationships[NodeRelationship.SOURCE] = source
        node.excluded_llm_metadata_keys = ["year"]
        node.embedding = WORDS.embed_query(text)
        found.append(node)
    return found


@pytest.fixture
def collection() -> Iterator[Collection]:
    client = chromadb.EphemeralClient()
    name = helpers.fresh_name()
    yield client.create_collection(name, configuration={"hnsw": {"space": "cosine"}})
    client.delete_collection(name)


@pytest.fixture
def store(collection: Collection) -> ChromaHybridVectorStore:
    store = ChromaHybridVectorStore(collection, embed_model=MODEL)
    store.add(nodes())
    return store


def asked(mode: str = "hybrid", text: str | None = "the pump R123-78", **more: Any) -> Any:
    options = {"similarity_top_k": 5, **more}
    return VectorStoreQuery(query_str=text, mode=VectorStoreQueryMode(mode), **options)


def only(key: str, value: Any, operator: str = "==") -> MetadataFilters:
    part = MetadataFilter(key=key, value=value, operator=FilterOperator(operator))
    return MetadataFilters(filters=[part])


class TestSuite(LlamaStoreSuite):
    """The suite that comes with the package."""

    @pytest.fixture
    def empty(self, collection: Collection) -> ChromaHybridVectorStore:
        return ChromaHybridVectorStore(collection)


# Queries


MODES = {"default": "vector", "text_search": "lexical", "sparse": "lexical", "hybrid": "hybrid",
         "semantic_hybrid": "two_step"}  # fmt: skip


def test_the_top_ks_are_what_they_say(store: ChromaHybridVectorStore) -> None:
    assert len(store.query(asked(similarity_top_k=2)).ids or ()) == 2
    assert len(store.query(asked(similarity_top_k=2, hybrid_top_k=5)).ids or ()) == 5
    assert len(store.query(asked("sparse", sparse_top_k=1)).ids or ()) == 1
    words = store.query(asked("sparse")).ids
    assert words is not None
    few = store.query(asked(alpha=0.0, sparse_top_k=1, similarity_top_k=8)).ids
    assert few == words[:1]


def test_by_vector_it_is_chroma_vector_store(store: ChromaHybridVectorStore) -> None:
    theirs = ChromaVectorStore(chroma_collection=store.client)
    vector = WORDS.embed_query("the pump R123-78")
    for mode in ("default", "mmr"):
        query = asked(mode, query_embedding=vector, similarity_top_k=4)
        ours, other = store.query(query), theirs.query(query)
        assert ours.ids == other.ids
        assert ours.similarities == pytest.approx(other.similarities)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("prefetch", [{}, {"mmr_prefetch_k": 6}, {"mmr_prefetch_factor": 2.0}])
def test_mmr_is_that_of_chroma_vector_store(
    store: ChromaHybridVectorStore, threshold: float, prefetch: Any
) -> None:
    query = asked("mmr", query_embedding=WORDS.embed_query("water in the pump"), similarity_top_k=3)
    options = {"mmr_threshold": threshold, **prefetch}
    theirs = ChromaVectorStore(chroma_collection=store.client).query(query, **options)
    assert store.query(query, **options).ids == theirs.ids


def test_nodes_and_documents_limit_a_query(store: ChromaHybridVectorStore) -> None:
    for mode in MODES:
        among = ["pump", "cat", "river", "unknown"]
        query = asked(mode, "pump cat river", node_ids=among, filters=only("year", 2023))
        found = store.query(query)
        assert found.ids == ["cat"]
        found = store.query(asked(mode, "pump cat river", doc_ids=["doc-c"], similarity_top_k=9))
        assert "river" in (found.ids or ())
        assert set(found.ids or ()) <= {"river", "bank"}
        assert store.query(asked(mode, doc_ids=[])).ids == []
        assert len(store.query(asked(mode, node_ids=[])).ids or ()) > 0


# The layout


def kinds() -> list[Any]:
    vector = WORDS.embed_query("x")
    return [
        *nodes(),
        ImageNode(id_="image", text="a cat", image_path="/cat.png", embedding=vector),
        IndexNode(id_="index", text="see there", index_id="there", embedding=vector),
    ]


@pytest.mark.parametrize(
    ("writer", "reader"),
    [(ChromaVectorStore, ChromaHybridVectorStore), (ChromaHybridVectorStore, ChromaVectorStore)],
)
def test_what_one_has_written_the_other_reads(
    collection: Collection, writer: Any, reader: Any
) -> None:
    writer(chroma_collection=collection).add(kinds())
    query = asked("default", None, query_embedding=WORDS.embed_query("cat"), similarity_top_k=20)
    found = {node.node_id: node for node in reader(chroma_collection=collection).query(query).nodes}
    for node in kinds():
        node.embedding = None
        assert found[node.node_id].to_dict() == node.to_dict()


def test_the_rows_are_those_of_chroma_vector_store(collection: Collection) -> None:
    ChromaHybridVectorStore(collection).add(kinds())
    ours = collection.get()
    collection.delete(ours["ids"])
    ChromaVectorStore(chroma_collection=collection).add(kinds())
    assert collection.get() == ours


def test_what_others_wrote_is_text_and_metadata(collection: Collection) -> None:
    collection.add(
        ids=["plain", "bare", "picture"],
        embeddings=[WORDS.embed_query("x")] * 3,
        documents=["a plain text", "", "a red cat"],
        metadatas=[{"source": "s", "document_id": "d", "tags": ["x"]}, None, None],
    )
    collection.update(ids=["picture"], uris=["/pictures/cat.png"])
    found = {n.node_id: n for n in ChromaHybridVectorStore(collection).get_nodes()}
    assert found["plain"].get_content() == "a plain text"
    assert found["plain"].metadata == {"source": "s", "document_id": "d", "tags": ["x"]}
    assert isinstance(found["picture"], ImageNode)
    assert found["picture"].image_path == "/pictures/cat.png"


DAMAGED = ["{", "[]", "null", "1", '{"metadata": 5}', '{"relationships": {"9": 1}}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_node_is_rebuilt_with_one_warning(
    store: ChromaHybridVectorStore, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    changed: Any = [{"_node_content": content}]
    store.client.update(ids=["pump", "valve"], metadatas=changed * 2)
    found = {node.node_id: node for node in store.get_nodes()}
    assert found["pump"].get_content() == helpers.CORPUS[1][1]
    assert found["pump"].metadata == {"tenant": "a", "year": 2022, "note": ""}
    assert found["pump"].ref_doc_id == "doc-a"
    assert (store.query(asked("sparse", "R123-78")).ids or [])[0] == "pump"
    assert len([r for r in caplog.records if r.name.startswith("langchain_chroma_hybrid")]) == 1


def test_what_llama_index_wrote_before_it_wrote_whole_nodes(collection: Collection) -> None:
    info = {"node_info": json.dumps({"start": 1, "end": 5}), "ref_doc_id": "d", "x": 1}
    collection.add(
        ids=["early", "friend"],
        embeddings=[WORDS.embed_query("x")] * 2,
        documents=["an early text", "a text"],
        metadatas=[{**info, "relationships": json.dumps({"1": "d"})}, {"relationships": "none"}],
    )
    early, friend = ChromaHybridVectorStore(collection).get_nodes(["early", "friend"])
    (theirs,) = ChromaVectorStore(chroma_collection=collection).get_nodes(["early"])
    assert early == theirs
    assert early.ref_doc_id == "d"
    assert friend.metadata == {"relationships": "none"}


# Opening


def test_a_store_comes_back_from_what_it_says_of_itself(tmp_path: Path) -> None:
    store = ChromaHybridVectorStore.from_params(
        "docs", persist_dir=str(tmp_path), flat_metadata=False
    )
    node = TextNode(id_="n", text="a zebra", metadata={"tags": ["x", "y"]}, embedding=[1.0, 0.0])
    store.add([node])
    for again in (
        ChromaHybridVectorStore.from_dict(store.to_dict()),
        ChromaHybridVectorStore.from_json(store.to_json(), weights=(1, 0)),
    ):
        assert again.query(asked("sparse", "zebra")).ids == ["n"]
        assert again.get_nodes(filters=only("tags", "x", "contains"))[0].metadata == node.metadata
        again.add([node])
        again.close()
    assert copy.copy(store).get_nodes(["n"])
    with pytest.raises(TypeError, match="from_params"):
        pickle.dumps(store)
    store.close()
    of_object = ChromaHybridVectorStore(store.client).to_dict()
    with pytest.raises(InvalidArgumentError, match="collection_name"):
        ChromaHybridVectorStore.from_dict(of_object)
    again = ChromaHybridVectorStore.from_dict(of_object, chroma_collection=store.client)
    assert again.get_nodes(["n"])
    again.close()


@pytest.mark.parametrize("name", llama_index.__all__)
def test_without_llama_index_the_extra_is_named(name: str) -> None:
    code = f"""
import sys
sys.modules["llama_index.core"] = None
from langchain_chroma_hybrid.errors import MissingDependencyError
try:
    from langchain_chroma_hybrid.llama_index import {name}
except MissingDependencyError as error:
    assert "langchain-chroma-hybrid[llama-index]" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_constructors_of_chroma_vector_store(collection: Collection, tmp_path: Path) -> None:
    assert ChromaHybridVectorStore.from_collection(collection).client is collection
    for make in (ChromaHybridVectorStore.from_params, ChromaHybridVectorStore):
        made = make(
            collection_name="docs", persist_dir=str(tmp_path), headers={"key": "secret"},
            collection_kwargs={"metadata": {"hnsw:space": "cosine"}},
        )  # fmt: skip
        made.add(nodes())
        assert made.client.metadata == {"hnsw:space": "cosine"}
        assert "secret" not in repr(made) + made.to_json()
        assert [path.name for path in (tmp_path / "lexical").iterdir()] == [str(made.client.id)]
        made.close()
    again = ChromaHybridVectorStore.from_params("docs", persist_dir=str(tmp_path))
    assert again.query(asked("sparse", "blocked")).ids == ["pump"]
    again.close()
    for wrong in ({}, {"collection_name": "docs"}, {"persist_dir": str(tmp_path)}):
        with pytest.raises(InvalidArgumentError):
            ChromaHybridVectorStore(**wrong)
    with pytest.raises(InvalidArgumentError, match="Collection"):
        ChromaHybridVectorStore("docs")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ChromaHybridVectorStore(collection, analyser="german")


def test_several_faces_over_one_collection_object_see_each_others_writes(
    store: ChromaHybridVectorStore,
) -> None:
    retriever = ChromaHybridRetriever(store.client, embed_model=MODEL, mode="lexical")
    assert retriever.retrieve("zebra") == []
    other = ChromaHybridVectorStore(store.client)
    other.add([TextNode(id_="new", text="a zebra", embedding=WORDS.embed_query("a zebra"))])
    assert [n.node_id for n in retriever.retrieve("zebra")] == ["new"]
    # Not of equal text: early versions of LlamaIndex' retrievers keep one of such nodes.
    store.client.add(ids=["raw"], documents=["my zebra"], embeddings=[WORDS.embed_query("zebra")])
    assert {n.node_id for n in retriever.retrieve("zebra")} == {"new", "raw"}
    store.client.delete(ids=["new"])
    assert store.query(asked("sparse", "zebra")).ids == ["raw"]


# Writing


def test_more_nodes_than_one_call_of_the_client_takes(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(collection._client), "get_max_batch_size", lambda _: 100)
    many = [TextNode(id_=f"n{i}", text=f"word{i} pump", embedding=[1.0, i]) for i in range(250)]
    store = ChromaHybridVectorStore(collection)
    assert len(store.add(many)) == 250
    assert store.query(asked("sparse", "word249")).ids == ["n249"]
    found = store.query(asked("sparse", "pump", node_ids=[f"n{i}" for i in range(200)]))
    assert len(found.ids or ()) == 5
    store.clear()
    assert store.get_nodes() == []
    assert store.query(asked("sparse", "pump")).ids == []


ODD = ["a b", "ä/ö", "'quote\"", "日本", "x" * 300, "$and", "../up", "\t", "A", "a", "\U0001f600"]


def test_ids_of_every_kind(collection: Collection) -> None:
    store = ChromaHybridVectorStore(collection, embed_model=MODEL)
    store.add([TextNode(id_=id_, text=f"pump {i}") for i, id_ in enumerate(ODD)])
    assert [node.node_id for node in store.get_nodes(ODD[::-1])] == ODD[::-1]
    for mode in (*MODES, "mmr"):
        among = asked(mode, "pump", node_ids=ODD[3:7], similarity_top_k=20)
        assert set(store.query(among).ids or ()) == set(ODD[3:7])
        everything = store.query(asked(mode, "pump", similarity_top_k=10_000))
        assert set(everything.ids or ()) == set(ODD)
    store.delete_nodes([*ODD[:4], "gone"])
    assert set(store.query(asked("sparse", "pump", similarity_top_k=20)).ids or ()) == set(ODD[4:])
    assert store.verify().ok


@pytest.fixture(params=["memory", "disk"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChromaHybridVectorStore]:
    """The same in both kinds of client."""
    on_disk = request.param == "disk"
    client = chromadb.PersistentClient(tmp_path) if on_disk else chromadb.EphemeralClient()
    made = client.create_collection(helpers.fresh_name(), configuration=dict(helpers.COSINE))
    store = ChromaHybridVectorStore(made, embed_model=MODEL)
    store.add(nodes())
    yield store
    store.close()


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_writes_reach_both_halves(anywhere: ChromaHybridVectorStore, way: str) -> None:
    async def call(name: str, *args: Any) -> Any:
        if way == "sync":
            return await asyncio.to_thread(getattr(anywhere, name), *args)
        return await getattr(anywhere, {"add": "async_add"}.get(name, f"a{name}"))(*args)

    def found(text: str) -> set[str]:
        assert anywhere.verify().ok
        return set(anywhere.query(asked("sparse", text, similarity_top_k=50)).ids or ())

    zebra = TextNode(id_="new", text="zebra stripes")
    zebra.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="zoo")
    assert await call("add", [zebra]) == ["new"]
    assert found("zebra") == {"new"}
    await call("add", [TextNode(id_="new", text="heron")])
    assert (found("zebra"), found("heron")) == (set(), {"new"})
    await call("add", [zebra])
    await call("delete", "zoo")
    await call("delete", "no such document")
    assert found("zebra heron") == set()
    await call("add", [zebra])
    await call("delete_nodes", ["new", "unknown"])
    await call("delete_nodes", [])
    await call("delete_nodes", None, only("tenant", "b"))
    await call("delete_nodes", ["river", "cat"], only("tenant", "a", "text_match"))
    assert found("zebra valve river cat") == {"river", "bank"}
    assert [n.node_id for n in await call("get_nodes", ["river", "gone", "pump"])] == [
        "river", "pump",
    ]  # fmt: skip
    await call("clear")
    assert (await call("get_nodes"), found("pump"), anywhere.client.count()) == ([], set(), 0)
    await call("add", nodes())
    assert found("blocked") == {"pump"}


def test_ids_limit_a_query_where_there_is_no_index_yet(collection: Collection) -> None:
    ChromaVectorStore(chroma_collection=collection).add(nodes())
    store = ChromaHybridVectorStore(collection, embed_model=MODEL, backfill="manual")
    among, words = ["pump", "cat", "gone"], only("tenant", "a", "text_match")
    for fields in ({"node_ids": among}, {"node_ids": [*among, "river"], "filters": words}):
        found = store.query(asked("default", "pump red river", **fields))
        assert set(found.ids or ()) == {"pump", "cat"}
        listed = store.query(VectorStoreQuery(similarity_top_k=9, **fields))
        assert set(listed.ids or ()) == {"pump", "cat"}
    found = store.query(asked("default", "pump red river", filters=words, similarity_top_k=2))
    assert set(found.ids or ()) == {"pump", "cat"}


def test_nothing_of_what_cannot_be_written_is_written(collection: Collection) -> None:
    store = ChromaHybridVectorStore(collection)
    good = nodes()[0]
    twice = TextNode(id_=good.node_id, text="again", embedding=good.embedding)
    bare = TextNode(id_="bare", text="no vector")
    deep = TextNode(id_="deep", text="x", metadata={"a": {"b": 1}}, embedding=good.embedding)
    short = TextNode(id_="short", text="x", embedding=[1.0])
    nan = TextNode(id_="nan", text="x", embedding=[math.nan] * 64)
    blank = TextNode(id_="blank", text="x", embedding=[])
    surrogate = TextNode(id_="s", text="\ud800", embedding=good.embedding)
    for wrong, error in (
        (blank, EmbeddingError), (surrogate, InvalidArgumentError),
        (twice, InvalidArgumentError), (bare, InvalidArgumentError), (deep, InvalidArgumentError),
        (short, EmbeddingError), (nan, EmbeddingError), ("text", InvalidArgumentError),
    ):  # fmt: skip
        with pytest.raises(error):
            store.add([good, wrong])  # type: ignore[list-item]
        with pytest.raises(error):
            asyncio.run(store.async_add([good, wrong]))  # type: ignore[list-item]
    assert collection.count() == 0
    assert store.add([]) == []


def test_a_model_embeds_what_has_no_vector(collection: Collection) -> None:
    for model in (MODEL, WORDS):
        store = ChromaHybridVectorStore(collection, embed_model=model)
        bare = [node.model_copy(update={"embedding": None}) for node in nodes()]
        store.add([*bare[:4], *nodes()[4:]])
        raw = collection.get(include=["embeddings"])
        vectors = dict(zip(raw["ids"], raw["embeddings"], strict=True))
        for node in bare:  # LlamaIndex embeds the metadata, too
            text = node.get_content(metadata_mode="embed")
            expected = text if node in bare[:4] else node.text
            assert vectors[node.node_id] == pytest.approx(WORDS.embed_query(expected), abs=1e-6)
        assert bare[0].embedding is None


BAD = [
    ({"mode": "svm"}, {}, "mode"),
    ({"alpha": 1.5}, {}, "alpha"),
    ({"alpha": -0.1}, {}, "alpha"),
    ({"alpha": math.nan}, {}, "alpha"),
    ({"text": None}, {}, "query_str"),
    ({"text": None, "mode": "sparse"}, {}, "query_str"),
    ({"text": None, "mode": "semantic_hybrid"}, {}, "query_str"),
    ({"similarity_top_k": 0}, {}, "similarity_top_k"),
    ({"hybrid_top_k": 0}, {}, "hybrid_top_k"),
    ({"sparse_top_k": -1}, {}, "sparse_top_k"),
    ({"mode": "mmr", "query_embedding": [1.0] * 64, "mmr_threshold": 2.0}, {}, "mmr_threshold"),
    ({"mode": "mmr", "query_embedding": [1.0] * 64}, {"mmr_prefetch_k": 0}, "mmr_prefetch_k"),
    (
        {"mode": "mmr", "query_embedding": [1.0] * 64},
        {"mmr_prefetch_k": 9, "mmr_prefetch_factor": 2.0},
        "mmr_prefetch_k",
    ),
    ({"filters": only("a", 1)}, {"where": {"b": 1}}, "where"),
    ({"alpha": 0.5}, {"weights": (1, 1)}, "weights"),
    ({"node_ids": [1]}, {}, r"node_ids\[0\]"),
    ({"node_ids": "pump"}, {}, "node_ids"),
    ({"doc_ids": ["a", None]}, {}, r"doc_ids\[1\]"),
    ({"doc_ids": "pump"}, {}, "doc_ids"),
    ({"filters": only("a", 1, "in")}, {}, "filters"),
    ({"filters": only("a", 1, "text_match")}, {}, "filters"),
    ({"filters": only("a", None, ">")}, {}, "filters"),
    ({"query_embedding": [1.0]}, {}, "embedding"),
    ({"query_embedding": [math.nan] * 64}, {}, "embedding"),
]


@pytest.mark.parametrize(("query", "options", "name"), BAD)
async def test_bad_queries_say_what_is_wrong(
    store: ChromaHybridVectorStore, query: Any, options: Any, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        store.query(asked(**query), **options)
    with pytest.raises(ValueError, match=name):
        await store.aquery(asked(**query), **options)


def test_unknown_names_and_missing_models(store: ChromaHybridVectorStore) -> None:
    with pytest.raises(UnknownArgumentError, match="fusoin"):
        store.query(asked(), fusoin="rrf")
    bare = ChromaHybridVectorStore(store.client)
    for mode in ("default", "hybrid", "mmr", "semantic_hybrid"):
        with pytest.raises(InvalidArgumentError, match="embed_model"):
            bare.query(asked(mode))
    assert bare.query(asked("hybrid", alpha=0.0)).ids == bare.query(asked("sparse")).ids
    with pytest.raises(InvalidArgumentError, match="node_ids"):
        store.delete_nodes()
    with pytest.raises(UnknownArgumentError, match="limit"):
        store.get_nodes(limit=2)
    with pytest.raises(UnknownArgumentError, match="where"):
        store.delete_nodes(["pump"], where={"tenant": "a"})
    with pytest.raises(FilterError):
        store.get_nodes(filters=[only("a", 1)])  # type: ignore[arg-type]
    assert store.query(asked("sparse", filters=only("unknown", 1))).ids == []


def test_a_model_of_the_settings_embeds(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ChromaHybridVectorStore(collection)
    bare = TextNode(id_="bare", text="a zebra")
    monkeypatch.setattr(Settings, "_embed_model", None)
    with pytest.raises(InvalidArgumentError, match="embed_model"):
        store.add([bare])
    monkeypatch.setattr(Settings, "_embed_model", MODEL)
    store.add([bare])
    assert store.query(asked("default", "zebra")).ids == ["bare"]


async def test_no_model_is_no_failure(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Settings, "_embed_model", None)
    store = ChromaHybridVectorStore(collection)
    store.add(nodes())
    query = asked(query_embedding=WORDS.embed_query("the pump R123-78"))
    for found in (store.query(query), await store.aquery(query)):
        assert (found.ids or [])[0] == "pump"
        assert all(0.0 <= score <= 1.0 for score in found.similarities or ())
    assert not caplog.records

    class Nobody(WordEmbeddings):
        missing = True
        embed_documents = None  # type: ignore[assignment]  # no sample is gathered for it, either

    store = ChromaHybridVectorStore(collection, embed_model=Nobody())
    assert store.query(query).ids == found.ids
    assert not caplog.records


# The retriever


def test_the_retriever_takes_model_and_settings_of_a_store(collection: Collection) -> None:
    store = ChromaHybridVectorStore(collection, embed_model=MODEL, analyzer="german")
    text = "die Pumpen sind verstopft"
    store.add([TextNode(id_="pumps", text=text, embedding=WORDS.embed_query(text))])
    assert [n.node_id for n in ChromaHybridRetriever(store).retrieve("Pumpe")] == ["pumps"]
    with pytest.raises(AnalyzerMismatchError):
        ChromaHybridRetriever(store, analyzer="english").retrieve("Pumpe")


def test_what_was_noted_in_a_node_is_not_written(store: ChromaHybridVectorStore) -> None:
    before = store.client.get()
    for found in ChromaHybridRetriever(store, explain=True, similarity_top_k=8).retrieve("pump"):
        assert EXPLANATION in found.metadata
        found.node.embedding = WORDS.embed_query(found.text)
        store.add([found.node])
        assert EXPLANATION in found.metadata
    after = store.client.get()
    order = [after["ids"].index(id_) for id_ in before["ids"]]
    assert [after["metadatas"][i] for i in order] == before["metadatas"]  # type: ignore[index]


async def test_the_retriever_keeps_its_base(store: ChromaHybridVectorStore) -> None:
    base = only("tenant", "a")
    retriever = ChromaHybridRetriever(
        store, base_filter=base, embed_model=MODEL, similarity_top_k=20
    )
    base.filters.clear()
    for mode in MODES.values():
        wide = retriever.search("pump red water", mode=mode, filters=None)
        narrow = await retriever.asearch("pump red water", mode=mode, filters=only("year", 2022))
        assert {hit.record.metadata["tenant"] for hit in wide.hits} == {"a"}
        assert [hit.id for hit in narrow.hits] == ["pump"]
    with pytest.raises(UnknownArgumentError):
        retriever.search("pump", base_filter=None)
    retriever.similarity_top_k = 1
    (one,) = await retriever.aretrieve("pump")
    assert one.score


def test_the_view_of_each_leg_goes_into_no_prompt(store: ChromaHybridVectorStore) -> None:
    found = ChromaHybridRetriever(store, explain=True, embed_model=MODEL).retrieve("R123-78")[0]
    assert found.metadata[EXPLANATION]["lexical"]["rank"] == 1
    assert EXPLANATION not in found.node.get_content(metadata_mode="llm")
    assert EXPLANATION not in found.node.get_content(metadata_mode="embed")


def test_vectors_and_texts_of_a_bundle(store: ChromaHybridVectorStore) -> None:
    retriever = ChromaHybridRetriever(store, mode="vector", similarity_top_k=3)
    vector = WORDS.embed_query("steep bank")
    by_vector = retriever.retrieve(QueryBundle("anything", embedding=vector))
    assert by_vector[0].node_id == "bank"
    own = ChromaHybridRetriever(store, mode="vector", similarity_top_k=3, embed_model=MODEL)
    bundle = QueryBundle("anything", custom_embedding_strs=["steep bank"])
    assert [n.node_id for n in own.retrieve(bundle)] == [n.node_id for n in by_vector]


# Embeddings


async def test_embeddings_both_ways() -> None:
    assert from_llama(to_llama(WORDS)) is WORDS
    back = from_llama(MODEL.model_copy())
    assert back.embed_query("a b") == WORDS.embed_query("a b")
    texts = [f"text {i}" for i in range(300)]
    expected = WORDS.embed_documents(texts)
    model = to_llama(WORDS, embed_batch_size=7)
    assert model.get_text_embedding_batch(texts) == expected
    assert await model.aget_text_embedding_batch(texts) == expected
    assert await model.aget_query_embedding("a") == model.get_query_embedding("a")
    assert model.get_text_embedding("a") == await model.aget_text_embedding("a")
    for convert in (to_llama, from_llama):
        with pytest.raises(InvalidArgumentError):
            convert(lambda texts: texts)  # type: ignore[arg-type]
    assert json.loads(model.to_json())["model_name"] == "WordEmbeddings"
