"""What is retrieved and written back leaves nothing of ours in the store, whichever way it goes."""

from __future__ import annotations

import asyncio

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, COSINE, MODES, ImageEmbeddings, fresh_name, make_store

KEY = "chroma_hybrid_score"
MINE = {"relevance_score": 0.25, "score": "mine", "chroma": "mine", "hybrid_score": True}
QUERY = "red pump R123-78"


def columns(found):
    return [d.page_content for d in found], [d.metadata for d in found], [d.id for d in found]


def record_manager():
    manager = InMemoryRecordManager("written back")
    manager.create_schema()
    return manager


def add_texts(store, found):
    texts, metadatas, ids = columns(found)
    store.add_texts(texts, metadatas, ids)


async def aadd_texts(store, found):
    texts, metadatas, ids = columns(found)
    await store.aadd_texts(texts, metadatas, ids=ids)


def from_texts(store, found):
    texts, metadatas, ids = columns(found)
    name = store._collection_name
    HybridChroma.from_texts(texts, WordEmbeddings(), metadatas, ids, name, **SAME)


async def afrom_texts(store, found):
    texts, metadatas, ids = columns(found)
    options = {"ids": ids, "collection_name": store._collection_name, **SAME}
    await HybridChroma.afrom_texts(texts, WordEmbeddings(), metadatas, **options)


def from_documents(store, found):
    name = store._collection_name
    HybridChroma.from_documents(found, WordEmbeddings(), collection_name=name, **SAME)


async def afrom_documents(store, found):
    name = store._collection_name
    await HybridChroma.afrom_documents(found, WordEmbeddings(), collection_name=name, **SAME)


def update_document(store, found):
    for document in found:
        store.update_document(document.id, document)


def indexed(store, found):
    index(found, record_manager(), store, key_encoder="sha256")


async def aindexed(store, found):
    await aindex(found, record_manager(), store, key_encoder="sha256")


SAME = {"collection_configuration": COSINE}
WAYS = {
    "add_documents": lambda store, found: store.add_documents(found),
    "add_documents_in_batches": lambda store, found: store.add_documents(found, batch_size=2),
    "aadd_documents": lambda store, found: store.aadd_documents(found),
    "add_texts": add_texts,
    "aadd_texts": aadd_texts,
    "from_texts": from_texts,
    "afrom_texts": afrom_texts,
    "from_documents": from_documents,
    "afrom_documents": afrom_documents,
    "update_document": update_document,
    "update_documents": lambda s, found: s.update_documents([d.id for d in found], found),
    "index": indexed,
    "aindex": aindexed,
}


@pytest.fixture(params=WAYS)
def write(request):
    def run(store, found):
        done = WAYS[request.param](store, found)
        if asyncio.iscoroutine(done):
            asyncio.run(done)

    return run


def store_of_both():
    """Records with metadata of the user's, and one without any."""
    store = make_store()
    texts = [text for _, text, _ in CORPUS]
    metadatas = [{**metadata, **MINE} for _, _, metadata in CORPUS]
    store.add_texts(texts, [*metadatas[:-1], None], [id_ for id_, _, _ in CORPUS])
    return store


def contents(store):
    """What is stored, whatever the ids."""
    found = store.get()
    pairs = zip(found["documents"], found["metadatas"], strict=True)
    return {(text, repr(sorted((metadata or {}).items()))) for text, metadata in pairs}


def noted(documents):
    return [key for d in documents for key in d.metadata if key.startswith("chroma_hybrid_")]


# Each way in one mode, and one way in all of them.
@pytest.mark.parametrize(
    ("write", "mode"),
    [
        *((way, MODES[n % len(MODES)]) for n, way in enumerate(WAYS)),
        *(("add_documents", mode) for mode in MODES[1:]),
    ],
    indirect=["write"],
)
def test_a_round_leaves_the_store_as_it_was(write, mode):
    store = store_of_both()
    before = contents(store)
    options = {"k": 9, "mode": mode, "explain": True, "score_key": KEY}
    noting = ChromaHybridRetriever(vectorstore=store, **options)
    found = noting.invoke(QUERY)
    assert found
    assert all({KEY, "chroma_hybrid_explanation"} <= d.metadata.keys() for d in found)
    write(store, found)
    assert contents(store) == before
    # Writing has changed nothing of what was handed over.
    assert all(KEY in document.metadata for document in found)
    plain = ChromaHybridRetriever(vectorstore=store, k=9, mode=mode)
    assert noted(plain.invoke(QUERY)) == []
    assert store.verify().ok


