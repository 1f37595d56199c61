"""The simple query language: how it reads, and what it finds."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid.core.analysis.query_syntax import (
    Clause,
    Fuzzy,
    Phrase,
    Prefix,
    Words,
    parse_query,
)
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

CASES = [
    ("", ()),
    ("  ", ()),
    ("plain words here", (Clause(Words("plain words here")),)),
    ('"two words"', (Clause(Phrase("two words")),)),
    ("comput*", (Clause(Prefix("comput")),)),
    ("helo~1", (Clause(Fuzzy("helo", 1)),)),
    ("helo~0 wrld~2", (Clause(Fuzzy("helo", 0)), Clause(Fuzzy("wrld", 2)))),
    ("+must", (Clause(Words("must"), "must"),)),
    ("-not", (Clause(Words("not"), "not"),)),
    ('+"a b" -"c d"', (Clause(Phrase("a b"), "must"), Clause(Phrase("c d"), "not"))),
    ("+pre* -fuz~2", (Clause(Prefix("pre"), "must"), Clause(Fuzzy("fuz", 2), "not"))),
    ("R123-78", (Clause(Words("R123-78")),)),
    ("-R123-78", (Clause(Words("R123-78"), "not"),)),
    ("-78", (Clause(Words("78"), "not"),)),
    ("a - b", (Clause(Words("a - b")),)),
    ("C++ a+b x-y", (Clause(Words("C++ a+b x-y")),)),
    ("--flag", (Clause(Words("--flag")),)),
    ("+-x -+y ++z", (Clause(Words("+-x -+y ++z")),)),
    ('"open quote', (Clause(Words('"open quote')),)),
    ('say "hi"there', (Clause(Words('say "hi"there')),)),
    ('""', (Clause(Words('""')),)),
    ('" !"', (Clause(Words('" !"')),)),
    ("* ** + - ~1", (Clause(Words("* ** + - ~1")),)),
    ("a*b", (Clause(Words("a*b")),)),
    ("a** b~3 c~", (Clause(Words("a** b~3 c~")),)),
    ("(a OR b) AND c", (Clause(Words("(a OR b) AND c")),)),
    (
        "one +two three",
        (Clause(Words("one")), Clause(Words("two"), "must"), Clause(Words("three"))),
    ),
    ("x" * 65 + "*", (Clause(Words("x" * 65 + "*")),)),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_parse(text: str, expected: tuple[Clause, ...]) -> None:
    assert parse_query(text) == expected


def test_operators_are_bounded() -> None:
    clauses = parse_query("+a " * 10_000)
    assert len(clauses) < 100
    assert clauses[-1].occur == "should"


@pytest.fixture(scope="module")
def index() -> TantivyIndex:
    built = TantivyIndex(lexical_fields={"page_content": 1.0, "title": 2.0})
    built.apply(
        [
            Record("happy", "Happiness is running in the rain", {"title": "On joy"}),
            Record("computer", "Computational linguistics with computers", {"title": "Words"}),
            Record("r78", "Part R123-78 of the gearbox", {"title": "Spare parts"}),
            Record("r79", "Part R123-79 weighs 78 grams", {"title": "Spare parts"}),
            Record("receive", "You will receive a letter", {"title": "Post", "n": 5}),
            Record("tokyo", "東京都の天気", {"title": "天気"}),
            Record("order", "rain in running water", {}),
        ]
    )
    return built


def found(index: TantivyIndex, query: str) -> list[str]:
    return [hit.id for hit in index.search(query, 10, syntax="simple")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"running in the rain"', {"happy"}),
        ('"rain in running"', {"order"}),
        ('"spare parts"', {"r78", "r79"}),
        ('"東京都"', {"tokyo"}),
        ('"R123-78"', {"r78"}),
        ("happine*", {"happy"}),
        ("computat*", {"computer"}),
        ("COMPUT*", {"computer"}),
        ("R123-7*", {"r78", "r79"}),
        ("東京*", {"tokyo"}),
        ("recieve~1", {"receive"}),
        ("recieve~0", set()),
        ("receive~0", {"receive"}),
        ("rceeivee~1", set()),
        ("rceeivee~2", {"receive"}),
        ("+R123-78", {"r78"}),
        ("+R123-78 part", {"r78"}),
        ("part -R123-78", {"r79"}),
        ("part -78", set()),
        ("rain -happiness", {"order"}),
        ("rain -joy", {"order"}),
        ("+rain +water", {"order"}),
        ("+rain +gearbox", set()),
        ('rain -"in the rain"', {"order"}),
        ("rain -runn*", set()),
        ("rain -hapiness~1", {"order"}),
        ("-rain", set()),
        ('-rain -"spare parts"', set()),
        ("+zeppelin rain", set()),
        ("zeppelin rain", {"happy", "order"}),
        ("+!!! rain", {"happy", "order"}),
        ("-78", set()),
    ],
)
def test_find(index: TantivyIndex, query: str, expected: set[str]) -> None:
    assert set(found(index, query)) == expected


def test_must_ranks_by_all_words(index: TantivyIndex) -> None:
    assert found(index, "+rain water")[0] == "order"
    assert found(index, "+rain joy")[0] == "happy"


def test_operators_mean_nothing_in_plain_text(index: TantivyIndex) -> None:
    assert {hit.id for hit in index.search("-rain", 10)} == {"happy", "order"}
    assert {hit.id for hit in index.search("+rain +gearbox", 10)} == {"happy", "order", "r78"}
    assert index.search("happine*", 10) == []


def test_prefixes_with_more_words_than_are_ranked() -> None:
    index = TantivyIndex()
    index.apply([Record(f"r{n:03}", f"word{n:03}") for n in range(300)])
    hits = index.search("wor*", 300, syntax="simple")
    assert len(hits) == 300
    assert hits[0].score <= index.max_score("wor*", syntax="simple")
