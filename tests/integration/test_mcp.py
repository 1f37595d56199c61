"""`chroma-hybrid mcp`: both transports, other clients, and what keeps it from starting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import venv
from pathlib import Path

import chromadb
import pytest
from chromadb.utils.embedding_functions import register_embedding_function

pytest.importorskip("mcp.server.mcpserver")

import httpx2
import uvicorn
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from typer.main import get_command
from typer.testing import CliRunner

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.embeddings import to_chroma
from langchain_chroma_hybrid.mcp.collection import ServedCollection
from langchain_chroma_hybrid.mcp.server import CollectionServer
from langchain_chroma_hybrid.mcp.transports import bound, http_app
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, filled

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests"  # noqa: S105
KEY = "KEY_OF_THE_SERVICE"
# The command, with a model that prints wherever it can, and the exit code in a file.
NOISY = """
import os, sys
from langchain_chroma_hybrid.embeddings import to_chroma
from langchain_chroma_hybrid.testing import WordEmbeddings

class Noisy(WordEmbeddings):
    def embed_query(self, text):
        print("noise by print", end="")
        os.write(1, b"noise of another language\\n")
        return super().embed_query(text)

to_chroma(Noisy(), name="words of the server")
from langchain_chroma_hybrid.cli import main
try:
    main()
except SystemExit as ended:
    with open(os.environ["CODE_FILE"], "w") as file:
        file.write(str(ended.code))
