"""What a lexical index answers: see `testing.lexical_suite`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.filters import (
    AllOf,
    AnyOf,
    Compare,
    Ids,
    TextMatch,
    matches,
    parse,
)
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.protocol import LexicalIndex, QuerySyntax

Make = Callable[..., LexicalIndex]

RECORDS = [
    Record("cat", "A cat sleeps on the warm stove", {"n": 1, "kind": "pet", "tags": ["a", "b"]}),
    Record("dog", "The dog chases the cat around the garden", {"n": 2.5, "kind": "pet"}),
    Record("car", "Engine R123-78 needs oil", {"n": -3, "kind": "a", "new": True}),
    Record("bare", "Oil paintings of gardens", {}),
    Record("uri", None, {"kind": "picture", "n": 2**53 + 1}),
    Record("空 é\0'\"", "東京都の猫", {"kind": "2024-01-01T00:00:00Z", "new": False}),
]
WHERES = [
    {"n": 1},
    {"n": {"$ne": 1}},
    {"n": {"$gt": 0}},
    {"n": {"$gte": 2.5}},
    {"n": {"$lt": 2.5}},
    {"n": {"$lte": 2**53}},
    {"kind": "a"},
    {"kind": {"$in": ["pet", "2024-01-01T00:00:00Z"]}},
    {"kind": {"$nin": ["pet", "a"]}},
    {"tags": {"$contains": "a"}},
    {"tags": {"$not_contains": "a"}},
    {"new": True},
    {"new": {"$ne": True}},
    {"missing": {"$ne": "x"}},
    {"$and": [{"kind": "pet"}, {"n": {"$gt": 1}}]},
    {"$or": [{"new": False}, {"$and": [{"n": {"$lt": 0}}, {"kind": "a"}]}]},
]


def found(index: LexicalIndex, query: str, k: int = 10, **options: Any) -> list[str]:
    """Ids of the hits, best first."""
    return [hit.id for hit in index.search(query, k, **options)]


class Reads:
    """Searches and filters; `make` comes from the suite's user."""

    @pytest.fixture
    def index(self, make: Make) -> LexicalIndex:
        """One that holds `RECORDS`."""
        built = make()
        built.apply(RECORDS)
        return built

    def test_is_a_lexical_index(self, index: LexicalIndex) -> None:
        assert isinstance(index, LexicalIndex)
        assert isinstance(index.capabilities.durable, bool)

    def test_tells_which_records_have_no_text(self, index: LexicalIndex) -> None:
        texts = {"none": None, "empty": "", "blank": " \n", "signs": "?! …", "word": "x"}
        index.apply([Record(id_, text) for id_, text in texts.items()])
        wordless = index.without_text()
        assert wordless & texts.keys() == texts.keys() - {"word"}
        assert index.without_text(["none", "word", "unknown"]) == {"none"}
        assert index.without_text([]) == frozenset()
        index.apply([Record("none", "now a word")], ["signs"])
        assert index.without_text() == wordless - {"none", "signs"}

    def test_finds_by_any_query_term_and_only_then(self, index: LexicalIndex) -> None:
        assert set(found(index, "sleeping cats")) == {"cat", "dog"}
        assert found(index, "sleeping cats")[0] == "cat"
        assert found(index, "garden")
        assert set(found(index, "garden")) == {"dog", "bare"}
        assert found(index, "R123-78") == ["car"]
        assert found(index, "東京") == ["空 é\0'\""]
        assert found(index, "zeppelin") == []

    def test_scores_descend_and_stay_below_the_bound(self, index: LexicalIndex) -> None:
        hits = index.search("cat garden oil the", 10)
        scores = [hit.score for hit in hits]
        assert len(hits) == 4
        assert scores == sorted(scores, reverse=True)
        most = hits.ceiling
        assert most is None or max(scores) <= most

    @pytest.mark.parametrize("query", ["", "   ", "\0", "!?", "\ud800", "\n\t"])
    @pytest.mark.parametrize("syntax", ["plain", "simple"])
    def test_an_empty_query_finds_nothing(
        self, index: LexicalIndex, query: str, syntax: QuerySyntax
    ) -> None:
        assert index.search(query, 5, syntax=syntax) == []
        assert index.search(query, 5, syntax=syntax).ceiling == 0.0

    def test_records_without_any_word(self, make: Make) -> None:
        index = make()
        index.apply([Record("a", None, {"n": 1}), Record("b", "")])
        assert index.search("cat", 5) == []
        assert index.match(parse({"n": 1})) == ["a"]

    @pytest.mark.parametrize("where", WHERES, ids=str)
    def test_filters_mean_what_chroma_means(
        self, index: LexicalIndex, where: dict[str, object]
    ) -> None:
        tree = parse(where)
        expected = {record.id for record in RECORDS if matches(tree, record)}
        assert set(index.match(tree)) == expected
        assert index.match_count(tree) == len(expected)
        words = "cat dog engine oil 猫"
        assert set(found(index, words, where=tree)) == set(found(index, words)) & expected

    def test_filters_leave_scores_alone(self, index: LexicalIndex) -> None:
        plain = {hit.id: hit.score for hit in index.search("cat garden", 10)}
        filtered = index.search("cat garden", 10, where=parse({"kind": "pet"}))
        expected = {id_: plain[id_] for id_ in ("cat", "dog")}
        assert {hit.id: hit.score for hit in filtered} == expected

    def test_ids_are_a_filter(self, index: LexicalIndex) -> None:
        some = Ids(frozenset({"cat", "uri", "unknown", "\ud800"}))
        assert set(index.match(some)) == {"cat", "uri"}
        assert found(index, "cat dog", where=some) == ["cat"]
        assert index.match(Ids(frozenset())) == []
        others = set(index.match(Ids(some.ids, negated=True)))
        assert others == set(index.ids()) - some.ids
        assert set(
            index.match(AllOf((Ids(some.ids, negated=True), Ids(frozenset({"cat", "car"})))))
        ) == {"car"}
        assert set(index.match(Ids(frozenset(), negated=True))) == set(index.ids())
        mixed = AnyOf((some, AllOf((Compare("n", "$lt", 0), Ids(frozenset({"car", "dog"}))))))
        assert set(index.match(mixed)) == {"cat", "uri", "car"}

    def test_limits(self, index: LexicalIndex) -> None:
        assert len(index.match(None, limit=2)) == 2
        assert index.match(None, limit=0) == []
        assert len(found(index, "cat oil", k=1)) == 1
        assert found(index, "cat oil", k=0) == []
        assert len(found(index, "cat oil", k=10**15)) == 4
        assert len(index.match(None, limit=10**15)) == len(RECORDS)

    def test_what_is_not_supported_is_refused(self, index: LexicalIndex) -> None:
        for leaf in (TextMatch("$regex", "a.c"), Compare("chroma:document", "$eq", "x")):
            assert not index.supports(leaf)
            for call in (index.match, index.match_count, lambda w: index.search("cat", 5, where=w)):
                with pytest.raises(InvalidArgumentError, match="where"):
                    call(AnyOf((leaf, Compare("n", "$eq", 1))))
        assert all(index.supports(leaf) for leaf in (Compare("n", "$gt", 1), Ids(frozenset({"a"}))))

    def test_ties_are_in_id_order_and_top_k_is_a_prefix(self, make: Make) -> None:
        index = make()
        ids = [f"r{n * 37 % 200:03}" for n in range(200)]
        for start in range(0, 200, 50):
            some = ids[start : start + 50]
            index.apply([Record(i, "equal words" + " more" * (i < "r020")) for i in some])
        everything = index.search("equal words more", 200)
        assert len(everything) == 200
        for score in {hit.score for hit in everything}:
            tied = [hit.id for hit in everything if hit.score == score]
            assert tied == sorted(tied)
        for k in (1, 5, 19, 20, 21, 64, 150):
            assert index.search("equal words more", k) == everything[:k]

    def test_highlight(self, index: LexicalIndex) -> None:
        text = "Sleeping dogs, a cat and R123-78"
        assert [text[a:b] for a, b in index.highlight("the CATS slept? sleep r123-78", text)] == [
            "Sleeping",
            "cat",
            "R123-78",
        ]
        assert index.highlight("nothing", text) == []

    def test_matched_terms(self, index: LexicalIndex) -> None:
        assert index.matched_terms("sleeping dogs and cats", RECORDS[0]) == ("cat", "sleeps")
        assert index.matched_terms("cats", RECORDS[4]) == ()

    def test_another_analyzer(self, make: Make) -> None:
        index = make(analyzer=Analyzer(preprocess_func=lambda text: text.split("|"), name="bars"))
        index.apply([Record("a", "New York|NY"), Record("b", "York|New|")])
        assert found(index, "New York") == ["a"]
        assert found(index, "York") == ["b"]

    def test_a_megabyte_of_query(self, make: Make) -> None:
        index = make()
        index.apply([Record(f"r{n}", f"common rare{n}") for n in range(300)])
        query = " ".join(["common", *(f"rare{n} nothing{n}" for n in range(100_000))])
        hits = index.search(query, 10, syntax="simple")
        assert len(hits) == 10
        most = hits.ceiling
        assert most is None or hits[0].score <= most

    @pytest.mark.parametrize("limit", [0, 1, 2, 100])
    @pytest.mark.parametrize("where", [None, {"kind": "pet"}, {"kind": "unknown"}])
    def test_a_plan_is_the_count_and_few_ids(
        self, index: LexicalIndex, where: dict[str, object] | None, limit: int
    ) -> None:
        tree = None if where is None else parse(where)
        ids = set(index.match(tree))
        plan = index.plan(tree, limit)
        assert (plan.passing, plan.total) == (len(ids), len(RECORDS))
        assert (plan.ids is None) == (len(ids) > limit)
        assert plan.ids is None or set(plan.ids) == ids
