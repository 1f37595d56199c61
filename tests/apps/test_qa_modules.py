"""The parts of examples/qa_app that know nothing of Streamlit."""

from __future__ import annotations

import html
import io
import json
import os
import re

import answering
import chart
import markup
import pytest
from conversation import Turn
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from library import Facet, Library, Wish, filter_of
from pydantic import Field

from langchain_chroma_hybrid.core.markup import as_html
from langchain_chroma_hybrid.documents import read_files
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.apps.bad_files import BAD, FINE, MARKDOWN, XSS

CLOSING = "</div></details><script>alert(1)</script>"
HOSTILE = [XSS, MARKDOWN, CLOSING, "\"'><b onclick='x'>", "\0&lt;"]


def text_of(page):
    """What a reader sees of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def tags_of(page):
    return set(re.findall(r"<(\w+)", page))


@pytest.fixture
def library(tmp_path):
    return Library(WordEmbeddings(), tmp_path / "qa")


def put(library, name, text):
    return library.add(name, io.BytesIO(text.encode()), len(text), lambda *_: None)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_escaped_is_shown_and_is_no_markup(text):
    seen = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert html.unescape(markup.escape(text)) == seen
    assert not tags_of(markup.escape(text))
    assert text_of(markup.answer(f"{text} [1]", 0, [1])) == f"{seen} [1]"
    assert tags_of(markup.answer(f"{text} [1]", 0, [1])) == {"div", "a"}


@pytest.mark.parametrize("text", [*HOSTILE, "**a** _b_ ~~c~~", "# a", "- a", "1. a", "a\nb"])
def test_labels_hold_no_markdown(text):
    escaped = markup.label(text)
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", escaped))
    assert "\n" not in escaped


@settings(max_examples=50)
@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=8, unique=True))
def test_marks_leave_the_text_as_it_is(text, cuts):
    cuts = sorted(cut for cut in cuts if cut <= len(text))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    page = as_html(text, spans)
    assert html.unescape(re.sub("</?mark>", "", page)) == text.replace("\0", "\ufffd")
    assert page.count("<mark>") == len(spans)


def test_only_numbers_of_sources_are_links():
    page = markup.answer("[1] [2] [3] [0] [001] [x] [12345]", 4, range(1, 3))
    assert re.findall(r'href="([^"]*)"', page) == ["#source-4-1", "#source-4-2", "#source-4-1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_sources_open_passages_with_marks(library, text):
    inside = text.replace("\0", "")  # with which a file counts as binary
    assert put(library, f"{text}.txt", f"Heron 4711 {inside}") is None
    hits = library.search("Heron 4711", Wish(threshold=0.0)).hits
    page = markup.sources(hits, 7)
    assert tags_of(page) == {"details", "summary", "b", "span", "div", "mark"}
    assert markup.escape(f"{text}.txt") in page
    assert 'id="source-7-1"' in page


def test_the_chart_shows_what_the_score_is_made_of(library):
    for n in range(6):
        put(library, f"{n}.txt", f"Heron {n} by the lake")
    hits = library.search("Heron 3", Wish(threshold=0.0)).hits
    rows = chart.rows(hits)
    assert len(rows) == 2 * len(hits)
    for number, hit in enumerate(hits, 1):
        shares = [row["share"] for row in rows if row["hit"].startswith(f"[{number}] ")]
        assert sum(shares) == pytest.approx(hit.fused, abs=0.001)
    assert chart.drawn(rows).to_dict()["data"] == {"values": rows}


def test_a_leg_that_did_not_find_it_has_no_rank(library):
    put(library, "a.txt", "Heron by the lake")
    put(library, "b.txt", "Heron 4711")
    [first, second] = library.search("4711", Wish(threshold=0.0)).hits
    found = {row["hit"][:3]: row["hit"] for row in chart.rows([first, second])}
    assert "words #1" in found["[1]"]
    assert "words -" in found["[2]"]


def test_best_sentences_with_the_numbers_of_their_sources(library):
    put(library, "a.md", "# Warranty\n\nIt ends after two years. Frost is not covered.")
    result = library.search("warranty", Wish(threshold=0.0))
    assert answering.extract(result) == "Warranty: It ends after two years. [1]"
    result = library.search("frost", Wish(threshold=0.0))
    assert answering.extract(result) == "Frost is not covered. [1]"


def test_equal_sentences_are_said_once(library):
    put(library, "a.txt", "Frost is not covered at all. One.")
    put(library, "b.txt", "Frost is not covered at all. Two.")
    result = library.search("frost", Wish(threshold=0.0))
    assert answering.extract(result) == "Frost is not covered at all. [1]"


def test_filters_of_facets():
    tag, tags = Facet("tag", ("a", "b")), Facet("tags", ("a", "b"), many=True)
    year = Facet("year", low=1, high=9)
    assert filter_of({}) is filter_of({tag: [], year: None}) is None
    assert filter_of({tag: ["a"]}) == {"tag": {"$in": ["a"]}}
    assert filter_of({tags: ["a"]}) == {"tags": {"$contains": "a"}}
    assert filter_of({tag: ["a"], year: (2, 3)})["$and"][1] == {
        "$and": [{"year": {"$gte": 2}}, {"year": {"$lte": 3}}]
    }


def test_facets_are_what_filters_by_something(library):
    said = [{"n": n, "same": 1, "big": 1e300 * n} for n in range(30)]
    lines = [json.dumps({"text": f"number {n}", "metadata": each}) for n, each in enumerate(said)]
    put(library, "a.jsonl", "\n".join(lines))
    put(library, "b.txt", "text")
    assert library.facets == (Facet("source", ("a.jsonl", "b.txt")), Facet("n", low=0, high=29))


@pytest.mark.parametrize("name", BAD)
def test_what_is_the_matter_is_one_line(tmp_path, name):
    content, said = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    [read] = read_files([path])
    assert read.problem
    assert said in read.problem
    assert "\n" not in read.problem


def test_a_file_that_vanishes_meanwhile(tmp_path):
    for name, content in FINE.items():
        (tmp_path / name).write_bytes(content)
    reading = read_files(sorted(tmp_path.iterdir()))
    next(reading)
    (tmp_path / "b.md").unlink()
    read = list(reading)
    assert "no such file" in read[0].problem
    assert not any(each.problem for each in read[1:])


class Failing(WordEmbeddings):
    """Embeds so many batches, then fails."""

    def __init__(self, batches, error):
        super().__init__()
        self.left, self.error = batches, error

    def embed_documents(self, texts):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().embed_documents(texts)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("pip install langchain-some"), "pip install langchain-some"),
        (ValueError("no key:\n a second line"), "no key: a second line"),
        (KeyError(), "KeyError"),
        (ConnectionError("x" * 9_000), "x" * 500),
    ],
)
@pytest.mark.parametrize("when", ["at first", "in the middle"])
def test_whatever_a_model_fails_with_there_is_an_answer(library, error, said, when):
    class Model(FakeListChatModel):
        def _stream(self, *args, **kwargs):
            if when == "in the middle":
                yield ChatGenerationChunk(message=AIMessageChunk(content="It is"))
            raise error

    put(library, "a.txt", "Heron 4711")
    turn = Turn("Heron")
    result = turn.search(library, Wish(threshold=0.0))
    texts = list(turn.answers(result, lambda: Model(responses=[""])))
    assert turn.problem == f"The chat model failed: {said}"
    assert texts == (["It is"] if when == "in the middle" else ["Heron 4711 [1]"])
    assert bool(turn.notice) == (when == "at first")


class Recording(FakeListChatModel):
    """Says its lines, and keeps what it is told."""

    told: list = Field(default_factory=list)

    def _call(self, messages, *args, **kwargs):
        self.told.append([message.content for message in messages])
        return super()._call(messages, *args, **kwargs)


def test_a_model_reads_a_follow_up_with_what_came_before(library):
    put(library, "a.txt", "Heron 4711 eats fish")
    put(library, "b.txt", "Stork 4712 eats frogs")
    model = Recording(responses=["What does stork 4712\n eat?"])
    earlier = [Turn("Heron 4711?", asked="What does heron 4711 eat?", text="Fish [1].")]
    turn = Turn("and 4712?")
    result = turn.search(library, Wish(threshold=0.0, k=1), earlier, lambda: model)
    assert turn.asked == "What does stork 4712 eat?"
    assert result.hits[0].record.text == "Stork 4712 eats frogs"
    [[_, history]] = model.told
    assert all(each in history for each in ("What does heron 4711 eat?", "Fish", "and 4712?"))


def test_what_a_model_is_told_of_before_is_limited():
    model = Recording(responses=["q" * 9_000])
    earlier = [(f"question {n} {'x' * 9_000}", "y" * 9_000) for n in range(50)]
    assert len(answering.standalone(model, "and?", earlier)) == 500
    [[_, history]] = model.told
    assert len(history) < answering.MOST_HISTORY + 200
    assert "question 49 " in history
    assert "question 40 " not in history
    assert history.index("question 48 ") < history.index("question 49 ")


@pytest.mark.parametrize("model", [lambda: FakeListChatModel(responses=[" "]), lambda: None])
def test_a_question_that_nobody_rewrites_stays(library, model):
    put(library, "a.txt", "Heron 4711")
    turn = Turn("Heron")
    turn.search(library, Wish(), [Turn("Stork", text="No.")], model)
    assert turn.asked == "Heron"
    assert not [remark for remark in turn.remarks if "Understood" in remark]


def test_a_model_that_fails_over_the_history_leaves_the_question(library):
    def failing():
        raise ConnectionError("no key")

    put(library, "a.txt", "Heron 4711")
    turn = Turn("Heron 4711")
    assert turn.search(library, Wish(), [Turn("Stork")], failing).hits
    assert any("no key" in remark for remark in turn.remarks)


def test_the_first_question_is_not_rewritten(library):
    turn = Turn("Heron")
    turn.search(library, Wish(), (), lambda: pytest.fail("asked"))
    assert turn.asked == "Heron"


def test_who_leaves_an_answer_in_the_middle_is_told_so(library):
    put(library, "a.txt", "Heron 4711")
    turn = Turn("Heron")
    result = turn.search(library, Wish(threshold=0.0))
    answers = turn.answers(result, lambda: FakeListChatModel(responses=["It is a bird"]))
    next(answers)
    answers.close()
    assert turn.text == "I"
    assert "Stopped" in turn.problem


def test_a_search_that_fails_is_told(library):
    turn = Turn("Heron")
    assert turn.search(library, Wish(mode="no such mode")) is None
    assert turn.problem.startswith("The search failed: mode: ")


LONG = "\n\n".join(f"Heron number {n}. {'It waits by the lake. ' * 20}" for n in range(100))


def test_what_fails_in_the_middle_leaves_nothing(tmp_path):
    full = OSError(28, os.strerror(28))
    library = Library(Failing(1, full), tmp_path / "qa")
    assert "No space left" in put(library, "long.txt", LONG)
    assert library.files == {}


def test_who_stops_it_in_the_middle_leaves_what_was_there(tmp_path):
    library = Library(Failing(2, KeyboardInterrupt()), tmp_path / "qa")
    put(library, "a.txt", "Heron")
    with pytest.raises(KeyboardInterrupt):
        put(library, "a.txt", LONG)
    assert library.files == {"a.txt": 1}
