"""What a tracer of LangChain's shows of a search, through every face."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import MagicMock

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.multimodal import ImageCollection
from langchain_chroma_hybrid.request_retriever import RequestRetriever
from langchain_chroma_hybrid.tools import create_search_tool
from tests.helpers import MODES, FailingEmbeddings, filled, plain_chroma
from tests.unit import colours

QUERY = "red pump R123-78"
LEGS = {
    "hybrid": {"lexical", "vector"},
    "vector": {"vector"},
    "lexical": {"lexical"},
    "two_step": {"lexical", "vector"},
}


class Tracer(BaseTracer):
    """Keeps what LangSmith would be sent: the whole run when it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        self.roots.append(run)

    def retrievers(self) -> list[Any]:
        found, pending = [], list(self.roots)
        while pending:
            run = pending.pop()
            found += [run] if run.run_type == "retriever" else []
            pending += run.child_runs
        return found


def metadata(run: Any) -> dict[str, Any]:
    return run.extra["metadata"]


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **_: Any) -> Scripted:
        return self


def agent_over(retriever: Any) -> Any:
    call = {"name": "search", "args": {"query": QUERY}, "id": "1"}
    script = [AIMessage("", tool_calls=[call]), AIMessage("Done.")]
    tool = create_search_tool(retriever)
    agent = create_agent(Scripted(messages=iter(script)), [tool])
    return RunnableLambda(lambda _: {"messages": [HumanMessage("?")]}) | agent


FACES = {
    "retriever": lambda store: ChromaHybridRetriever(vectorstore=store),
    "store retriever": lambda store: store.as_retriever(),
    "copy": lambda store: ChromaHybridRetriever(vectorstore=store).model_copy(update={"k": 2}),
    "request": lambda store: RequestRetriever(
        retriever=ChromaHybridRetriever(vectorstore=store), required={"tenant": "tenant"}
    ),
    "tool": lambda store: create_search_tool(ChromaHybridRetriever(vectorstore=store)),
    "agent": lambda store: agent_over(ChromaHybridRetriever(vectorstore=store)),
    "search in a chain": lambda store: RunnableLambda(
        ChromaHybridRetriever(vectorstore=store).search,
        ChromaHybridRetriever(vectorstore=store).asearch,
    ),
}


async def asked(face: Any, given: Any, config: Any, *, asynchronous: bool) -> Any:
    return await face.ainvoke(given, config) if asynchronous else face.invoke(given, config)


async def traced(face: Any, *, asynchronous: bool, given: Any = QUERY) -> Tracer:
    tracer = Tracer()
    config = {
        "callbacks": [tracer],
        "configurable": {"tenant": "a"},
        "metadata": {"mine": 1},
        "tags": ["t"],
    }
    await asked(face, given, config, asynchronous=asynchronous)
    assert config["metadata"] == {"mine": 1}
    return tracer


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", FACES)
async def test_every_face(store, name, asynchronous):
    given = {"query": QUERY} if name == "tool" else QUERY
    tracer = await traced(FACES[name](store), asynchronous=asynchronous, given=given)
    [run] = tracer.retrievers()
    assert run.inputs == {"query": QUERY}
    assert run.outputs["documents"]
    assert run.end_time is not None
    assert run.error is None
    shown = metadata(run)
    assert shown["ls_vector_store_provider"] == "HybridChroma"
    assert shown["ls_embedding_provider"] == "WordEmbeddings"
    assert shown["ls_retriever_name"]
    assert shown["mine"] == 1
    assert shown["chroma_hybrid_mode"] == "hybrid"
    assert shown["chroma_hybrid_fusion"] == "adaptive"
    assert set(shown["chroma_hybrid_weights"]) == LEGS["hybrid"]
    assert sum(shown["chroma_hybrid_weights"].values()) == pytest.approx(1)
    assert set(shown["chroma_hybrid_took_ms"]) == {*LEGS["hybrid"], "total"}
    legs = {leg.name: leg for leg in run.child_runs}
    assert set(legs) == {f"{leg}_leg" for leg in LEGS["hybrid"]}
    for leg in legs.values():
        assert leg.outputs["took_ms"] >= 0
        assert run.start_time <= leg.start_time <= leg.end_time <= run.end_time


