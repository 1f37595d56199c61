"""The search tool in the hands of agents: scripted models make exactly these calls."""

from __future__ import annotations

import asyncio
import json
import re
import typing
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.runtime import get_runtime

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.core.filter_schema import FilterSchema, Key
from langchain_chroma_hybrid.errors import InvalidArgumentError, ToolArgumentError
from langchain_chroma_hybrid.tools import SCORE_KEY, create_search_tool
from tests.helpers import make_store

RECORDS = [
    ("m1", "Error E-4012: the pump is blocked. Clean the inlet.", "manual", 2019, ["pump"], "a"),
    ("m2", "Oil the pump every 500 hours.", "manual", 2023, ["pump", "oil"], "a"),
    ("f1", "Why is the fan loud? It has to be balanced.", "faq", 2021, ["fan"], "a"),
    ("x1", "Secret plan of the pump merger.", "memo", 2024, ["pump"], "b"),
]
FILTERABLE: Any = {
    "year": int,
    "type": ["manual", "faq", "memo"],
    "tags": list[str],
    "rated": float,
    "new": bool,
}


@dataclass
class Context:
    tenant: str


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **_: Any) -> Scripted:  # what a real model is told
        return self


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # On disk: Chroma leaves list values of a deleted collection behind, where others meet them.
    store = make_store(tmp_path_factory.mktemp("db"))
    store.add_texts(
        [text for _, text, *_ in RECORDS],
        [
            {"source": f"{id_}.txt", "type": kind, "year": year, "tags": tags, "tenant": tenant}
            for id_, _, kind, year, tags, tenant in RECORDS
        ],
        [id_ for id_, *_ in RECORDS],
    )
    with store:
        yield store


def tool_over(store: Any, *, retriever: Any = None, **options: Any) -> Any:
    own = ChromaHybridRetriever(vectorstore=store, **(retriever or {}))
    return create_search_tool(own, **{"filterable": FILTERABLE, **options})


def called(tool: Any, **arguments: Any) -> ToolMessage:
    call = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    return tool.invoke(call)


def ids(message: ToolMessage) -> set[str]:
    return {document.id for document in message.artifact}


def calls(name: str, *arguments: dict[str, Any]) -> AIMessage:
    made = [{"name": name, "args": a, "id": f"c{n}"} for n, a in enumerate(arguments)]
    return AIMessage("", tool_calls=made)


def agent(tool: Any, *messages: AIMessage, **options: Any) -> Any:
    return create_agent(Scripted(messages=iter(messages)), [tool], **options)


