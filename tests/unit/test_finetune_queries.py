"""Queries for a collection without labels: out of its records, and by a chat model."""

from __future__ import annotations

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import ask_for_queries, make_queries, query_costs
from tests.helpers import make_store

ROWS = [
    ("titled", "Cold pumps. They must be warmed up first.", {"title": "Cold pumps"}),
    ("headed", "# The red valve\nIt opens to the left.", {}),
    ("plain", "The basin is cleaned weekly. Use a soft brush.", {}),
    ("short", "Basin pumps", {}),
]


@pytest.fixture
def manuals():
    store = make_store()
    ids, texts, metadatas = zip(*ROWS, strict=True)
    store.add_texts(list(texts), [metadata or None for metadata in metadatas], list(ids))
    yield store
    store.delete_collection()


def test_each_record_gives_the_first_kind_that_it_has(manuals):
    data = make_queries(manuals)
    assert {e.id: (e.origin, e.query, e.text) for e in data.examples} == {
        "titled": ("title", "Cold pumps", "They must be warmed up first."),
        "headed": ("heading", "The red valve", "It opens to the left."),
        "plain": ("first_sentence", "The basin is cleaned weekly.", "Use a soft brush."),
    }
    assert str(data.report) == (
        "4 given, kept 1 title, 1 heading, 1 first_sentence; 1 dropped: nothing to make a query of"
    )


def test_keyphrases_are_words_that_other_records_have_too(manuals):
    data = make_queries(manuals, kinds=["keyphrases"])
    assert {e.id: e.query for e in data.examples} == {"titled": "pumps", "plain": "basin"}
    assert {e.origin for e in data.examples} == {"keyphrases"}


@pytest.mark.parametrize("kinds", [["titel"], "title", []])
def test_unknown_kinds(manuals, kinds):
    with pytest.raises(InvalidArgumentError, match=r"^kinds: "):
        make_queries(manuals, kinds=kinds)


def test_a_collection_that_gives_too_little(manuals):
    with pytest.raises(InvalidArgumentError, match="data: expected at least 2 examples"):
        make_queries(manuals, kinds=["title"])


def chat(answers):
    return GenericFakeChatModel(messages=iter(map(AIMessage, answers)))


def test_a_chat_model_is_asked_once_for_each_record_and_goes_on_after_an_error(manuals, tmp_path):
    file = tmp_path / "queries.jsonl"
    before = query_costs(manuals, file, price=2.0)
    assert before.calls == 4
    assert before.cost == pytest.approx(before.tokens * 2 / 1_000_000)

    with pytest.raises(StopIteration):  # the model has no third answer
        ask_for_queries(manuals, chat(["1. How to warm a pump?", "- Which way?\nanother"]), file)
    with file.open("a") as log:
        log.write('{"key": "torn')
    assert query_costs(manuals, file).calls == 2

    data = ask_for_queries(manuals, chat(['"When to clean?"', "Basin?"]), file)
    found = {e.id: (e.query, e.origin) for e in data.examples}
    assert found["titled"] == ("How to warm a pump?", "chat_model")
    assert [query for query, _ in found.values()][1:] == ["Which way?", "When to clean?", "Basin?"]
    assert query_costs(manuals, file).calls == 0
    assert len(ask_for_queries(manuals, chat([]), file)) == 4


@pytest.mark.parametrize(
    ("options", "name"),
    [({"prompt": "Write a question"}, "prompt"), ({"prompt": None}, "prompt"),
     ({"limit": -1}, "limit"), ({"limit": 1.5}, "limit"), ({"price": -1}, "price"),
     ({"price": "x"}, "price"), ({"file": 5}, "file"), ({"store": None}, "store")],
)  # fmt: skip
def test_what_costs_cannot_be_told(manuals, tmp_path, options, name):
    given = {"store": manuals, "file": tmp_path / "f", **options}
    with pytest.raises(InvalidArgumentError, match=f"^{name}: "):
        query_costs(**given)


def test_nobody_is_asked_whose_answers_cannot_be_kept(manuals, tmp_path):
    for file in (tmp_path, tmp_path / "no folder" / "f"):
        with pytest.raises(InvalidArgumentError, match=r"^file: expected one to write to"):
            ask_for_queries(manuals, chat([]), file)
    with pytest.raises(InvalidArgumentError, match=r"^model: "):
        ask_for_queries(manuals, "gpt", tmp_path / "f")


def test_a_file_of_something_else_does_no_harm(manuals, tmp_path):
    (tmp_path / "f").write_bytes(b'\xff\xfe\x00\n[1]\n{"key": 1}\n"torn')
    assert query_costs(manuals, tmp_path / "f").calls == 4
    assert len(ask_for_queries(manuals, chat(list("abcd")), tmp_path / "f")) == 4
    assert query_costs(manuals, tmp_path / "f").calls == 0
