"""Where LlamaIndex' users put a store or a retriever: each of these places, with no model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

pytest.importorskip("llama_index.core")
from llama_index.core import (
    Document,
    MockEmbedding,
    Settings,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import CompletionResponse, LLMMetadata
from llama_index.core.chat_engine import CondensePlusContextChatEngine
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent
from llama_index.core.llms import CustomLLM
from llama_index.core.llms import mock as mocks
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import (
    HierarchicalNodeParser,
    SentenceSplitter,
    SentenceWindowNodeParser,
    get_leaf_nodes,
)
from llama_index.core.postprocessor import (
    MetadataReplacementPostProcessor,
    SimilarityPostprocessor,
)
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.retrievers import (
    AutoMergingRetriever,
    QueryFusionRetriever,
    RouterRetriever,
    VectorIndexAutoRetriever,
)
from llama_index.core.selectors import EmbeddingSingleSelector
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.tools import QueryEngineTool, RetrieverTool
from llama_index.core.vector_stores.types import MetadataInfo, VectorStoreInfo

from langchain_chroma_hybrid.llama_index import (
    ChromaHybridRetriever,
    ChromaHybridVectorStore,
    to_llama,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import helpers

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = to_llama(WordEmbeddings())
HYBRID: dict[str, Any] = {"vector_store_query_mode": "hybrid", "similarity_top_k": 3}


def documents() -> list[Document]:
    return [Document(id_=i, text=t, metadata=dict(m)) for i, t, m in helpers.CORPUS]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words lists that come with LlamaIndex, which its first 0.14 would download."""
    import llama_index.core

    monkeypatch.setenv(
        "NLTK_DATA", str(Path(llama_index.core.__file__).parent / "_static" / "nltk_cache")
    )


@pytest.fixture
def store() -> Iterator[ChromaHybridVectorStore]:
    client, name = chromadb.EphemeralClient(), helpers.fresh_name()
    yield ChromaHybridVectorStore(client.create_collection(name), embed_model=MODEL)
    client.delete_collection(name)


@pytest.fixture
def index(store: ChromaHybridVectorStore) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=store)
    VectorStoreIndex.from_documents(documents(), storage_context=context, embed_model=MODEL)
    return VectorStoreIndex.from_vector_store(store, embed_model=MODEL)  # without a docstore


def texts(found: Any) -> list[str]:
    return [node.get_content() for node in found]


def in_step(store: ChromaHybridVectorStore, count: int) -> bool:
    return bool(store.verify().ok) and len(store.get_nodes()) == count


def test_an_index_inserts_refreshes_and_deletes(
    store: ChromaHybridVectorStore, index: VectorStoreIndex
) -> None:
    index.insert(Document(id_="zebra", text="a zebra grazes"))
    assert texts(index.as_retriever(**HYBRID).retrieve("zebra"))[0] == "a zebra grazes"
    index.delete_ref_doc("zebra")
    assert "a zebra grazes" not in texts(index.as_retriever(**HYBRID).retrieve("zebra"))
    context = StorageContext.from_defaults(vector_store=store)
    store.clear()
    own = VectorStoreIndex.from_documents(
        documents(), storage_context=context, embed_model=MODEL, store_nodes_override=True
    )
    changed = [Document(id_="pump", text="the pump runs again"), *documents()[2:]]
    assert own.refresh_ref_docs(changed) == [True] + [False] * 6
    assert in_step(store, 8)
    words = own.as_retriever(vector_store_query_mode="sparse")
    assert texts(words.retrieve("again")) == ["the pump runs again"]
    assert words.retrieve("blocked") == []


async def test_use_async_and_load(store: ChromaHybridVectorStore) -> None:
    context = StorageContext.from_defaults(vector_store=store)
    index = await asyncio.to_thread(
        VectorStoreIndex.from_documents,
        documents(), storage_context=context, embed_model=MODEL, use_async=True,
    )  # fmt: skip
    retriever = index.as_retriever(**HYBRID)
    expected = texts(retriever.retrieve("red maple"))
    found = await asyncio.gather(*(retriever.aretrieve("red maple") for _ in range(40)))
    assert all(texts(each) == expected for each in found)
    assert in_step(store, 8)


