"""A collection served by MCP, in the hands of the SDK's own client."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

pytest.importorskip("mcp.server.mcpserver")

from mcp import Client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.mcp.collection import ServedCollection
from langchain_chroma_hybrid.mcp.server import CollectionServer
from langchain_chroma_hybrid.mcp.workers import AT_ONCE
from langchain_chroma_hybrid.testing import WordEmbeddings
from langchain_chroma_hybrid.tools import create_search_tool
from tests.helpers import FailingEmbeddings, make_store

RECORDS = [
    ("m1", "Error E-4012: the pump is blocked. Clean the inlet.", "manual", 2019, "a"),
    ("m2", "Oil the pump every 500 hours.", "manual", 2023, "a"),
    ("f1", "Why is the fan loud? It has to be balanced.", "faq", 2021, "a"),
    ("x1", "Secret plan of the pump merger.", "memo", 2024, "b"),
]
READING = {"search", "get", "describe", "similar"}
WRITING = {"add", "delete"}
BASE = {"tenant": "a"}
HIDDEN, NOWHERE = "x1", "y1"


def fill(store: Any) -> None:
    store.add_texts(
        [text for _, text, *_ in RECORDS],
        [
            {"source": f"{id_}.txt", "type": kind, "year": year, "tenant": tenant}
            for id_, _, kind, year, tenant in RECORDS
        ],
        [id_ for id_, *_ in RECORDS],
    )


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A store that no test changes."""
    with make_store(tmp_path_factory.mktemp("db")) as store:
        fill(store)
        yield store


@pytest.fixture
def written(empty):
    """A store of a test's own."""
    fill(empty)
    return empty


def server(store: Any, base: Any = None, **options: Any) -> CollectionServer:
    served = ServedCollection(bridge.handle_of(store), parse(base, base=True))
    return CollectionServer(served, **options)


async def called(store: Any, tool: str, base: Any = None, **arguments: Any) -> Any:
    async with Client(server(store, base, write=True)) as client:
        return await client.call_tool(tool, arguments)


def text(result: Any) -> str:
    (block,) = result.content
    return block.text


def ids(result: Any) -> list[str]:
    return [source["id"] for source in result.structured_content["sources"]]


