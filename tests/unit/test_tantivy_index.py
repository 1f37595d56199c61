"""What is particular to TantivyIndex: fields, segments, limits."""

from __future__ import annotations

import stat
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.core.filters import Ids, all_of, parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical import scoring
from langchain_chroma_hybrid.lexical.tantivy import view
from langchain_chroma_hybrid.lexical.tantivy.filters import FilterCompiler
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from pathlib import Path


def found(index: TantivyIndex, query: str, **options: object) -> list[str]:
    return [hit.id for hit in index.search(query, 10, **options)]


def segments(folder: Path) -> int:
    return len({file.name.partition(".")[0] for file in folder.glob("*.store")})


def test_fields_from_metadata() -> None:
    fields = {"page_content": 1.0, "title": 3.0, "tags": 1.0, "year": 1.0}
    index = TantivyIndex(lexical_fields=fields)
    index.apply(
        [
            Record("a", "zebra", {"title": "lions", "tags": ["big cats", "savanna"], "year": 1984}),
            Record("b", "lions", {"title": "zebra", "page_content": "hidden", "year": 2.5}),
            Record("c", None, {"title": "giraffe"}),
        ]
    )
    assert found(index, "lion") == ["a", "b"]
    assert found(index, "zebras") == ["b", "a"]
    assert found(index, "cat") == ["a"]
    assert found(index, "1984") == ["a"]
    assert found(index, "2.5") == ["b"]
    assert found(index, "giraffes") == ["c"]
    assert found(index, "hidden") == []
    assert index.matched_terms("lions 1984 giraffe", Record("x", None, {"year": 1984})) == ("1984",)


def test_a_field_that_is_not_searched() -> None:
    index = TantivyIndex(lexical_fields={"title": 1})
    index.apply([Record("a", "text", {"title": "name"})])
    assert found(index, "text") == []
    assert found(index, "name") == ["a"]


@pytest.mark.parametrize(
    "fields", [{}, {"a": 0}, {"a": -1}, {"a": float("inf")}, {1: 1}, {"a": "x"}]
)
def test_fields_that_cannot_be(fields: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match="lexical_fields"):
        TantivyIndex(lexical_fields=fields)


def test_phrases_do_not_reach_over_list_elements() -> None:
    index = TantivyIndex(lexical_fields={"tags": 1})
    index.apply([Record("a", None, {"tags": ["red house", "blue door"]})])
    assert found(index, '"blue door"', syntax="simple") == ["a"]
    assert found(index, '"house blue"', syntax="simple") == []


def test_few_segments_after_many_small_applies(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "index")
    for n in range(60):
        index.apply([Record(f"r{n}", f"word{n}")])
    assert segments(tmp_path / "index") <= 20
    assert index.count() == 60
    index.close()


@pytest.mark.long
def test_few_segments_after_two_thousand_applies(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "index")
    for n in range(2000):
        index.apply([Record(f"r{n}", f"word{n} and more")])
    assert segments(tmp_path / "index") <= 20
    assert index.count() == 2000
    assert found(index, "word77") == ["r77"]
    index.close()


def test_of_too_many_words_the_rarest_count() -> None:
    index = TantivyIndex()
    count = scoring.MAX_TERMS + 50
    index.apply([Record(f"r{n}", f"common rare{n}") for n in range(count)])
    query = "common " + " ".join(f"rare{n}" for n in range(count))
    hits = index.search(query, count)
    assert len(hits) == scoring.MAX_TERMS
    assert max(hit.score for hit in hits) <= index.max_score(query)


def test_many_ids_as_filter() -> None:
    index = TantivyIndex()
    index.apply([Record(f"r{n:05}", "word" if n % 2 else "other") for n in range(3000)])
    some = frozenset(f"r{n:05}" for n in range(0, 3000, 3))
    assert set(index.match(Ids(some))) == some
    assert all(hit.id in some for hit in index.search("word", 2000, where=Ids(some)))
    assert index.match_count(Ids(some)) == 1000


def test_a_second_object_sees_every_commit(tmp_path: Path) -> None:
    one, other = TantivyIndex(tmp_path), TantivyIndex(tmp_path)
    one.apply([Record("a", "cat", {"n": 1})])
    assert found(other, "cat") == ["a"]
    assert other.count() == 1
    other.apply([Record("b", "cat", {"n": 2})], ["a"])
    assert found(one, "cat") == ["b"]
    assert one.match(parse({"n": {"$gt": 0}})) == ["b"]
    one.clear()
    assert list(other.ids()) == []


