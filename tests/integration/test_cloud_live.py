"""The real Chroma Cloud: `-m cloud`, with `CHROMA_API_KEY`, `CHROMA_TENANT`, `CHROMA_DATABASE`."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import chromadb
import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, create_hybrid_collection
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import MODES, documents, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def store() -> Iterator[HybridChroma]:
    client = chromadb.CloudClient(
        tenant=os.environ.get("CHROMA_TENANT"),
        database=os.environ.get("CHROMA_DATABASE"),
        api_key=os.environ["CHROMA_API_KEY"],
    )
    name = f"chroma-hybrid-{uuid.uuid4().hex}"
    create_hybrid_collection(client, name, average_length=7)
    store = HybridChroma(name, WordEmbeddings(), client=client, lexical="chroma:")
    store.add_documents(documents())
    yield store
    store.delete_collection()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", [None, {"tenant": "a"}])
def test_every_mode_finds_it(store, mode, where):
    found = store.similarity_search("Error R123-78", k=3, mode=mode, filter=where)
    assert ids_of(found)[0] == "pump"


def test_what_one_leg_has_found_comes_back(store):
    assert len(store.similarity_search("R123-78", k=8)) == len(documents())
    assert ids_of(store.similarity_search("blocked", k=8, mode="lexical")) == ["pump"]


def test_the_fused_order_is_that_of_both_legs(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=8)
    for query in ("Error R123-78", "water in the river"):
        assert ids_of(retriever.invoke(query)) == [h.id for h in retriever.search(query).hits]


def test_groups_and_words_that_are_nowhere(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=3, dedupe_key="tenant")
    tenants = [found.metadata["tenant"] for found in retriever.invoke("pump water river")]
    assert sorted(tenants) == ["a", "b", "c"]
    assert retriever.search("blocked albatross").unmatched == ("albatross",)
