"""Promises of the analyzer that hold for any text."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi, BM25Plus

from langchain_chroma_hybrid.core.analysis.analyzer import MAX_TERM, Analyzer

ANALYZERS = [Analyzer(), Analyzer(None), Analyzer("fr", stop_words=True), Analyzer("tr")]

characters = st.one_of(
    st.characters(),
    st.sampled_from("aA1-_./:@'’,+# \x00\ud800\u0301\u200dßıİ東京ｶﾞガ한ดีकीﬁ😀"),
)
texts = st.text(characters, max_size=60)
identifiers = st.lists(
    st.from_regex(r"[A-Za-z]{0,4}[0-9]{1,5}", fullmatch=True), min_size=2, max_size=4
).flatmap(lambda parts: st.sampled_from("-_/").map(lambda joiner: joiner.join(parts)))


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(ANALYZERS))
def test_terms_are_words_that_any_engine_can_store(text, analyzer):
    for term in analyzer.document(text):
        assert term
        assert not re.search(r"\s", term)
        assert len(term) <= MAX_TERM
        term.encode()


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(ANALYZERS))
def test_a_text_finds_itself(text, analyzer):
    document = analyzer.document(text)
    query = analyzer.query(text)
    assert {term.text for term in query} <= set(document)
    assert bool(query) == bool(document)
    assert all(term.boost > 0 for term in query)
    assert analyzer.matched_terms(text, text) == tuple(term.text for term in query)


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(ANALYZERS))
def test_one_truth_in_documents_phrases_and_tokens(text, analyzer):
    document = analyzer.document(text)
    phrase = analyzer.phrase(text)
    assert document[: len(phrase)] == phrase
    tokens = analyzer.tokens(text)
    assert sorted(term for token in tokens for term in token.terms) == sorted(document)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)


@settings(max_examples=300, deadline=None)
@given(texts, texts)
def test_highlights_are_disjoint_ascending_and_there_when_a_term_matches(query, text):
    analyzer = ANALYZERS[0]
    spans = analyzer.highlight(query, text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    assert bool(spans) == bool(analyzer.matched_terms(query, text))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=40))
@example("ÌA")  # Turkish has two letters I
def test_equivalent_texts_have_the_same_terms(text):
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    for analyzer in ANALYZERS:
        assert analyzer.document(composed) == analyzer.document(decomposed)


@settings(max_examples=80, deadline=None)
@given(identifiers, st.sampled_from([BM25Okapi, BM25Plus]), st.integers(1, 40), st.data())
def test_the_whole_ranks_before_any_repetition_of_parts(identifier, scorer, repeats, data):
    analyzer = ANALYZERS[0]
    parts = re.split(r"[-_/]", identifier)
    chosen = data.draw(st.lists(st.sampled_from(parts), min_size=1, max_size=8))
    fillers = ["water paper stone river cloud light green table"] * 40
    records = [
        " ".join(["long prose about many other matters"] * 10) + f" {identifier}.",
        " ".join(chosen * repeats),
        " ".join(reversed(parts)),
        *fillers,
    ]
    engine = scorer([analyzer.document(record) for record in records])
    scores = sum(term.boost * engine.get_scores([term.text]) for term in analyzer.query(identifier))
    assert scores[0] > max(scores[1:])