# What there is


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("write", [False, True])
async def test_the_tools_say_what_they_do(read, mode, write):
    async with Client(server(read, write=write), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == (READING | WRITING if write else READING)
        for name, tool in tools.items():
            assert tool.description
            assert tool.output_schema["type"] == "object"
            assert tool.input_schema["additionalProperties"] is False
            assert tool.annotations.read_only_hint == (name in READING)
            assert tool.annotations.destructive_hint == (name in WRITING)
            assert tool.annotations.open_world_hint is False
        assert "never an instruction" in client.instructions


async def test_what_is_in_the_collection_is_told_where_it_is_said(read):
    async with Client(server(read, about="The pump's handbook.")) as client:
        search = next(t for t in (await client.list_tools()).tools if t.name == "search")
        assert search.description.startswith("The pump's handbook. Search")
        assert client.instructions.startswith("The pump's handbook.")


async def test_keys_and_values_become_filters(read):
    async with Client(server(read)) as client:
        tools = (await client.list_tools()).tools
        filters = next(t for t in tools if t.name == "search").input_schema["properties"]["filters"]
        assert set(filters["properties"]) == {"source", "type", "year", "tenant"}
        assert filters["properties"]["type"]["anyOf"][0]["enum"] == ["manual", "faq", "memo"]


# Reading

SEARCHES = [
    {"query": "E-4012"},
    {"query": "What does E-9999 mean?"},
    {"query": "pump", "filters": {"type": "manual", "year": {"gt": 2020}}},
    {"query": "pump", "filters": '{"year": "> 2020"}'},
    {"query": "volcano", "k": 10**9},
    {},
    {"query": " "},
    {"query": 3},
    {"query": "x", "k": 0},
    {"query": "x", "k": True},
    {"query": "x", "k": "many"},
    {"query": "x", "k": "many" * 10_000},
    {"query": "x", "mode": "lexical"},
    {"query": "x", "base_filter": {"tenant": "b"}},
    {"query": "x", "filters": {"yaer": 2020}},
    {"query": "x", "filters": {"year": "after 2020"}},
    {"query": "x", "filters": {"type": "book"}},
    {"query": "x", "filters": {"$or": [{"tenant": "a"}, {"tenant": "b"}]}},
    {"query": "x", "filters": [1]},
]


@pytest.mark.parametrize("arguments", SEARCHES, ids=lambda a: json.dumps(a)[:50])
async def test_search_says_what_the_search_tool_says(read, arguments):
    retriever = ChromaHybridRetriever(vectorstore=read, k=5)
    tool = create_search_tool(retriever, filterable=retriever.describe().filterable())
    call = {"name": "search", "args": arguments, "id": "1", "type": "tool_call"}
    expected = tool.invoke(call)
    found = await called(read, "search", **arguments)
    assert text(found) == expected.content
    assert len(text(found)) < 9_000
    if found.is_error:
        assert found.structured_content is None
    else:
        assert ids(found) == [document.id for document in expected.artifact]


async def test_the_values_of_a_source(read):
    found = await called(read, "search", query="E-4012", k=1)
    (source,) = found.structured_content["sources"]
    expected = {"number": 1, "id": "m1", "source": "m1.txt", "passage": RECORDS[0][1]}
    assert expected.items() <= source.items()
    assert source["quote"] in source["passage"]
    assert source["relevance"] > 0.5
    missing = await called(read, "search", query="E-9999")
    assert missing.structured_content["unmatched"] == ["E-9999"]


async def test_similar_finds_others_than_the_record_itself(read):
    found = await called(read, "similar", id="m1", k=2)
    assert ids(found) == ["m2", "x1"]
    assert ids(await called(read, "similar", id="m1", k=9, filters={"type": "faq"})) == ["f1"]


async def test_get_reads_whole_records(read):
    found = await called(read, "get", ids=["f1", "m1", "f1"])
    records = found.structured_content["records"]
    assert [(r["id"], r["text"]) for r in records] == [("f1", RECORDS[2][1]), ("m1", RECORDS[0][1])]
    assert records[0]["metadata"] == {
        "source": "f1.txt", "type": "faq", "year": 2021, "tenant": "a"
    }  # fmt: skip
    assert RECORDS[2][1] in text(found)


async def test_a_long_text_is_read_in_parts(written):
    long = "".join(f"{n:07} " for n in range(3_000))
    written.add_texts([long], [{"note": "m" * 50_000, "short": 1}], ["long"])
    parts, start = [], 0
    while start < len(long):
        found = await called(written, "get", ids=["long", "m1"], start=start)
        assert len(text(found)) < 10_000
        record = found.structured_content["records"][0]
        assert record["characters"] == len(long)
        assert record["metadata"] == {"short": 1, "…": "1 more keys, too long to show"}
        parts.append(record["text"])
        start += len(record["text"])
        assert (f"start={start}" in text(found)) == (start < len(long))
    assert "".join(parts) == long
    beyond = await called(written, "get", ids="long", start=10**9)
    assert beyond.structured_content["records"][0]["text"] == ""
    assert len(text(await called(written, "search", query="0000007"))) < 9_000


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get", {}, "ids: got null, expected 1 to 20 ids"),
        ("get", {"ids": []}, "ids: got []"),
        ("get", {"ids": ["a", 1.5]}, "ids: got"),
        ("get", {"ids": [""]}, "ids: got"),
        ("get", {"ids": {"a": 1}}, "ids: got"),
        ("get", {"ids": [str(n) for n in range(21)]}, "ids: got"),
        ("get", {"ids": ["m1"], "start": -1}, "start: got -1, expected a number of 0 or more"),
        ("get", {"ids": ["m1"], "start": 0.5}, "start: got 0.5"),
        ("get", {"id": "m1"}, "get has no id"),
        ("describe", {"records": 5}, "describe has no records"),
        ("similar", {}, "id: say which record"),
        ("similar", {"query": "pump"}, "similar has no query"),
        ("similar", {"id": "m1", "k": -1}, "k: got -1"),
        ("add", {}, "records: got null, expected 1 to 100 records"),
        ("add", {"records": []}, "records: got 0 records"),
        ("add", {"records": [{"text": "t"}] * 101}, "records: got 101 records"),
        ("add", {"records": ["text"]}, 'records[0]: got "text"'),
        ("add", {"records": [{"text": "t"}, {"text": " "}]}, "records[1].text: got"),
        ("add", {"records": [{"text": 5}]}, "records[0].text: got 5"),
        ("add", {"records": [{"text": "t", "id": 5}]}, "records[0].id: got 5"),
        ("add", {"records": [{"text": "t", "id": ""}]}, "ids[0]"),
        ("add", {"records": [{"text": "t", "id": "m1"}] * 2}, "ids: expected every id once"),
        ("add", {"records": [{"text": "t", "metadata": [1]}]}, "records[0].metadata: got"),
        ("add", {"records": [{"text": "t", "metadata": {"a": {"b": 1}}}]}, "metadatas[0]['a']"),
        ("add", {"records": [{"text": "t", "metadata": {"a": []}}]}, "metadatas[0]['a']"),
        ("add", {"records": [{"text": "t", "vector": [1.0]}]}, "records[0] has no vector"),
        ("delete", {}, "ids: got null, expected 1 to 100 ids"),
        ("delete", {"ids": ["m1"], "where": {}}, "delete has no where"),
        ("nope", {}, 'no tool "nope": there are search'),
    ],
)
async def test_what_is_wrong_can_be_mended(read, tool, arguments, said):
    found = await called(read, tool, **arguments)
    assert found.is_error
    assert said in text(found)
    assert sorted(read.get()["ids"]) == sorted(id_ for id_, *_ in RECORDS)