def test_commits_of_others_are_counted_and_own_ones_are_not(tmp_path: Path) -> None:
    one, other = TantivyIndex(tmp_path), TantivyIndex(tmp_path)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            one.count()
            time.sleep(0)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(20):
        one.apply([Record(f"own{n}", "words", {})])
    assert one.foreign_commits() == 0
    for n in range(5):
        before = one.foreign_commits()
        other.apply([Record(f"other{n}", "words", {})])
        one.apply([Record(f"again{n}", "words", {})])
        assert one.foreign_commits() > before
    done.set()
    for reader in readers:
        reader.join()
    before = one.foreign_commits()
    with pytest.raises(InvalidArgumentError):
        one.apply([Record("wrong", "words", {"n": object()})])
    one.clear()
    assert one.foreign_commits() == before
    assert TantivyIndex(tmp_path).foreign_commits() == 0


def test_opening_again_finds_everything(tmp_path: Path) -> None:
    first = TantivyIndex(tmp_path / "deep" / "index", lexical_fields={"page_content": 1, "t": 1})
    first.apply([Record("a", "cat", {"t": "title"}), Record("x" * 70_000, None, {"n": 2**63 - 1})])
    digests = first.digests()
    first.close()
    again = TantivyIndex(tmp_path / "deep" / "index", lexical_fields={"t": 5, "page_content": 1})
    assert again.digests() == digests
    assert found(again, "title") == ["a"]
    assert again.match(parse({"n": {"$gte": 2**63 - 1}})) == ["x" * 70_000]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no mode")
def test_the_folder_is_private(tmp_path: Path) -> None:
    TantivyIndex(tmp_path / "index").close()
    assert stat.S_IMODE((tmp_path / "index").stat().st_mode) == 0o700


def searches(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each search that tantivy is asked for from now on."""
    asked: list[object] = []
    compile_ = FilterCompiler.compile

    def watched(self: FilterCompiler, where: object) -> object:
        asked.append(where)
        return compile_(self, where)

    monkeypatch.setattr(FilterCompiler, "compile", watched)
    return asked


def test_what_passed_a_filter_is_remembered_until_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = TantivyIndex(tmp_path / "i"), TantivyIndex(tmp_path / "i")
    filters = [parse({"n": value}) for value in (1, True, 2.5)]
    index.apply([Record("int", "x", {"n": 1}), Record("bool", "x", {"n": True})])
    asked = searches(monkeypatch)
    for _ in range(2):
        assert [index.match(where) for where in filters] == [["int"], ["bool"], []]
        assert [index.match_count(where) for where in filters] == [1, 1, 0]
        assert len(asked) == 6
    index.match(filters[0]).clear()  # a caller's own list
    other.apply([Record("float", "x", {"n": 2.5})], ["int"])
    assert [index.match(where) for where in filters] == [[], ["bool"], ["float"]]
    assert [index.match_count(where) for where in filters] == [0, 1, 1]


def test_more_filters_than_a_view_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_MOST_IDS", 45)
    index = TantivyIndex()
    index.apply([Record(f"r{n}", "x", {"n": n}) for n in range(8)])
    asked = searches(monkeypatch)
    for _ in range(2):
        for n in range(8):
            assert index.match(parse({"n": n})) == [f"r{n}"]
            assert index.match_count(parse({"n": {"$lte": n}})) == n + 1
    assert len(asked) == 32
    held = [*index._view._counts, *index._view._ids]
    assert 1 <= len(held) <= 4


def test_candidates_of_a_filter_that_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    index = TantivyIndex()
    index.apply([Record(f"r{n}", "x", {"n": n, "even": n % 2 == 0}) for n in range(20)])
    filters = [parse({"even": True}), parse({"$and": [{"even": True}, {"n": {"$gt": 5}}]})]
    for where, least in zip(filters, (0, 6), strict=True):
        assert index.match_count(where) == len(range(least, 20, 2))
        asked, after = searches(monkeypatch), []
        for turn in range(8):
            some = Ids(frozenset({f"r{turn}", f"r{turn + 6}", "nobody"}))
            wanted = {f"r{n}" for n in (turn, turn + 6) if n % 2 == 0 and n >= least}
            assert set(index.match(all_of(where, some))) == wanted
            both = all_of(where, some, Ids(frozenset({f"r{turn}"})))
            assert set(index.match(both)) == wanted & {f"r{turn}"}
            after.append(len(asked))
        # Three looks, two of them in the first turn, then once for all that pass.
        assert after[0] < after[1] == after[-1]
    index.apply([], ["r8"])
    assert "r8" not in index.match(all_of(filters[0], Ids(frozenset({"r8", "r10"}))))
