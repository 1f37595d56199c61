"""The demo's passages and questions fit together and stay what their README says."""

import json
import unicodedata
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"
KINDS = {"text", "entry", "setting", "error codes", "release note"}


def lines(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def passages():
    return lines("postgresql.jsonl")


def test_passages_are_whole_and_distinct(passages):
    assert f"{len(passages):,} passages" in (DATA / "README.md").read_text(encoding="utf-8")
    assert len({each["id"] for each in passages}) == len(passages)
    assert len({each["text"] for each in passages}) == len(passages)
    for each in passages:
        assert each.keys() == {"id", "title", "text", "metadata"}
        assert each["id"].isascii()
        assert each["id"] == each["id"].lower()
        assert each["text"] == each["text"].strip()
        assert len(each["text"].split()) <= 200
        assert unicodedata.is_normalized("NFC", each["title"] + each["text"])
        assert "\ufffd" not in each["text"]


def test_metadata_lets_the_demo_filter(passages):
    for each in passages:
        metadata = each["metadata"]
        assert {"chapter", "kind", "page"} <= metadata.keys()
        assert metadata["kind"] in KINDS
        notes = metadata["kind"] == "release note"
        assert ("version" in metadata) is ("year" in metadata) is notes


def test_each_question_names_passages_that_exist(passages):
    known = {each["id"] for each in passages}
    questions = lines("queries.jsonl")
    assert len({each["query"] for each in questions}) == len(questions) >= 40
    assert {each["kind"] for each in questions} == {"meaning", "identifier"}
    for each in questions:
        assert 1 <= len(each["relevant"]) <= 3
        assert set(each["relevant"]) <= known


def test_the_licence_lies_beside_the_text():
    text = (DATA / "LICENSE-PostgreSQL.txt").read_text(encoding="utf-8")
    assert "PostgreSQL Global Development Group" in text
    assert "Regents of the University of California" in text
    assert "PROVIDED HEREUNDER IS ON AN" in " ".join(text.split())