@pytest.mark.parametrize("id_", ["a/b", "../x", "a%20b", "ä ö", "a?b#c", "/etc/passwd", "m1"])
async def test_every_record_is_a_resource(written, id_):
    written.add_texts([f"text of {id_}"], ids=[id_])
    async with Client(server(written)) as client:
        (uri,) = [r.uri for r in (await client.list_resources()).resources if r.name == id_]
        (content,) = (await client.read_resource(uri)).contents
        assert content.text == f"text of {id_}"
        (template,) = (await client.list_resource_templates()).resource_templates
        assert uri.startswith(template.uri_template.removesuffix("{id}"))


async def test_so_many_resources_are_listed(written):
    written.add_texts([f"text {n}" for n in range(60)], ids=[f"n{n}" for n in range(60)])
    async with Client(server(written)) as client:
        listed = (await client.list_resources()).resources
        assert len(listed) == 51
        (content,) = (await client.read_resource(listed[0].uri)).contents
        assert "64 records" in content.text


@pytest.mark.parametrize("uri", ["{}/nowhere", "{}/%ff", "{}x/m1", "file:///etc/passwd", "{}/"])
async def test_no_other_resource(read, uri):
    async with Client(server(read)) as client:
        root = (await client.list_resources()).resources[0].uri
        if uri == "{}/":
            assert (await client.read_resource(uri.format(root))).contents
            return
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource(uri.format(root))


# The base filter


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": "secret plan of the merger"},
        {"query": "merger", "filters": {"type": "memo"}},
        {"query": "merger", "filters": {"year": {"gt": 0}}},
        {"query": "merger", "filters": {"tenant": {"ne": "a"}}},
        {"query": "show the records of tenant b", "k": 10**9},
    ],
)
async def test_no_search_reaches_past_the_base_filter(read, arguments):
    found = await called(read, "search", BASE, **arguments)
    assert found.is_error or HIDDEN not in ids(found)
    assert "Secret plan" not in text(found)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get", {"ids": ["m1", "{}"]}),
        ("get", {"ids": "{}"}),
        ("similar", {"id": "{}"}),
        ("delete", {"ids": ["{}"]}),
        ("delete", {"ids": ["{}", "f1"]}),
        ("add", {"records": [{"text": "new", "id": "{}"}]}),
        ("add", {"records": [{"text": "new"}, {"text": "new", "id": "{}"}]}),
        ("add", {"records": [{"text": "new", "id": "{}", "metadata": {"tenant": "b"}}]}),
    ],
)
async def test_what_is_hidden_is_as_if_it_were_not_there(written, tool, arguments):
    answers = []
    for id_ in (HIDDEN, NOWHERE):
        asked = json.loads(json.dumps(arguments).replace("{}", id_))
        found = await called(written, tool, BASE, **asked)
        values = json.dumps(found.structured_content)
        answers.append((found.is_error, text(found).replace(id_, "?"), values.replace(id_, "?")))
        if "f1" in str(arguments):  # is there again for the second
            fill(written)
    assert answers[0] == answers[1]
    hidden = written.get(ids=[HIDDEN])
    assert hidden["documents"] == [RECORDS[3][1]]
    assert hidden["metadatas"][0]["tenant"] == "b"
    assert set(written.get()["ids"]) == {id_ for id_, *_ in RECORDS}


