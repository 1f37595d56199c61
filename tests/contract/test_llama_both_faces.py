"""One collection, two faces: LangChain's and LlamaIndex' give the same ids and the same scores."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

pytest.importorskip("llama_index.core")
from langchain_core.documents import Document
from llama_index.core.schema import IndexNode, NodeWithScore, TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from langchain_chroma_hybrid import ChromaHybridRetriever as ForLangChain
from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.fusion import FUSIONS
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.llama_index import ChromaHybridRetriever, ChromaHybridVectorStore
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import helpers

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = WordEmbeddings()
SCORE = "chroma_hybrid_score"
MODES = {
    "default": "vector",
    "text_search": "lexical",
    "sparse": "lexical",
    "hybrid": "hybrid",
    "semantic_hybrid": "two_step",
}
WAYS = dict.fromkeys(
    [*((mode, "rrf") for mode in MODES), *(("hybrid", fusion) for fusion in FUSIONS)]
)
QUERIES = ("the pump R123-78", "red maple", "nothing of that kind", " ")


def of(condition: str, *parts: Any) -> MetadataFilters:
    return MetadataFilters(
        filters=[
            part
            if isinstance(part, MetadataFilters)
            else MetadataFilters.from_dicts(
                [dict(zip(("key", "operator", "value"), part, strict=True))]
            ).filters[0]
            for part in parts
        ],
        condition=condition,
    )


Pair = tuple[Any, "MetadataFilters | None"]
# The same in both languages.
FILTERS: dict[str, Pair] = {
    "none": (None, None),
    "equal": ({"tenant": "a"}, of("and", ("tenant", "==", "a"))),
    "other": ({"tenant": {"$ne": "a"}}, of("not", ("tenant", "==", "a"))),
    "range": ({"year": {"$gt": 2022}}, of("and", ("year", ">", 2022))),
    "among": ({"year": {"$nin": [2021, 2024]}}, of("and", ("year", "nin", [2021, 2024]))),
    "nested": (
        {"$or": [{"tenant": "c"}, {"$and": [{"tenant": "a"}, {"year": {"$gte": 2023}}]}]},
        of("or", ("tenant", "==", "c"), of("and", ("tenant", "==", "a"), ("year", ">=", 2023))),
    ),
    "nobody": ({"tenant": "nobody"}, of("and", ("tenant", "==", "nobody"))),
}


@pytest.fixture
def store() -> Iterator[ChromaHybridVectorStore]:
    client, name = chromadb.EphemeralClient(), helpers.fresh_name()
    made = ChromaHybridVectorStore(
        client.create_collection(name, configuration=dict(helpers.COSINE)), embed_model=WORDS
    )
    made.add(
        [
            TextNode(id_=i, text=t, metadata=dict(m), embedding=WORDS.embed_query(t))
            for i, t, m in helpers.CORPUS
        ]
    )
    yield made
    client.delete_collection(name)


def langchain_face(store: ChromaHybridVectorStore) -> HybridChroma:
    return HybridChroma(store.client.name, WORDS, client=chromadb.EphemeralClient())


def asked(mode: str, text: str, **more: Any) -> VectorStoreQuery:
    options = {"similarity_top_k": 5, **more}
    return VectorStoreQuery(query_str=text, mode=VectorStoreQueryMode(mode), **options)


@pytest.mark.parametrize("base", ["none", "range", "other", "nobody"])
@pytest.mark.parametrize(("mode", "fusion"), WAYS)
async def test_both_faces_give_the_same(
    store: ChromaHybridVectorStore, mode: str, fusion: str, base: str
) -> None:
    chroma, (base_where, base_filter) = langchain_face(store), FILTERS[base]
    options: Any = {"mode": MODES[mode], "fusion": fusion, "base_filter": base_where}
    theirs = ForLangChain(vectorstore=chroma, k=5, score_key=SCORE, **options)
    options["base_filter"] = base_filter
    ours = ChromaHybridRetriever(store, similarity_top_k=5, **options)
    pairs = itertools.product(QUERIES, FILTERS.values())
    # Half of them: the other half comes with another base filter.
    for query, (where, filters) in itertools.islice(pairs, [*FILTERS].index(base) % 2, None, 2):
        expected = theirs.invoke(query, filter=where)
        ids = [document.id for document in expected]
        scores = [document.metadata[SCORE] for document in expected]
        assert [h.id for h in ours.search(query, filters=filters).hits] == ids
        both = of("and", *(each for each in (base_filter, filters) if each))
        found = await store.aquery(asked(mode, query, filters=both), fusion=fusion)
        again = store.query(asked(mode, query, filters=both), fusion=fusion)
        assert (found.ids, found.similarities) == (again.ids, again.similarities)
        assert found.ids == ids
        if mode != "default":
            assert found.similarities == pytest.approx(scores)
        elif query.strip():
            near = chroma.similarity_search_with_score(query, 5, theirs_and(base_where, where))
            assert [document.id for document, _ in near] != ids or found.similarities == (
                pytest.approx([math.exp(-distance) for _, distance in near])
            )
    for query in QUERIES:
        expected = theirs.invoke(query)
        for nodes in (ours.retrieve(query), await ours.aretrieve(query)):
            assert [node.node_id for node in nodes] == [document.id for document in expected]
            scores = [document.metadata[SCORE] for document in expected]
            assert [node.score for node in nodes] == pytest.approx(scores)


def theirs_and(*wheres: Any) -> Any:
    parts = [where for where in wheres if where]
    return {"$and": parts} if len(parts) > 1 else (parts or [None])[0]


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_alpha_is_the_share_of_the_vectors(
    store: ChromaHybridVectorStore, alpha: float, fusion: str
) -> None:
    weights = (1 - alpha, alpha)
    for query in QUERIES[:3]:
        pairs = langchain_face(store).similarity_search_with_relevance_scores(
            query, k=5, weights=weights, fusion=fusion
        )
        found = store.query(asked("hybrid", query, alpha=alpha), fusion=fusion)
        assert found.ids == [document.id for document, _ in pairs]
        assert found.similarities == pytest.approx([score for _, score in pairs])
        if alpha in (0.0, 1.0):
            alone = store.query(asked("default" if alpha else "sparse", query))
            assert found.ids == alone.ids


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_a_threshold_drops_the_same(store: ChromaHybridVectorStore, threshold: float) -> None:
    for query in QUERIES[:3]:
        pairs = langchain_face(store).similarity_search_with_relevance_scores(
            query, k=8, score_threshold=threshold
        )
        found = store.query(
            asked("hybrid", query, similarity_top_k=8), score_threshold=threshold
        )
        assert found.ids == [document.id for document, _ in pairs]
        retriever = ChromaHybridRetriever(store, similarity_top_k=8, score_threshold=threshold)
        assert [node.node_id for node in retriever.retrieve(query)] == found.ids


def test_each_face_finds_what_the_other_wrote(store: ChromaHybridVectorStore) -> None:
    chroma = langchain_face(store)
    assert ForLangChain(vectorstore=chroma, k=1).invoke("blocked")[0].id == "pump"
    documents = helpers.documents()
    chroma.add_documents(documents, ids=[f"lc-{document.id}" for document in documents])
    found = store.query(asked("sparse", "blocked"))
    assert set(found.ids or ()) == {"pump", "lc-pump"}
    assert found.nodes is not None
    assert {node.metadata["tenant"] for node in found.nodes} == {"a"}
    store.delete_nodes(["lc-pump"])
    assert [d.id for d in chroma.similarity_search("blocked", mode="lexical")] == ["pump"]


@pytest.mark.parametrize("text", ["The pumps of R123-78", "no such", "Öl 😀 pump", ""])
def test_words_match_at_the_same_places(store, text):
    own, query = langchain_face(store), "pump R123-78"
    expected = own.highlight(query, Document(text))
    nodes = (TextNode(text=text, metadata={"pump": "x"}), IndexNode(text=text, index_id="i"))
    for face in (store, ChromaHybridRetriever(store)):
        for node in nodes:
            assert face.highlight(query, node) == expected
            assert face.highlight(query, NodeWithScore(node=node, score=1.0)) == expected


@pytest.mark.parametrize(
    ("query", "node", "named"), [(None, TextNode(), "query"), ("a", "b", "node")]
)
def test_what_has_no_places(store, query, node, named):
    for face in (store, ChromaHybridRetriever(store)):
        with pytest.raises(InvalidArgumentError, match=named):
            face.highlight(query, node)


@pytest.mark.parametrize("name", FILTERS)
def test_metadata_are_described_alike(store, name):
    where, filters = FILTERS[name]
    own = ForLangChain(vectorstore=langchain_face(store), base_filter=where)
    assert ChromaHybridRetriever(store, base_filter=filters).describe() == own.describe()
    assert store.describe() == langchain_face(store).describe()


def test_a_filter_of_one_language_keeps_what_it_hides_from_a_description(store):
    within = of("and", ("tenant", "text_match", "a"))
    found = ChromaHybridRetriever(store, base_filter=within).describe()
    assert found.records == 4
    assert [key.values for key in found.keys if key.name == "tenant"] == [("a",)]