def test_the_keys_are_those_of_langchains_own():
    chroma = plain_chroma()

    def keys(retriever):
        tracer = Tracer()
        retriever.invoke(QUERY, {"callbacks": [tracer]})
        shown = metadata(tracer.roots[0])
        return {name: value for name, value in shown.items() if name.startswith("ls_")}

    theirs = keys(chroma.as_retriever())
    ours = keys(ChromaHybridRetriever(vectorstore=chroma))
    assert theirs.keys() == ours.keys()
    different = {name for name in theirs if theirs[name] != ours[name]}
    assert different <= {"ls_retriever_name"}


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_langsmith_is_sent_it(store, asynchronous):
    client = MagicMock(spec=Client)
    tracer = LangChainTracer(client=client)
    retriever = ChromaHybridRetriever(vectorstore=store)
    await asked(retriever, QUERY, {"callbacks": [tracer]}, asynchronous=asynchronous)
    sent = [call.kwargs for call in client.update_run.call_args_list]
    [whole] = [run for run in sent if run["run_type"] == "retriever"]
    assert whole["extra"]["metadata"]["ls_vector_store_provider"] == "HybridChroma"
    assert whole["extra"]["metadata"]["chroma_hybrid_mode"] == "hybrid"
    assert set(whole["extra"]["metadata"]["chroma_hybrid_weights"]) == LEGS["hybrid"]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("mode", MODES)
async def test_what_was_chosen(store, mode, asynchronous):
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode)
    [run] = (await traced(retriever, asynchronous=asynchronous)).retrievers()
    assert metadata(run)["chroma_hybrid_mode"] == mode
    assert set(metadata(run)["chroma_hybrid_took_ms"]) == LEGS[mode] | {"total"}
    weights = {leg.name: leg.weight for leg in retriever.search(QUERY).legs}
    assert metadata(run)["chroma_hybrid_weights"] == weights
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"mode": "lexical"}, {"mode": "lexical", "weights": {"lexical": 1.0}}),
        ({"weights": (1, 3)}, {"weights": {"lexical": 0.25, "vector": 0.75}}),
        ({"weights": (0, 1)}, {"mode": "hybrid", "weights": {"vector": 1.0}}),
        ({"fusion": "rrf", "weights": (1, 1)}, {"fusion": "rrf"}),
    ],
)
def test_what_a_call_chose(store, options, shown):
    tracer = Tracer()
    retriever = ChromaHybridRetriever(vectorstore=store)
    retriever.invoke(QUERY, {"callbacks": [tracer]}, **options)
    found = metadata(tracer.roots[0])
    assert {name: found[f"chroma_hybrid_{name}"] for name in shown} == shown


def test_weights_suit_each_query(store):
    retriever = ChromaHybridRetriever(vectorstore=store)
    shares = []
    for query in ("R123-78", "steep banks that water runs along"):
        tracer = Tracer()
        retriever.invoke(query, {"callbacks": [tracer]})
        shares.append(metadata(tracer.roots[0])["chroma_hybrid_weights"]["lexical"])
    assert shares[0] != shares[1]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_each_run_has_its_own(store, asynchronous):
    tracer, retriever = Tracer(), ChromaHybridRetriever(vectorstore=store)
    config = {"callbacks": [tracer], "metadata": {"mine": 1}}
    modes = [MODES[n % 4] for n in range(20)]
    if asynchronous:
        await asyncio.gather(*[retriever.ainvoke(QUERY, config, mode=mode) for mode in modes])
    else:
        for mode in modes:
            retriever.invoke(QUERY, config, mode=mode)
    found = sorted(metadata(run)["chroma_hybrid_mode"] for run in tracer.roots)
    assert found == sorted(modes)
    assert config["metadata"] == {"mine": 1}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["retriever", "tool", "search in a chain"])
async def test_failures_end_the_run(name, asynchronous):
    face = FACES[name](filled(embedding_function=FailingEmbeddings()))
    given = {"query": QUERY} if name == "tool" else QUERY
    tracer = Tracer()
    with pytest.raises(ConnectionError):
        await asked(face, given, {"callbacks": [tracer]}, asynchronous=asynchronous)
    [run] = tracer.retrievers()
    assert "the embedding service is down" in run.error
    [failed] = [leg for leg in run.child_runs if leg.error]
    assert failed.name == "vector_leg"


def test_outside_of_a_run_a_search_is_no_run(store):
    tracer, retriever = Tracer(), ChromaHybridRetriever(vectorstore=store)
    retriever.invoke(QUERY, {"callbacks": [tracer]})
    retriever.search(QUERY)
    asyncio.run(retriever.asearch(QUERY))
    assert len(tracer.retrievers()) == 1


@pytest.fixture
def pictures(tmp_path):
    pytest.importorskip("PIL", reason="pictures need the extra `image`")
    colours.save(tmp_path, "red.png")
    made = ImageCollection.open("traced", colours.embeddings())
    made.sync(tmp_path)
    yield made
    made.store.delete_collection()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_pictures_too(pictures, asynchronous):
    [run] = (await traced(pictures.as_retriever(), asynchronous=asynchronous)).retrievers()
    assert metadata(run)["ls_vector_store_provider"] == type(pictures.store).__name__
    assert metadata(run)["ls_embedding_provider"] == "MultimodalEmbeddings"
    assert metadata(run)["chroma_hybrid_mode"] == "hybrid"
