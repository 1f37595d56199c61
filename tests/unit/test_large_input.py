"""Very large filters and words: work that grows with their size, or a stated limit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from langchain_chroma_hybrid import Analyzer
from langchain_chroma_hybrid.core.analysis import scripts
from langchain_chroma_hybrid.core.filters import evaluate, leaves, matches, parse, write
from langchain_chroma_hybrid.core.filters.tree import Among, AnyOf
from langchain_chroma_hybrid.core.filters.write import MOST_PARTS, MOST_VALUES
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.query import filter_plan, filtered_search
from langchain_chroma_hybrid.engine.query.cost import Cost
from langchain_chroma_hybrid.errors import FilterError
from tests.helpers import filled, ids_of

MANY = 20_000


def test_an_or_of_equal_keys_is_one_set():
    node = parse({"$or": [{"a": n} for n in range(MANY)]})
    assert isinstance(node, Among)
    assert len(node.values) == MANY
    node = parse({"$and": [{"a": {"$ne": str(n)}} for n in range(MANY)]})
    assert isinstance(node, Among)
    assert node.negated
    mixed = parse({"$or": [{"a": n} for n in range(MANY)] + [{"b": {"$gt": 3}}, {"a": "x"}]})
    assert isinstance(mixed, AnyOf)
    assert len(list(leaves(mixed))) == 3


@pytest.mark.parametrize("negated", [False, True])
def test_a_look_at_a_record_compares_no_value_of_a_set_one_by_one(monkeypatch, negated: bool):
    compared: list[Any] = []
    monkeypatch.setattr(evaluate, "_compare", lambda *given: compared.append(given))
    node = parse({"n": {"$nin" if negated else "$in": list(range(MANY))}})
    assert node is not None
    for value, inside in ((7, True), (7.0, True), (-1, False), (True, False), ("7", False)):
        assert matches(node, Record("a", None, {"n": value})) is (inside is not negated)
    assert not compared


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical"])
def test_many_values_pass_what_few_pass(folder: Any, mode: str):
    store = filled(folder)
    words = [f"x{n}" for n in range(MANY)]
    for large, small in (
        ({"tenant": {"$in": [*words, "a"]}}, {"tenant": "a"}),
        ({"tenant": {"$nin": [*words, "a"]}}, {"tenant": {"$ne": "a"}}),
        ({"$or": [{"tenant": word} for word in (*words, "a")]}, {"tenant": "a"}),
        ({"year": {"$in": list(range(2022))}}, {"year": {"$lt": 2022}}),
    ):
        found, expected = (
            ids_of(store.similarity_search("pump valve", k=8, mode=mode, filter=where))
            for where in (large, small)
        )
        assert found == expected


def test_what_only_chroma_can_answer_has_a_stated_limit():
    store = filled()
    before = store.get()["ids"]
    for call in (
        lambda: store.similarity_search(
            "pump",
            where_document={"$or": [{"$contains": f"x{n}"} for n in range(MOST_PARTS + 1)]},
        ),
        lambda: store.delete(where={"tenant": {"$in": [f"x{n}" for n in range(MOST_VALUES + 1)]}}),
    ):
        with pytest.raises(FilterError, match="expected at most"):
            call()
    assert store.get()["ids"] == before


def test_what_the_index_can_answer_has_no_limit_on_disk_or_in_memory(folder: Any, monkeypatch):
    store = filled(folder)
    where = {"tenant": {"$in": ["a", "b"]}}
    expected = ids_of(store.similarity_search("pump", k=8, mode="vector", filter=where))
    # As with more records that pass than Chroma can be given, by more values than it can be asked.
    for module in (filter_plan, filtered_search):
        monkeypatch.setattr(module, "EXACT_AT_MOST", 0)
    monkeypatch.setattr(filter_plan, "MOST_IDS", 0)
    monkeypatch.setattr(Cost, "neighbours", staticmethod(lambda _: math.inf))
    monkeypatch.setattr(write, "MOST_VALUES", 1)
    assert ids_of(store.similarity_search("pump", k=8, mode="vector", filter=where)) == expected


def test_marks_on_one_character_are_bounded():
    for form in ("NFC", "NFKC", "NFKD"):
        assert len(scripts.normalized(form, "e" + "\u0301\u0316" * MANY)) <= scripts.MAX_MARKS + 2
    assert scripts.fold("e\u0301") == "e"
    assert scripts.lower("É" * 100) == "é" * 100


@pytest.mark.parametrize("unit", ["a", "aB", "a1", "é", "e\u0301", "_", "1", "a'"])
def test_a_very_long_word(unit: str):
    word = unit * (200_000 // len(unit))
    terms = list(Analyzer("english").document(word))
    assert sum(map(len, terms)) <= 4 * len(word)
    store = filled()
    store.add_texts([f"{word} zebra"], ids=["long"])
    assert ids_of(store.similarity_search("zebra", mode="lexical")) == ["long"]
    for syntax in ("plain", "simple"):
        store.similarity_search(word, mode="lexical", query_syntax=syntax)