def answers(state: Any) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def test_what_the_model_is_told(store):
    schema = tool_over(store, max_k=7).tool_call_schema
    assert schema["required"] == ["query"]
    assert set(schema["properties"]) == {"query", "k", "filters"}
    assert schema["properties"]["k"]["maximum"] == 7
    filters = schema["properties"]["filters"]
    assert set(filters["properties"]) == set(FILTERABLE)
    assert filters["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
    assert "filters" not in tool_over(store, filterable=None).tool_call_schema["properties"]


def test_the_artifact_and_the_text(store):
    message = called(tool_over(store), query="E-4012", k=1)
    [document] = message.artifact
    assert document.id == "m1"
    assert document.metadata[SCORE_KEY] > 0.5
    assert "[1] id: m1, source: m1.txt" in message.content
    assert RECORDS[0][1] in message.content


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (None, {"m1", "m2", "f1", "x1"}),
        ({}, {"m1", "m2", "f1", "x1"}),
        ("", {"m1", "m2", "f1", "x1"}),
        ({"year": None}, {"m1", "m2", "f1", "x1"}),
        ({"year": {}}, {"m1", "m2", "f1", "x1"}),
        ({"year": 2021}, {"f1"}),
        ({"year": "2021"}, {"f1"}),
        ({"year": 2021.0}, {"f1"}),
        ({"year": {"gt": 2021}}, {"m2", "x1"}),
        ({"year": {"$gte": 2021, "lt": 2024}}, {"f1", "m2"}),
        ({"year": "> 2021"}, {"m2", "x1"}),
        ({"year": "<=2019"}, {"m1"}),
        ({"year": {">": 2021}}, {"m2", "x1"}),
        ({"year": {"ne": 2021}}, {"m1", "m2", "x1"}),
        ({"year": {"nin": [2021, 2024]}}, {"m1", "m2"}),
        ({"year": [2019, 2021]}, {"m1", "f1"}),
        ({"year": {"in": [2019, 2021]}}, {"m1", "f1"}),
        ({"type": "manual"}, {"m1", "m2"}),
        ({"type": "Manual"}, {"m1", "m2"}),
        ({"type": ["manual", "faq"]}, {"m1", "m2", "f1"}),
        ({"type": "manual", "year": {"gt": 2020}}, {"m2"}),
        ({"tags": "oil"}, {"m2"}),
        ({"tags": ["oil", "fan"]}, {"m2", "f1"}),
        ({"tags": {"ne": "pump"}}, {"f1"}),
        ('{"type": "faq"}', {"f1"}),
    ],
)
def test_filters_as_models_write_them(store, filters, expected):
    message = called(tool_over(store), query="the pump and the fan", k=20, filters=filters)
    assert ids(message) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, ["query"]),
        ({"query": ""}, ["query"]),
        ({"query": 3}, ["query"]),
        ({"query": "x", "k": 0}, ["k", "1 to 20"]),
        ({"query": "x", "k": "many"}, ["k", "many"]),
        ({"query": "x", "k": True}, ["k"]),
        ({"query": "x", "k": 1.5}, ["k", "1.5"]),
        ({"query": "x", "top_k": 3}, ["top_k", "query, k, filters"]),
        ({"query": "x", "mode": "lexical"}, ["mode"]),
        ({"query": "x", "filters": {"yaer": 1}}, ["yaer", "meant year?", '"year": 5', "type"]),
        ({"query": "x", "filters": {"tenant": "b"}}, ["tenant", "the keys are"]),
        ({"query": "x", "filters": {"year": "after 2020"}}, ["year", "after 2020", '"gte"']),
        ({"query": "x", "filters": {"year": {"after": 2020}}}, ["year", "after", '"gte"']),
        ({"query": "x", "filters": {"year": {"gt": "new"}}}, ["year", "new"]),
        ({"query": "x", "filters": {"year": 1.5}}, ["year", "1.5", "whole number"]),
        ({"query": "x", "filters": {"year": 2**64}}, ["year"]),
        ({"query": "x", "filters": {"year": True}}, ["year", "true"]),
        ({"query": "x", "filters": {"rated": "1e999"}}, ["rated"]),
        ({"query": "x", "filters": {"new": "perhaps"}}, ["new", "true or false"]),
        ({"query": "x", "filters": {"type": "book"}}, ["type", "book", '"manual", "faq"']),
        ({"query": "x", "filters": {"type": {"gt": "faq"}}}, ["type", "gt"]),
        ({"query": "x", "filters": {"tags": {"gt": "a"}}}, ["tags", "gt"]),
        ({"query": "x", "filters": {"year": list(range(200))}}, ["200 values"]),
        ({"query": "x", "filters": "year over 2020"}, ["filters", "year over 2020"]),
        ({"query": "x", "filters": [{"year": 1}]}, ["filters"]),
        ({"query": "x", "filters": {"$or": [{"year": 1}, {"tenant": "b"}]}}, ["$or"]),
        ({"query": "x", "filters": {"#document": "pump"}}, ["#document"]),
    ],
)
def test_what_is_wrong_comes_back_as_a_message(store, arguments, said):
    message = called(tool_over(store), **arguments)
    assert message.artifact == []
    assert message.status == "success"
    for part in said:
        assert part in message.content


