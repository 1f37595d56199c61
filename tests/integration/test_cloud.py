"""Hybrid search that Chroma's own server does, over a double of Chroma Cloud (`tests/cloud.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import HybridChroma, create_hybrid_collection
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.cloud import Cloud, cloud_before
from tests.helpers import documents, filled, fresh_name, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def cloud(port: int) -> Iterator[Cloud]:
    with cloud_before(port) as cloud:
        yield cloud


def opened(cloud: Cloud, name: str | None = None, **options: Any) -> HybridChroma:
    client = chromadb.HttpClient("127.0.0.1", cloud.port)
    if name is None:
        name = fresh_name()
        create_hybrid_collection(client, name)
    return HybridChroma(name, WordEmbeddings(), client=client, **options)


@pytest.fixture
def store(cloud: Cloud) -> Iterator[HybridChroma]:
    store = opened(cloud)
    store.add_documents(documents())
    cloud.forget()
    yield store
    store.delete_collection()


def test_it_works(store, cloud, cache):
    found = store.similarity_search("Error R123-78", k=3)
    print(found, cloud.requests, cloud.searches)
    print(store.similarity_search_with_relevance_scores("Error R123-78", k=3))
    print(cloud.requests)
    for d in cache.rglob("*"): print(d)
    1/0
