"""The commands about records: what goes in, what comes out, what is deleted, what is found."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.cli.options import USAGE
from langchain_chroma_hybrid.embeddings import to_chroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import helpers
from tests.files import BROKEN, pdf, write_broken

if TYPE_CHECKING:
    from typer.testing import Result

WORDS = "langchain_chroma_hybrid.testing:WordEmbeddings"
COUNTING = "tests.helpers:COUNTING"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and a collection by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMA_HYBRID_PATH", str(tmp_path / "db"))
    monkeypatch.setenv("CHROMA_HYBRID_EMBEDDINGS", COUNTING)
    helpers.COUNTING.texts.clear()
    return tmp_path


@pytest.fixture
def docs(place: Path) -> Path:
    """Three files."""
    folder = place / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("The pump moves water", "utf-8")
    (folder / "b.md").write_text("# The valve\n\nIt is open", "utf-8")
    (folder / "c.csv").write_text("part,price\nbolt,12\nnut,7\n", "utf-8")
    return folder


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=typed)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def became(*arguments: object, typed: str | None = None) -> dict[str, str]:
    """By file name what `add` says that became of it."""
    report = lines(run("add", *arguments, "--json", typed=typed))
    return {row["source"].rpartition("/")[2]: row["became"] for row in report}


def records(path: Path | str = "db") -> dict[str, Any]:
    """Everything that Chroma holds, by id."""
    (collection,) = chromadb.PersistentClient(Path(path).absolute()).list_collections()
    found = collection.get(include=["documents", "metadatas", "uris", "embeddings"])
    columns = (found[name] for name in ("documents", "metadatas", "uris", "embeddings"))
    return {id_: row for id_, *row in zip(found["ids"], *columns, strict=True)}


def texts() -> set[str]:
    return {row[0] for row in records().values()}


# Adding


def test_files_are_added_once(docs):
    result = run("add", docs)
    assert result.exit_code == 0
    assert "made the collection 'documents'" in result.stderr
    assert "3 added" in result.stderr
    embedded = list(helpers.COUNTING.texts)
    assert sorted(embedded) == sorted(texts())
    assert became(docs) == dict.fromkeys(("a.txt", "b.md", "c.csv"), "unchanged")
    assert became("docs/a.txt", docs / ".." / "docs" / "b.md") == {
        "a.txt": "unchanged", "b.md": "unchanged",
    }  # fmt: skip
    assert embedded == helpers.COUNTING.texts


def test_a_changed_file_replaces_its_passages(docs):
    run("add", docs)
    helpers.COUNTING.texts.clear()
    (docs / "a.txt").write_text("The pump is blocked", "utf-8")
    (docs / "c.csv").write_text("part,price\nbolt,12\n", "utf-8")
    (changed, *_) = report = lines(run("add", docs, "--json"))
    assert (changed["became"], changed["added"], changed["removed"]) == ("changed", 1, 1)
    assert (report[2]["became"], report[2]["removed"], report[2]["unchanged"]) == ("changed", 1, 1)
    assert helpers.COUNTING.texts == ["The pump is blocked"]
    assert texts() == {"The pump is blocked", "# The valve\n\nIt is open", "part: bolt\nprice: 12"}


def test_deleted_files_go_on_demand(docs):
    run("add", docs)
    (docs / "a.txt").unlink()
    for options, typed, code in [((), None, 0), (("--prune",), "n\n", 1), (("--prune",), "", 1)]:
        result = run("add", docs, *options, typed=typed)
        assert (result.exit_code, "The pump moves water" in texts()) == (code, True)
        assert ("Delete 1 records of 1 files" in result.stderr) == bool(options)
    for options, typed in [(("--prune",), "y\n"), (("--prune", "--yes"), None)]:
        (docs / "a.txt").write_text("The pump moves water", "utf-8")
        run("add", docs)
        (docs / "a.txt").unlink()
        assert run("add", docs, *options, typed=typed).exit_code == 0
        assert "The pump moves water" not in texts()


def test_prune_concerns_the_paths_that_are_named(docs, place):
    other = place / "other"
    other.mkdir()
    (other / "d.txt").write_text("The other pump", "utf-8")
    run("add", docs, other)
    (other / "d.txt").unlink()
    (docs / "a.txt").unlink()
    assert became(docs, "--prune", "-y")["a.txt"] == "removed"
    assert "The other pump" in texts()
    assert became(other / "d.txt", "--prune", "-y") == {"d.txt": "removed"}


@pytest.mark.parametrize("how", ["broken", "locked"])
def test_what_cannot_be_read_now_is_not_deleted(how, docs, monkeypatch):
    (docs / "d.pdf").write_bytes(pdf("A red pump"))
    run("add", docs)
    before = texts()
    if how == "broken":
        (docs / "d.pdf").write_bytes(b"%PDF nothing")
        result = run("add", docs, "--prune", "-y")
    else:
        def locked(_: object) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "scandir", locked)
        result = run("add", docs, "--prune", "-y")
        monkeypatch.undo()
        os.chdir(docs.parent)
    assert result.exit_code == 1
    assert "skipped: " in result.stderr
    assert texts() == before


def test_a_file_that_has_no_text_any_more_leaves_none(docs):
    run("add", docs)
    (docs / "a.txt").write_text("", "utf-8")
    result = run("add", docs)
    assert result.exit_code == 1
    assert "The pump moves water" not in texts()


def test_what_others_deleted_comes_back(docs):
    run("add", docs)
    run("delete", "--where", '{"file_name": "a.txt"}', "--yes")
    assert "The pump moves water" not in texts()
    assert became(docs)["a.txt"] == "added"
    assert "The pump moves water" in texts()


def test_broken_files_are_told_and_the_rest_goes_on(docs):
    for name in BROKEN:
        write_broken(docs, name)
    result = run("add", docs, "--json")
    assert result.exit_code == 1
    report = {row["source"].rpartition("/")[2]: row for row in lines(result)}
    for name, (_, message) in BROKEN.items():
        assert report[name]["became"] == "skipped"
        assert message in report[name]["problem"]
    told = {name for name in BROKEN if f"/{name}: " in result.stderr}
    assert told == set(BROKEN) - {"what.xyz", "none"}, "unknown kinds are no errors in a folder"
    assert len(texts()) == 4


def test_only_unknown_kinds_in_a_folder_are_no_error(docs):
    (docs / "d.xyz").write_text("pump", "utf-8")
    assert run("add", docs).exit_code == 0
    named = run("add", docs / "d.xyz")
    assert named.exit_code == 1
    assert "of a kind that is not read" in named.stderr


@pytest.mark.parametrize("what", ["nowhere", "empty", "what.xyz"])
def test_nothing_is_made_where_there_is_nothing_to_add(what, place):
    if what == "empty":
        (place / what).mkdir()
    elif what == "what.xyz":
        write_broken(place, what)
    result = run("add", what)
    assert result.exit_code == 1
    assert "skipped: " in result.stderr
    assert not (place / "db").exists()


class _Breaks(WordEmbeddings):
    """Fails at the texts with `stop` in them."""

    error: BaseException = ConnectionError("the service is down")

    def embed_documents(self, texts):
        if any("stop" in text for text in texts):
            raise self.error
        return super().embed_documents(texts)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("txt", ConnectionError("no service")),
        ("txt", KeyboardInterrupt()),
        ("jsonl", OSError(28, "No space left on device")),
    ],
)
def test_a_failure_in_the_middle_of_a_file_leaves_nothing_of_it(kind, error, docs, monkeypatch):
    many = [f"Passage {n} of a long file" for n in range(150)] + ["stop here"]
    file = docs / f"d.{kind}"
    if kind == "txt":
        file.write_text("\n\n".join(many), "utf-8")
    else:
        file.write_text("".join(json.dumps({"text": t}) + "\n" for t in many), "utf-8")
    monkeypatch.setattr(_Breaks, "error", error)
    monkeypatch.setattr(helpers, "BREAKS", _Breaks(), raising=False)
    sized = ("add", docs, "--chunk-size", 30, "--chunk-overlap", 0, "--embeddings")
    failed = run(*sized, "tests.helpers:BREAKS")
    assert failed.exit_code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "The pump moves water" in texts(), "the files before it are in"
    assert not set(many) & texts()
    done = run(*sized, WORDS)
    assert done.exit_code == 0
    assert set(many) <= texts()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--embeddings", ""), "--embeddings: nothing can embed what is added"),
        (("--path", "full"), "--path: expected a folder that Chroma has written, or a new or"),
        (("--chunk-size", "0"), "chunk_size: expected a whole number >= 1"),
        (("--encoding", "klingon"), "encoding: expected such as utf-8"),
        (("-c", "a"), "collection_name: expected 3-512"),
    ],
)
def test_what_keeps_everything_from_being_added(options, message, docs, place, monkeypatch):
    (place / "full").mkdir()
    (place / "full" / "other").write_text("", "utf-8")
    if not options[1]:
        monkeypatch.delenv("CHROMA_HYBRID_EMBEDDINGS")
        options = ()
    result = run("add", docs, *options)
    assert result.exit_code == USAGE
    assert result.stderr.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in result.stderr


def test_chromas_own_files_are_none_of_the_folder_that_they_are_in(docs):
    assert set(became(".")) == {"a.txt", "b.md", "c.csv"}
    assert set(became(".")) == {"a.txt", "b.md", "c.csv"}
    assert set(became(docs, "--path", docs / "db")) == {"a.txt", "b.md", "c.csv"}


# There and back

ANY = [
    {"id": "a", "text": "A red pump", "metadata": {"i": 1, "f": 1.0, "b": True, "s": "1"}},
    {"id": "b", "text": "", "metadata": {"l": ["x", "y"], "n": [1, 2], "g": [1.5], "h": [True]}},
    {"id": "c", "text": "Zubehör \u2028 \x07 \U0001f600", "metadata": {"": "", "ключ": "=1+1"}},
    {"id": "ід/ 4", "text": None, "metadata": {}, "embedding": [1.0] * 64},
    {"id": "e", "text": None, "metadata": {"big": 2**53 + 1}, "embedding": [0.1] * 64, "uri": "u"},
    {"id": "f", "text": "A\nvalve\n", "metadata": {}},
]
ANY[2]["metadata"].pop("")


def fill(*rows: dict[str, Any]) -> Result:
    return run("add", "-", typed="".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("way", ["stdin", "file"])
@pytest.mark.parametrize("vectors", [True, False])
def test_what_is_exported_comes_back(way, vectors, place):
    assert fill(*ANY).exit_code == 0
    before = records()
    assert {id_: row[0] for id_, row in before.items()} == {row["id"]: row["text"] for row in ANY}
    with_text = '{"$or": [{"i": 1}, {"h": {"$contains": true}}]}'
    asked = ("--vectors",) if vectors else ("--where", with_text)
    helpers.COUNTING.texts.clear()
    if way == "file":
        assert run("export", *asked, "--output", "all.jsonl").stdout == ""
        done = run("add", "all.jsonl", "--path", "copy")
    else:
        done = run("add", "-", "--path", "copy", typed=run("export", *asked).stdout)
    assert done.exit_code == 0, done.stderr
    after = records("copy")
    assert vectors == (not helpers.COUNTING.texts)
    for id_, row in after.items():
        assert row[:3] == before[id_][:3]
        kinds = [sorted((k, repr(v)) for k, v in (r[1] or {}).items()) for r in (row, before[id_])]
        assert kinds[0] == kinds[1], "1, 1.0 and True are three values"
        assert np.array_equal(row[3], before[id_][3])
    assert len(after) == (len(before) if vectors else 2)
    again = lines(run("export", *asked, "--path", "copy"))
    assert again == lines(run("export", *asked))


def test_records_that_come_back_changed_replace_what_was_there():
    fill({"id": "a", "text": "old", "metadata": {"x": 1, "y": 2}, "uri": "u"})
    fill({"id": "a", "text": "new", "metadata": {"y": 2.0}})
    text, metadata, uri, _ = records()["a"]
    assert (text, repr(metadata), uri) == ("new", "{'y': 2.0}", None)
    fill({"id": "a", "text": None, "embedding": [1.0] * 64})
    assert records()["a"][:2] == [None, None]
    helpers.COUNTING.texts.clear()
    same = json.dumps({"id": "a", "embedding": [1] * 64})
    (report,) = lines(run("add", "-", "--json", typed=same))
    assert report["unchanged"] == 1


def test_a_line_that_is_gone_from_a_file_goes(place):
    file = place / "a.jsonl"
    file.write_text('{"id": "a", "text": "pump"}\n{"id": "b", "text": "valve"}\n', "utf-8")
    run("add", file)
    file.write_text('{"id": "a", "text": "pump"}\n', "utf-8")
    assert became(file) == {"a.jsonl": "changed"}
    assert set(records()) == {"a"}


def test_a_broken_stdin_adds_nothing(docs):
    run("add", docs)
    before = texts()
    result = run("add", "-", typed='{"text": "fine"}\noops\n')
    assert result.exit_code == 1
    assert "skipped: -: line 2: not JSON" in result.stderr
    assert texts() == before


FORMULAS = ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=", "-"]


@pytest.mark.parametrize("command", ["export", "search", "get", "facets"])
def test_no_cell_becomes_a_formula(command):
    rows = [
        {"id": f"={n}", "text": f"{text} pump", "metadata": {"k": text, "=key": "x", "n": -5}}
        for n, text in enumerate(FORMULAS)
    ]
    fill(*rows)
    asked = {
        "search": ("search", "pump", "-k", 20),
        "get": ("get", *(row["id"] for row in rows)),
        "facets": ("facets", "k"),
        "export": ("export",),
    }[command]
    result = run(*asked, "--format", "csv")
    assert result.exit_code == 0
    cells = [cell for row in csv.reader(io.StringIO(result.stdout)) for cell in row]
    begin = tuple("=+@\t\r\n＝")
    assert not [cell for cell in cells if cell.strip(" ").startswith(begin)]
    assert all(float(cell) < 0 for cell in cells if cell.startswith("-")), "numbers stay numbers"
    shown = cells if command != "search" else [cell.removesuffix(" pump") for cell in cells]
    assert {f"'{text}" for text in FORMULAS} <= set(shown)


def test_csv_has_a_column_for_each_key():
    fill(
        {"id": "a", "text": "x", "metadata": {"m": 1}},
        {"id": "b", "text": "y,z", "metadata": {"l": [1, 2]}},
    )
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv").stdout)))
    assert rows == [
        {"id": "a", "text": "x", "uri": "", "metadata.l": "", "metadata.m": "1"},
        {"id": "b", "text": "y,z", "uri": "", "metadata.l": "[1, 2]", "metadata.m": ""},
    ]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_is_cut_off_leaves_no_half_file(failure, docs, place, monkeypatch):
    run("add", docs)
    for before in (None, "old"):
        if before:
            (place / "out.jsonl").write_text(before, "utf-8")

        def fail(_: int) -> None:
            raise failure

        monkeypatch.setattr(os, "fsync", fail)
        result = run("export", "--output", "out.jsonl")
        monkeypatch.undo()
        os.chdir(place)
        monkeypatch.setenv("CHROMA_HYBRID_PATH", str(place / "db"))
        assert result.exit_code == (130 if isinstance(failure, KeyboardInterrupt) else 1)
        if isinstance(failure, OSError):
            assert "out.jsonl cannot be written: No space left" in result.stderr
        there = {path.name for path in place.glob("*") if "out" in path.name or "tmp" in path.name}
        assert there == ({"out.jsonl"} if before else set())
    assert (place / "out.jsonl").read_text("utf-8") == "old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")  # noqa: PTH110
@pytest.mark.parametrize("where", ["/dev/full", "nowhere/out.jsonl", "."])
def test_where_nothing_can_be_written(where, docs):
    run("add", docs)
    result = run("export", "--output", where)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert where in result.stderr


# Deleting


NOTHING = [
    (("a",), "n\n", 1),
    (("a",), "", 1),
    (("nobody", "-y"), None, 1),
    (("--where", "{}", "-y"), None, USAGE),
    (("--where", "{}", "--where-document", "{}", "-y"), None, USAGE),
    (("-y",), None, USAGE),
    (("--where", "[]", "-y"), None, USAGE),
    (("--where", '{"n": 99}', "-y"), None, 1),
    (("b", "--where", '{"n": 1}', "-y"), None, 1),
]
DELETED = [
    (("a", "--yes"), None, "a"),
    (("a", "nobody", "a", "b", "-y"), None, "ab"),
    (("--where", '{"n": {"$gt": 1}}', "-y"), None, "bc"),
    (("--where-document", '{"$contains": "red"}', "-y"), None, "a"),
    (("a", "b", "--where", '{"n": 2}', "-y"), None, "b"),
    (("a",), "y\n", "a"),
]


def test_delete_takes_what_is_meant_and_asks():
    named = [("a", "red"), ("b", "blue"), ("c", "green")]
    rows = [{"id": i, "text": t, "metadata": {"n": n}} for n, (i, t) in enumerate(named, 1)]
    fill(*rows)
    for arguments, typed, code in NOTHING:
        result = run("delete", *arguments, typed=typed)
        assert (result.exit_code, set(records())) == (code, set("abc")), arguments
        assert "Traceback" not in result.stderr
    for arguments, typed, gone in DELETED:
        result = run("delete", *arguments, typed=typed)
        assert (result.exit_code, set(records())) == (0, set("abc") - set(gone)), arguments
        many = "1 record" if len(gone) == 1 else f"{len(gone)} records"
        assert f"{many} deleted" in result.stdout
        assert ("Delete 1 record of 'documents'?" in result.stderr) == (typed is not None)
        (row,) = lines(run("list", "--json"))
        assert (row["records"], row["index"]) == (3 - len(gone), "in step")
        fill(*rows)


# Looking


def test_list_shows_each_collection(place):
    fill({"id": "a", "text": "pump"})
    client = chromadb.PersistentClient(place / "db")
    function = to_chroma(WordEmbeddings(), name="words of list")
    client.create_collection("other", embedding_function=function).add(["a"], documents=["pump"])
    documents, other = lines(run("list", "--json"))
    assert list(documents.values()) == ["documents", 1, "-", "in step"]
    assert other["embeddings"] == "langchain_chroma_hybrid"
    assert other["index"].startswith("not built yet")
    assert run("list").stdout.splitlines()[1].split("\t") == ["documents", "1", "-", "in step"]


def test_list_of_nothing(place):
    chromadb.PersistentClient(place / "db")
    result = run("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no collections here" in result.stderr


def test_get_prints_records_in_the_order_of_their_ids():
    fill({"id": "a", "text": "pump", "metadata": {"n": 1}}, {"id": "b", "text": "valve"})
    result = run("get", "b", "a", "b", "--json")
    assert [row["id"] for row in lines(result)] == ["b", "a"]
    missing = run("get", "a", "nobody", "--format", "json")
    assert missing.exit_code == 1
    assert [row["id"] for row in json.loads(missing.stdout)] == ["a"]
    assert "no record 'nobody'" in missing.stderr
    assert "metadata.n\t1" in run("get", "a").stdout


def test_facets_count_values_by_type_and_elements_of_lists():
    fill(
        {"id": "a", "text": "1", "metadata": {"k": "x", "l": ["u", "v"], "n": 1}},
        {"id": "b", "text": "2", "metadata": {"k": "x", "l": ["u", "u"], "n": True}},
        {"id": "c", "text": "3", "metadata": {"k": "y", "n": 1.0}},
    )
    counted = lines(run("facets", "k", "l", "n", "--json"))
    found = [(row["key"], row["value"], row["records"]) for row in counted]
    assert found[:4] == [("k", "x", 2), ("k", "y", 1), ("l", "u", 2), ("l", "v", 1)]
    assert {repr(value) for key, value, _ in found if key == "n"} == {"1", "True", "1.0"}
    assert lines(run("facets", "k", "--where", '{"n": 1}', "--json"))[0]["records"] == 1
    keys = [("k", 3), ("l", 2), ("n", 3)]
    assert lines(run("facets", "--json")) == [{"key": k, "records": n} for k, n in keys]
    few = run("facets", "k", "-k", 1)
    assert "1 more values" in few.stderr
    unknown = run("facets", "kk")
    assert unknown.exit_code == 1
    assert "no record has 'kk'; there are: k, l, n; did you mean 'k'?" in unknown.stderr


def test_similar_finds_neighbours_and_not_itself():
    named = {"a": "red pump", "b": "red pump", "c": "blue pump", "d": "cat"}
    fill(*({"id": id_, "text": text} for id_, text in named.items()))
    assert [row["id"] for row in lines(run("similar", "a", "--json", "-k", 2))] == ["b", "c"]
    result = run("similar", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no record 'nobody'" in result.stderr


# Pictures


@pytest.fixture
def pictures(place: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    folder = place / "pictures"
    folder.mkdir()
    for name, colour in {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}.items():
        image.new("RGB", (64, 64), colour).save(folder / f"{name}.png")
    return folder


def test_pictures_are_added_found_and_pruned(pictures, monkeypatch):
    monkeypatch.setenv("CHROMA_HYBRID_EMBEDDINGS", "tests.helpers:colour_embeddings")
    (pictures / "broken.png").write_bytes(b"no picture")
    added = run("images", "add", pictures, "-c", "photos", "--json")
    assert added.exit_code == 1
    (report,) = lines(added)
    assert (report["added"], len(report["failed"])) == (3, 1)
    assert report["failed"][0]["file"].endswith("broken.png")
    assert "broken.png" in added.stderr
    (pictures / "broken.png").unlink()
    assert "3 unchanged" in run("images", "add", pictures).stdout
    (best, *_) = lines(run("images", "search", "red", "--json", "-k", 1))
    assert best["file"].endswith("red.png")
    asked = ("--picture", pictures / "blue.png")
    (best, *_) = lines(run("images", "search", *asked, "--json", "-k", 1))
    assert best["file"].endswith("blue.png")
    both = run("images", "search", "red", *asked, "--image-weight", 0.0)
    assert "red.png" in both.stdout.splitlines()[1]
    (pictures / "red.png").unlink()
    assert run("images", "add", pictures, "--prune", typed="n\n").exit_code == 1
    assert len(records()) == 3
    assert "1 deleted" in run("images", "add", pictures, "--prune", typed="y\n").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search",), "WORDS, --picture: expected one of them"),
        (("search", "--picture", "nowhere.png"), "--picture: expected an existing file"),
        (("add", "nowhere"), "FOLDER: expected an existing folder"),
        (("add", "."), "--embeddings: expected a model that embeds texts and pictures alike"),
    ],
)
def test_what_is_wrong_with_pictures_is_one_line(arguments, message):
    result = run("images", *arguments)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert result.stderr.startswith(f"error: {message}")


def test_no_path_is_not_the_current_folder(docs):
    result = run("add", "")
    assert result.exit_code == USAGE
    assert "PATH" in result.stderr


def test_a_spreadsheet_has_the_uris_too(docs):
    run("add", "-", typed='{"id": "a", "text": "a pump", "uri": "file:///a.png"}\n')
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv").stdout)))
    assert rows[0]["uri"] == "file:///a.png"


def test_what_json_lines_have_overwritten_when_they_fail_is_said(place, monkeypatch):
    embed = helpers.COUNTING.embed_documents

    def failing(texts):
        if "new 150" in texts:
            raise ConnectionError("the service is down")
        return embed(texts)

    def records(text):
        return "".join(f'{{"id": "{n:03}", "text": "{text} {n}"}}\n' for n in range(250))

    file = place / "a.jsonl"
    file.write_text(records("old"), "utf-8")
    assert run("add", file).exit_code == 0
    file.write_text(records("new") + '{"id": "x", "text": "added"}\n', "utf-8")
    with monkeypatch.context() as patched:
        patched.setattr(helpers.COUNTING, "embed_documents", failing)
        result = run("add", file)
    assert result.exit_code == 1
    assert "the service is down; 100 records that were there before" in result.stderr
    texts = [row["text"] for row in lines(run("export"))]
    assert len(texts) == 250
    assert sum(text.startswith("new") for text in texts) == 100
    assert run("add", file).exit_code == 0
    assert not any(row["text"].startswith("old") for row in lines(run("export")))


def test_numbers_that_chroma_stores_otherwise_are_not_written_again(place):
    given = '{"id": "a", "text": "a pump", "metadata": {"x": 123456789.12345679, "y": 0.1}}\n'
    assert became("-", typed=given) == {"-": "added"}
    assert became("-", typed=given) == {"-": "unchanged"}


def test_similar_asks_no_model(docs, caplog):
    run("add", docs)
    first, *_ = lines(run("export"))
    result = run("similar", first["id"])
    assert result.exit_code == 0
    assert not caplog.records


@pytest.fixture
def clips(place: Path) -> Path:
    pytest.importorskip("av", reason="sound and video need the extra `media`")
    from tests import recordings

    folder = place / "clips"
    recordings.save_video(folder / "garden.mp4", "red", "blue")
    recordings.subtitles(folder / "garden.srt", (5.0, 6.0, "Tomatoes in the garden"))
    recordings.save_sound(folder / "high.wav", "high")
    return folder


def test_media_is_brought_in_and_found_to_the_second(clips, monkeypatch):
    monkeypatch.setenv("CHROMA_HYBRID_EMBEDDINGS", "tests.recordings:embeddings")
    (clips / "high.srt").write_text("no time", encoding="utf-8")
    brought = run("media", clips, "-c", "archive", "--json")
    assert (brought.exit_code, lines(brought)[0]["added"]) == (0, 2)
    assert [each["file"] for each in lines(brought)[0]["damaged"]] == [str(clips / "high.wav")]
    assert f"read in part: {clips / 'high.wav'}: {clips / 'high.srt'}: expected" in brought.stderr
    found = run("media", clips, "tomatoes", "--json", "-k", 1)
    (best,) = lines(found)
    assert best["file"] == str(clips / "garden.mp4")
    assert best["moments"][0]["at"] == pytest.approx(5.0)
    assert "2 unchanged" in found.stderr
    shown = run("media", clips, "--sound", clips / "high.wav").stdout.splitlines()
    assert "high.wav" in shown[1]
    (clips / "empty.mp4").write_bytes(b"")
    (clips / "high.wav").unlink()
    pruned = run("media", clips, "tomatoes", "--prune", typed="y\n")
    assert (pruned.exit_code, "an empty file" in pruned.stderr) == (1, True)
    assert "1 deleted" in pruned.stderr


def test_media_is_listened_to_as_often_as_asked_and_anew_by_force(clips, monkeypatch):
    monkeypatch.setenv("CHROMA_HYBRID_EMBEDDINGS", "tests.recordings:embeddings")
    asked = []

    class WhisperModel:
        def __init__(self, name, **options):
            asked.append(name)

        def transcribe(self, samples, **options):
            said = " cellar" if "temperature" in options else " seller"
            asked.append(said)
            words = [SimpleNamespace(start=1.0, end=1.5, word=said)]
            return iter([SimpleNamespace(words=words)]), SimpleNamespace(language="en")

    module = SimpleNamespace(WhisperModel=WhisperModel)
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    assert run("media", clips, "-c", "archive").exit_code == 0
    twice = ("media", clips, "--speech", "small", "--listenings", 2)
    assert "2 unchanged" in run(*twice).stdout
    assert asked == []
    assert "2 updated" in run(*twice, "--force").stdout
    assert asked == ["small", " seller", " cellar"]
    (best,) = lines(run("media", clips, "cellar", "--json", "-k", 1))
    assert best["moments"][0]["text"] == "seller\n(cellar?)"


@pytest.mark.parametrize(("arguments", "message"), [
    (("nowhere",), "FOLDER: expected an existing folder"),
    ((".",), "--embeddings: expected a model, such as"),
    ((".", "--picture", "lost.png"), "--picture: expected an existing file, got 'lost.png'"),
    ((".", "--sound", "lost.wav"), "--sound: expected an existing file, got 'lost.wav'"),
    ((".", "words", "-k", 0), "k: expected a whole number >= 1, got 0"),
    ((".", "words", "--where", "{"), "--where: expected"),
    ((".", "words", "--where", '{"$near": 1}'), "--where"),
    ((".", "--listenings", 2), "--listenings: expected --speech beside it, got 2"),
    ((".", "--speech", "base", "--listenings", 0), "listenings: expected a whole number from"),
])  # fmt: skip
def test_what_is_wrong_with_media_is_one_line(arguments, message, monkeypatch):
    """Also of what is searched for, before anything is read: without embeddings nothing is."""
    monkeypatch.delenv("CHROMA_HYBRID_EMBEDDINGS", raising=False)
    result = run("media", *arguments)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert result.stderr.startswith(f"error: {message}")
