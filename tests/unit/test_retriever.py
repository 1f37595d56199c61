"""ChromaHybridRetriever as a runnable: construction, batches, traces, failing legs."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import ConfigurableField

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever
from langchain_chroma_hybrid.errors import LexicalIndexError, SearchError
from tests.helpers import (
    CORPUS,
    MODES,
    CountingEmbeddings,
    FailingEmbeddings,
    filled,
    ids_of,
    plain_chroma,
)

QUERY = "red pump R123-78"


class Untouchable:
    """Stands for a client or a collection that must not be used."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was used")


def test_making_one_reads_nothing(chroma, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(chroma, "_client", Untouchable())
        patch.setattr(chroma, "_chroma_collection", Untouchable())
        patch.setattr(chroma, "_embedding_function", Untouchable())
        retriever = ChromaHybridRetriever.from_vectorstore(chroma, k=2, base_filter={"tenant": "a"})
        fields = retriever.configurable_fields(k=ConfigurableField(id="k"))
        fields.with_config(configurable={"k": 3})
        retriever.model_copy(update={"k": 3})
        retriever.bind(k=3)
        with pytest.raises(AssertionError, match="was used"):
            retriever.invoke(QUERY)
    assert len(retriever.invoke(QUERY)) == 2


def test_making_one_makes_no_folder(tmp_path):
    chroma = plain_chroma(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    retriever = ChromaHybridRetriever.from_vectorstore(chroma)
    assert sorted(tmp_path.rglob("*")) == before
    retriever.invoke(QUERY)
    assert (tmp_path / "lexical").is_dir()


def test_the_lexical_settings_of_from_vectorstore_are_used(chroma, tmp_path):
    retriever = ChromaHybridRetriever.from_vectorstore(
        chroma,
        mode="lexical",
        analyzer=Analyzer(None),
        lexical_fields={"page_content": 1.0, "tenant": 3.0},
        lexical_directory=tmp_path / "index",
    )
    assert ids_of(retriever.invoke("pumps")) == []
    assert set(ids_of(retriever.invoke("b"))) == {"valve", "water"}
    assert (tmp_path / "index").is_dir()


def test_a_hybrid_store_brings_its_own_settings():
    store = filled(analyzer=None, mode="lexical")
    assert ids_of(store.similarity_search("pumps")) == []
    for retriever in (
        ChromaHybridRetriever.from_vectorstore(store, mode="lexical"),
        ChromaHybridRetriever(vectorstore=store, mode="lexical"),
    ):
        assert retriever.invoke("pumps") == []


@pytest.mark.parametrize("mode", MODES)
async def test_batches_give_what_single_calls_give(store, mode):
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode, k=3)
    queries = [QUERY, "water in the river", "nothing of that kind", ""]
    expected = [retriever.invoke(query) for query in queries]
    assert retriever.batch(queries) == expected
    assert await retriever.abatch(queries) == expected
    assert [await retriever.ainvoke(query) for query in queries] == expected
    assert [len(found) for found in retriever.batch(queries, k=1)] == [
        min(len(found), 1) for found in expected
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"k": 1}, ["pump"]),
        ({"k": 1, "filter": {"tenant": "b"}}, ["valve"]),
        ({"k": 1, "where_document": {"$contains": "manual"}}, ["manual"]),
        ({"mode": "lexical", "query_syntax": "simple"}, ["pump"]),
        ({"mode": "lexical", "dedupe_key": "year"}, ["pump"]),
        ({"mode": "vector", "score_threshold": 1.0}, []),
    ],
)
async def test_a_call_may_change_options_and_changes_no_retriever(store, options, expected):
    retriever = ChromaHybridRetriever(vectorstore=store, filter={"year": {"$gt": 0}})
    before = retriever.model_dump(exclude={"vectorstore"})
    found = retriever.invoke("+R123-78", **options)
    assert ids_of(found) == expected
    assert len(retriever.invoke("+R123-78")) == 4
    assert await retriever.ainvoke("+R123-78", **options) == found
    assert retriever.model_dump(exclude={"vectorstore"}) == before


def test_weights_of_a_call_are_used(store):
    retriever = ChromaHybridRetriever(vectorstore=store, k=8)
    lexical = [hit.id for hit in retriever.search(QUERY, weights=(1, 0)).hits]
    assert lexical == [hit.id for hit in retriever.search(QUERY, mode="lexical").hits]
    vector = [hit.id for hit in retriever.search(QUERY, weights={"lexical": 0}).hits]
    assert vector == [hit.id for hit in retriever.search(QUERY, mode="vector").hits]


# Traces.


class Recorder(BaseCallbackHandler):
    """Remembers runs: name, parent, end."""

    def __init__(self):
        self.retrievers, self.children, self.ends, self.errors = [], {}, {}, {}

    def on_retriever_start(self, serialized, query, *, run_id, **kwargs):
        self.retrievers.append(run_id)

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, **kwargs):
        self.children[run_id] = (kwargs.get("name"), parent_run_id, inputs)

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.ends[run_id] = outputs

    def on_chain_error(self, error, *, run_id, **kwargs):
        self.errors[run_id] = error

    def legs(self):
        assert {parent for _, parent, _ in self.children.values()} <= set(self.retrievers)
        return sorted(name for name, _, _ in self.children.values())


class AsyncRecorder(AsyncCallbackHandler):
    def __init__(self):
        self.recorder = Recorder()

    async def on_retriever_start(self, *args, **kwargs):
        self.recorder.on_retriever_start(*args, **kwargs)


