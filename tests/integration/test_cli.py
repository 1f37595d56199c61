"""The command `chroma-hybrid`: what it prints, its exit codes, its errors, its documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction
from langchain_chroma import Chroma
from langchain_core.documents import Document
from typer.main import get_command
from typer.testing import CliRunner

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.cli import opening
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.cli.searching import DEMO_MODES
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings, to_chroma
from langchain_chroma_hybrid.evaluation import Settings, evaluate, load_beir
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, COSINE, documents, fresh_name
from tests.tiny_models import save_sentence_transformer

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
GROUP = get_command(app)
START = "from langchain_chroma_hybrid.cli import main; main()"


def walked(group: Any, above: str = "") -> dict[str, Any]:
    """All commands by their names, groups among them."""
    found = {}
    for name, each in group.commands.items():
        found[above + name] = each
        if hasattr(each, "commands"):
            found |= walked(each, f"{above}{name} ")
    return found


COMMANDS = walked(GROUP)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def lines(result: Result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def process(*arguments: object, code: str = START) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


@pytest.fixture
def chroma(tmp_path: Path) -> Chroma:
    """The corpus as LangChain stores it: the collection remembers no embedding function."""
    store = Chroma(
        "corpus",
        WordEmbeddings(),
        persist_directory=str(tmp_path / "db"),
        collection_configuration=COSINE,
    )
    store.add_documents(documents())
    return store


@pytest.fixture
def db(chroma: Chroma, tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The corpus in a collection that remembers its embedding function."""
    folder = tmp_path / "own"
    function = to_chroma(WordEmbeddings(), name="words of the command line")
    collection = chromadb.PersistentClient(folder).create_collection(
        "corpus", embedding_function=function
    )
    ids, texts, metadatas = zip(*CORPUS, strict=True)
    collection.add(list(ids), documents=list(texts), metadatas=list(metadatas))
    return folder


# Documentation


def test_every_command_is_documented_and_nothing_else_is():
    headings = re.findall(r"^### `chroma-hybrid ((?:[a-z-]+ ?)+)", PAGE, re.MULTILINE)
    assert sorted(map(str.strip, headings)) == sorted(COMMANDS)


def section(name: str) -> str:
    """What the page says of a command, and of all of them."""
    shared, *sections = re.split(r"^### `chroma-hybrid ", PAGE, flags=re.MULTILINE)
    (own,) = [text for text in sections if re.match(rf"{name}(?! ?[a-z])", text)]
    return shared + own


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_every_option_is_documented(name):
    command, text = (COMMANDS[name], section(name)) if name else (GROUP, PAGE)
    options = {o for each in command.params for o in [*each.opts, *each.secondary_opts]}
    missing = {o for o in options if o[0] == "-" and not re.search(rf"`{o}(?![\w-])", text)}
    assert not missing


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_variable_is_documented_and_in_the_help(name):
    shown = run(*name.split(), "--help").stdout
    variables = {each.envvar for each in COMMANDS[name].params if each.envvar}
    assert not {v for v in variables if v not in shown or f"`{v}`" not in PAGE}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does(name):
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert COMMANDS[name].help.split("(")[0].strip()[:40] in " ".join(result.stdout.split())


# Searching


def test_search_prints_scores_ranks_ids_and_texts(own):
    result = run("search", "pump R123-78", "--path", own)
    assert result.exit_code == 0
    assert result.stderr == ""
    head, first = (row.split("\t") for row in result.stdout.splitlines()[:2])
    assert head == ["relevance", "lexical", "vector", "id", "text"]
    assert first[1:] == ["1", "1", "pump", CORPUS[1][1]]
    assert 0 < float(first[0]) <= 1


