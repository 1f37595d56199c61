"""Nothing a user types raises, and no score exceeds the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.analysis.query_syntax import Clause, Words, parse_query
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

WORDS = ("cat", "cats", "kittens", "R123-78", "東京都", "naïve", "the", "foo_bar.baz", "running")
TEXTS = [
    "The cat sat; cats run, running kittens",
    "R123-78 is no R123 and no 78",
    "東京都の猫 naïve naive",
    "foo_bar.baz foo.bar baz cat cat cat",
    "the the the the of of",
    "",
]


def filled(index: LexicalIndex) -> LexicalIndex:
    index.apply([Record(f"r{n}", text, {"n": n}) for n, text in enumerate(TEXTS)])
    index.apply([Record("r0", TEXTS[0] + " again")], ["r5"])
    return index


INDEXES: list[LexicalIndex] = [
    filled(TantivyIndex()),
    filled(TantivyIndex(lexical_fields={"page_content": 2.0, "n": 0.5})),
    *(filled(RankBM25Index(variant)) for variant in ("okapi", "l", "plus")),
]
PASSING = parse({"n": {"$gte": 0}})

anything = st.text(st.characters(codec=None), max_size=40)
operators = st.sampled_from(['"', "+", "-", "*", "~", "~1", "~2", "~9", " ", "  ", "\\", "(", ")"])
pieces = operators | st.sampled_from(WORDS) | st.text(st.characters(codec=None), max_size=4)
queries = anything | st.lists(pieces, max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(query=queries)
@example(query='\ud800 \0 +\udfff* "\ud800" -\0~1 cat')
@example(query='+"the cat" -"R123-78" kitt* +run~2')
@example(query="+" * 5000)
@example(query='"' * 5001 + "a*" * 3000)
@example(query=" ".join(["a*", "ca*", "-b~2", '+"the"'] * 500))
def test_no_query_raises_or_exceeds_the_bound(query: str) -> None:
    for index in INDEXES:
        for syntax in ("plain", "simple"):
            hits = index.search(query, 10, where=PASSING, syntax=syntax)
            best = index.max_score(query, syntax=syntax)
            assert all(hit.score <= best for hit in hits)
            assert index.search(query, 1, where=PASSING, syntax=syntax) == hits[:1]
            assert len({hit.id for hit in hits}) == len(hits)


@settings(max_examples=200, deadline=None)
@given(text=queries)
def test_parsing_loses_no_word(text: str) -> None:
    clauses = parse_query(text)
    kept = "".join(clause.node.text for clause in clauses)
    assert {c for c in text if c.isalpha()} == {c for c in kept if c.isalpha()}
    assert all(clause.node.text.strip() for clause in clauses)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(codec=None, exclude_characters='"+-*~'), min_size=1))
def test_without_operators_both_syntaxes_are_one(text: str) -> None:
    expected = (Clause(Words(text.strip())),) if text.strip() else ()
    assert parse_query(text) == expected
    for index in INDEXES:
        assert index.search(text, 10) == index.search(text, 10, syntax="simple")
