"""Searching by the command line: formats, queries from stdin, embeddings, collections."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from langchain_core.documents import Document
from typer.testing import CliRunner

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.cli import output
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.cli.options import USAGE
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import helpers

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).resolve().parents[2]
WORDS = "langchain_chroma_hybrid.testing:WordEmbeddings"
LONG = "pump " * 400


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus, a long record that would steer a terminal, and an empty collection."""
    folder = tmp_path_factory.mktemp("data") / "db"
    with HybridChroma("documents", WordEmbeddings(), str(folder)) as store:
        store.add_documents(helpers.documents())
    with HybridChroma("long", WordEmbeddings(), str(folder)) as store:
        text = f"{LONG}\nend \x1b[31m"
        store.add_documents([Document(text, metadata={"k": LONG}, id=i) for i in ("a", "b")])
    chromadb.PersistentClient(folder).create_collection("empty", embedding_function=None)
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and a collection by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMA_HYBRID_PATH", str(db))
    monkeypatch.setenv("CHROMA_HYBRID_COLLECTION", "documents")
    monkeypatch.setenv("CHROMA_HYBRID_EMBEDDINGS", WORDS)
    return tmp_path


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=typed)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_format_holds_the_same():
    asked = ("search", "pump", "-k", 3)
    as_lines = lines(run(*asked, "--format", "jsonl"))
    assert as_lines == lines(run(*asked, "--json"))
    as_array = json.loads(run(*asked, "--format", "json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(run(*asked, "--format", "csv").stdout)))
    as_table = [line.split("\t") for line in run(*asked).stdout.splitlines()[1:]]
    ids = [row["id"] for row in as_lines]
    assert len(ids) == 3
    assert [row["id"] for row in as_array] == [row["id"] for row in as_csv] == ids
    assert [row[3] for row in as_table] == ids
    assert {row["query"] for row in [*as_lines, *as_array, *as_csv]} == {"pump"}
    assert as_csv[0]["metadata.tenant"] == as_lines[0]["metadata"]["tenant"]


@pytest.mark.parametrize("query", [("-",), ()])
def test_queries_from_stdin(query):
    result = run("search", *query, "--json", "-k", 1, typed="red cat\n\n spring \n")
    found = [(row["query"], row["id"]) for row in lines(result)]
    assert found == [("red cat", "cat"), ("spring", "river")]
    shown = run("search", *query, "-k", 1, typed="red cat\nspring\n").stdout.splitlines()
    assert [shown[0], shown[3]] == ["red cat", "spring"]
    nothing = run("search", *query, typed="\n")
    assert (nothing.exit_code, nothing.stdout) == (USAGE, "")


def test_the_new_options_do_what_the_retriever_does():
    grouped = lines(run("search", "pump valve", "--group-by", "tenant", "-k", 8, "--json"))
    tenants = [row["metadata"]["tenant"] for row in grouped]
    assert len(tenants) == len(set(tenants)) == 3
    every = lines(run("search", "pump", "-k", 8, "--json"))
    least = every[1]["relevance"]
    some = lines(run("search", "pump", "-k", 8, "--score-threshold", least, "--json"))
    assert [r["id"] for r in some] == [r["id"] for r in every if r["relevance"] >= least]
    assert 0 < len(some) < len(every)
    must = lines(run("search", "pump +valve", "--query-syntax", "simple", "-k", 8, "--json"))
    assert {row["id"] for row in must} == {"valve", "water"}


def test_highlights_are_where_words_match():
    (hit, *_) = lines(run("search", "R123-78", "--highlight", "--json", "-k", 1))
    assert hit["highlighted"] == "Error **R123-78** means that the pump is blocked"
    assert [hit["text"][a:b] for a, b in hit["spans"]] == ["R123-78"]
    assert "Error **R123-78** means" in run("search", "R123-78", "--highlight").stdout


PRINTS = [
    ("search", "pump"), ("get", "a"), ("facets", "k"), ("similar", "a"), ("list",), ("info",),
    ("demo", "pump"), ("verify",), ("--help",), ("search", "--help"),
]  # fmt: skip


@pytest.mark.parametrize("command", PRINTS, ids=" ".join)
def test_piped_output_is_plain_and_whole(command):
    shown = run(*command, *(("-c", "long") if command[0] not in ("list", "--help") else ())).stdout
    assert shown
    assert not set(shown) & set("\x1b┃│─━┏╭")
    if command[0] in ("search", "get") and len(command) == 2 and command[1] != "--help":
        assert "end \ufffd[31m" in shown, "not cut, and not able to steer a terminal"


class Terminal(io.StringIO):
    """Somebody who looks on."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_sees_a_table_without_colours_if_it_wants_none(no_color, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Terminal())
    with pytest.raises(SystemExit) as ended:
        app(["search", "R123-78", "--highlight"])
    shown = sys.stdout.getvalue()
    assert ended.value.code == 0
    assert "R123-78" in shown
    assert "┃" in shown
    assert ("\x1b[" in shown) == (not no_color)


@pytest.mark.parametrize("width", [40, 80])
def test_long_ids_leave_the_text_its_place(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", Terminal())
    output.table({"relevance": "number", "id": "text", "text": "wide"}, [["1.0", "i" * 64, TEXT]])
    shown = sys.stdout.getvalue()
    assert "pump that is" in shown
    assert shown.count("\n") < 10


TEXT = "a pump that is blocked"
START = "from langchain_chroma_hybrid.cli import main; main()"


@pytest.mark.parametrize(
    "reader", ["closed pipe", pytest.param("full disk", marks=pytest.mark.long)]
)
def test_a_reader_that_goes_away_is_no_traceback(reader):
    command = [sys.executable, "-c", START, "export", "-c", "long"]
    options = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "stderr": subprocess.PIPE}
    if reader == "closed pipe":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(command, stdout=write, text=True, check=False, **options)
    os.close(write)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert len(said) == (reader == "full disk")
    assert not said or (said[0].startswith("error: ") and "No space left" in said[0])


@pytest.mark.parametrize("mode", ["bm25", "HYBRID", ""])
def test_an_unknown_mode_lists_the_modes(mode):
    for command in ("search", "eval"):
        result = run(command, "pump", "--mode", mode)
        assert (result.exit_code, result.stdout) == (USAGE, "")
        assert result.stderr.count("\n") == 1
        if command == "search":
            assert all(m in result.stderr for m in ("hybrid", "vector", "lexical", "two_step"))


ELSEWHERE = [
    ("search", "x"), ("get", "x"), ("facets",), ("export",), ("info",), ("delete", "x", "-y"),
    ("similar", "x"), ("verify",), ("demo", "x"),
]  # fmt: skip


@pytest.mark.parametrize("command", ELSEWHERE, ids=" ".join)
def test_a_misspelt_collection_names_the_others(command):
    result = run(*command, "-c", "dokuments")
    assert (result.exit_code, result.stdout) == (USAGE, "")
    known = "no collection 'dokuments'; there are: documents, empty, long"
    assert f"{known}; did you mean 'documents'?" in result.stderr


def test_an_empty_collection_says_so_and_names_the_others():
    result = run("search", "pump", "-c", "empty")
    assert result.exit_code == 1
    assert "the collection 'empty' is empty" in result.stderr
    assert "documents" in result.stderr


# Which embeddings

CODE = """
import chromadb
from langchain_chroma_hybrid.testing import WordEmbeddings

instance = WordEmbeddings()
factory = lambda: WordEmbeddings()
number = 3
class Holder:
    inner = instance
class Function(chromadb.EmbeddingFunction):
    def __init__(self): pass
    def __call__(self, input): return WordEmbeddings().embed_documents(list(input))
    @staticmethod
    def name(): return "of a test"
    def get_config(self): return {}
    @staticmethod
    def build_from_config(config): return Function()
function = Function()
def broken(): raise RuntimeError("the key is wrong")
"""


@pytest.mark.parametrize(
    "name", ["instance", "factory", "Holder.inner", "Function", "function", "WordEmbeddings"]
)
def test_embeddings_of_ones_own(name, place, monkeypatch):
    (place / "my_vectors.py").write_text(CODE, "utf-8")
    monkeypatch.delitem(sys.modules, "my_vectors", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    asked = ("search", "pump", "--mode", "vector", "--json", "--embeddings")
    assert lines(run(*asked, f"my_vectors:{name}")) == lines(run(*asked, WORDS)) != []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_vectors:nothing", "cannot be loaded (AttributeError"),
        ("my_vectors:broken", "cannot be loaded (RuntimeError: the key is wrong)"),
        ("my_vectors:number", "expected LangChain Embeddings or a Chroma EmbeddingFunction"),
        ("no_such_module:x", "cannot be loaded (ModuleNotFoundError"),
        ("opnai:text-embedding-3-small", "expected module:object, or provider:model of azure_ai"),
        ("openai:text-embedding-3-small", "pip install langchain-openai"),
        ("./nowhere", "model: expected an exist"),
    ],
)
def test_embeddings_that_are_not_there_are_one_line(name, message, place, monkeypatch):
    (place / "my_vectors.py").write_text(CODE, "utf-8")
    monkeypatch.delitem(sys.modules, "my_vectors", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "langchain_openai", None)
    result = run("search", "pump", "--embeddings", name)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_service_is_what_langchain_makes_of_its_name(monkeypatch):
    class OpenAIEmbeddings(WordEmbeddings):
        def __init__(self, *, model):
            super().__init__()
            asked.append(model)

    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "langchain_openai", ModuleType("langchain_openai"))
    provider = sys.modules["langchain_openai"]
    monkeypatch.setattr(provider, "OpenAIEmbeddings", OpenAIEmbeddings, raising=False)
    _forget_providers()
    command = ("search", "pump", "--mode", "vector", "--json", "--embeddings")
    name = "openai:text-embedding-3-small"
    assert lines(run(*command, name)) == lines(run(*command, WORDS)) != []
    assert asked == ["text-embedding-3-small"]

    def keyless(self, *, model):
        raise ValueError("The api_key must be set by OPENAI_API_KEY")

    monkeypatch.setattr(OpenAIEmbeddings, "__init__", keyless)
    refused = run(*command, name)
    _forget_providers()
    assert refused.exit_code == USAGE
    why = "The api_key must be set by OPENAI_API_KEY"
    assert refused.stderr == f"error: --embeddings {name}: {why}\n"


def _forget_providers() -> None:
    from langchain.embeddings import base

    for each in vars(base).values():
        getattr(each, "cache_clear", lambda: None)()


def test_langchain_that_is_missing_is_a_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain.embeddings", None)
    result = run("search", "pump", "--embeddings", "openai:text-embedding-3-small")
    assert result.exit_code == USAGE
    assert "pip install 'langchain>=1'" in result.stderr


# The command as a whole


@pytest.mark.parametrize("command", [(), ("images",)])
def test_bare_prints_help(command):
    bare, asked = run(*command), run(*command, "--help")
    assert (bare.exit_code, bare.stdout) == (0, asked.stdout)
    assert "Usage: " in bare.stdout


def test_what_is_typed_counts_more_than_the_environment(db, monkeypatch):
    monkeypatch.setenv("CHROMA_HYBRID_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("CHROMA_HYBRID_PATH")
    assert run("info").exit_code == 1
    assert run("info", "--path", db).exit_code == 0
    monkeypatch.setenv("CHROMA_HYBRID_PATH", str(db))
    assert "--path, --url: expected one of them" in run("info").stderr
    assert run("info", "--url", "nonsense").stderr.startswith("error: --url: expected http")
    monkeypatch.delenv("CHROMA_HYBRID_URL")
    monkeypatch.setenv("CHROMA_HYBRID_COLLECTION", "elsewhere")
    assert "no collection 'elsewhere'" in run("info").stderr
    assert run("info", "-c", "documents").exit_code == 0


def test_json_and_another_format_are_refused():
    result = run("list", "--json", "--format", "csv")
    assert result.exit_code == USAGE