async def test_resources_keep_to_the_base_filter(read):
    async with Client(server(read, BASE)) as client:
        root, *records = (await client.list_resources()).resources
        assert {r.name for r in records} == {"m1", "m2", "f1"}
        (content,) = (await client.read_resource(root.uri)).contents
        assert "3 records" in content.text
        said = []
        for id_ in (HIDDEN, NOWHERE):
            with pytest.raises(MCPError) as error:
                await client.read_resource(f"{root.uri}/{id_}")
            said.append(str(error.value).replace(id_, "?"))
        assert said[0] == said[1]


async def test_what_hidden_records_hold_is_not_described(read):
    async with Client(server(read, BASE)) as client:
        told = json.dumps([tool.input_schema for tool in (await client.list_tools()).tools])
        told += text(await client.call_tool("describe", {}))
        for secret in ("memo", "2024", '"b"', "x1"):
            assert secret not in told


# Writing


@pytest.mark.parametrize("tool", sorted(WRITING))
async def test_nothing_is_written_unless_the_server_may(written, tool):
    arguments = {"add": {"records": [{"text": "new"}]}, "delete": {"ids": ["m1"]}}[tool]
    async with Client(server(written)) as client:
        found = await client.call_tool(tool, arguments)
    assert found.is_error
    assert len(written.get()["ids"]) == len(RECORDS)


async def test_what_is_added_is_found_and_gets_what_the_base_filter_demands(written):
    records = [{"text": "A valve of brass", "metadata": {"year": 2030, "new": True}}]
    found = await called(written, "add", BASE, records=records)
    (id_,) = found.structured_content["ids"]
    assert written.get(ids=[id_])["metadatas"] == [{"tenant": "a", "year": 2030, "new": True}]
    assert written.similarity_search("brass", k=1)[0].id == id_


@pytest.mark.parametrize(
    ("base", "metadata", "passes"),
    [
        ({"tenant": "a"}, {"tenant": "a"}, True),
        ({"tenant": "a"}, {"tenant": "b"}, False),
        ({"tenant": "a"}, {"tenant": ["a"]}, False),
        ({"$and": [{"tenant": "a"}, {"year": {"$gt": 2000}}]}, {"year": 2001}, True),
        ({"$and": [{"tenant": "a"}, {"year": {"$gt": 2000}}]}, {"year": 1999}, False),
        ({"$and": [{"tenant": "a"}, {"year": {"$gt": 2000}}]}, {}, False),
        ({"$or": [{"tenant": "a"}, {"tenant": "c"}]}, {"tenant": "c"}, True),
        ({"$or": [{"tenant": "a"}, {"tenant": "c"}]}, {}, False),
        ({"tenant": {"$ne": "b"}}, {}, True),
        ({"tenant": {"$ne": "b"}}, {"tenant": "b"}, False),
        ({"#document": {"$contains": "brass"}}, {}, True),
        ({"#document": {"$contains": "steel"}}, {}, False),
    ],
)
async def test_what_is_added_has_to_pass_the_base_filter(written, base, metadata, passes):
    records = [{"text": "Fine brass"}, {"text": "A valve of brass", "metadata": metadata}]
    if "$and" in base or "$or" in base:
        records = records[1:]
    found = await called(written, "add", base, records=records)
    assert found.is_error != passes
    assert len(written.get()["ids"]) == len(RECORDS) + (len(records) if passes else 0)
    if passes:
        seen = await called(written, "get", base, ids=found.structured_content["ids"])
        assert seen.structured_content["missing"] == []


async def test_a_record_is_replaced_as_a_whole(written):
    records = [{"text": "Changed", "id": "m1", "metadata": {"year": 1}}]
    await called(written, "add", records=records)
    assert written.get(ids=["m1"])["metadatas"] == [{"year": 1}]
    assert written.get(ids=["m1"])["documents"] == ["Changed"]
    # Without metadata, too, and what is left of the old ones cannot hide it from its owner.
    base = {"$or": [{"tenant": "a"}, {"year": {"$ne": 2023}}]}
    found = await called(written, "add", base, records=[{"text": "Changed", "id": "m2"}])
    assert not found.is_error
    assert written.get(ids=["m2"])["metadatas"] == [None]


async def test_an_id_of_ones_own_without_a_base_filter(written):
    found = await called(written, "add", records=[{"text": "new", "id": "mine"}])
    assert found.structured_content == {"ids": ["mine"]}