BOTH = ["lexical_leg", "vector_leg"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_each_leg_is_a_child_run(store, asynchronous):
    retriever, recorder = ChromaHybridRetriever(vectorstore=store, k=3), Recorder()
    config = {"callbacks": [recorder]}
    if asynchronous:
        found = await retriever.ainvoke(QUERY, config)
    else:
        found = retriever.invoke(QUERY, config)
    assert len(recorder.retrievers) == 1
    assert recorder.legs() == BOTH
    assert {inputs["query"] for _, _, inputs in recorder.children.values()} == {QUERY}
    assert recorder.ends.keys() == recorder.children.keys()
    seen = {hit["id"] for outputs in recorder.ends.values() for hit in outputs["hits"]}
    assert set(ids_of(found)) <= seen
    assert recorder.errors == {}


async def test_only_the_legs_that_run_are_traced(store):
    for options, legs in (
        ({"mode": "lexical"}, ["lexical_leg"]),
        ({"mode": "vector"}, ["vector_leg"]),
        ({"weights": (0, 1)}, ["vector_leg"]),
    ):
        recorder = Recorder()
        retriever = ChromaHybridRetriever(vectorstore=store, **options)
        retriever.invoke(QUERY, {"callbacks": [recorder]})
        assert recorder.legs() == legs


async def test_an_async_handler_sees_the_run(store):
    handler = AsyncRecorder()
    await ChromaHybridRetriever(vectorstore=store).ainvoke(QUERY, {"callbacks": [handler]})
    assert len(handler.recorder.retrievers) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_failing_leg_is_traced_as_an_error(asynchronous):
    store = filled(embedding_function=FailingEmbeddings())
    retriever = ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade")
    recorder = Recorder()
    config = {"callbacks": [recorder]}
    _ = await retriever.ainvoke(QUERY, config) if asynchronous else retriever.invoke(QUERY, config)
    assert recorder.legs() == BOTH
    (failed,) = recorder.errors
    assert recorder.children[failed][0] == "vector_leg"
    assert isinstance(recorder.errors[failed], ConnectionError)


# Failing legs.


async def test_a_failing_leg_raises_what_it_raised():
    retriever = ChromaHybridRetriever(vectorstore=filled(embedding_function=FailingEmbeddings()))
    for mode in ("hybrid", "vector", "two_step"):
        with pytest.raises(ConnectionError, match="the embedding service is down"):
            retriever.invoke(QUERY, mode=mode)
        with pytest.raises(ConnectionError, match="the embedding service is down"):
            await retriever.ainvoke(QUERY, mode=mode)
    assert retriever.invoke(QUERY, mode="lexical")


@pytest.mark.parametrize("mode", ["hybrid", "two_step"])
async def test_degrading_to_the_lexical_leg(mode):
    store = filled(embedding_function=FailingEmbeddings())
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode, on_leg_error="degrade")
    expected = ids_of(store.similarity_search(QUERY, mode="lexical"))
    assert ids_of(retriever.invoke(QUERY)) == expected
    assert ids_of(await retriever.ainvoke(QUERY)) == expected
    assert ids_of(store.similarity_search(QUERY, mode=mode, on_leg_error="degrade")) == expected
    reports = {leg.name: leg.error for leg in retriever.search(QUERY).legs}
    assert reports["lexical"] is None
    assert reports["vector"] == "ConnectionError: the embedding service is down"


async def test_degrading_to_the_vector_leg(store, monkeypatch):
    def fail(*_, **__):
        raise LexicalIndexError("the index is broken")

    expected = ids_of(store.similarity_search(QUERY, mode="vector"))
    monkeypatch.setattr(store._index.lexical, "search", fail, raising=False)
    retriever = ChromaHybridRetriever(vectorstore=store)
    with pytest.raises(LexicalIndexError, match="the index is broken"):
        retriever.invoke(QUERY)
    assert ids_of(retriever.invoke(QUERY, on_leg_error="degrade")) == expected
    assert ids_of(await retriever.ainvoke(QUERY, on_leg_error="degrade")) == expected


async def test_when_all_legs_fail_degrading_raises(monkeypatch):
    store = filled(embedding_function=FailingEmbeddings())
    retriever = ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade")
    with pytest.raises(SearchError, match="the embedding service is down") as caught:
        retriever.invoke(QUERY, mode="vector")
    assert isinstance(caught.value.__cause__, ConnectionError)

    def fail(*_, **__):
        raise LexicalIndexError("the index is broken")

    monkeypatch.setattr(store._index.lexical, "search", fail, raising=False)
    for mode in MODES:
        with pytest.raises(SearchError):
            retriever.invoke(QUERY, mode=mode)
        with pytest.raises(SearchError):
            await retriever.ainvoke(QUERY, mode=mode)
    with pytest.raises(SearchError, match=r"index is broken.*service is down"):
        retriever.invoke(QUERY)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
def test_interrupts_are_no_failing_legs(kind):
    class Interrupted(FailingEmbeddings):
        def embed_query(self, text):
            raise kind

    store = filled(embedding_function=Interrupted())
    with pytest.raises(kind):
        ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade").invoke(QUERY)


async def test_cancelling_the_task_cancels_the_query():
    class Waiting(CountingEmbeddings):
        def __init__(self):
            super().__init__()
            self.started = asyncio.Event()

        async def aembed_query(self, text):
            self.started.set()
            await asyncio.Event().wait()

    store = filled(embedding_function=Waiting())
    retriever = ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade")
    task = asyncio.create_task(retriever.ainvoke(QUERY))
    await store.embeddings.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(retriever.invoke(QUERY, k=20)) == len(CORPUS)