@pytest.mark.parametrize(
    "write", ["add_documents", "aadd_texts", "from_documents", "update_documents"], indirect=True
)
def test_a_stale_key_that_plain_chroma_has_stored_goes_with_the_next_writing(write):
    store = store_of_both()
    plain = Chroma(store._collection_name, WordEmbeddings(), **SAME)
    stale = [Document("an old pump", id="old", metadata={KEY: 0.75, "year": 1})]
    plain.add_documents(stale)
    # What a stranger stores is shown and filtered as it is,
    assert store.get_by_ids(["old"]) == stale
    (found,) = store.similarity_search("old pump", k=1, filter={KEY: 0.75})
    assert found == stale[0]
    # but where a score is asked for, it is that of the query.
    scored = ChromaHybridRetriever(vectorstore=store, score_key=KEY, k=1, explain=True)
    (document,) = scored.invoke("old pump")
    assert document.metadata[KEY] == scored.search("old pump").hits[0].relevance != 0.75
    assert ChromaHybridRetriever(vectorstore=plain, score_key=KEY, k=1).invoke("old pump")[
        0
    ].metadata[KEY] != 0.75
    write(store, [found])
    assert store.get_by_ids(["old"]) == [Document("an old pump", id="old", metadata={"year": 1})]
    assert store.similarity_search("old pump", filter={KEY: 0.75}) == []


@pytest.mark.parametrize(
    ("write", "expand"),
    [(way, ("neighbours", "parent")[n % 2]) for n, way in enumerate(WAYS)],
    indirect=["write"],
)
def test_a_text_made_of_several_records_takes_the_place_of_none(write, expand):
    store = make_store()
    places = [{"source": "book", "start_index": n, "parent_id": "p1"} for n in range(3)]
    store.add_texts(["one pump", "two valves", "three tanks"], places, ["p0", "p1", "p2"])
    found = store.similarity_search("pump", k=1, mode="lexical", expand=expand)
    assert len(found[0].page_content) > len("one pump")
    before = contents(store)
    with pytest.raises(InvalidArgumentError, match=r"chroma_hybrid_context.*get_by_ids") as caught:
        write(store, found)
    assert "valves" not in str(caught.value)
    assert contents(store) == before
    for document in found:
        del document.metadata["chroma_hybrid_context"]
    write(store, found)
    assert contents(store) != before


def test_pictures_too(tmp_path):
    store = make_store(embedding_function=ImageEmbeddings())
    (tmp_path / "red_pump.png").write_bytes(b"x")
    store.add_images([str(tmp_path / "red_pump.png")], [{KEY: 1, **MINE}], ["picture"])
    assert store.get_by_ids(["picture"])[0].metadata == MINE


def test_metadata_of_our_keys_alone_is_none_at_all():
    store = make_store()
    store.add_texts(["a pump", "a valve"], [{KEY: 0.5}, {f"{KEY}s": {"not": "storable"}}])
    assert store.get()["metadatas"] == [None, None]
    store.add_texts(["a tank"], [{"chroma_hybrid_": object(), "chroma_hybridx": 1}], ["x"])
    assert store.get(["x"])["metadatas"] == [{"chroma_hybridx": 1}]


def test_what_chroma_cannot_hold_is_still_refused_under_other_keys():
    with pytest.raises(InvalidArgumentError, match="explanation"):
        make_store().add_texts(["a pump"], [{"explanation": {"rank": 1}}])


@pytest.mark.parametrize("score_key", [None, KEY])
def test_a_score_of_a_compressor_is_stored_and_comes_back(write, score_key):
    store = store_of_both()

    class Compressor:
        """Notes its score as those of Cohere and FlashRank do."""

        def compress_documents(self, documents, query, callbacks=None):
            for rank, document in enumerate(documents):
                document.metadata["relevance_score"] = 0.5 - rank / 100
            return documents

    options = {"score_key": score_key, "reranker": Compressor(), "k": 3}
    found = ChromaHybridRetriever(vectorstore=store, **options).invoke(QUERY)
    expected = {d.page_content: 0.5 - rank / 100 for rank, d in enumerate(found)}
    assert {d.page_content: d.metadata["relevance_score"] for d in found} == expected
    write(store, found)
    again = ChromaHybridRetriever(vectorstore=store, k=30).invoke(QUERY)
    scores = {(d.page_content, d.metadata.get("relevance_score")) for d in again}
    assert set(expected.items()) <= scores
    assert noted(again) == []


def test_a_collection_of_a_name_of_its_own_stays_apart():
    """Other keys that only look like ours pass."""
    store = HybridChroma(fresh_name(), WordEmbeddings())
    keys = {"chroma_hybrid": 1, "Chroma_hybrid_score": 2, "x_chroma_hybrid_score": 3}
    store.add_texts(["a pump"], [keys], ["x"])
    assert store.get_by_ids(["x"])[0].metadata == keys