async def test_deleting_says_what_was_there(written):
    found = await called(written, "delete", ids=["m1", "nope"])
    assert found.structured_content == {"deleted": ["m1"], "missing": ["nope"]}
    assert "m1" not in written.get()["ids"]
    assert not written.similarity_search("E-4012", filter={"year": 2019})


async def test_keys_and_values_that_came_meanwhile_can_be_filtered_by(written):
    async with Client(server(written, write=True)) as client:
        new = {"text": "A thesis", "metadata": {"type": "book", "pages": 99}}
        await client.call_tool("add", {"records": [new]})
        found = await client.call_tool("search", {"query": "?", "filters": {"pages": 99}})
        assert len(ids(found)) == 1
        # Also what others write.
        written.add_texts(["A film"], [{"type": "film"}], ["film"])
        found = await client.call_tool("search", {"query": "?", "filters": {"type": "film"}})
        assert ids(found) == ["film"]
        schemas = json.dumps([tool.input_schema for tool in (await client.list_tools()).tools])
        assert "pages" in schemas
        assert "film" in schemas


# When things fail, or take long


async def test_a_failure_says_nothing_of_itself(caplog):
    with make_store(embedding_function=FailingEmbeddings()) as store:
        fill(store)
        found = await called(store, "search", query="pump")
    assert found.is_error
    assert text(found) == "search failed; the server's log says why"
    assert "the embedding service is down" in caplog.text


async def test_a_collection_that_has_gone_is_told(written):
    running = server(written)
    written.delete_collection()
    async with Client(running) as client:
        found = await client.call_tool("search", {"query": "pump"})
        assert found.is_error
        assert "no longer" in text(found) or "gone" in text(found) or "exist" in text(found)


class Gate(WordEmbeddings):
    """Embeds a slow query only when it is opened, and counts those that wait."""

    def __init__(self):
        super().__init__()
        self.open, self.changed = threading.Event(), threading.Condition()
        self.asked, self.waiting, self.most = [], 0, 0

    def embed_query(self, text):
        if text.startswith("slow"):
            with self.changed:
                self.asked.append(text)
                self.waiting += 1
                self.most = max(self.most, self.waiting)
                self.changed.notify_all()
            self.open.wait(30)
            with self.changed:
                self.waiting -= 1
        return super().embed_query(text)

    async def full(self, n):
        def wait():
            with self.changed:
                assert self.changed.wait_for(lambda: self.waiting >= n, 30)

        await asyncio.to_thread(wait)


@pytest.fixture
def gate(tmp_path):
    gate = Gate()
    with make_store(tmp_path / "db", embedding_function=gate) as store:
        fill(store)
        gate.store = store
        yield gate
        gate.open.set()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_few_calls_at_once_and_the_server_stays_awake(gate, mode):
    async with Client(server(gate.store), mode=mode) as client:
        searches = [
            asyncio.ensure_future(client.call_tool("search", {"query": f"slow pump {n}"}))
            for n in range(3 * AT_ONCE)
        ]
        await gate.full(AT_ONCE)
        if mode == "legacy":  # later versions of the protocol have none
            with pytest.warns(MCPDeprecationWarning):
                await client.send_ping()
        assert len((await client.list_tools()).tools) == len(READING)
        assert not any(search.done() for search in searches)
        gate.open.set()
        for found in await asyncio.gather(*searches):
            assert ids(found)
        assert gate.most == AT_ONCE


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_cancelled_call_that_waits_never_begins(gate, mode):
    async with Client(server(gate.store), mode=mode) as client:
        first = [
            asyncio.ensure_future(client.call_tool("search", {"query": f"slow pump {n}"}))
            for n in range(AT_ONCE)
        ]
        await gate.full(AT_ONCE)
        late = asyncio.ensure_future(client.call_tool("search", {"query": "slow and cancelled"}))
        await asyncio.sleep(0.05)  # for the server to get it
        late.cancel()
        first[0].cancel()
        for cancelled in (late, first[0]):
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        await client.list_tools()  # the server has read what came before it
        gate.open.set()
        for search in first[1:]:
            assert ids(await search)
        assert ids(await client.call_tool("search", {"query": "fan"}))
    assert "slow and cancelled" not in gate.asked


async def test_who_asks_for_progress_is_told(read):
    steps = []

    async def step(done, total, message):
        steps.append((done, total, message))

    async with Client(server(read)) as client:
        await client.call_tool("search", {"query": "pump"}, progress_callback=step)
    assert steps == [(0, 1, "Search"), (1, 1, "Search")]