"""


@register_embedding_function
class KeyNeeded(chromadb.EmbeddingFunction):
    """As those of services are."""

    def __init__(self):
        if KEY not in os.environ:
            raise ValueError(f"The {KEY} environment variable is not set.")

    def __call__(self, input):
        raise AssertionError

    @staticmethod
    def name():
        return "key_needed"

    def get_config(self):
        return {}

    @staticmethod
    def build_from_config(config):
        return KeyNeeded()


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    """The corpus in a collection that remembers its embedding function, and one of a service."""
    folder = tmp_path_factory.mktemp("db")
    function = to_chroma(WordEmbeddings(), name="words of the server")
    client = chromadb.PersistentClient(folder)
    collection = client.create_collection("corpus", embedding_function=function)
    ids, texts, metadatas = zip(*CORPUS, strict=True)
    collection.add(list(ids), documents=list(texts), metadatas=list(metadatas))
    with pytest.MonkeyPatch.context() as here:
        here.setenv(KEY, "known")
        client.create_collection("services", embedding_function=KeyNeeded())
    return folder


def ids(result) -> set[str]:
    return {source["id"] for source in result.structured_content["sources"]}


# stdin and stdout


async def test_a_process_speaks_the_protocol_and_nothing_else(db, tmp_path):
    code, log = tmp_path / "code", tmp_path / "log"
    base = ["--base-filter", '{"tenant": "a"}']
    arguments = ["mcp", "--path", str(db), "-c", "corpus", *base, "--write"]
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", NOISY, *arguments],
        # What is printed waits in a buffer, unless somebody says otherwise.
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "CODE_FILE": str(code), "PYTHONUNBUFFERED": "",
        },
    )
    strange = []

    async def heard(message):
        if isinstance(message, Exception):
            strange.append(message)

    with log.open("w") as errors:
        transport = stdio_client(parameters, errlog=errors)
        async with Client(transport, mode="legacy", message_handler=heard) as client:
            found = await client.call_tool("search", {"query": "pump R123-78"})
            assert "pump" in ids(found)
            assert not ids(found) & {"valve", "water"}
            added = await client.call_tool("add", {"records": [{"text": "A pump of brass"}]})
            (id_,) = added.structured_content["ids"]
            assert id_ in ids(await client.call_tool("search", {"query": "brass"}))
            missing = await client.call_tool("get", {"ids": ["valve"]})
            assert missing.structured_content == {"records": [], "missing": ["valve"]}
            assert len((await client.list_resources()).resources) == 6
    assert strange == []
    assert code.read_text() == "0"
    said = log.read_text()
    assert said.count("noise by print") == said.count("noise of another language") >= 3
    assert "Traceback" not in said


# Streamable HTTP


@contextlib.asynccontextmanager
async def serving(store, token=None):
    """Where a server listens."""
    served = ServedCollection(bridge.handle_of(store), parse({"tenant": "a"}, base=True))
    listening = bound(0)
    port = listening.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(http_app(CollectionServer(served), port, token), log_config=None)
    )
    task = asyncio.ensure_future(running.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        running.should_exit = running.force_exit = True
        await task


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("http")) as store:
        yield store


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_several_clients_by_http(store, mode):
    async with serving(store) as url, Client(url, mode=mode) as one, Client(url, mode=mode) as two:
        found = await asyncio.gather(
            *(client.call_tool("search", {"query": "pump"}) for client in (one, two) * 3)
        )
        assert [ids(each) & {"pump", "valve"} for each in found] == [{"pump"}] * 6


async def test_a_token_lets_in(store):
    async with serving(store, TOKEN) as url:
        own = httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"})
        async with own, Client(streamable_http_client(url, http_client=own)) as client:
            assert ids(await client.call_tool("search", {"query": "pump"}))


BODY = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


REFUSED = [
    ({}, 401),
    ({"Authorization": "Bearer"}, 401),
    ({"Authorization": "Bearer another-token-of-tests"}, 401),
    ({"Authorization": f"Basic {TOKEN}"}, 401),
    ({"Authorization": TOKEN}, 401),
    ({**BEARER, "Host": "evil.example"}, 421),
    ({**BEARER, "Host": "evil.example:{port}"}, 421),
    ({**BEARER, "Host": "127.0.0.1:1"}, 421),
    ({**BEARER, "Origin": "http://evil.example"}, 403),
    ({**BEARER, "Origin": "http://127.0.0.1.evil.example:{port}"}, 403),
    ({**BEARER, "Origin": "null"}, 403),
]


async def test_who_is_refused(store):
    async with serving(store, TOKEN) as url, httpx2.AsyncClient() as client:
        port = url.split(":")[2].split("/")[0]
        for headers, status in REFUSED:
            given = {name: value.replace("{port}", port) for name, value in headers.items()}
            answer = await client.post(url, json=BODY, headers={**HEADERS, **given})
            assert (answer.status_code, headers) == (status, headers)
            assert "search" not in answer.text


async def test_a_client_that_hangs_up_harms_nobody(store):
    async with serving(store) as url:
        port = int(url.split(":")[2].split("/")[0])
        call = {"name": "search", "arguments": {"query": "pump"}}
        body = json.dumps({**BODY, "method": "tools/call", "params": call}).encode()
        for sent in (body, body[:20]):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [f"{name}: {value}" for name, value in HEADERS.items()]
            head = ["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines]
            head.append(f"Content-Length: {len(body)}")
            writer.write("\r\n".join([*head, "", ""]).encode() + sent)
            await writer.drain()
            writer.close()
        async with Client(url) as client:
            assert ids(await client.call_tool("search", {"query": "pump"}))


# What keeps it from starting, and how hosts are told to start it


def test_the_page_has_json_that_starts_it():
    page = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert [next(iter(block)) for block in blocks] == ["mcpServers", "servers", "mcpServers"]
    known = {name for each in get_command(app).commands["mcp"].params for name in each.opts}
    for block in blocks[:2]:
        for started in next(iter(block.values())).values():
            name, *arguments = started["args"]
            assert name == "mcp"
            assert {each for each in arguments if each.startswith("-")} <= known


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--path, --url: expected one of them"),
        (["--path", "nowhere"], "--path: expected a folder that Chroma has written"),
        (["--path", "DB", "-c", "other"], "no collection 'other'; there are: corpus, services"),
        (["--path", "DB", "-c", "corpus", "--base-filter", "{"], "--base-filter: expected JSON"),
        (["--path", "DB", "-c", "corpus", "--base-filter", "[]"], "--base-filter: expected a JSON"),
        (["--path", "DB", "-c", "corpus", "--base-filter", "{}"], "--base-filter: "),
        (["--path", "DB", "-c", "corpus", "--base-filter", '{"a": {"$is": "secret"}}'],
         "--base-filter"),
        (["--path", "DB", "-c", "corpus", "--http", "TAKEN"], "--http: expected a free port"),
        (["--path", "DB", "-c", "corpus", "--http", "70000"], "Invalid value for '--http'"),
        (["--path", "DB", "-c", "corpus", "--http", "x"], "Invalid value for '--http'"),
        (["--path", "DB", "-c", "corpus", "--token", TOKEN], "--token: only with --http"),
        (["--path", "DB", "-c", "corpus", "--http", "0", "--token", "short"], "--token: expected"),
        (["--path", "DB", "-c", "corpus", "--http", "0", "--token", ""], "--token: expected"),
        (["--path", "DB", "-c", "corpus", "--http", "0", "--token", "ä" * 20], "--token: expected"),
        (["--path", "DB", "-c", "services", "--network"], "only the database says that texts go"),
        (["--path", "DB", "-c", "services", "--network", "--trust", "key_needed"],
         "The KEY_OF_THE_SERVICE environment variable is not set."),
        (["--path", "DB", "-c", "services", "--write"], "--write: nothing can embed what is added"),
        (["--path", "DB", "-c", "corpus", "--analyzer", "klingon"], "language: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_an_error_is_one_line_and_a_code(arguments, said, db, taken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"DB": str(db), "TAKEN": str(taken)}
    result = CliRunner().invoke(app, ["mcp", *(places.get(each, each) for each in arguments)])
    assert result.exit_code == (1 if "--network" in arguments else 2), "a service that fails is 1"
    assert result.stdout == ""
    *notes, last = result.stderr.splitlines()
    assert last.startswith("error: ")
    assert said in last
    assert all(each.startswith("note: ") for each in notes)
    assert "secret" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hidden", ["mcp", "mcp.server.mcpserver"])
def test_without_the_extra_it_says_the_pip_line(hidden, db, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, hidden, None)
    result = CliRunner().invoke(app, ["mcp", "--path", str(db)])
    assert result.exit_code == 2
    assert "pip install 'langchain-chroma-hybrid[mcp]'" in result.stderr


# Other clients

ADAPTERS = """
import asyncio, json, os, sys
from langchain_mcp_adapters.client import MultiServerMCPClient

