"""`langchain_core.indexing.index` in every clean-up mode leaves both halves equal."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index

from tests.helpers import make_store

FIRST = {
    "pump.md": ["The pump is blocked", "Open the pump with the grey handle"],
    "valve.md": ["The valve leaks", "Close the valve"],
}
# One text of pump.md is changed; valve.md is not seen again; tank.md is new.
SECOND = {
    "pump.md": ["The pump is blocked", "Open the pump with the yellow lever"],
    "tank.md": ["The tank is empty"],
}
# What is still there of the first round, by clean-up mode.
KEPT = {
    None: {"handle", "leaks"},
    "incremental": {"leaks"},
    "scoped_full": {"leaks"},
    "full": set(),
}


def loaded(sources):
    return [
        Document(text, metadata={"source": name})
        for name, texts in sources.items()
        for text in texts
    ]


def lexical_texts(store, word):
    return {doc.page_content for doc in store.similarity_search(word, k=10, mode="lexical")}


def check(store, cleanup):
    assert store.verify().ok
    for word in ("handle", "leaks"):
        assert bool(lexical_texts(store, word)) is (word in KEPT[cleanup]), word
    assert lexical_texts(store, "lever") == {"Open the pump with the yellow lever"}
    assert lexical_texts(store, "tank") == {"The tank is empty"}
    everything = {doc.page_content for doc in store.similarity_search("pump", k=10, mode="vector")}
    assert set(store.get()["documents"]) == everything


@pytest.mark.parametrize("cleanup", KEPT)
def test_indexing_keeps_both_halves_equal(folder, cleanup):
    store, manager = make_store(folder), InMemoryRecordManager("test")
    manager.create_schema()
    options = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "sha256"}
    assert index(loaded(FIRST), manager, store, **options)["num_added"] == 4
    assert index(loaded(FIRST), manager, store, **options)["num_skipped"] == 4
    done = index(loaded(SECOND), manager, store, **options)
    assert (done["num_added"], done["num_skipped"]) == (2, 1)
    check(store, cleanup)


@pytest.mark.parametrize("cleanup", KEPT)
async def test_indexing_keeps_both_halves_equal_async(cleanup):
    store, manager = make_store(), InMemoryRecordManager("test")
    await manager.acreate_schema()
    options = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "sha256"}
    await aindex(loaded(FIRST), manager, store, **options)
    await aindex(loaded(SECOND), manager, store, **options)
    check(store, cleanup)


def test_indexing_nothing_with_full_cleanup_empties_both_halves():
    store, manager = make_store(), InMemoryRecordManager("test")
    manager.create_schema()
    options = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    index(loaded(FIRST), manager, store, **options)
    assert index([], manager, store, **options)["num_deleted"] == 4
    assert store.verify().ok
    assert store.similarity_search("pump") == []
