"""Files that somebody else may have written: each is read with an error of ours, or not at all."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from langchain_chroma_hybrid.cli.opening import json_option
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.embeddings import VectorCache
from langchain_chroma_hybrid.engine.sync.checkpoint import CheckpointData, read
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from langchain_chroma_hybrid.errors import (
    EmbeddingError,
    IndexFormatError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.evaluation import Settings, load_beir, load_csv
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

DEEP = "[" * 200_000
HUGE = "9" * 400
STATE = {"format": 1, "ready": True, "token": [1, 2], "sure": True, "place": "t/d"}
NO_OBJECTS = ["", "{", DEEP, '{"a":' * 100_000, "null", "[]", "5", '"x"', "NaN", HUGE, "\ud800"]


def shown(value):
    return ascii(value)[:12]


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


# The note beside an index


@pytest.mark.parametrize("text", NO_OBJECTS, ids=shown)
def test_a_note_that_is_none_is_no_note(text, tmp_path):
    written(tmp_path / "state.json", text)
    assert read(tmp_path) == CheckpointData()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("ready", "no"),
        ("ready", 0),
        ("ready", None),
        ("sure", "no"),
        ("sure", 1),
        ("token", "12"),
        ("token", 5),
        ("token", [1.5]),
        ("token", [float("inf")]),
        ("token", [float("nan")]),
        ("token", [True]),
        ("token", ["1"]),
        ("token", {"1": 2}),
        ("token", [[1]]),
        ("place", None),
        ("place", 5),
        ("place", ["t/d"]),
    ],
)
def test_a_note_with_a_value_of_another_type_is_no_note(key, value, tmp_path):
    written(tmp_path / "state.json", json.dumps(STATE))
    assert read(tmp_path) == CheckpointData(True, True, (1, 2), True, "t/d")
    written(tmp_path / "state.json", json.dumps(STATE | {key: value}))
    assert read(tmp_path) == CheckpointData()


@pytest.mark.parametrize("missing", ["format", "ready", "token", "place"])
def test_a_note_that_lacks_something_is_no_note(missing, tmp_path):
    written(tmp_path / "state.json", json.dumps({k: STATE[k] for k in STATE if k != missing}))
    assert read(tmp_path) == CheckpointData()


# Journals


@pytest.mark.parametrize(
    "line", [DEEP, HUGE, "{}", "5", "x", "NaN", "null", "[1]", '[["a"]]', "[null]"], ids=shown
)
def test_a_journal_that_is_none_puts_everything_in_doubt(line, tmp_path):
    written(tmp_path / "dead.jsonl", f'["a"]\n{line}\n')
    with WriteAheadLog(tmp_path).take_over() as found:
        assert found.ids is None


# The folder of an index


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "index"
    with closing(TantivyIndex(folder)) as made:
        for number in range(3):
            made.apply([Record(str(number), "a red pump", {})])
    return folder


def opened(folder):
    with closing(TantivyIndex(folder)) as found:
        for number in range(20):
            found.apply([Record(str(number), "a blue whale", {})])
        return found.count()


@pytest.mark.parametrize("text", NO_OBJECTS, ids=shown)
def test_a_format_file_that_is_none_is_an_error(text, index):
    written(index / "format.json", text)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        opened(index)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", float("inf")),
        ("format", float("nan")),
        ("format", [1]),
        ("format", None),
        ("format", 10**400),
        ("engine", "../tantivy"),
        ("engine", None),
        ("analyzer", 5),
        ("analyzer", [["english"]]),
        ("lexical_fields", None),
        ("lexical_fields", 5),
        ("lexical_fields", "page_content"),
        ("lexical_fields", {"a": 1, "b": 2}),
    ],
)
def test_a_format_file_with_another_value_is_an_error(key, value, index):
    content = json.loads((index / "format.json").read_text())
    written(index / "format.json", json.dumps(content | {key: value}))
    with pytest.raises(LexicalIndexError, match=r"rebuild\(\)"):
        opened(index)


@pytest.mark.parametrize(
    "name", ["../victim", "{}", "{id}.term/../../victim", "victim", "..\\victim"]
)
def test_tantivy_is_given_no_foreign_file_to_remove(name, index):
    """It removes what its list names and no segment holds: by a path, wherever that leads."""
    victim = written(index.parent / "victim", "precious")
    listed = json.loads((index / ".managed.json").read_text())
    name = name.format(victim, id="0" * 32)
    written(index / ".managed.json", json.dumps([*listed, name]))
    with pytest.raises(IndexFormatError, match=r"managed.*rebuild\(\)"):
        opened(index)
    assert victim.read_text() == "precious"
    TantivyIndex.destroy(index)
    assert opened(index) == 20
    assert victim.read_text() == "precious"


def test_nor_while_the_index_is_open(index):
    victim = written(index.parent / "victim", "precious")
    with closing(TantivyIndex(index)) as found:
        listed = json.loads((index / ".managed.json").read_text())
        written(index / ".managed.json", json.dumps([*listed, "../victim"]))
        with pytest.raises(IndexFormatError, match="victim"):
            found.apply([Record("a", "a red pump", {})])
    assert victim.exists()


# Data sets


def beir(folder, **files):
    rows = {
        "qrels.tsv": "query-id\tcorpus-id\tscore\nq\td\t1\n",
        "queries.jsonl": '{"_id": "q", "text": "one"}\n',
        "corpus.jsonl": '{"_id": "d", "text": "one"}\n',
    }
    for name, text in (rows | files).items():
        written(folder / name, text)
    return folder


@pytest.mark.parametrize("name", ["queries.jsonl", "corpus.jsonl"])
@pytest.mark.parametrize("line", [*NO_OBJECTS[1:], "{}", '{"text": "x"}'], ids=shown)
def test_a_line_that_is_no_record_is_named(name, line, tmp_path):
    first = '{"_id": "a", "text": "b"}'
    with pytest.raises(InvalidArgumentError, match=f"line 2 of {name}") as refused:
        load_beir(beir(tmp_path, **{name: f"{first}\n{line}\n"}))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("metadata", ["[1]", "5", '"x"'])
def test_metadata_that_is_no_object_is_named(metadata, tmp_path):
    line = f'{{"_id": "d", "text": "x", "metadata": {metadata}}}\n'
    with pytest.raises(InvalidArgumentError, match="metadata"):
        load_beir(beir(tmp_path, **{"corpus.jsonl": line}))


@pytest.mark.parametrize(
    "rows",
    [
        *("q\n", "q\t1\n", "q\td\tinf\n", "q\td\tnan\n", "q\td\t1e308\n", f"q\td\t{HUGE}\n"),
        *("\0", "\ud800", "q\td\t" + "x" * 200_000 + "\n"),
    ],
    ids=shown,
)
def test_judgements_that_are_none_are_an_error(rows, tmp_path):
    with pytest.raises(InvalidArgumentError):
        load_beir(beir(tmp_path, **{"qrels.tsv": rows}))
    text = "query,id,grade\n" + rows.replace("\t", ",")
    with pytest.raises(InvalidArgumentError):
        load_csv(written(tmp_path / "judged.csv", text))


# Settings


@pytest.mark.parametrize("text", [*NO_OBJECTS, "{}", '{"version": 1}'], ids=shown)
def test_settings_that_are_none_are_an_error(text, tmp_path):
    with pytest.raises(InvalidArgumentError):
        Settings.load(written(tmp_path / "settings.json", text))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": "1"},
        {"version": True},
        {"options": []},
        {"options": "rrf"},
        {"measured": []},
        {"options": {"reranker": "os.system"}},
        {"options": {"path": "/somewhere"}},
        {"options": {"fusion": ["rrf"]}},
        {"options": {"fusion": {"rrf": 1}}},
        {"options": {"fusion": None}},
        {"options": {"weights": 1}},
        {"options": {"weights": "0.5"}},
        {"options": {"weights": [[1], 2]}},
        {"options": {"weights": [float("nan"), 1]}},
        {"options": {"weights": [10**400, 1]}},
        {"options": {"weights": {"lexical": None}}},
        {"options": {"weights": {"other": 1}}},
        {"options": {"fetch_k": 0}},
        {"options": {"fetch_k": 1.5}},
        {"options": {"fetch_k": True}},
        {"options": {"fetch_k": float("inf")}},
        {"options": {"fetch_k": [1]}},
        {"options": {"c": float("nan")}},
        {"options": {"c": float("inf")}},
        {"options": {"c": 10**400}},
        {"options": {"c": -1}},
        {"options": {"c": "60"}},
        {"options": {"c": {}}},
    ],
    ids=lambda change: str(change)[:50],
)
def test_each_setting_is_checked(change, tmp_path):
    good = {"version": 1, "options": {"fusion": "rrf", "weights": [0.3, 0.7], "c": 60}}
    Settings.load(written(tmp_path / "settings.json", json.dumps(good)))
    written(tmp_path / "settings.json", json.dumps(good | change))
    with pytest.raises(InvalidArgumentError):
        Settings.load(tmp_path / "settings.json")


@pytest.mark.parametrize("text", NO_OBJECTS[:-1], ids=shown)
def test_a_filter_of_the_command_line_that_is_none_is_an_error(text):
    with pytest.raises(InvalidArgumentError, match="--where") as refused:
        json_option("--where", text)
    assert len(str(refused.value)) < 400


# The cache of vectors


@pytest.mark.parametrize("stored", [b"abc", "text", 5, 1.5], ids=str)
def test_what_is_no_vector_in_the_cache_is_named(stored, tmp_path):
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    cache.put("model", {"a": [1.0, 2.0]})
    with closing(sqlite3.connect(cache.path)) as db, db:
        db.execute("UPDATE vectors SET vector = ?", (stored,))
    with pytest.raises(EmbeddingError, match="delete the file"):
        cache.get("model", ["a"])