def test_search_finds_what_the_retriever_finds(own, tmp_path):
    client = chromadb.PersistentClient(own)
    store = Chroma("corpus", client=client, create_collection_if_not_exists=False)
    options = {"k": 3, "weights": [0.3, 0.7], "fusion": "rrf", "filter": {"tenant": "a"}}
    expected = ChromaHybridRetriever.from_vectorstore(store).search("red pump", **options).hits
    typed = ("-k", 3, "--weights", "0.3,0.7", "--fusion", "rrf", "--where", '{"tenant": "a"}')
    found = lines(run("search", "red pump", "--path", own, "--json", *typed))
    pairs = [(hit["id"], hit["relevance"]) for hit in found]
    assert pairs == [(hit.id, hit.relevance) for hit in expected]
    assert [hit["rank"] for hit in found] == [1, 2, 3]
    assert found[0]["text"] == expected[0].record.text
    assert [hit["spans"] for hit in found] == [list(map(list, hit.spans)) for hit in expected]
    assert {leg["name"] for leg in found[0]["legs"]} == {"lexical", "vector"}


def test_search_by_words_alone_says_so(db):
    result = run("search", "pump", "--path", db, "-c", "corpus", "--json")
    assert {hit["id"] for hit in lines(result)} == {"pump", "water", "manual"}
    assert result.stderr.startswith("note: lexical search only, because the collection has no emb")
    quiet = run("search", "pump", "--path", db, "--mode", "lexical", "--json")
    assert (quiet.stdout, quiet.stderr) == (result.stdout, "")


def test_search_with_filters_on_the_text(own):
    condition = '{"$contains": "valve"}'
    found = lines(run("search", "pump", "--path", own, "--json", "--where-document", condition))
    assert {hit["id"] for hit in found} == {"valve", "water"}


def test_explain_shows_scores_terms_and_times(own):
    result = run("search", "pumps", "--path", own, "--explain")
    assert "\tterms\t" in result.stdout
    assert "\tpump\t" in result.stdout
    assert re.search(r"lexical: 3 hits in [\d.]+ ms, filtered by none", result.stdout)


def test_a_typo_is_looked_for_unless_told_not_to(chroma, db):
    chroma.add_texts([f"paper stone river {n}" for n in range(1_000)])
    asked = ("search", "pumsp", "--path", db, "--mode", "lexical", "--json")
    found = run(*asked)
    assert {hit["id"] for hit in lines(found)} == {"pump", "water", "manual"}
    assert "pumsp: looked for pump" in found.stderr
    assert (run(*asked, "--no-typos").exit_code, run(*asked, "--typos").exit_code) == (1, 0)


def test_nothing_found_is_code_1(db):
    result = run("search", "xyzzy", "--path", db, "--mode", "lexical")
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "note: in no record: xyzzy\nnote: nothing found\n",
    )


def test_saved_settings_hold_and_typed_options_come_first(own, tmp_path):
    file = tmp_path / "settings.json"
    Settings({"weights": [1.0, 0.0]}).save(file)
    options = ("search", "river", "--path", own, "--json", "--settings", file)
    assert {leg["name"] for hit in lines(run(*options)) for leg in hit["legs"]} == {"lexical"}
    typed = lines(run(*options, "--weights", "0,1"))
    assert {leg["name"] for hit in typed for leg in hit["legs"]} == {"vector"}


def test_documents_cannot_steer_the_terminal(chroma, db):
    chroma.add_documents([Document("evil \x1b[2J\x07 [bold]markup[/bold]", id="e\x1b[1mvil")])
    result = run("search", "evil", "--path", db, "--mode", "lexical")
    assert "[bold]markup[/bold]" in result.stdout
    assert not {"\x1b", "\x07"} & set(result.stdout)


