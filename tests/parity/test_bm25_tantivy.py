"""TantivyIndex against BM25 written down from its formula (Robertson, Zaragoza 2009)."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

K1, B = 1.2, 0.75
# tantivy keeps the length of a text in one byte: exact up to 40 words, in steps of at most 1/8
# beyond. A length that is 12.5 % off changes a score by less than that.
QUANTISED = 0.125
ROUNDED = 2e-5


def bm25(corpus: dict[str, list[str]], query: list[str]) -> dict[str, float]:
    average = sum(map(len, corpus.values())) / len(corpus)
    counts = {key: Counter(terms) for key, terms in corpus.items()}
    scores: dict[str, float] = {}
    for term in query:
        n = sum(term in found for found in counts.values())
        idf = math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5))
        for key, found in counts.items():
            if tf := found[term]:
                norm = K1 * (1 - B + B * len(corpus[key]) / average)
                scores[key] = scores.get(key, 0.0) + idf * tf * (K1 + 1) / (tf + norm)
    return scores


SPLIT = Analyzer(preprocess_func=str.split, name="split")
words = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
short = st.lists(words, min_size=1, max_size=40)


def build(corpus: dict[str, list[str]]) -> TantivyIndex:
    index = TantivyIndex(analyzer=SPLIT)
    index.apply([Record(key, " ".join(terms)) for key, terms in corpus.items()])
    return index


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(short, min_size=1, max_size=20),
    query=st.lists(words, min_size=1, max_size=5, unique=True),
)
def test_short_texts_are_exact(texts: list[list[str]], query: list[str]) -> None:
    corpus = {f"r{n:02}": terms for n, terms in enumerate(texts)}
    index = build(corpus)
    expected = bm25(corpus, query)
    hits = {hit.id: hit.score for hit in index.search(" ".join(query), 100)}
    assert hits == pytest.approx(expected, rel=ROUNDED)
    assert max(hits.values(), default=0.0) <= index.max_score(" ".join(query))


def test_long_texts_are_near() -> None:
    corpus = {f"r{n:03}": ["x"] * (n % 7) + ["y"] * (n * 13 % 400 + 1) for n in range(200)}
    hits = {hit.id: hit.score for hit in build(corpus).search("x y", 200)}
    assert hits == pytest.approx(bm25(corpus, ["x", "y"]), rel=QUANTISED)


def test_several_fields_add_up_with_their_boosts() -> None:
    fields = {"page_content": 1.0, "title": 2.5}
    index = TantivyIndex(analyzer=SPLIT, lexical_fields=fields)
    rows = {"a": ("x y", "x"), "b": ("y y z", "x x q"), "c": ("z", "y")}
    index.apply([Record(key, text, {"title": title}) for key, (text, title) in rows.items()])
    texts = bm25({key: text.split() for key, (text, _) in rows.items()}, ["x", "y"])
    titles = bm25({key: title.split() for key, (_, title) in rows.items()}, ["x", "y"])
    expected = {key: texts.get(key, 0.0) + 2.5 * titles.get(key, 0.0) for key in rows}
    assert {hit.id: hit.score for hit in index.search("x y", 9)} == pytest.approx(
        expected, rel=ROUNDED
    )


def test_the_bound_holds_while_deleted_records_are_not_merged_away() -> None:
    index = TantivyIndex(analyzer=SPLIT)
    index.apply([Record(f"r{n}", "x " * 50) for n in range(50)])
    index.apply([Record("new", "x " * 500 + "y")], [f"r{n}" for n in range(1, 50)])
    for query in ("x", "y", "x y"):
        best = index.search(query, 1)[0].score
        assert best <= index.max_score(query)
