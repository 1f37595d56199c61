"""Every public method of the installed Chroma does its work here too, on both halves."""

from __future__ import annotations

import inspect
from enum import StrEnum

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    InvalidArgumentError,
    UnknownArgumentError,
)
from tests.helpers import (
    COSINE,
    CountingEmbeddings,
    ImageEmbeddings,
    documents,
    filled,
    fresh_name,
    ids_of,
    make_store,
    plain_chroma,
)

OVERRIDDEN = {
    "aadd_documents",
    "aadd_texts",
    "add_documents",
    "add_images",
    "add_texts",
    "as_retriever",
    "asearch",
    "asimilarity_search",
    "asimilarity_search_with_relevance_scores",
    "asimilarity_search_with_score",
    "delete",
    "delete_collection",
    "from_documents",
    "from_texts",
    "get",
    "get_by_ids",
    "max_marginal_relevance_search",
    "max_marginal_relevance_search_by_vector",
    "search",
    "similarity_search",
    "similarity_search_by_image",
    "similarity_search_by_image_with_relevance_score",
    "similarity_search_by_vector",
    "similarity_search_by_vector_with_relevance_scores",
    "similarity_search_with_relevance_scores",
    "similarity_search_with_score",
    "similarity_search_with_vectors",
    "update_documents",
}
_SYNC = "runs the overridden sync method in a thread"
INHERITED = {
    "adelete": _SYNC,
    "aget_by_ids": _SYNC,
    "amax_marginal_relevance_search": _SYNC,
    "amax_marginal_relevance_search_by_vector": _SYNC,
    "asimilarity_search_by_vector": _SYNC,
    "afrom_documents": "calls afrom_texts",
    "afrom_texts": "calls the overridden from_texts in a thread",
    "embeddings": "reads an attribute",
    "encode_image": "reads a file, knows no collection",
    "fork": "needs Chroma Cloud, and gives a plain Chroma of another collection",
    "hybrid_search": "Chroma's own search language, which embedded Chroma does not run",
    "reset_collection": "calls the overridden delete_collection and makes the collection anew",
    "update_document": "calls the overridden update_documents",
}