@pytest.mark.parametrize("mode", ["default", "hybrid", "sparse", "text_search", "mmr"])
def test_query_and_chat_engines(index: VectorStoreIndex, mode: str) -> None:
    engine = index.as_query_engine(
        llm=MockLLM(), vector_store_query_mode=mode, alpha=0.3, similarity_top_k=2
    )
    response = engine.query("Error R123-78 pump")
    assert "pump is blocked" in response.source_nodes[0].get_content()
    chat = index.as_chat_engine(
        chat_mode="context", llm=MockLLM(), vector_store_query_mode=mode, similarity_top_k=2
    )
    assert "pump is blocked" in chat.chat("Error R123-78 pump").source_nodes[0].get_content()


class Scripted(CustomLLM):
    """Says one thing."""

    says: str

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        return CompletionResponse(text=self.says)

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        yield self.complete(prompt)


def retriever_over(store: ChromaHybridVectorStore, **options: Any) -> ChromaHybridRetriever:
    return ChromaHybridRetriever(store, embed_model=MODEL, similarity_top_k=3, **options)


async def test_engines_over_the_retriever(
    store: ChromaHybridVectorStore, index: VectorStoreIndex
) -> None:
    retriever = retriever_over(store, explain=True)
    cut = SimilarityPostprocessor(similarity_cutoff=0.4)
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM(), node_postprocessors=[cut])
    for response in (engine.query("R123-78"), await engine.aquery("R123-78")):
        assert response.source_nodes
        assert all((node.score or 0) >= 0.4 for node in response.source_nodes)
        assert "'rank'" not in str(response)
    cited = CitationQueryEngine.from_args(index, retriever=retriever, llm=MockLLM())
    assert "Source 1" in cited.query("R123-78").source_nodes[0].get_content()
    chat = CondensePlusContextChatEngine.from_defaults(retriever, llm=MockLLM())
    assert chat.chat("R123-78").source_nodes


SPECS = [
    ({"query": "", "filters": [{"key": "year", "value": 2024, "operator": "=="}]}, 2),
    ({"query": "pump", "filters": [{"key": "tenant", "value": "b", "operator": "=="}]}, 2),
]


@pytest.mark.parametrize("mode", ["default", "hybrid", "sparse"])
@pytest.mark.parametrize(("spec", "count"), SPECS)
def test_auto_retriever(index: VectorStoreIndex, spec: Any, count: int, mode: str) -> None:
    info = [MetadataInfo(name="year", type="int", description="the year")]
    llm = Scripted(says=json.dumps(spec))
    retriever = VectorIndexAutoRetriever(
        index, VectorStoreInfo(content_info="notes", metadata_info=info), llm=llm,
        vector_store_query_mode=mode, similarity_top_k=4,
    )  # fmt: skip
    found = retriever.retrieve("whatever")
    key, value = spec["filters"][0]["key"], spec["filters"][0]["value"]
    assert {node.metadata[key] for node in found} == {value}
    assert len(found) == count or mode == "sparse"


def test_fusion_and_router(store: ChromaHybridVectorStore, index: VectorStoreIndex) -> None:
    words, vectors = retriever_over(store, mode="lexical"), index.as_retriever()
    fused = QueryFusionRetriever(
        [words, vectors], llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", use_async=False
    )
    assert "R123-78" in texts(fused.retrieve("R123-78"))[0]
    tools = [
        RetrieverTool.from_defaults(words, description="codes of errors"),
        RetrieverTool.from_defaults(vectors, description="anything else"),
    ]
    router = RouterRetriever(
        selector=EmbeddingSingleSelector.from_defaults(embed_model=MODEL), retriever_tools=tools,
        llm=MockLLM(),
    )  # fmt: skip
    assert "R123-78" in texts(router.retrieve("codes of errors R123-78"))[0]


def test_sentence_window_and_auto_merging(store: ChromaHybridVectorStore) -> None:
    text = " ".join(t + "." for _, t, _ in helpers.CORPUS)
    context = StorageContext.from_defaults(vector_store=store)
    windows = SentenceWindowNodeParser(window_size=1)([Document(text=text)])
    index = VectorStoreIndex(windows, storage_context=context, embed_model=MODEL)
    engine = index.as_query_engine(
        llm=MockLLM(), vector_store_query_mode="sparse",
        node_postprocessors=[MetadataReplacementPostProcessor(target_metadata_key="window")],
    )  # fmt: skip
    window = engine.query("blocked").source_nodes[0].get_content()
    assert "maple" in window
    assert "valve" in window
    store.clear()
    nodes = HierarchicalNodeParser.from_defaults(chunk_sizes=[128, 32])([Document(text=text)])
    context = StorageContext.from_defaults(vector_store=store)
    context.docstore.add_documents(nodes)
    leaves = VectorStoreIndex(get_leaf_nodes(nodes), storage_context=context, embed_model=MODEL)
    merging = AutoMergingRetriever(
        leaves.as_retriever(vector_store_query_mode="hybrid", similarity_top_k=9), context
    )
    assert max(map(len, texts(merging.retrieve("pump water")))) > max(
        len(node.get_content()) for node in get_leaf_nodes(nodes)
    )