@pytest.mark.parametrize(
    "command",
    [
        ("add", "bad\x1b[2J.txt"),
        ("search", "water", "--collection", "a\x1b[2Jb"),
        ("search", "zebra\x1b[2J"),
        ("facets", "key\x1b[2J"),
        ("ser\x1b[2Jch",),
    ],
)
def test_nor_can_names_and_arguments(chroma, db, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad\x1b[2J.txt").write_bytes(b"a\0b")
    place = ("--path", db) if len(command) > 1 else ()
    result = run(*command, *place)
    assert "2J" in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_a_model_is_local_unless_the_network_is_allowed(db, monkeypatch):
    asked = []

    def model(name, *, local_files_only):
        asked.append((name, local_files_only))
        return WordEmbeddings()

    monkeypatch.setattr(opening, "SentenceTransformerEmbeddings", model)
    options = ("search", "pump", "--path", db, "--embeddings", "some/model", "--json")
    assert {leg["name"] for leg in lines(run(*options))[0]["legs"]} == {"lexical", "vector"}
    assert run(*options, "--network").exit_code == 0
    assert asked == [("some/model", True), ("some/model", False)]


def test_demo_shows_three_modes_side_by_side(own):
    result = run("demo", "R123-78", "red cat", "--path", own)
    assert result.exit_code == 0
    assert all(title in result.stdout for title in (*DEMO_MODES, "R123-78", "red cat"))
    first, second = lines(run("demo", "R123-78", "red cat", "--path", own, "--json", "-k", 1))
    assert first == {"query": "R123-78", **{mode: ["pump"] for mode in DEMO_MODES}}
    assert second["hybrid"] == ["cat"]


def test_demo_without_a_query_says_how():
    result = run("demo")
    assert result.exit_code == 0
    assert "make demo" in result.stdout


# Upkeep


def test_info_changes_nothing(db):
    before = sorted(db.rglob("*"))
    (found,) = lines(run("info", "--path", db, "--json"))
    assert sorted(db.rglob("*")) == before
    assert (found["collection"], found["records"], found["indexed"]) == ("corpus", 8, 0)
    assert (found["space"], found["ready"]) == ("cosine", False)
    assert found["problem"].startswith("not built yet")


def test_info_of_an_index_that_is_ready(db):
    assert lines(run("sync", "--path", db, "--json"))[0]["added"] == 8
    # Looking at it does not make it less so.
    assert run("verify", "--path", db).exit_code == 0
    (found,) = lines(run("info", "--path", db, "--json"))
    assert (found["ready"], found["problem"], found["indexed"]) == (True, None, 8)
    assert found["size_bytes"] > 0
    assert Path(found["lexical_index"]).is_dir()
    assert "english" in found["analyzer"]
    assert "ready" in run("info", "--path", db).stdout


def test_info_says_which_analyzer_the_index_was_built_with(db):
    run("sync", "--path", db, "--analyzer", "german")
    (found,) = lines(run("info", "--path", db, "--json"))
    assert not found["ready"]
    assert "german" in found["problem"]


def test_verify_finds_and_mends_what_sync_brings_in(chroma, db):
    run("sync", "--path", db)
    chroma.add_documents([Document("A new pump", id="new")])
    chroma.delete(["cat"])
    chroma.update_document("river", Document("Changed", metadata={"tenant": "c"}, id="river"))
    result = run("verify", "--path", db, "--json")
    assert result.exit_code == 1
    expected = {"missing": ["new"], "extra": ["cat"], "stale": ["river"]}
    assert lines(result) == [{"ok": False, "fixed": False, **expected}]
    shown = run("verify", "--path", db, "--fix")
    assert shown.exit_code == 1
    assert all(word in shown.stdout for word in ("missing", "new", "extra", "cat", "mended"))
    again = run("verify", "--path", db)
    assert (again.exit_code, again.stdout) == (0, "in step: no differences\n")


def test_a_deep_sync_finds_changed_texts(chroma, db):
    run("sync", "--path", db)
    chroma.update_document("river", Document("Changed", metadata={"tenant": "c"}, id="river"))
    assert lines(run("sync", "--path", db, "--json"))[0]["updated"] == 0
    result = run("sync", "--path", db, "--deep")
    assert result.stdout.startswith("0 added, 1 updated, 0 removed")
    assert result.stderr == ""


def test_the_index_is_copied_from_one_place_to_another(db, tmp_path):
    there = f"tantivy:{tmp_path / 'shared'}"
    missing = run("lexical", "copy", "data", there, "--path", db)
    assert missing.exit_code == 2
    assert missing.stderr.startswith("error: FROM: expected an index that was built")
    run("sync", "--path", db)
    (copied,) = lines(run("lexical", "copy", "data", there, "--path", db, "--json"))
    assert (copied["records"], copied["read"]) == (len(CORPUS), "index")
    (shown,) = lines(run("info", "--path", db, "--lexical", there, "--json"))
    assert (shown["ready"], shown["indexed"]) == (True, len(CORPUS))
    again = run("lexical", "copy", there, "data", "--path", db)
    assert re.match(rf"{len(CORPUS)} records, read in the collection, in [\d.]+ s", again.stdout)


def test_the_index_is_where_lexical_says(db, tmp_path, monkeypatch):
    place = tmp_path / "elsewhere"
    run("sync", "--path", db, "--lexical", f"tantivy:{place}")
    (shown,) = lines(run("info", "--path", db, "--lexical", f"tantivy:{place}", "--json"))
    assert Path(shown["lexical_index"]).parent == place
    assert shown["ready"]
    assert not (db / "lexical").exists()
    monkeypatch.setenv("CHROMA_HYBRID_LEXICAL", "rank_bm25:plus")
    typed = ("search", "R123-78", "--path", db, "--mode", "lexical", "--json")
    assert lines(run(*typed))[0]["id"] == "pump"


def test_rebuild_builds_an_index_for_other_settings(db):
    run("sync", "--path", db)
    (report,) = lines(run("rebuild", "--path", db, "--field", "tenant=2", "--json"))
    assert report["added"] == 8
    typed = ("search", "c", "--path", db, "--field", "tenant=2", "--mode", "lexical", "--json")
    assert {hit["id"] for hit in lines(run(*typed))} == {"river", "bank"}


# Measuring


@pytest.fixture
def beir(tmp_path):
    """One query for every record, its own text, asked three times."""
    pytest.importorskip("ir_measures")
    folder = tmp_path / "beir"
    folder.mkdir()
    queries = [(f"{id_}-{n}", text, id_) for n in range(3) for id_, text, _ in CORPUS]
    write = {
        "corpus.jsonl": [json.dumps({"_id": id_, "text": text}) for id_, text, _ in CORPUS],
        "queries.jsonl": [json.dumps({"_id": q, "text": text}) for q, text, _ in queries],
        "qrels.tsv": ["query-id\tcorpus-id\tscore", *(f"{q}\t{id_}\t1" for q, _, id_ in queries)],
    }
    for name, content in write.items():
        (folder / name).write_text("\n".join(content) + "\n", encoding="utf-8")
    return folder


def test_eval_prints_what_evaluate_finds(own, beir, tmp_path):
    file = tmp_path / "values.json"
    found = lines(run("eval", beir, "--path", own, "--json", "--save", file))
    assert {each["mode"] for each in found} == {"lexical", "vector", "hybrid", "two_step"}
    client = chromadb.PersistentClient(own)
    store = Chroma("corpus", client=client, create_collection_if_not_exists=False)
    data = load_beir(beir)
    expected = evaluate(store, data.queries, data.qrels)
    for each in found:
        assert each["queries"] == 24
        assert each["nDCG@10"]["mean"] == expected.estimate(each["mode"]).mean
    assert json.loads(file.read_text("utf-8"))["values"]["hybrid"]["MRR@10"] == [1.0] * 24
    table = run("eval", beir, "--path", own, "--mode", "lexical", "--mode", "vector").stdout
    assert "24 queries" in table
    assert "hybrid" not in table


def test_eval_refuses_judgements_of_another_collection(own, tmp_path):
    file = tmp_path / "others.csv"
    file.write_text("query,id\npump,elsewhere\n", encoding="utf-8")
    result = run("eval", file, "--path", own)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: judgements: expected ids of records in this collection")


def test_tune_accepts_nothing_where_everything_is_right(own, beir, tmp_path):
    file = tmp_path / "settings.json"
    result = run("tune", beir, "--path", own, "--save", file)
    assert result.exit_code == 1
    assert "nothing is significantly better" in result.stdout
    assert not file.exists()


def test_tune_saves_what_is_better(own, tmp_path, monkeypatch):
    pytest.importorskip("ir_measures")
    file, judged = tmp_path / "settings.json", tmp_path / "judged.csv"
    # Only the vectors are right: they take every query for the one about leaves.
    embed, leaves = WordEmbeddings.embed_query, CORPUS[0][1]
    monkeypatch.setattr(WordEmbeddings, "embed_query", lambda self, _: embed(self, leaves))
    asked = [f"{text} {text.split()[n]},leaves" for n in range(4) for _, text, _ in CORPUS]
    judged.write_text("\n".join(["query,id", *asked]), encoding="utf-8")
    result = run("tune", judged, "--path", own, "--json", "--measure", "MRR@10", "--save", file)
    assert result.exit_code == 0
    (found,) = lines(result)
    assert found["accepted"]
    assert found["held_out_gain"]["low"] > 0
    lexical, vector = Settings.load(file).options["weights"]
    assert lexical < vector


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sarch"], "No such command 'sarch'"),
        (["search", "--path", "DB"], "Missing argument 'QUERY'"),
        (["search", "x", "--nope"], "No such option"),
        (["search", "x"], "--path, --url: expected one of them, got None"),
        (["search", "x", "--path", "DB", "--url", "http://a"], "--path, --url: expected one of"),
        (["info", "--path", "nowhere"], "--path: expected a folder that Chroma has written"),
        (["info", "--url", "localhost:8000"], "--url: expected http://host:port"),
        (["info", "--path", "DB", "-c", "other"], "no collection 'other'; there are: corpus"),
        (["search", "x", "--path", "DB", "--where", "{"], "--where: expected JSON, got '{'"),
        (["search", "x", "--path", "DB", "--where", "[]"], "--where: expected a JSON object"),
        (["search", "x", "--path", "DB", "--where", '{"$no": 1}'], "--where: expected a metadata"),
        (["search", "x", "--path", "DB", "--weights", "a"], "--weights: expected numbers"),
        (["search", "x", "--path", "DB", "-k", "0", "--mode", "lexical"], "k: expected a whole"),
        (["search", "x", "--path", "DB", "--mode", "hybrid"], "--mode: expected lexical, because"),
        (["search", "x", "--path", "DB", "--embeddings", "./nowhere"], "model: expected an exist"),
        (["search", "x", "--path", "DB", "--settings", "nowhere"], "path: expected a file of"),
        (["demo", "x", "--path", "DB"], "--mode: expected lexical, because the collection has no"),
        (["info", "--path", "DB", "--analyzer", "klingon"], "language: "),
        (["info", "--path", "DB", "--field", "title=x"], "--field: expected NAME or NAME=BOOST"),
        (["info", "--path", "DB", "--lexical", "my://a:b@c"], "lexical: expected an address"),
        (["eval", "nowhere", "--path", "DB"], "FOLDER: expected a BEIR folder or a CSV file, got"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_line_and_code_2(arguments, message, db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*(str(db) if each == "DB" else each for each in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_debug_shows_where_it_happened(db):
    result = run("info", "--path", db, "-c", "other", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: no collection 'other'")


def test_several_collections_need_a_name(chroma, db):
    Chroma("another", WordEmbeddings(), persist_directory=str(db))
    result = run("search", "pump", "--path", db)
    assert result.exit_code == 2
    assert "there are: another, corpus" in result.stderr


# A real process


def test_a_real_process_prints_the_same(own):
    there = process("search", "R123-78", "--path", own, "--json")
    assert there.returncode == 0
    # The embedding function is code that this process does not have.
    assert "remembered as 'words of the command line'" in there.stderr
    here = run("search", "R123-78", "--path", own, "--json", "--mode", "lexical")
    assert there.stdout == here.stdout


FOREIGN = """
import sys, chromadb
from chromadb.utils.embedding_functions import register_embedding_function

@register_embedding_function
class Foreign(chromadb.EmbeddingFunction):
    def __init__(self): pass
    def __call__(self, input): return [[1.0, 2.0] for _ in input]
    @staticmethod
    def name(): return "foreign"
    def get_config(self): return {}
    @staticmethod
    def build_from_config(config): return Foreign()

client = chromadb.PersistentClient(sys.argv[1])
client.create_collection("foreign", embedding_function=Foreign()).add(["a"], documents=["a pump"])
"""


def test_a_collection_whose_embedding_function_is_unknown_here(tmp_path):
    assert process(tmp_path / "db", code=FOREIGN).returncode == 0
    result = run("search", "pump", "--path", tmp_path / "db", "--json")
    assert [hit["id"] for hit in lines(result)] == ["a"]
    assert "embedding function 'foreign' may use the network" in result.stderr
    assert lines(run("info", "--path", tmp_path / "db", "--json"))[0]["space"] == "l2"
    refused = run("search", "pump", "--path", tmp_path / "db", "--network")
    assert refused.exit_code == 1
    assert "foreign not found" in refused.stderr


LIGHT = """
import sys
import langchain_chroma_hybrid.cli
assert not {"typer", "rich", "chromadb"} & set(sys.modules)
from langchain_chroma_hybrid.cli.app import app
assert not {"chromadb", "langchain_chroma", "tantivy", "torch"} & set(sys.modules)
"""


def test_help_waits_for_nothing_heavy():
    assert process(code=LIGHT).stderr == ""


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_a_missing_library_is_the_pip_line(library):
    result = process("info", code=f"import sys; sys.modules[{library!r}] = None; {START}")
    assert result.returncode == 2
    line = f"error: {library} is not installed: pip install 'langchain-chroma-hybrid[cli]'\n"
    assert result.stderr == line


# A server


def test_a_server(port, cache):
    name = fresh_name() + "-of-the-command-line"
    Chroma(name, WordEmbeddings(), host="127.0.0.1", port=port).add_documents(documents())
    options = ("--url", f"http://127.0.0.1:{port}", "--collection", name, "--json")
    (found, *_) = lines(run("search", "R123-78", *options))
    assert found["id"] == "pump"
    (about,) = lines(run("info", *options))
    assert about["ready"]
    assert Path(about["lexical_index"]).is_relative_to(cache)


def test_a_server_that_is_not_there():
    result = run("info", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Could not connect")


@pytest.mark.parametrize(
    "how", [pytest.param("ours", marks=pytest.mark.long), "chroma's"]
)
def test_a_model_that_only_the_database_names_is_not_loaded(how, tmp_path):
    folder, db = tmp_path / "model", tmp_path / "db"
    save_sentence_transformer(folder)
    made = {
        "ours": lambda: to_chroma(SentenceTransformerEmbeddings(folder, device="cpu")),
        "chroma's": lambda: SentenceTransformerEmbeddingFunction(str(folder)),
    }[how]()
    client = chromadb.PersistentClient(db)
    client.create_collection("docs", embedding_function=made).add(["a"], documents=["a pump"])
    there = process("search", "pump", "--path", db, "--json")
    assert there.returncode == 0
    assert f"trust_stored_models({str(folder)!r})" in there.stderr
    assert [leg["name"] for leg in json.loads(there.stdout)["legs"]] == ["lexical"]
    (named,) = lines(run("search", "pump", "--path", db, "--json", "--embeddings", folder))
    assert {leg["name"] for leg in named["legs"]} == {"lexical", "vector"}