def public(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def test_every_method_is_overridden_or_has_a_reason():
    assert not OVERRIDDEN & INHERITED.keys()
    assert public(Chroma) == OVERRIDDEN | INHERITED.keys()


def test_the_lists_tell_the_truth():
    at = inspect.getattr_static
    own = {name for name in public(Chroma) if at(HybridChroma, name) is not at(Chroma, name)}
    assert own == OVERRIDDEN


def test_what_is_overridden_takes_every_argument_of_chroma():
    for name in OVERRIDDEN - {"from_texts", "from_documents"}:
        theirs = inspect.signature(getattr(Chroma, name)).parameters.values()
        ours = inspect.signature(getattr(HybridChroma, name)).parameters
        named = [p.name for p in theirs if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        open_ended = any(p.kind is p.VAR_KEYWORD for p in ours.values())
        assert open_ended or set(named) <= set(ours), name
        positional = [n for n in named if n in ours and ours[n].kind is not ours[n].KEYWORD_ONLY]
        assert positional == [n for n in ours if n in positional], name


def test_the_constructor_takes_every_argument_of_chroma(tmp_path):
    theirs = set(inspect.signature(Chroma.__init__).parameters)
    store = HybridChroma(
        collection_name=fresh_name(),
        embedding_function=CountingEmbeddings(),
        persist_directory=str(tmp_path),
        collection_metadata={"made": "by us"},
        collection_configuration=COSINE,
        create_collection_if_not_exists=True,
    )
    assert store._collection.metadata == {"made": "by us"}
    untried = {"self", "client", "client_settings", "relevance_score_fn"}
    server = {"host", "port", "ssl", "headers", "chroma_cloud_api_key", "tenant", "database"}
    tried = {
        "collection_name", "embedding_function", "persist_directory", "collection_metadata",
        "collection_configuration", "create_collection_if_not_exists",
    }  # fmt: skip
    assert theirs == untried | server | tried
    for name in untried - {"self"}:
        HybridChroma(fresh_name(), CountingEmbeddings(), **{name: None})


def test_arguments_come_in_chromas_order_too():
    client = make_store()._client
    positional = [None] * 7 + [{"made": "by us"}, COSINE, client, abs]
    store = HybridChroma(fresh_name(), CountingEmbeddings(), None, *positional)
    assert store._collection.metadata == {"made": "by us"}
    assert store._client is client
    assert store.override_relevance_score_fn is abs
    # `client` comes earlier there.
    positional = [None] * 7 + [client, {"made": "by us"}]
    for make, first in (
        (HybridChroma.from_texts, (["fox"], CountingEmbeddings(), None, ["x"])),
        (HybridChroma.from_documents, ([Document("fox", id="x")], CountingEmbeddings(), None)),
    ):
        made = make(*first, fresh_name(), None, *positional, mode="lexical")
        assert made._client is client
        assert made._collection.metadata == {"made": "by us"}
        assert ids_of(made.similarity_search("fox")) == ["x"]


@pytest.mark.parametrize(
    ("positional", "options", "message"),
    [(("::1",), {"host": "::1"}, "by name: host"), ([None] * 13, {}, "13 arguments")],
)
def test_arguments_that_have_no_place(positional, options, message):
    with pytest.raises(UnknownArgumentError, match=message):
        HybridChroma(fresh_name(), CountingEmbeddings(), None, *positional, **options)


# Each of them once for real. What they return is compared with Chroma's own where that is right.


def lexical(store, query, **options):
    return ids_of(store.similarity_search(query, k=20, mode="lexical", **options))


def test_add_texts(empty):
    ids = empty.add_texts(["one pump", "two valves"], [{"n": 1}, {"n": 2}], ["x", "y"])
    assert ids == ["x", "y"]
    assert lexical(empty, "valve") == ["y"]
    assert empty.get(ids=["y"])["metadatas"] == [{"n": 2}]


async def test_aadd_texts(empty):
    ids = await empty.aadd_texts(["one pump", "two valves"], [{"n": 1}, {"n": 2}], ids=["x", "y"])
    assert ids == ["x", "y"]
    assert lexical(empty, "valve") == ["y"]


def test_add_documents_replaces_what_has_the_same_id(store):
    assert store.add_documents([Document("a blue whale", id="pump")]) == ["pump"]
    assert lexical(store, "whale") == ["pump"]
    assert "pump" not in lexical(store, "blocked")


async def test_aadd_documents_gives_ids_to_those_without(empty):
    first, second = await empty.aadd_documents([Document("a whale", id="x"), Document("a fish")])
    assert first == "x"
    assert lexical(empty, "fish") == [second]
    # Chroma takes an empty id for none.
    (third,) = empty.add_documents([Document("a crab", id="")])
    assert third
    assert lexical(empty, "crab") == [third]


def test_add_images(tmp_path):
    store = make_store(embedding_function=ImageEmbeddings())
    picture = tmp_path / "red_fox.png"
    picture.write_bytes(b"not really a picture")
    (added,) = store.add_images((str(path) for path in [picture]), [{"kind": "fox"}])
    assert store.get(ids=[added])["documents"] == [Chroma.encode_image(str(picture))]
    (found,) = store.similarity_search("red fox", mode="vector", filter={"kind": "fox"})
    assert found.id == added
    assert store.verify().ok


def test_update_document_and_update_documents(store):
    store.update_document("pump", Document("a blue whale", metadata={"tenant": "z"}))
    assert lexical(store, "whale", filter={"tenant": "z"}) == ["pump"]
    store.update_documents(["cat", "river"], [Document("a fox"), Document("two foxes")])
    assert set(lexical(store, "fox")) == {"cat", "river"}
    assert lexical(store, "sleeps") == []
    assert store.verify().ok


def test_delete(store):
    store.delete(["pump", "unknown"])
    store.delete(where={"tenant": "b"})
    store.delete(where_document={"$contains": "steep"})
    store.delete(["leaves", "river"], where={"tenant": "c"})
    assert set(store.get()["ids"]) == {"leaves", "cat", "manual"}
    assert lexical(store, "pump valve bank river water") == ["manual"]
    assert store.verify().ok


def test_delete_one_id_and_at_most_so_many(store):
    store.delete("pump")
    assert store.get_by_ids(["pump"]) == []
    store.delete(where={"tenant": "a"}, limit=1)
    left = store.get(where={"tenant": "a"})["ids"]
    assert len(left) == sum(d.metadata["tenant"] == "a" and d.id != "pump" for d in documents()) - 1
    store.delete(iter(["cat"]))
    assert store.get_by_ids(["cat"]) == []
    assert store.verify().ok


async def test_adelete(store):
    await store.adelete(["pump"])
    assert "pump" not in lexical(store, "pump")


def test_delete_collection_removes_the_folder_and_reset_makes_it_anew(tmp_path):
    store = filled(tmp_path)
    assert lexical(store, "maple")
    (before,) = (tmp_path / "lexical").iterdir()
    store.reset_collection()
    assert not before.exists()
    assert store.similarity_search("maple") == []
    store.add_texts(["a maple"], ids=["x"])
    assert lexical(store, "maple") == ["x"]
    store.delete_collection()
    assert not [path for path in (tmp_path / "lexical").rglob("*") if path.is_file()]


def test_get_by_ids_keeps_the_order_and_passes_over_unknown_ids(store):
    found = store.get_by_ids(["river", "unknown", "cat"])
    assert ids_of(found) == ["river", "cat"]
    assert found[1] == documents()[4]


def test_get_by_ids_takes_any_iterable_and_needs_no_lexical_index(store):
    store.similarity_search("pump")
    reader = HybridChroma(
        store._collection_name, CountingEmbeddings(), client=store._client, analyzer="german"
    )
    with pytest.raises(AnalyzerMismatchError):
        reader.similarity_search("pump")
    assert ids_of(reader.get_by_ids(id_ for id_ in ("river", "cat"))) == ["river", "cat"]
    assert reader.get(ids=["cat"])["ids"] == ["cat"]


async def test_aget_by_ids(store):
    assert ids_of(await store.aget_by_ids(["cat"])) == ["cat"]


def test_from_texts_and_from_documents():
    options = {"collection_configuration": COSINE}
    made = HybridChroma.from_texts(
        ["a fox"], CountingEmbeddings(), [{"n": 1}], ["x"], collection_name=fresh_name(), **options
    )
    assert isinstance(made, HybridChroma)
    assert lexical(made, "fox") == ["x"]
    made = HybridChroma.from_documents(
        [Document("a fox")], CountingEmbeddings(), ["y"], collection_name=fresh_name(), **options
    )
    assert lexical(made, "fox") == ["y"]


async def test_afrom_texts_and_afrom_documents():
    embeddings = CountingEmbeddings()
    made = await HybridChroma.afrom_texts(
        ["a fox"], embeddings, collection_name=fresh_name(), ids=["x"]
    )
    assert lexical(made, "fox") == ["x"]
    made = await HybridChroma.afrom_documents(
        [Document("a fox", id="y")], embeddings, collection_name=fresh_name()
    )
    assert lexical(made, "fox") == ["y"]


def test_similarity_search_and_search(store):
    assert ids_of(store.similarity_search("R123-78", k=1)) == ["pump"]
    assert ids_of(store.search("R123-78", "similarity", k=1)) == ["pump"]
    assert ids_of(store.search("R123-78", "mmr", k=1)) == ["pump"]


async def test_asimilarity_search_and_asearch(store):
    assert ids_of(await store.asimilarity_search("R123-78", k=1)) == ["pump"]
    assert ids_of(await store.asearch("R123-78", "similarity", k=1)) == ["pump"]


async def test_the_async_searches_give_what_the_sync_ones_give(store):
    query, vector = "red maple pump", CountingEmbeddings().embed_query("red maple pump")
    options = {"k": 5, "filter": {"tenant": "a"}, "where_document": {"$contains": "the"}}
    for name, given in (
        ("similarity_search", query),
        ("similarity_search_with_score", query),
        ("similarity_search_with_relevance_scores", query),
        ("similarity_search_by_vector", vector),
        ("max_marginal_relevance_search", query),
        ("max_marginal_relevance_search_by_vector", vector),
    ):
        found = getattr(store, name)(given, **options)
        assert found
        assert await getattr(store, f"a{name}")(given, **options) == found


def test_searches_by_vector_are_chromas_own(store):
    plain = Chroma(store._collection_name, CountingEmbeddings(), collection_configuration=COSINE)
    vector = CountingEmbeddings().embed_query("the red pump in the river")
    options = {"k": 3, "filter": {"year": {"$gt": 2021}}, "where_document": {"$contains": "e"}}
    for name in ("similarity_search_by_vector", "max_marginal_relevance_search_by_vector"):
        assert getattr(store, name)(vector, **options) == getattr(plain, name)(vector, **options)
    ours = store.similarity_search_by_vector_with_relevance_scores(vector, **options)
    theirs = plain.similarity_search_by_vector_with_relevance_scores(vector, **options)
    assert ids_of(ours) == ids_of(theirs)
    assert [d for _, d in ours] == pytest.approx([d for _, d in theirs], abs=1e-5)


def test_similarity_search_with_vectors(store):
    for document, vector in store.similarity_search_with_vectors("red pump", k=3):
        kept = store.get(ids=[document.id], include=["embeddings"])["embeddings"][0]
        assert np.array_equal(np.asarray(vector), np.asarray(kept, dtype=np.float32))


def test_image_searches(tmp_path):
    store = filled(embedding_function=ImageEmbeddings())
    uri = str(tmp_path / "the_pump_is_blocked.png")
    assert ids_of(store.similarity_search_by_image(uri, k=1)) == ["pump"]
    ((document, distance),) = store.similarity_search_by_image_with_relevance_score(uri, k=1)
    by_text = store.similarity_search_with_score("the pump is blocked", k=1, mode="vector")
    assert (document, distance) == (by_text[0][0], pytest.approx(by_text[0][1], abs=1e-6))


def test_what_is_read_straight_from_chroma(store):
    assert store.get(where={"tenant": "b"})["ids"] == ["valve", "water"]
    assert isinstance(store.embeddings, type(plain_chroma().embeddings))
    with pytest.raises(Exception, match=r"(?i)fork"):
        store.fork("another")
    from chromadb import Search

    with pytest.raises(NotImplementedError):
        store.hybrid_search(Search())


# What langchain-chroma gets wrong.


def test_more_texts_than_one_call_of_the_client_takes(tmp_path):
    store = make_store(tmp_path, embedding_function=CountingEmbeddings(4))
    count = 6_000
    assert count > store._client.get_max_batch_size()
    ids = store.add_texts(f"text number {i}" for i in range(count))
    assert len(set(ids)) == store._collection.count() == count
    assert len(store.embeddings.texts) == count
    assert lexical(store, "5999") == [ids[5999]]


async def test_a_batch_size_of_the_callers():
    sizes = []

    class Embeddings(CountingEmbeddings):
        def embed_documents(self, texts):
            sizes.append(len(texts))
            return super().embed_documents(texts)

    store = make_store(embedding_function=Embeddings())
    store.add_texts(list("abcde"), batch_size=2)
    await store.aadd_documents([Document(text) for text in "fgh"], batch_size=2)
    assert sizes == [2, 2, 1, 2, 1]
    with pytest.raises(InvalidArgumentError, match="batch_size"):
        store.add_texts(["a"], batch_size=0)
    assert store._collection.count() == 8


def test_generators_of_texts_and_documents(empty):
    first = empty.add_texts(text for text in ["a fox", "a whale"])
    second = empty.add_documents(Document(text) for text in ["a cow"])
    assert empty._collection.count() == len({*first, *second}) == 3


def test_generators_when_made_from_them():
    made = HybridChroma.from_texts(
        (text for text in ["a fox"]), CountingEmbeddings(), collection_name=fresh_name()
    )
    assert len(made.similarity_search("fox")) == 1


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_records_without_metadata(empty, mode):
    empty.add_texts(["a fox", "a whale"], ids=["x", "y"])
    assert empty.get_by_ids(["x"]) == [Document("a fox", id="x")]
    assert empty.similarity_search("fox", k=1, mode=mode) == [Document("a fox", id="x")]
    assert ids_of(empty.similarity_search("fox", filter={"n": {"$ne": 1}}, mode=mode))[0] == "x"
    assert empty.similarity_search("fox", filter={"n": 1}, mode=mode) == []


def test_some_metadata_among_none(empty):
    empty.add_texts(["one", "two", "three"], [{"n": 1}, {}], ["x", "y", "z"])
    empty.add_documents([Document("four", id="v"), Document("five", id="w", metadata={"n": 1})])
    assert set(empty.get(where={"n": 1})["ids"]) == {"x", "w"}
    assert empty.verify().ok


class Colour(StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


def test_a_metadata_value_of_none_means_what_it_means_to_chroma():
    expected = []
    for store in (Chroma(fresh_name(), CountingEmbeddings()), make_store()):
        store.add_texts(["red", "blue"], [{"a": 1, "b": None}, {"b": None}], ["x", "y"])
        store.add_texts(["red"], [{"a": None, "c": 2}], ["z"])
        added = store.get()["metadatas"]
        store.update_documents(["z"], [Document("red", metadata={"c": None, "d": 3})])
        expected.append([added, store.get()["metadatas"]])
    assert expected[0] == expected[1] == [[{"a": 1}, None, {"c": 2}], [{"a": 1}, None, {"d": 3}]]
    assert ids_of(store.similarity_search("red", filter={"c": {"$ne": 2}, "d": 3})) == ["z"]
    assert store.verify().ok


def test_values_that_are_almost_plain_are_stored_as_plain_ones(empty):
    given = {
        "float": np.float64(0.5),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "text": Text("t"),
        "enum": Colour.RED,
        "list": [np.int64(1), np.int64(2)],
        Text("key"): "k",
    }
    empty.add_texts(["red"], [given], ["x"])
    [stored] = empty.get()["metadatas"]
    plain = {"float": 0.5, "int": 3, "bool": True, "text": "t", "enum": "red", "list": [1, 2]}
    assert stored == {**plain, "key": "k"}
    assert {key: type(value) for key, value in stored.items() if key in plain} == {
        key: type(value) for key, value in plain.items()
    }
    assert given["enum"] is Colour.RED
    assert ids_of(empty.similarity_search("red", filter={"enum": Colour.RED})) == ["x"]


@pytest.mark.parametrize("space", ["l2", "cosine", "ip"])
@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_relevance_scores_lie_between_0_and_1(space, mode):
    class Long(CountingEmbeddings):
        def embed_query(self, text):
            return [100.0 * x for x in super().embed_query(text)]

        def embed_documents(self, texts):
            return [[-30.0 * x for x in vector] for vector in super().embed_documents(texts)]

    for embeddings in (CountingEmbeddings(), Long()):
        configuration = {"hnsw": {"space": space}}
        store = filled(collection_configuration=configuration, embedding_function=embeddings)
        found = store.similarity_search_with_relevance_scores("red pump", k=8, mode=mode)
        scores = [score for _, score in found]
        assert len(scores) > 1
        assert all(0.0 <= score <= 1.0 for score in scores)


def test_a_filter_of_two_keys_is_an_and(store):
    where = {"tenant": "a", "year": 2022}
    for mode in ("hybrid", "vector", "lexical", "two_step"):
        assert ids_of(store.similarity_search("pump", filter=where, mode=mode)) == ["pump"]


def test_records_without_a_document(store):
    vector = CountingEmbeddings().embed_query("golden gate")
    columns = {"embeddings": [vector], "uris": ["file:///x"], "metadatas": [{"n": 1}]}
    store._collection.add(ids=["uri"], **columns)
    for mode in ("hybrid", "vector"):
        (found,) = store.similarity_search("golden gate", k=1, mode=mode)
        assert (found.id, found.page_content, found.metadata) == ("uri", "", {"n": 1})
    assert store.similarity_search("golden gate", mode="lexical") == []
    assert ids_of(store.get_by_ids(["uri"])) == ["uri"]
    assert store.verify().ok
