"""What every lexical index does, whatever is behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

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
from langchain_chroma_hybrid.core.values import Record, digest
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError
from langchain_chroma_hybrid.lexical.protocol import LexicalIndex
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from pathlib import Path

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

Make = Callable[..., LexicalIndex]


@pytest.fixture(params=["tantivy-disk", "tantivy-ram", "okapi", "l", "plus"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[LexicalIndex] = []

    def build(**options: object) -> LexicalIndex:
        if request.param == "tantivy-disk":
            index: LexicalIndex = TantivyIndex(tmp_path / f"index{len(made)}", **options)
        elif request.param == "tantivy-ram":
            index = TantivyIndex(**options)
        else:
            index = RankBM25Index(request.param, **options)
        made.append(index)
        return index

    yield build
    for index in made:
        index.close()


@pytest.fixture
def index(make: Make) -> LexicalIndex:
    built = make()
    built.apply(RECORDS)
    return built


def found(index: LexicalIndex, query: str, k: int = 10, **options: object) -> list[str]:
    return [hit.id for hit in index.search(query, k, **options)]


def test_is_a_lexical_index(index: LexicalIndex) -> None:
    assert isinstance(index, LexicalIndex)
    assert isinstance(index.capabilities.durable, bool)


def test_holds_what_was_applied(index: LexicalIndex) -> None:
    assert index.count() == len(RECORDS)
    assert sorted(index.ids()) == sorted(record.id for record in RECORDS)
    assert index.digests() == {record.id: digest(record) for record in RECORDS}


def test_tells_which_records_have_no_text(index: LexicalIndex) -> None:
    texts = {"none": None, "empty": "", "blank": " \n", "signs": "?! …", "word": "x"}
    index.apply([Record(id_, text) for id_, text in texts.items()])
    wordless = index.without_text()
    assert wordless & texts.keys() == texts.keys() - {"word"}
    assert index.without_text(["none", "word", "unknown"]) == {"none"}
    assert index.without_text([]) == frozenset()
    index.apply([Record("none", "now a word")], ["signs"])
    assert index.without_text() == wordless - {"none", "signs"}


def test_finds_by_any_query_term_and_only_then(index: LexicalIndex) -> None:
    assert set(found(index, "sleeping cats")) == {"cat", "dog"}
    assert found(index, "sleeping cats")[0] == "cat"
    assert found(index, "garden")
    assert set(found(index, "garden")) == {"dog", "bare"}
    assert found(index, "R123-78") == ["car"]
    assert found(index, "東京") == ["空 é\0'\""]
    assert found(index, "zeppelin") == []


def test_scores_descend_and_stay_below_the_bound(index: LexicalIndex) -> None:
    hits = index.search("cat garden oil the", 10)
    scores = [hit.score for hit in hits]
    assert len(hits) == 4
    assert scores == sorted(scores, reverse=True)
    assert max(scores) <= index.max_score("cat garden oil the")


@pytest.mark.parametrize("query", ["", "   ", "\0", "!?", "\ud800", "\n\t"])
@pytest.mark.parametrize("syntax", ["plain", "simple"])
def test_an_empty_query_finds_nothing(index: LexicalIndex, query: str, syntax: str) -> None:
    assert index.search(query, 5, syntax=syntax) == []
    assert index.max_score(query, syntax=syntax) == 0.0


def test_an_empty_index_answers_everything(make: Make) -> None:
    index = make()
    assert index.search("cat", 5) == []
    assert index.max_score("cat") == 0.0
    assert index.match(None) == []
    assert list(index.ids()) == []
    assert index.digests() == {}
    assert index.match_count(parse({"n": {"$ne": 1}})) == index.count() == 0
    index.apply([], [])
    index.apply([], ["unknown"])
    assert index.count() == 0


def test_records_without_any_word(make: Make) -> None:
    index = make()
    index.apply([Record("a", None, {"n": 1}), Record("b", "")])
    assert index.search("cat", 5) == []
    assert index.match(parse({"n": 1})) == ["a"]


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_filters_mean_what_chroma_means(index: LexicalIndex, where: dict[str, object]) -> None:
    tree = parse(where)
    expected = {record.id for record in RECORDS if matches(tree, record)}
    assert set(index.match(tree)) == expected
    assert index.match_count(tree) == len(expected)
    words = "cat dog engine oil 猫"
    assert set(found(index, words, where=tree)) == set(found(index, words)) & expected


def test_filters_leave_scores_alone(index: LexicalIndex) -> None:
    plain = {hit.id: hit.score for hit in index.search("cat garden", 10)}
    filtered = index.search("cat garden", 10, where=parse({"kind": "pet"}))
    assert {hit.id: hit.score for hit in filtered} == {key: plain[key] for key in ("cat", "dog")}


def test_ids_are_a_filter(index: LexicalIndex) -> None:
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


def test_limits(index: LexicalIndex) -> None:
    assert len(index.match(None, limit=2)) == 2
    assert index.match(None, limit=0) == []
    assert len(found(index, "cat oil", k=1)) == 1
    assert found(index, "cat oil", k=0) == []
    assert len(found(index, "cat oil", k=10**15)) == 4
    assert len(index.match(None, limit=10**15)) == len(RECORDS)


def test_what_is_not_supported_is_refused(index: LexicalIndex) -> None:
    for leaf in (TextMatch("$regex", "a.c"), Compare("chroma:document", "$eq", "x")):
        assert not index.supports(leaf)
        for call in (index.match, index.match_count, lambda w: index.search("cat", 5, where=w)):
            with pytest.raises(InvalidArgumentError, match="where"):
                call(AnyOf((leaf, Compare("n", "$eq", 1))))
    assert all(index.supports(leaf) for leaf in (Compare("n", "$gt", 1), Ids(frozenset({"a"}))))


def test_updates_replace_text_and_metadata(index: LexicalIndex) -> None:
    new = Record("cat", "A zebra", {"n": 9})
    index.apply([new])
    assert index.count() == len(RECORDS)
    assert found(index, "zebra") == ["cat"]
    assert found(index, "sleeps") == []
    assert "cat" not in index.match(parse({"kind": "pet"}))
    assert index.match(parse({"n": 9})) == ["cat"]
    assert index.digests()["cat"] == digest(new)


def test_deletes(index: LexicalIndex) -> None:
    index.apply([], ["dog", "unknown", "\ud800", "dog"])
    assert index.count() == len(RECORDS) - 1
    assert "dog" not in set(index.ids()) | set(index.digests()) | set(index.match(None))
    assert found(index, "chases") == []


def test_the_last_of_several_records_with_one_id_counts(make: Make) -> None:
    index = make()
    index.apply([Record("a", "first"), Record("b", "other"), Record("a", "second")], ["a", "b"])
    assert index.count() == 2
    assert found(index, "first") == []
    assert found(index, "second") == ["a"]


def test_a_bad_record_changes_nothing(index: LexicalIndex) -> None:
    bad = [
        Record("\ud800", "text"),
        Record("a", 5),  # type: ignore[arg-type]
        Record("a", "x", {"k": object()}),  # type: ignore[dict-item]
        Record("a", "x", {"k": None}),  # type: ignore[dict-item]
        Record(7, "x"),  # type: ignore[arg-type]
        Record("a", "x", {"k": 10**400}),
    ]
    before = index.digests()
    for record in bad:
        with pytest.raises(InvalidArgumentError, match="upserts"):
            index.apply([Record("good", "cat"), record], ["cat"])
    assert index.digests() == before
    index.apply([Record("good", "zebra")])
    assert found(index, "zebra") == ["good"]


def test_odd_ids_and_texts_come_back(make: Make) -> None:
    index = make()
    ids = ["", " ", "x" * 70_000, "x" * 70_001, "\x1fab", "é" * 400, "a\0b", "a b", "*", "😀"]
    index.apply([Record(record_id, f"lone \ud800 word{n}") for n, record_id in enumerate(ids)])
    assert sorted(index.ids()) == sorted(ids) == sorted(index.digests())
    for n, record_id in enumerate(ids):
        assert found(index, f"word{n}") == [record_id]
        assert index.match(Ids(frozenset({record_id}))) == [record_id]
    index.apply([], ids[2:])
    assert sorted(index.ids()) == ["", " "]


def test_ties_are_in_id_order_and_top_k_is_a_prefix(make: Make) -> None:
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


def test_highlight(index: LexicalIndex) -> None:
    text = "Sleeping dogs, a cat and R123-78"
    assert [text[a:b] for a, b in index.highlight("the CATS slept? sleep r123-78", text)] == [
        "Sleeping",
        "cat",
        "R123-78",
    ]
    assert index.highlight("nothing", text) == []


def test_matched_terms(index: LexicalIndex) -> None:
    assert index.matched_terms("sleeping dogs and cats", RECORDS[0]) == ("cat", "sleeps")
    assert index.matched_terms("cats", RECORDS[4]) == ()


def test_another_analyzer(make: Make) -> None:
    index = make(analyzer=Analyzer(preprocess_func=lambda text: text.split("|"), name="bars"))
    index.apply([Record("a", "New York|NY"), Record("b", "York|New|")])
    assert found(index, "New York") == ["a"]
    assert found(index, "York") == ["b"]


def test_locked_may_be_nested_and_allows_apply(index: LexicalIndex) -> None:
    with index.locked(), index.locked():
        index.apply([Record("new", "zebra")])
    assert found(index, "zebra") == ["new"]


def test_clear(index: LexicalIndex) -> None:
    index.clear()
    assert index.count() == 0
    assert index.match(None) == []
    assert found(index, "cat") == []
    index.apply(RECORDS[:1])
    assert found(index, "cat") == ["cat"]


def test_reading_after_close_is_an_error(index: LexicalIndex) -> None:
    index.close()
    index.close()
    for call in (index.count, index.ids, index.digests, lambda: index.search("cat", 1)):
        with pytest.raises(LexicalIndexError, match="closed"):
            call()
    with pytest.raises(LexicalIndexError, match="closed"):
        index.apply(RECORDS[:1])


def test_a_megabyte_of_query(make: Make) -> None:
    index = make()
    index.apply([Record(f"r{n}", f"common rare{n}") for n in range(300)])
    query = " ".join(["common", *(f"rare{n} nothing{n}" for n in range(100_000))])
    hits = index.search(query, 10, syntax="simple")
    assert len(hits) == 10
    assert hits[0].score <= index.max_score(query)


def test_reads_beside_a_writer(make: Make) -> None:
    index = make()
    index.apply(RECORDS)
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                assert found(index, "sleeping")[:1] == ["cat"]
                assert index.match(parse({"n": 1})) == ["cat"]
                assert set(index.digests()) >= {"cat", "dog"}
            except BaseException as error:  # noqa: BLE001 - a thread cannot fail a test by itself
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(8):
        index.apply([Record(f"new{n}", "zebra"), RECORDS[0]], [f"new{n - 2}"])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