server = {
    "transport": "stdio", "command": sys.argv[1], "args": ["-c", *sys.argv[2:]],
    "env": dict(os.environ),
}

async def main():
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"corpus": server}).get_tools()}
    call = {"name": "search", "args": {"query": "pump R123-78"}, "id": "1", "type": "tool_call"}
    found = await tools["search"].ainvoke(call)
    wrong = await tools["search"].ainvoke({**call, "args": {"query": "pump", "k": 0}})
    print(json.dumps([sorted(tools), str(found.content), str(wrong.content)]))

asyncio.run(main())
"""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_langchains_adapters_use_the_tools(db, tmp_path):
    """They need an SDK before version 2, so that they live in an environment of their own."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet", "langchain-mcp-adapters>=0.3,<0.4"]
    if subprocess.run(install, check=False).returncode:
        pytest.skip("langchain-mcp-adapters cannot be installed here")
    command = [sys.executable, NOISY, "mcp", "--path", db, "-c", "corpus"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CODE_FILE": str(tmp_path / "code")}
    done = subprocess.run(
        [python, "-c", ADAPTERS, *map(str, command)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tools, found, wrong = json.loads(done.stdout.splitlines()[-1])
    assert tools == ["describe", "get", "search", "similar"]
    assert CORPUS[1][1] in found
    assert "k: got 0, expected a number from 1 to 20" in wrong