@pytest.mark.parametrize("strategy", ["UPSERTS", "UPSERTS_AND_DELETE"])
async def test_ingestion_pipeline(store: ChromaHybridVectorStore, strategy: str) -> None:
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(), MODEL], docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy[strategy], vector_store=store,
    )  # fmt: skip
    pipeline.run(documents=documents())
    assert pipeline.run(documents=documents()) == []
    changed = [Document(id_="pump", text="the pump runs again"), *documents()[2:]]
    await pipeline.arun(documents=changed)
    gone = strategy == "UPSERTS_AND_DELETE"
    assert in_step(store, 7 if gone else 8)
    words = retriever_over(store, mode="lexical")
    assert texts(words.retrieve("again")) == ["the pump runs again"]
    assert words.retrieve("blocked") == []
    assert bool(words.retrieve("autumn")) is not gone


async def test_a_tool_of_an_agent(store: ChromaHybridVectorStore, index: VectorStoreIndex) -> None:
    assert index
    if not hasattr(mocks, "MockFunctionCallingLLM"):
        pytest.skip("this llama-index-core has no scripted LLM that calls functions")
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock

    engine = RetrieverQueryEngine.from_args(retriever_over(store), llm=MockLLM())
    tool = QueryEngineTool.from_defaults(engine, name="notes", description="notes on pumps")
    calls: list[str] = []

    def scripted(messages: Any, **_: Any) -> Any:
        if calls:
            return ChatMessage(role="assistant", content=f"Seen: {messages[-1].content}")
        calls.append("notes")
        call = ToolCallBlock(tool_call_id="1", tool_name="notes", tool_kwargs={"input": "R123-78"})
        return ChatMessage(role="assistant", blocks=[call])

    llm = mocks.MockFunctionCallingLLM(response_generator=scripted, is_chat_model=True)
    agent = FunctionAgent(tools=[tool], llm=llm, streaming=False)
    assert "pump is blocked" in str(await agent.run("what is R123-78?"))


def test_a_storage_context_persists_and_opens_again(tmp_path: Any) -> None:
    place = {"collection_name": "docs", "persist_dir": str(tmp_path / "chroma")}
    with_store = ChromaHybridVectorStore.from_params(**place)
    context = StorageContext.from_defaults(vector_store=with_store)
    index = VectorStoreIndex.from_documents(
        documents(), storage_context=context, embed_model=MODEL
    )
    index.storage_context.persist(str(tmp_path / "storage"))
    with_store.close()
    again = StorageContext.from_defaults(
        persist_dir=str(tmp_path / "storage"),
        vector_store=ChromaHybridVectorStore.from_params(**place),
    )
    opened = load_index_from_storage(again, embed_model=MODEL)
    found = opened.as_retriever(vector_store_query_mode="sparse").retrieve("blocked")
    assert texts(found) == [helpers.CORPUS[1][1]]
    again.vector_store.close()


def test_events_tell_of_a_retrieval(
    store: ChromaHybridVectorStore, index: VectorStoreIndex
) -> None:
    assert index
    ended: list[RetrievalEndEvent] = []

    class Handler(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            if isinstance(event, RetrievalEndEvent):
                ended.append(event)

    root, handler = get_dispatcher(), Handler()
    root.add_event_handler(handler)
    try:
        retriever_over(store).retrieve("R123-78")
    finally:
        root.event_handlers.remove(handler)
    assert [len(event.nodes) for event in ended] == [3]


def test_the_model_of_the_settings_is_used(
    store: ChromaHybridVectorStore, index: VectorStoreIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index
    monkeypatch.setattr(Settings, "_embed_model", MockEmbedding(embed_dim=64))
    assert len(ChromaHybridRetriever(store, mode="vector").retrieve("anything")) == 2
    monkeypatch.setattr(Settings, "_embed_model", None)
    assert ChromaHybridRetriever(store, mode="lexical").retrieve("blocked")
