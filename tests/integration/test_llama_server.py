"""The LlamaIndex store on a server, where Chroma itself answers filters."""

from __future__ import annotations

from typing import Any

import chromadb
import pytest

pytest.importorskip("llama_index.core")
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.chroma import ChromaVectorStore

from langchain_chroma_hybrid.errors import FilterError
from langchain_chroma_hybrid.llama_index import ChromaHybridRetriever, ChromaHybridVectorStore
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, fresh_name

pytestmark = pytest.mark.usefixtures("cache")
WORDS = WordEmbeddings()
MODES = ("default", "sparse", "hybrid", "semantic_hybrid", "mmr")
TENANT = MetadataFilters.from_dicts([{"key": "tenant", "value": "a"}])
# What Chroma's own language cannot say.
BEYOND = MetadataFilters.from_dicts([{"key": "tenant", "value": "a", "operator": "text_match"}])


def nodes() -> list[TextNode]:
    found = []
    for id_, text, metadata in CORPUS:
        node = TextNode(id_=id_, text=text, metadata=metadata, embedding=WORDS.embed_query(text))
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"{id_}.md")
        found.append(node)
    return found


def asked(mode: str, **fields: Any) -> VectorStoreQuery:
    text = "pump red river"
    return VectorStoreQuery(
        WORDS.embed_query(text), 8, query_str=text, mode=VectorStoreQueryMode(mode), **fields
    )


@pytest.mark.parametrize("writers", ["any", "ours"])
async def test_ids_and_filters_restrict(port: int, writers: Any) -> None:
    store = ChromaHybridVectorStore.from_params(
        fresh_name(), host="127.0.0.1", port=port, writers=writers
    )
    store.add(nodes())
    ids = ["pump", "cat", "bank", "gone"]
    for mode in MODES:
        for filters, passing in ((None, {"pump", "cat", "bank"}), (TENANT, {"pump", "cat"})):
            query = asked(mode, node_ids=ids, filters=filters)
            assert set(store.query(query).ids or ()) == passing
            assert (await store.aquery(query)).ids == store.query(query).ids
        assert store.query(asked(mode, doc_ids=["cat.md"])).ids == ["cat"]
    assert {node.node_id for node in store.get_nodes(ids, TENANT)} == {"pump", "cat"}
    await store.adelete_nodes(ids, TENANT)
    await store.adelete("bank.md")
    assert store.client.count() == len(CORPUS) - 3
    assert store.verify().ok
    store.close()


async def test_what_chroma_cannot_say_is_one_error(port: int) -> None:
    place: dict[str, Any] = {"host": "127.0.0.1", "port": port}
    store = ChromaHybridVectorStore.from_params(fresh_name(), writers="any", **place)
    store.add(nodes())
    retriever = ChromaHybridRetriever(store, base_filter=BEYOND)
    for mode in MODES:
        with pytest.raises(FilterError, match='writers="ours"'):
            store.query(asked(mode, filters=BEYOND))
        with pytest.raises(FilterError, match='writers="ours"'):
            await store.aquery(asked(mode, filters=BEYOND))
    with pytest.raises(FilterError, match='writers="ours"'):
        retriever.retrieve("pump")
    expected = {id_ for id_, _, metadata in CORPUS if metadata["tenant"] == "a"}
    assert {node.node_id for node in store.get_nodes(filters=BEYOND)} == expected
    retriever.close()
    store.close()  # who writes is one thing in a process
    ours = ChromaHybridVectorStore.from_params(store.client.name, writers="ours", **place)
    for mode in MODES:
        found = set(ours.query(asked(mode, filters=BEYOND)).ids or ())
        assert found
        assert found <= expected
    ours.delete_nodes(filters=BEYOND)
    assert ours.client.count() == len(CORPUS) - len(expected)
    ours.close()


def test_another_clients_writes_are_found(port: int) -> None:
    name = fresh_name()
    store = ChromaHybridVectorStore(collection_name=name, host="127.0.0.1", port=str(port))
    store.add(nodes())
    other = chromadb.HttpClient("127.0.0.1", port).get_collection(name)
    zebra = TextNode(id_="zebra", text="a zebra", embedding=WORDS.embed_query("a zebra"))
    ChromaVectorStore(chroma_collection=other).add([zebra])
    assert store.query(VectorStoreQuery(query_str="zebra", mode="sparse")).ids == ["zebra"]
    ChromaVectorStore(chroma_collection=other).delete_nodes(["zebra"])
    assert store.query(VectorStoreQuery(query_str="zebra", mode="sparse")).ids == []
    store.close()