@pytest.mark.parametrize("number", [2**53 + 1, 1234567890123456789, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("written", [int, str, "= {}".format])
def test_whole_numbers_of_64_bits(number, written):
    assert FilterSchema({"at": int}).where({"at": written(number)}) == {"at": {"$eq": number}}


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"year": found}
    return found


def in_itself() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["gt"] = found
    return found


@pytest.mark.parametrize(
    "filters",
    [
        "[" * 100_000,
        '{"year": ' * 100_000,
        "9" * 100_000,
        nested(200),
        {"year": in_itself()},
        {"year": {(1, 2): 3}},
        {"year": {"gt": {1, 2}}},
        {"name": "\ud800"},
        {"name": ["a", "\ud800"]},
        {"name": {"ne": "\ud800"}},
        {"tags": "\ud800"},
        {"tags": {"ne": ["\ud800"]}},
        {"year": {"in": []}},
        {"year": {"nin": []}},
        {"year": {"ne": []}},
        {"tags": {"not_contains": []}},
        {"year": {"nin": list(range(101))}},
        {"\ud800": 1},
        {"year": {"\ud800": 1}},
        {"year": "\ud800" * 200},
        {"year": "x" * 100_000},
        {"x" * 100_000: 1},
        {"year": float("nan")},
        {"rated": float("inf")},
        {"year": "9" * 5_000},
        {"year": 10**400},
        {"rated": 10**400},
        {"year": b"2020"},
        {"type": ["manual", None]},
    ],
)
def test_what_no_model_should_send_is_a_message_that_can_be_sent_back(store, filters):
    tool = tool_over(store, filterable={**FILTERABLE, "name": str})
    message = called(tool, query="pump", filters=filters)
    assert message.artifact == []
    assert "Nothing" not in message.content
    assert 0 < len(message.content.encode()) < 2_000


@pytest.mark.parametrize("filters", [nested(10_000), {"year": [nested(10_000)]}, [nested(10_000)]])
def test_what_is_nested_more_deeply_than_python_goes(filters):
    with pytest.raises(ToolArgumentError, match="something too large"):
        FilterSchema(FILTERABLE).where(filters)


def test_long_words_that_occur_nowhere_are_cut(store):
    message = called(tool_over(store), query="pump " + "x" * 100_000)
    assert "occur" not in message.content
    assert "xxx" in message.content
    assert len(message.content) < 2_000


def test_what_is_not_there_is_said(store):
    message = called(tool_over(store), query="What does E-9999 mean?")
    assert '"E-9999"' in message.content
    assert "Nothing clearly relevant" in message.content
    strict = tool_over(store, retriever={"score_threshold": 0.9})
    message = called(strict, query="volcano", filters={"year": 2021})
    assert "Nothing relevant was found. It may be otherwise without the filters." in message.content


@pytest.mark.parametrize("most", [1, 50, 120, 8000])
def test_a_budget_in_characters(store, most):
    content = called(tool_over(store, max_characters=most), query="pump", k=9).content
    passages = re.findall("```\n(.*?)\n```", content, re.DOTALL)
    assert passages
    assert sum(map(len, passages)) <= most


@pytest.mark.parametrize("filters", [None, {"type": "memo"}, {"tags": "pump"}])
def test_no_filter_reaches_past_the_kwargs_of_a_store(store, filters):
    own = store.as_retriever(search_kwargs={"filter": {"tenant": "a"}, "k": 2})
    tool = create_search_tool(own, filterable=FILTERABLE)
    assert "x1" not in ids(called(tool, query="secret merger plan", k=20, filters=filters))
    assert tool.tool_call_schema["properties"]["k"]["default"] == 2


def test_the_order_of_a_reranker(store):
    class Backwards:
        def predict(self, pairs):
            return [float(len(text)) for _, text in pairs]

    tool = tool_over(store, retriever={"reranker": Backwards()})
    message = called(tool, query="pump", k=2)
    lengths = [len(document.page_content) for document in message.artifact]
    assert lengths == sorted((len(text) for _, text, *_ in RECORDS), reverse=True)[:2]


@pytest.mark.parametrize("way", ["base_filter", "filter"])
@pytest.mark.parametrize(
    "filters", [None, {"type": "memo"}, {"year": 2024}, {"tags": "pump"}, {"year": {"gt": 0}}]
)
def test_no_filter_reaches_past_the_retrievers(store, way, filters):
    tool = tool_over(store, retriever={way: {"tenant": "a"}})
    assert "x1" not in ids(called(tool, query="secret merger plan", k=20, filters=filters))


def test_what_hidden_records_say_is_not_told(store):
    tool = tool_over(store, retriever={"base_filter": {"tenant": "a"}})
    message = called(tool, query="merger")
    assert '"merger"' in message.content
    described = ChromaHybridRetriever(vectorstore=store, base_filter={"tenant": "a"}).describe()
    assert described.records == 3
    assert "memo" not in str(described)
    assert "2024" not in str(described)


def test_a_proposal_from_the_collection(store):
    filterable = ChromaHybridRetriever(vectorstore=store).describe().filterable()
    assert set(filterable) == {"source", "type", "year", "tags", "tenant"}
    tool = create_search_tool(
        ChromaHybridRetriever(vectorstore=store),
        filterable={name: filterable[name] for name in ("type", "year")},
    )
    told = tool.tool_call_schema["properties"]["filters"]["properties"]
    assert told["type"]["anyOf"][0]["enum"] == ["manual", "faq", "memo"]
    assert told["year"]["description"] == "int, 2019 to 2024: 2019, 2021, 2023, 2024"
    assert ids(called(tool, query="pump", filters={"type": "memo"})) == {"x1"}


def test_in_an_agent(store):
    tool = tool_over(store)
    script = [
        calls("search", {"query": "pump", "filters": {"yaer": 2023}}),
        calls("search", {"query": "pump", "filters": {"year": 2023}}),
        AIMessage("Every 500 hours [1]."),
    ]
    state = agent(tool, *script).invoke({"messages": [HumanMessage("When to oil?")]})
    first, second = answers(state)
    assert "meant year?" in first.content
    assert ids(second) == {"m2"}
    assert state["messages"][-1].content == "Every 500 hours [1]."


async def test_in_an_agent_that_streams(store):
    tool = tool_over(store)
    script = [calls("search", {"query": "fan"}, {"query": "E-4012"}), AIMessage("Done.")]
    found = []
    async for step in agent(tool, *script).astream({"messages": [HumanMessage("?")]}):
        found += [m for part in step.values() for m in part["messages"]]
    best = {m.tool_call_id: m.artifact[0].id for m in found if isinstance(m, ToolMessage)}
    assert best == {"c0": "f1", "c1": "m1"}


@pytest.mark.parametrize("tenant", ["a", "b"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_tenant_of_each_request(store, tenant, asynchronous):
    def mine():
        return {"tenant": get_runtime(Context).context.tenant}

    tool = tool_over(store, filterable={**FILTERABLE, "tenant": str}, base_filter=mine)
    other = "b" if tenant == "a" else "a"
    tries = [{}, {"tenant": other}, {"tenant": [other, tenant]}, {"tenant": {"ne": tenant}}]
    script = [
        calls("search", *[{"query": "secret pump plan", "k": 20, "filters": f} for f in tries]),
        AIMessage("Done."),
    ]
    runs = agent(tool, *script, context_schema=Context)
    given = {"messages": [HumanMessage("?")]}
    run = runs.ainvoke(given, context=Context(tenant)) if asynchronous else None
    state = await run if run else runs.invoke(given, context=Context(tenant))
    first, *others = answers(state)
    assert ids(first)
    for message in (first, *others):
        assert {d.metadata["tenant"] for d in message.artifact} <= {tenant}
        assert ("Secret plan" in message.content) <= (tenant == "b")


@pytest.mark.parametrize("found", [{}, None, "tenant"])
def test_no_tenant_is_no_search(store, found):
    with pytest.raises(InvalidArgumentError, match="base_filter"):
        called(tool_over(store, base_filter=lambda: found), query="pump")


def test_a_limit_of_calls_in_a_run(store):
    tool = tool_over(store, max_calls=2)
    three = [{"query": "pump"}, {"query": "fan"}, {"query": "oil"}]
    script = [calls("search", *three), AIMessage("Done.")] * 2
    runs = agent(tool, *script)
    for _ in range(2):  # the next message of the user begins a new run
        state = runs.invoke({"messages": [HumanMessage("?")]})
        contents = [message.content for message in answers(state)]
        assert ["may be called 2 times" in content for content in contents] == [False, False, True]


def test_a_limit_without_a_graph(store):
    tool = tool_over(store, max_calls=2)
    found = [called(tool, query="pump", runtime={"state": {}}) for _ in range(3)]
    assert [bool(message.artifact) for message in found] == [True, True, False]


def test_in_a_tool_node_and_by_itself(store):
    tool = tool_over(store)
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "tools")
    state = graph.compile().invoke({"messages": [calls("search", {"query": "E-4012", "k": 1})]})
    assert ids(state["messages"][-1]) == {"m1"}
    assert "E-4012" in tool.invoke({"query": "E-4012"})
    assert "E-4012" in asyncio.run(tool.ainvoke({"query": "E-4012"}))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"max_k": 0}, "max_k"),
        ({"max_characters": 0}, "max_characters"),
        ({"max_calls": 0}, "max_calls"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": "1"}, "max_bytes"),
        ({"source_keys": "url"}, "source_keys"),
        ({"source_keys": None}, "source_keys"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"base_filter": {"tenant": "a"}}, "base_filter"),
        ({"filterable": ["year"]}, "filterable"),
        ({"filterable": {"year": "int"}}, "filterable"),
        ({"filterable": {"year": []}}, "filterable"),
        ({"filterable": {"year": [1, "a"]}}, "filterable"),
        ({"filterable": {"year": dict}}, "filterable"),
        ({"filterable": {"year": list}}, "filterable"),
        ({"filterable": {"year": typing.List}}, "filterable"),  # noqa: UP006  # written so, too
        ({"filterable": {"year": tuple[()]}}, "filterable"),
        ({"filterable": {"year": list[dict]}}, "filterable"),
        ({"filterable": {"year": int | None}}, "filterable"),
        ({"filterable": {"year": Key("int")}}, "filterable"),
        ({"filterable": {"year": Key(dict)}}, "filterable"),
        ({"filterable": {"": int}}, "filterable"),
    ],
)
def test_arguments(store, options, name):
    with pytest.raises(InvalidArgumentError, match=name):
        tool_over(store, **options)


def test_a_store_is_no_retriever(store):
    with pytest.raises(InvalidArgumentError, match="retriever"):
        create_search_tool(store)


@pytest.mark.parametrize("name", ["self", "config", "run_manager", "callbacks", "tool_input"])
async def test_an_argument_of_langchains_own_names_is_unknown_as_any_other(store, name):
    tool = tool_over(store)
    call = {"name": "search", "args": {"query": "pump", name: {}}, "id": "1", "type": "tool_call"}
    for message in (tool.invoke(call), await tool.ainvoke(call)):
        assert name in message.content
        assert "query" in message.content
        assert message.artifact == []
