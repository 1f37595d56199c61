"""Marked words, results as HTML, and the bar of the first build in a notebook."""

from __future__ import annotations

import io
import sys
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.core.markup import as_html, marked
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.search import SearchResult

EVIL = '<img src=x onerror="alert(1)"> & pump</mark><script>alert(2)</script>'


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.marked: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data
        if self.tags and self.tags[-1] == "mark" and self.get_starttag_text() == "<mark>":
            self.marked.append(data)


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("a pump", [(2, 6)], "a [pump]"),
        ("pump", [(0, 4)], "[pump]"),
        ("a b c", [(0, 1), (4, 5)], "[a] b [c]"),
        ("nothing", [], "nothing"),
        ("", [], ""),
        ("😀 pump", [(2, 6)], "😀 [pump]"),
    ],
)
def test_words_are_marked_where_they_stand(text, spans, expected):
    assert marked(text, spans, "[", "]") == expected


def test_html_has_a_sign_for_nul():
    assert as_html("a\0b<") == "a\ufffdb&lt;"


def test_a_text_stays_text_in_html():
    page = Tags(as_html(EVIL, [(EVIL.index("pump"), EVIL.index("pump") + 4)]))
    assert page.tags == ["mark"]
    assert page.text == EVIL


@pytest.fixture
def found(empty: HybridChroma) -> SearchResult:
    long = f"{'before ' * 100}pump{' after' * 100}"
    empty.add_texts([EVIL, long], ids=["<b>id</b>", "long"])
    return ChromaHybridRetriever.from_vectorstore(empty).search("pump <i>xyzzy</i>")


def test_a_result_shows_itself_in_a_notebook(found):
    page = Tags(found._repr_html_())
    assert set(page.tags) == {"table", "tr", "th", "td", "mark", "p"}
    assert page.tags.count("tr") == 3
    assert page.tags.count("th") == len(["relevance", "lexical", "vector", "id", "text"])
    assert EVIL in page.text
    assert "<b>id</b>" in page.text
    assert "in no record: xyzzy" in page.text or "in no record: i, xyzzy" in page.text
    assert page.marked.count("pump") == 2
    assert len(page.text) < 1_500, "a long text is cut around its match"


def test_nothing_found_says_so(empty):
    result = ChromaHybridRetriever.from_vectorstore(empty).search("pump", mode="lexical")
    page = Tags(result._repr_html_())
    assert "nothing found" in page.text
    assert "is empty" in page.text


@pytest.mark.parametrize("notebook", [True, False])
def test_the_first_build_shows_its_bar_in_a_notebook(notebook, tmp_path, monkeypatch):
    name = fresh_name()
    from langchain_chroma import Chroma

    chroma = Chroma(name, WordEmbeddings(), persist_directory=str(tmp_path))
    chroma.add_texts([f"pump {n}" for n in range(50)])
    kernel = SimpleNamespace(config={"IPKernelApp": {}} if notebook else {})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    printed = io.StringIO()  # which is no terminal, and neither is what a notebook shows
    monkeypatch.setattr(sys, "stderr", printed)
    ChromaHybridRetriever.from_vectorstore(chroma).invoke("pump")
    assert ("lexical index" in printed.getvalue()) == notebook
