"""RankBM25Index gives the scores of `rank_bm25`'s `get_scores`."""

from __future__ import annotations

from typing import Any

import pytest
import rank_bm25
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index

CLASSES = {"okapi": rank_bm25.BM25Okapi, "l": rank_bm25.BM25L, "plus": rank_bm25.BM25Plus}
OPTIONS: list[tuple[Any, dict[str, float]]] = [
    ("okapi", {}),
    ("okapi", {"k1": 1.2, "b": 0.5, "epsilon": 0.1}),
    ("l", {}),
    ("l", {"k1": 0.9, "delta": 0.2}),
    ("plus", {}),
    ("plus", {"b": 0.3, "delta": 2.0}),
]

words = st.sampled_from(["cat", "dogs", "running", "the", "R123", "zebra", "東京"])
texts = st.lists(words, max_size=12).map(" ".join)


@pytest.mark.parametrize(("variant", "options"), OPTIONS)
@settings(max_examples=60, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=12), query=texts)
def test_scores(variant: Any, options: dict[str, float], corpus: list[str], query: str) -> None:
    analyzer = Analyzer()
    index = RankBM25Index(variant, analyzer=analyzer, **options)
    index.apply([Record(f"r{n:02}", text) for n, text in enumerate(corpus)])
    documents = [analyzer.document(text) for text in corpus]
    terms = [term.text for term in analyzer.query(query) if term.boost == 1.0]
    if not any(documents):
        assert index.search(query, 20) == []
        return
    scores = CLASSES[variant](documents, **options).get_scores(terms)
    expected = {
        f"r{n:02}": scores[n]
        for n, found in enumerate(documents)
        if not set(found).isdisjoint(terms)
    }
    hits = index.search(query, 20)
    assert {hit.id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-9)
    assert [hit.id for hit in hits] == sorted(
        expected, key=lambda key: (-{h.id: h.score for h in hits}[key], key)
    )
    assert all(hit.score <= index.max_score(query) for hit in hits)


def test_a_hit_contains_a_term_whatever_its_score() -> None:
    index = RankBM25Index("okapi")
    index.apply([Record(f"r{n}", "cat") for n in range(5)] + [Record("other", "dog")])
    hits = index.search("cat", 10)
    assert [hit.id for hit in hits] == [f"r{n}" for n in range(5)]
    plus = RankBM25Index("plus")
    plus.apply([Record("a", "cat"), Record("b", "dog")])
    assert [hit.id for hit in plus.search("cat", 10)] == ["a"]


def test_parameters_that_a_variant_does_not_have() -> None:
    with pytest.raises(InvalidArgumentError, match="epsilon"):
        RankBM25Index("plus", epsilon=0.2)
    with pytest.raises(InvalidArgumentError, match="delta"):
        RankBM25Index("okapi", delta=0.2)
    with pytest.raises(InvalidArgumentError, match="variant"):
        RankBM25Index("tf-idf")  # type: ignore[arg-type]
