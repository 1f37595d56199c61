"""Hybrid search that Chroma's own server does, over a double of Chroma Cloud (`tests/cloud.py`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from chromadb import K, Knn, Rrf, Search

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, create_hybrid_collection
from langchain_chroma_hybrid._langchain.bridge import handle_of
from langchain_chroma_hybrid.core.fusion import RankedList, fuse
from langchain_chroma_hybrid.engine.chroma import patience, server_search
from langchain_chroma_hybrid.engine.chroma.hybrid_schema import KEY
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    FilterError,
    InvalidArgumentError,
    LexicalIndexError,
    SearchError,
    WriteError,
)
from langchain_chroma_hybrid.migration import migrate
from langchain_chroma_hybrid.testing import WordEmbeddings
from langchain_chroma_hybrid.tools import create_search_tool
from tests.cloud import Cloud, client_of, cloud_before
from tests.helpers import CORPUS, MODES, documents, filled, fresh_name, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.usefixtures("cache")

QUERIES = ("Error R123-78", "red leaves of the maple", "water in the river", "the manual")
BUSY = (503, '{"error": "Unavailable", "message": "overloaded"}', {})
SLOW = (429, '{"error": "RateLimitError", "message": "slow down"}', {"Retry-After": "1"})


def opened(cloud: Cloud, name: str | None = None, **options: Any) -> HybridChroma:
    client = client_of(cloud)
    if name is None:
        name = fresh_name()
        create_hybrid_collection(client, name, average_length=7)
    return HybridChroma(name, WordEmbeddings(), client=client, **options)


@pytest.fixture
def store(cloud: Cloud) -> Iterator[HybridChroma]:
    store = opened(cloud)
    store.add_documents(documents())
    store.similarity_search("warm", k=1)
    cloud.forget()
    yield store
    cloud.refuses = lambda _path: None
    cloud.refusals.clear()
    store.delete_collection()


def retriever_of(store: HybridChroma, **options: Any) -> ChromaHybridRetriever:
    return ChromaHybridRetriever(vectorstore=store, **options)


def legs(store: HybridChroma, query: str, where: Any = None) -> list[RankedList]:
    """Both rankings by themselves, as the server has them."""
    collection = store._chroma_collection
    index = store._chroma_collection.schema.keys[KEY].sparse_vector.sparse_vector_index
    words = index.config.embedding_function.query(query)
    vector = WordEmbeddings().embed_query(query)
    ranks = (Knn(query=words, key=KEY, limit=100), Knn(query=vector, limit=100))
    searches = [Search(where=where, rank=rank, limit=100).select(K.SCORE) for rank in ranks]
    found = collection.search(searches)
    columns = zip(found["ids"], found["scores"], strict=True)
    pairs = [list(zip(ids, scores, strict=True)) for ids, scores in columns]
    pairs[0] = [pair for pair in pairs[0] if pair[1] < 1.0]
    return [RankedList([i for i, _ in leg], [-s for _, s in leg]) for leg in pairs]


def ordered(hits: Sequence[Any]) -> list[tuple[str, float]]:
    """Ids with scores, those of one score by id."""
    return sorted(((h.id, round(h.score, 5)) for h in hits), key=lambda pair: (-pair[1], pair[0]))


# What is sent


def test_a_query_is_one_search_with_everything_in_it(store, cloud):
    found = store.similarity_search("blocked pump", k=2, filter={"tenant": "a"})
    assert ids_of(found)[0] == "pump"
    assert cloud.requests == [request for request in cloud.requests if request.endswith("/search")]
    [sent] = cloud.searches
    terms = {"indices": [306843533, 373298348], "values": [1.0, 1.0]}
    dense = sent["rank"]["$mul"][1]["$sum"][0]["$div"]["right"]["$sum"][1]["$knn"].pop("query")
    assert len(dense) == 64
    words = {"query": {"#type": "sparse_vector", **terms}, "key": KEY, "limit": 100}
    ranks = {"default": 1e9, "return_rank": True}
    below = {"$val": 1.0 - 2.0**-23}
    penalty = {"left": {"$max": [{"$knn": {**words, "default": 0.0}}, below]}, "right": below}
    no_word = {"$mul": [{"$sub": penalty}, {"$val": 1e17}]}
    near = {"$knn": {"key": "#embedding", "limit": 100, **ranks}}
    shares = [
        {"$div": {"left": {"$val": 0.5}, "right": {"$sum": [{"$val": 61}, *rank]}}}
        for rank in ([near], [{"$knn": {**words, **ranks}}, no_word])
    ]
    assert sent["rank"] == {"$mul": [{"$val": -1}, {"$sum": shares}]}
    assert sent["filter"] == {"tenant": {"$eq": "a"}}
    assert (sent["limit"], sent["group_by"]) == ({"offset": 0, "limit": 10}, {})
    assert set(sent["select"]["keys"]) == {"#document", "#metadata", "#score"}


def test_a_collection_of_ours_has_the_index_in_its_schema(store):
    schema = store._chroma_collection._model.serialized_schema
    config = schema["keys"][KEY]["sparse_vector"]["sparse_vector_index"]["config"]
    assert (config["source_key"], config["bm25"]) == ("#document", True)
    assert config["embedding_function"]["name"] == "langchain_chroma_hybrid_bm25"
    assert config["embedding_function"]["config"]["language"] == "english"


@pytest.mark.parametrize("given", ["add", "langchain"])
def test_nothing_is_built_and_nothing_is_kept_in_step(store, cloud, cache, given):
    if given == "add":  # by Chroma itself, with what the schema names
        vectors = WordEmbeddings().embed_documents(["an albatross"])
        store._chroma_collection.add(ids=["new"], documents=["an albatross"], embeddings=vectors)
    else:
        store.add_texts(["an albatross"], ids=["new"])
    assert ids_of(store.similarity_search("albatross", k=1)) == ["new"]
    assert ids_of(store.similarity_search("albatross", k=4, mode="lexical")) == ["new"]
    store.update_document("new", documents()[0].model_copy(update={"page_content": "a puffin"}))
    assert ids_of(store.similarity_search("puffin", mode="lexical")) == ["new"]
    assert not store.similarity_search("albatross", mode="lexical")
    store.delete(["new"])
    assert not store.similarity_search("puffin", mode="lexical")
    store.sync()
    assert store.verify().ok
    assert not list(cache.rglob("*.term"))
    assert not list(cache.rglob("meta.json"))


# What comes back


@pytest.mark.parametrize(("shards", "compacted"), [(1, True), (3, False)])
@pytest.mark.parametrize("options", [{}, {"weights": [0.3, 0.7], "c": 5}, {"c": 0.5}], ids=str)
def test_the_order_is_that_of_our_own_fusion(store, cloud, compacted, shards, options):
    cloud.compacted, cloud.shards = compacted, shards
    retriever = retriever_of(store, k=8, **options)
    for query in QUERIES:
        for where in (None, {"tenant": "a"}):
            lists = legs(store, query, where)
            for ranked, weight in zip(lists, options.get("weights", [0.5, 0.5]), strict=True):
                object.__setattr__(ranked, "weight", weight)
            expected = fuse(lists, "rrf", c=options.get("c", 60))
            cloud.forget()
            pushed = retriever.invoke(query, filter=where)
            assert [bool(sent["rank"].get("$mul")) for sent in cloud.searches] == [True]
            apart = retriever.search(query, filter=where, explain=True)
            assert [leg.name for leg in apart.legs] == ["lexical", "vector"]
            assert ids_of(pushed) == [id_ for id_, _ in ordered(expected)]
            assert ordered(expected) == ordered(apart.hits)
            assert [hit.id for hit in apart.hits] == [hit.id for hit in expected]


def test_without_default_what_one_leg_has_found_would_be_lost(store):
    vector = WordEmbeddings().embed_query("R123-78")
    index = store._chroma_collection.schema.keys[KEY].sparse_vector.sparse_vector_index
    words = index.config.embedding_function.query("R123-78")
    ranks = [Knn(query=vector, return_rank=True), Knn(query=words, key=KEY, return_rank=True)]
    alone = store._chroma_collection.search(Search(rank=Rrf(ranks), limit=8))["ids"][0]
    ours = ids_of(store.similarity_search("R123-78", k=8))
    assert set(alone) < set(ours) == {id_ for id_, _, _ in CORPUS}


def test_records_without_a_word_get_nothing_from_the_words(store, cloud):
    cloud.compacted = False
    assert ids_of(store.similarity_search("blocked", mode="lexical", k=8)) == ["pump"]
    for where in (None, {"tenant": "a"}):
        found = retriever_of(store, k=8, weights=[0.999, 0.001]).invoke("blocked", filter=where)
        [lexical, vector] = legs(store, "blocked", where)
        assert list(lexical.ids) == ["pump"]
        assert ids_of(found) == ["pump", *[id_ for id_ in vector.ids if id_ != "pump"]]


@pytest.mark.parametrize("mode", MODES)
async def test_relevance_is_as_everywhere(store, mode):
    embedded = filled()
    for query in (*QUERIES, "zebra"):
        expected = embedded.similarity_search_with_relevance_scores(query, k=8, mode=mode)
        found = store.similarity_search_with_relevance_scores(query, k=8, mode=mode)
        again = await store.asimilarity_search_with_relevance_scores(query, k=8, mode=mode)
        assert ids_of(found) == ids_of(again)
        assert set(ids_of(found)) == set(ids_of(expected))
        near = {doc.id: score for doc, score in expected}
        for doc, score in found:  # lengths count against another average here
            assert 0.0 <= score <= 1.0
            assert score == pytest.approx(near[doc.id], abs=0.1)


def test_a_hit_is_explained(store):
    found = retriever_of(store, k=2, explain=True).search("blocked albatross pump")
    best = found.hits[0]
    lexical, vector = best.legs
    assert (best.id, lexical.name, lexical.terms) == ("pump", "lexical", ("pump", "blocked"))
    assert (lexical.rank, vector.rank) == (1, 1)
    assert [best.record.text[a:b] for a, b in best.spans] == ["pump", "blocked"]
    assert found.unmatched == ("albatross",)
    assert best.relevance > found.hits[1].relevance


def test_what_no_record_inside_the_filter_has_is_said(store):
    search = retriever_of(store, k=1, base_filter={"tenant": "c"}, explain=True).search
    assert search("the river and R123-78").unmatched == ("R123-78",)


def test_filters_hold_and_base_filters_too(store, cloud):
    base = {"base_filter": {"tenant": "a"}, "base_where_document": {"$contains": "the"}}
    retriever = retriever_of(store, k=8, **base)
    retriever.invoke("pump", filter={"year": {"$gte": 2022}})
    for options in ({}, {"explain": True}, {"mode": "vector"}, {"mode": "lexical"}):
        found = retriever.search("pump", filter={"year": {"$gte": 2022}}, **options)
        expected = {"pump", "manual"} | ({"cat"} if options.get("mode") != "lexical" else set())
        assert {hit.id for hit in found.hits} == expected
    sent = cloud.searches[0]["filter"]
    assert {"#document": {"$contains": "the"}} in sent["$and"]
    with pytest.raises(FilterError, match=r"\$like"):
        retriever.search("pump", filter={"tenant": {"$like": "a"}})


def test_conditions_that_chroma_has_no_words_for_are_refused(store):
    llama = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

    vector_store = llama.ChromaHybridVectorStore(chroma_collection=store._chroma_collection)
    where = MetadataFilters(
        filters=[MetadataFilter(key="tenant", value="a", operator="text_match_insensitive")]
    )
    from llama_index.core.vector_stores.types import VectorStoreQuery

    vector = WordEmbeddings().embed_query("pump")
    asked = VectorStoreQuery(
        query_embedding=vector, query_str="pump", filters=where, mode="hybrid", similarity_top_k=2
    )
    with pytest.raises(FilterError, match="lexical"):
        vector_store.query(asked)


def test_must_and_not_hold_for_every_result(store):
    for mode in MODES:
        search = retriever_of(store, k=8, query_syntax="simple", mode=mode).search
        assert {hit.id for hit in search("+pump -error water").hits} == {"water", "manual"}
    noted = search('"open the pump" water*').notes
    assert any("phrases, prefixes" in note for note in noted)


def test_a_threshold_drops_what_is_far(store):
    found = store.similarity_search_with_relevance_scores("R123-78", k=8, score_threshold=0.5)
    assert ids_of(found) == ["pump"]


def test_distances_and_vectors_come_with_it(store):
    expected = dict(zip(*_distances(filled()), strict=True))
    assert dict(zip(*_distances(store), strict=True)) == pytest.approx(expected, abs=1e-5)
    diverse = store.max_marginal_relevance_search("pump", k=3, fetch_k=8)
    assert len(diverse) == 3


def _distances(store: HybridChroma) -> tuple[Any, Any]:
    found = store.similarity_search_with_score("pump in the water", k=8)
    return zip(*[(doc.id, score) for doc, score in found], strict=True)  # type: ignore[return-value]


@pytest.mark.parametrize("option", ["dedupe_key", "group_by"])
def test_the_server_groups(store, cloud, option):
    options = {option: "tenant", **({"group_limit": 2} if option == "group_by" else {})}
    most = 2 if option == "group_by" else 1
    found = retriever_of(store, k=3, **options).invoke("pump water river")
    tenants = [document.metadata["tenant"] for document in found]
    assert max(map(tenants.count, tenants)) <= most
    [sent] = cloud.searches
    assert sent["group_by"] == {
        "keys": ["tenant"],
        "aggregate": {"$min_k": {"keys": ["#score"], "k": most}},
    }


def test_records_without_the_key_are_no_group(store, cloud):
    store.add_texts(["pump one", "pump two", "pump three"], ids=["1", "2", "3"])
    cloud.forget()
    found = retriever_of(store, k=5, dedupe_key="tenant").invoke("pump")
    assert {"1", "2", "3"} <= set(ids_of(found))
    assert [bool(sent["group_by"]) for sent in cloud.searches] == [True, False]


def test_groups_are_looked_for_deeper(cloud):
    store = opened(cloud)
    texts = [f"pump {n}" for n in range(250)] + ["a pump of another kind entirely, far away"]
    store.add_texts(texts, [{"kind": "a"}] * 250 + [{"kind": "b"}])
    retriever = retriever_of(store, k=2, dedupe_key="kind")
    assert [document.metadata["kind"] for document in retriever.invoke("pump")] == ["a", "b"]
    assert [hit.record.metadata["kind"] for hit in retriever.search("pump").hits] == ["a", "b"]
    store.delete_collection()


def test_legs_have_the_depth_that_was_asked_for(store, cloud):
    retriever_of(store, fetch_k={"lexical": 3, "vector": 5}).invoke("pump")
    text = str(cloud.searches[0])
    assert text.count("'limit': 3") == 2
    assert text.count("'limit': 5") == 1


@pytest.mark.parametrize("fusion", ["min_max", "three_sigma"])
def test_other_fusions_are_done_here(store, cloud, fusion):
    found = retriever_of(store, k=3, fusion=fusion).search("blocked pump")
    assert found.hits[0].id == "pump"
    assert [leg.name for leg in found.legs] == ["lexical", "vector"]
    assert not found.notes


def test_blank_queries_and_long_ones_never_raise(store):
    assert len(store.similarity_search("  ", k=3)) == 3
    words = " ".join(f"word{n}" for n in range(500))
    for mode in MODES:
        retriever_of(store, k=3, mode=mode, explain=True).search(words)
    assert len(retriever_of(store, k=3).search("\ud800 the").hits) == 3


def test_the_other_faces_find_the_same(store):
    llama = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    vector_store = llama.ChromaHybridVectorStore(chroma_collection=store._chroma_collection)
    from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

    asked = VectorStoreQuery(
        query_embedding=WordEmbeddings().embed_query("blocked pump"),
        query_str="blocked pump",
        similarity_top_k=2,
        mode=VectorStoreQueryMode.HYBRID,
    )
    assert vector_store.query(asked).ids[0] == "pump"
    tool = create_search_tool(retriever_of(store, k=2))
    assert "pump is blocked" in str(tool.invoke({"query": "blocked pump"}))


async def test_it_waits_for_no_one(store, cloud):
    searches = [store.asimilarity_search(query, k=2) for query in QUERIES]
    found = await asyncio.gather(*searches)
    expected = [ids_of(store.similarity_search(query, k=2)) for query in QUERIES]
    assert [ids_of(each) for each in found] == expected


# Who has it, and who has not


def test_what_is_asked_for_is_what_one_gets(store, cloud):
    name = store._collection_name
    local = opened(cloud, name, lexical="tantivy:")
    cloud.forget()
    assert ids_of(local.similarity_search("blocked pump", k=1)) == ["pump"]
    assert not cloud.searches
    own = opened(cloud, name, lexical="chroma:")
    assert ids_of(own.similarity_search("blocked pump", k=1)) == ["pump"]
    assert cloud.searches
    plain = HybridChroma(fresh_name(), WordEmbeddings(), client=client_of(cloud), lexical="chroma:")
    with pytest.raises(LexicalIndexError, match="create_hybrid_collection"):
        plain.similarity_search("pump")
    plain.delete_collection()


def test_the_collections_analyzer_decides(cloud):
    name = fresh_name()
    create_hybrid_collection(client_of(cloud), name, analyzer="german")
    store = opened(cloud, name)
    store.add_texts(["Die Häuser am Fluss"], ids=["a"])
    assert ids_of(store.similarity_search("Haus", mode="lexical")) == ["a"]
    assert ids_of(opened(cloud, name, analyzer="de").similarity_search("Haus")) == ["a"]
    with pytest.raises(AnalyzerMismatchError, match="french"):
        opened(cloud, name, analyzer="french").similarity_search("Haus")
    store.delete_collection()


def test_the_real_server_refuses_and_is_asked_once(port, cache, monkeypatch):
    client = chromadb.HttpClient("127.0.0.1", port)
    _falls_back(client, monkeypatch)
    assert list(cache.rglob("meta.json"))  # the index of this library


def test_embedded_chroma_refuses_and_is_asked_once(tmp_path, monkeypatch):
    _falls_back(chromadb.PersistentClient(tmp_path / "db"), monkeypatch)


def _falls_back(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_hybrid_collection(client, fresh_name(), WordEmbeddings())
    schema = dict(made._model.serialized_schema or {"keys": {}})
    assert KEY not in schema["keys"]
    store = HybridChroma(made.name, WordEmbeddings(), client=client)
    # As if the server had taken it.
    config = {"source_key": "#document", "bm25": True, "embedding_function": _stored()}
    index = {"sparse_vector_index": {"enabled": True, "config": config}}
    schema["keys"] = {**schema["keys"], KEY: {"sparse_vector": index}}
    store._chroma_collection._model.serialized_schema = schema
    tried = []
    ask = chromadb.Collection.search
    monkeypatch.setattr(
        chromadb.Collection, "search", lambda self, *a: (tried.append(1), ask(self, *a))[1]
    )
    found = retriever_of(store, k=1).search("pump")
    assert (found.hits, tried) == ((), [1])
    assert not any("search" in note for note in found.notes)
    retriever_of(store, k=1).search("pump")
    assert tried == [1]


def _stored() -> dict[str, Any]:
    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.embeddings.chroma.sparse import NAME, AnalyzedBm25

    return {"name": NAME, "type": "known", "config": AnalyzedBm25(Analyzer()).get_config()}


def test_a_network_that_fails_is_no_refusal(store, cloud):
    other = opened(cloud, store._collection_name)
    cloud.refuses = lambda path: (500, "down", {}) if path.endswith("/search") else None
    with pytest.raises(Exception, match="down"):
        other.similarity_search("pump")
    cloud.refuses = lambda _path: None
    cloud.forget()
    assert ids_of(other.similarity_search("blocked pump", k=1)) == ["pump"]
    assert cloud.searches


@pytest.mark.parametrize(
    ("source", "target"), [("data", "tantivy:"), ("tantivy:", "data"), ("chroma:", "tantivy:")]
)
def test_the_servers_own_index_is_not_copied(store, cloud, tmp_path, source, target):
    ways = {"tantivy:": f"tantivy:{tmp_path}", "data": None}
    old, new = (
        opened(cloud, store._collection_name, lexical=ways.get(way, way))
        for way in (source, target)
    )
    name = "TO" if source == "tantivy:" else "FROM"
    with pytest.raises(InvalidArgumentError, match=f"{name}: .*server's own"):
        handle_of(old).copy_index(new.lexical_config)


# Quotas, 429, 503


@pytest.mark.parametrize("refusal", [BUSY, SLOW], ids=["503", "429"])
def test_a_busy_server_is_asked_again(store, cloud, refusal):
    cloud.refusals = [refusal] * 3
    assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
    assert len([request for request in cloud.requests if request.endswith("/search")]) == 4


@pytest.mark.parametrize("secret", ["k-3c9a"])
def test_one_that_stays_busy_is_one_error_without_secrets(store, cloud, secret):
    client = client_of(cloud, headers={"X-Chroma-Token": secret})
    own = HybridChroma(store._collection_name, WordEmbeddings(), client=client)
    own.similarity_search("pump")
    body = f'{{"error": "Unavailable", "message": "no room for {secret}"}}'
    cloud.refuses = lambda path: (503, body, {}) if path.endswith("/search") else None
    cloud.forget()
    said = r"busy \(503\), 4 times.*no room for \*\*\*"
    with pytest.raises(LexicalIndexError, match=said) as caught:
        own.similarity_search("blocked pump", k=1)
    assert len(cloud.requests) == patience.TRIES + 1  # and a look whether the collection is there
    error: BaseException | None = caught.value
    while error is not None:
        assert secret not in str(error)
        error = error.__cause__
    retriever = retriever_of(own, k=1, on_leg_error="degrade")
    assert ids_of(retriever.invoke("blocked pump")) == ["pump"]
    found = retriever.search("blocked pump")
    assert [hit.id for hit in found.hits] == ["pump"]
    assert "busy (503)" in str(found.legs)
    assert secret not in str(found)


def test_a_server_that_is_gone_altogether_says_so(store, cloud):
    cloud.refuses = lambda path: BUSY if "/collections/" in path else None
    with pytest.raises(SearchError, match="busy"):
        retriever_of(store, on_leg_error="degrade").search("pump")


def test_a_node_that_goes_away_in_the_middle_is_asked_again(store, cloud):
    tries: list[str] = []

    def away(path: str) -> Any:
        verb = path.partition("?")[0].rpartition("/")[2]
        if verb in ("search", "upsert", "get", "count") and len(tries) < 3:
            tries.append(path)
            raise ConnectionAbortedError
        return None

    cloud.refuses = away
    assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
    tries.clear()
    store.add_texts(["an albatross"], ids=["new"])
    assert len(tries) == 3
    tries.clear()
    assert store.get_by_ids(["new"])[0].page_content == "an albatross"
    tries.clear()
    assert store._index.store.count() == 9
    assert len(tries) == 3


def test_a_server_that_stays_away_is_one_error(port, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    with cloud_before(port) as cloud:
        client = client_of(cloud, headers={"X-Chroma-Token": "k-3c9a"})
        name = fresh_name()
        create_hybrid_collection(client, name)
        store = HybridChroma(name, WordEmbeddings(), client=client)
        store.add_texts(["a pump"], ids=["1"])
        assert ids_of(store.similarity_search("pump")) == ["1"]
    said = rf"cannot be reached at http://127.0.0.1:{cloud.port}: "
    for mode in MODES:
        with pytest.raises((SearchError, LexicalIndexError), match=said):
            store.similarity_search("pump", mode=mode)
    with pytest.raises(SearchError, match=said):
        retriever_of(store, on_leg_error="degrade").search("pump")
    with pytest.raises(WriteError, match=f"0 of 1 records .*{said}"):
        store.add_texts(["x"], ids=["2"])
    with pytest.raises(WriteError, match=f"0 of 1 records .*{said}"):
        store.delete(["1"])
    with pytest.raises(SearchError, match=said):
        store.get()
    with pytest.raises(SearchError, match=said):
        HybridChroma(name, WordEmbeddings(), client=client)


def test_requests_stay_below_the_quota(store):
    ids = [f"n{n}" for n in range(700)]
    store.add_texts([f"pump {n}" for n in range(700)], ids=ids)
    assert len(store._index.vectors(ids)) == 700
    assert len(store._index.store.ids()) == 708
    store.delete(ids)


def test_who_may_not_is_told_so_and_nobody_elses_key_is_used(store, cloud):
    keys = {"k-one": True, "k-two": True, "k-three": False}
    used: set[str] = set()
    answer = cloud.answer

    def checked(method: str, path: str, body: bytes, headers: Any) -> Any:
        used.add(key := headers["X-Chroma-Token"])
        if keys[key]:
            return answer(method, path, body, headers)
        return 403, f'{{"error": "AuthError", "message": "{key} may not"}}'.encode(), {}

    def of(key: str) -> HybridChroma:
        client = client_of(cloud, headers={"X-Chroma-Token": key})
        return HybridChroma(store._collection_name, WordEmbeddings(), client=client)

    stores = {key: of(key) for key in keys}
    cloud.answer = checked  # type: ignore[method-assign]
    for key in ("k-one", "k-two"):
        used.clear()
        assert ids_of(stores[key].similarity_search("blocked pump", k=1)) == ["pump"]
        assert used == {key}
    refused = stores["k-three"]
    for call in (refused.similarity_search, retriever_of(refused, on_leg_error="degrade").invoke):
        with pytest.raises((SearchError, LexicalIndexError), match=r"refused \(403\): \*\*\* may"):
            call("pump")
    assert ids_of(stores["k-one"].similarity_search("blocked pump", k=1)) == ["pump"]
    cloud.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_no_answer_repeats_a_secret(store, cloud, status):
    client = client_of(cloud, headers={"Authorization": "Bearer k-3c9a"})
    own = HybridChroma(store._collection_name, WordEmbeddings(), client=client)
    own.similarity_search("pump")
    for body in ('{"error": "InternalError", "message": "k-3c9a!"}', "<html>k-3c9a</html>", "{}"):
        cloud.refuses = lambda p, body=body: (status, body, {}) if p.endswith("/search") else None
        kinds = Exception if body == "{}" and status > 200 else LexicalIndexError
        with pytest.raises(kinds, match=r"server|\{\}") as caught:
            own.similarity_search("pump")
        assert "k-3c9a" not in str(caught.value)


def test_a_quota_is_not_asked_for_again(store, cloud):
    cloud.results = 50
    with pytest.raises(LexicalIndexError, match=r"quota.*knn limit of 100 results"):
        store.similarity_search("pump")
    assert len(cloud.searches) == 1
    assert ids_of(retriever_of(store, k=1, fetch_k=40).invoke("blocked pump")) == ["pump"]


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_as_many_as_the_quota_allows_may_be_asked_for(store, mode):
    assert store.similarity_search("pump", k=300, mode=mode)
    retriever = retriever_of(store, k=3, fetch_k=200, dedupe_key="tenant", group_by="year")
    assert len(retriever.invoke("pump water river")) == 3


def test_a_collection_without_words_is_read_in_small_steps_too(cloud):
    store = HybridChroma(fresh_name(), WordEmbeddings(), client=client_of(cloud))
    store.add_texts([f"pump {n}" for n in range(700)], ids=[f"n{n}" for n in range(700)])
    assert ids_of(store.similarity_search("pump 678", k=1, mode="lexical")) == ["n678"]
    assert len(store._index.vectors([f"n{n}" for n in range(700)])) == 700
    assert store.verify().ok
    store.delete([f"n{n}" for n in range(700)])
    assert not store.similarity_search("pump")


def test_where_nothing_is_built_no_folder_is_shown(store):
    assert handle_of(store).about().folder is None


def test_writes_wait_for_a_busy_server_too(store, cloud):
    left = [BUSY, BUSY]
    cloud.refuses = lambda path: left.pop() if path.endswith("/upsert") and left else None
    store.add_texts(["an albatross"], ids=["new"])
    assert ids_of(store.similarity_search("albatross", mode="lexical")) == ["new"]


def test_a_migration_keeps_the_index(store, cloud, cache):
    other = WordEmbeddings(32)
    migrate(store, other)
    cloud.forget()
    assert ids_of(store.similarity_search("blocked pump", k=1)) == ["pump"]
    [sent] = cloud.searches
    assert sent["rank"]["$mul"]
    assert len(store._chroma_collection.get(limit=1, include=["embeddings"])["embeddings"][0]) == 32
    assert not list(cache.rglob("meta.json"))


# What a database says


def test_a_stored_configuration_runs_no_code_and_is_checked(store, cloud):
    schema = store._chroma_collection._model.serialized_schema
    config = schema["keys"][KEY]["sparse_vector"]["sparse_vector_index"]["config"]
    function = config["embedding_function"]
    for wrong in ({"language": "klingon"}, {"k1": "a"}, {"code": "os.system"}, {"format": 2}):
        config["embedding_function"] = {**function, "config": {**function["config"], **wrong}}
        with pytest.raises(LexicalIndexError, match="sparse index"):
            _with_schema(store, schema).search("pump")
    config["embedding_function"] = {**function, "name": "huggingface_sparse"}
    cloud.forget()
    assert _with_schema(store, schema).search("pump").hits
    assert not cloud.searches  # somebody else's index: ours serves


def _with_schema(store: HybridChroma, schema: Any) -> ChromaHybridRetriever:
    """A retriever over a collection object that says this of itself."""
    again = HybridChroma(store._collection_name, WordEmbeddings(), client=store._client)
    again._chroma_collection._model.serialized_schema = schema
    return ChromaHybridRetriever(vectorstore=again, k=1)


def test_bad_arguments_are_named(cloud):
    from langchain_chroma_hybrid import Analyzer

    client = client_of(cloud)
    for options, named in (
        ({"analyzer": Analyzer(preprocess_func=str.split)}, "analyzer"),
        ({"analyzer": "klingon"}, "language"),
        ({"space": "hamming"}, "space"),
        ({"average_length": 0}, "average_length"),
        ({"embedding_function": "all-MiniLM"}, "embedding_function"),
    ):
        with pytest.raises(InvalidArgumentError, match=named):
            create_hybrid_collection(client, fresh_name(), **options)
    with pytest.raises(LexicalIndexError):
        HybridChroma(fresh_name(), WordEmbeddings(), client=client, lexical="chroma:").sync()
    assert server_search.MOST_HITS == 300
