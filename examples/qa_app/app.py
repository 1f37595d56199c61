"""Ask your own documents: `make qa`, or `streamlit run examples/qa_app/app.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chart
import markup
import streamlit as st
from answering import chat_model
from conversation import Turn, one_line
from library import Facet, Library, Wish, filter_of

from langchain_chroma_hybrid import minilm

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from langchain_core.language_models import BaseChatModel

MODEL = os.environ.get("CHAT_MODEL", "")
FOLDER = os.environ.get("QA_FOLDER", ".qa")
SAMPLE = Path(__file__).resolve().parent / "sample"
MOST_QUESTION = 2_000
MODES = {
    "hybrid": "words and meaning",
    "lexical": "words alone",
    "vector": "meaning alone",
    "two_step": "words first, then meaning",
}


@st.cache_resource(show_spinner="Opening your documents")
def opened(folder: str) -> Library:
    return Library(minilm(), folder)


@st.cache_resource(show_spinner=False)
def named_model(name: str) -> BaseChatModel:
    return chat_model(name)


@st.cache_data(max_entries=100, show_spinner=False)
def drawn(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The chart, which takes longer to make than the rest of a conversation to show."""
    return chart.drawn(rows).to_dict()


def model() -> BaseChatModel | None:
    return named_model(MODEL) if MODEL else None


def add(library: Library, files: Iterable[tuple[str, BinaryIO, int]]) -> None:
    """Bring files in, one after the other; what became of each is shown after the next run."""
    report = st.session_state.report = []
    bar = st.progress(0.0)
    for name, content, size in files:
        shown = markup.label(name)
        bar.progress(0.0, f"Reading {shown}")
        problem = library.add(
            name, content, size, lambda done, all_, to=shown: bar.progress(done / all_, to)
        )
        report.append((name, problem))
    bar.empty()


def documents(library: Library) -> None:
    """What is in, what is to come in, what became of it."""
    st.subheader("Documents")
    state = st.session_state
    uploads = st.file_uploader(
        "txt, md, html, pdf, docx, csv, jsonl",
        accept_multiple_files=True,
        key=f"uploads-{state.setdefault('uploads', 0)}",
    )
    if uploads:
        add(library, [(file.name, file, file.size) for file in uploads])
        state.uploads += 1  # a new, empty field: this one would keep the files in memory
        st.rerun()
    report = state.get("report", [])
    for name, problem in report:
        if problem:
            st.error(f"**{markup.label(name)}**: {markup.label(problem)}")
    if done := sum(problem is None for _, problem in report):
        st.success(f"{done} file{'s' * (done > 1)} read")
    if library.files:
        listed(library)


def listed(library: Library) -> None:
    """The files that are in, and a way to take them out."""
    total = sum(library.files.values())
    with st.expander(f"{len(library.files)} files, {total:,} passages"):
        gone = st.multiselect("Take out", list(library.files), key=f"gone-{list(library.files)}")
        if gone and st.button("Take out of the collection"):
            for name in gone:
                library.remove(name)
            st.session_state.report = []
            st.rerun()


def wishes(library: Library) -> Wish:
    """How to search, as chosen in the sidebar."""
    with st.expander("Search"):
        mode = st.selectbox("By", list(MODES), format_func=MODES.__getitem__)
        own = st.toggle("Weights chosen for each question", value=True, disabled=mode != "hybrid")
        words = None
        if mode == "hybrid" and not own:
            words = st.slider("Weight of words", 0.0, 1.0, 0.5, 0.05)
        k = st.slider("Most sources", 1, 10, 4)
        threshold = st.slider(
            "Least relevance", 0.0, 1.0, 0.5, 0.05, help="Below it: not in your documents"
        )
    return Wish(mode, k, words, threshold, filter_of(filters(library.facets)))


def filters(facets: Iterable[Facet]) -> dict[Facet, Any]:
    """What was chosen of each facet; a whole range is nothing chosen."""
    if not facets:
        return {}
    chosen: dict[Facet, Any] = {}
    with st.expander("Only where"):
        for facet in facets:
            name = markup.label(facet.name)
            if facet.low is None:
                chosen[facet] = st.multiselect(name, facet.values, key=repr(facet))
            else:
                whole = (facet.low, facet.high)
                bounds = st.slider(name, *whole, whole, key=repr(facet))
                chosen[facet] = None if bounds == whole else bounds
    return chosen


def show(turn: Turn, number: int, answers: Iterable[str] = ()) -> None:
    """A question, its answer as it comes, and how that came about."""
    with st.chat_message("user"):
        st.html(f'<div class="answer">{markup.escape(turn.question)}</div>')
    with st.chat_message("assistant"):
        place, told = st.empty(), st.container()
        evidence(turn, number)
        numbers = range(1, len(turn.hits) + 1) if turn.found else ()
        for text in answers:
            place.html(markup.answer(text, number, numbers))
        if turn.text:
            place.html(markup.answer(turn.text, number, numbers))
        with told:
            if turn.problem:
                st.error(markup.label(turn.problem))
            if faint := [*filter(None, [turn.notice]), *turn.remarks]:
                st.html(f'<div class="faint">{"<br>".join(map(markup.escape, faint))}</div>')


def evidence(turn: Turn, number: int) -> None:
    """The sources, and the picture of how they were found."""
    if not turn.hits:
        return
    if turn.found:
        st.html(markup.sources(turn.hits, number))
    else:
        with st.expander("What comes nearest, below the least relevance"):
            st.html(markup.sources(turn.hits, number))
    with st.expander("How these were found"):
        st.vega_lite_chart(drawn(chart.rows(turn.hits)), key=f"chart-{number}")


def welcome(library: Library) -> None:
    st.write("Drop files into the sidebar, then ask. Everything stays on this machine.")
    if st.button("Try it with four small files about a pump"):
        paths = sorted(SAMPLE.iterdir())
        add(library, [(path.name, path.open("rb"), path.stat().st_size) for path in paths])
        st.rerun()


def who_answers() -> str:
    if MODEL:
        return f"{markup.label(MODEL)} answers: your questions and what is found for them go to it."
    return "No chat model: answers are the best sentences of what is found. Set CHAT_MODEL for one."


def main() -> None:
    st.set_page_config(page_title="Ask your documents")
    st.html(markup.STYLE)
    st.header("Ask your documents")
    try:
        library = opened(FOLDER)
        files = library.files
    except Exception as error:  # noqa: BLE001  # a folder that is locked, full, of another model
        st.error(f"{markup.label(FOLDER)} cannot be opened: {markup.label(one_line(error))}")
        st.stop()
    turns: list[Turn] = st.session_state.setdefault("turns", [])
    with st.sidebar:
        documents(library)
        wish = wishes(library) if files else Wish()
        st.caption(who_answers())
        if turns and st.button("New conversation"):
            turns.clear()
    if not files:
        welcome(library)
    for number, turn in enumerate(turns):
        show(turn, number)
    question = st.chat_input("Your question", disabled=not files, max_chars=MOST_QUESTION)
    if question and question.strip():
        turn = Turn(question)
        turns.append(turn)
        with st.spinner("Searching"):
            result = turn.search(library, wish, turns[:-1], model)
        show(turn, len(turns) - 1, turn.answers(result, model) if result else ())


main()
