"""What an index has to do to stand behind a collection: subclass the suite in a test.

```text
class TestMyIndex(LexicalIndexSuite):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda **options: MyIndex(tmp_path / uuid4().hex, **options)
```

`make` gives an empty index at each call; `options` may hold an `analyzer`. For an index that other
processes reach subclass `SharedIndexSuite`. Needs pytest; import it from
`langchain_chroma_hybrid.testing.lexical_suite`. What an engine cannot do, its `Capabilities` say,
and nothing of it is asked here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.core.filters import Ids, parse
from langchain_chroma_hybrid.core.values import Record, digest
from langchain_chroma_hybrid.errors import (
    IndexBoundError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.testing._lexical_reads import RECORDS, Make, Reads, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

__all__ = ["RECORDS", "LexicalIndexSuite", "SharedIndexSuite"]


class LexicalIndexSuite(Reads):
    """Override the fixture `make`."""

    def test_holds_what_was_applied(self, index: LexicalIndex) -> None:
        assert index.count() == len(RECORDS)
        assert sorted(index.ids()) == sorted(record.id for record in RECORDS)
        assert index.digests() == {record.id: digest(record) for record in RECORDS}

    def test_an_empty_index_answers_everything(self, make: Make) -> None:
        index = make()
        assert index.search("cat", 5) == []
        assert index.search("cat", 5).ceiling == 0.0
        assert index.match(None) == []
        assert list(index.ids()) == []
        assert index.digests() == {}
        assert index.match_count(parse({"n": {"$ne": 1}})) == index.count() == 0
        index.apply([], [])
        index.apply([], ["unknown"])
        assert index.count() == 0

    def test_updates_replace_text_and_metadata(self, index: LexicalIndex) -> None:
        new = Record("cat", "A zebra", {"n": 9})
        index.apply([new])
        assert index.count() == len(RECORDS)
        assert found(index, "zebra") == ["cat"]
        assert found(index, "sleeps") == []
        assert "cat" not in index.match(parse({"kind": "pet"}))
        assert index.match(parse({"n": 9})) == ["cat"]
        assert index.digests()["cat"] == digest(new)

    def test_deletes(self, index: LexicalIndex) -> None:
        index.apply([], ["dog", "unknown", "\ud800", "dog"])
        assert index.count() == len(RECORDS) - 1
        assert "dog" not in set(index.ids()) | set(index.digests()) | set(index.match(None))
        assert found(index, "chases") == []

    def test_the_last_of_several_records_with_one_id_counts(self, make: Make) -> None:
        index = make()
        index.apply([Record("a", "first"), Record("b", "other"), Record("a", "second")], ["a", "b"])
        assert index.count() == 2
        assert found(index, "first") == []
        assert found(index, "second") == ["a"]

    def test_a_bad_record_changes_nothing(self, index: LexicalIndex) -> None:
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

    def test_odd_ids_and_texts_come_back(self, make: Make) -> None:
        index = make()
        ids = ["", " ", "x" * 70_000, "x" * 70_001, "\x1fab", "é" * 400, "a\0b", "a b", "*", "😀"]
        index.apply([Record(record_id, f"lone \ud800 word{n}") for n, record_id in enumerate(ids)])
        assert sorted(index.ids()) == sorted(ids) == sorted(index.digests())
        for n, record_id in enumerate(ids):
            assert found(index, f"word{n}") == [record_id]
            assert index.match(Ids(frozenset({record_id}))) == [record_id]
        index.apply([], ids[2:])
        assert sorted(index.ids()) == ["", " "]

    def test_locked_may_be_nested_and_allows_apply(self, index: LexicalIndex) -> None:
        with index.locked(), index.locked():
            index.apply([Record("new", "zebra")])
        assert found(index, "zebra") == ["new"]

    def test_clear(self, index: LexicalIndex) -> None:
        index.clear()
        assert index.count() == 0
        assert index.match(None) == []
        assert found(index, "cat") == []
        index.apply(RECORDS[:1])
        assert found(index, "cat") == ["cat"]

    def test_state_lies_in_the_index_and_is_forgotten_with_the_process(
        self, index: LexicalIndex
    ) -> None:
        assert index.state("unknown") == {}
        for content in ({"ready": True, "token": [1, 2]}, {"ready": False, "text": "é"}):
            index.set_state("state", content)
            assert index.state("state") == (content if index.capabilities.durable else {})
        assert index.state("background") == {}
        assert index.count() == len(RECORDS)

    def test_it_belongs_to_one_collection(self, make: Make) -> None:
        index = make()
        for _ in range(2):
            index.bind("first", "folder")
        index.bind("first", "the same folder by another name")
        index.apply([Record("a", "cat")])
        for instead_of in (None, "unknown"):
            with pytest.raises(IndexBoundError, match=r"first at folder.*second at server") as told:
                index.bind("second", "server", instead_of=instead_of)
            assert (told.value.collection, told.value.place) == ("first", "folder")
        for name in ("state", "background"):
            index.set_state(name, {"ready": True})
        index.bind("second", "server", instead_of="first")
        assert (index.state("state"), index.state("background")) == ({}, {})
        with pytest.raises(IndexBoundError, match="second at server"):
            index.bind("first", "folder")
        make().bind("first", "folder")
        assert found(index, "cat") == ["a"]

    def test_reading_after_close_is_an_error(self, index: LexicalIndex) -> None:
        index.close()
        index.close()
        for call in (index.count, index.ids, index.digests, lambda: index.search("cat", 1)):
            with pytest.raises(LexicalIndexError, match="closed"):
                call()
        with pytest.raises(LexicalIndexError, match="closed"):
            index.apply(RECORDS[:1])

    def test_reads_beside_a_writer(self, make: Make) -> None:
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

    def test_the_version_is_another_one_after_each_commit(self, index: LexicalIndex) -> None:
        changes: list[Callable[[], None]] = [
            lambda: index.apply([Record("new", "zebra")]),
            lambda: index.apply([], ["new"]),
            index.clear,
        ]
        seen = [index.version()]
        for change in changes:
            index.search("cat", 5)
            assert index.version() == seen[-1]
            change()
            assert index.version() not in seen
            seen.append(index.version())


class SharedIndexSuite(LexicalIndexSuite):
    """The same for an index that others reach: override `again`, too.

    It gives another object over the same index, as another process would have it.
    """

    def test_two_objects_are_one_index(
        self, index: LexicalIndex, again: Callable[[LexicalIndex], LexicalIndex]
    ) -> None:
        other = again(index)
        assert other.signature == index.signature
        before = index.version(), index.foreign_commits()
        other.apply([Record("new", "zebra")], ["cat"])
        assert found(index, "zebra cats") == ["new", "dog"]
        assert index.version() != before[0]
        assert index.foreign_commits() > before[1]
        other.set_state("state", {"ready": True})
        other.bind("first", "folder")
        assert index.state("state") == {"ready": True}
        with pytest.raises(IndexBoundError, match="first at folder"):
            index.bind("second", "folder")

    def test_who_has_lost_the_index_writes_there_no_more(
        self, make: Make, again: Callable[[LexicalIndex], LexicalIndex]
    ) -> None:
        index = make()
        index.bind("first", "folder")
        index.apply([Record("a", "cat")])
        other = again(index)
        other.bind("second", "server", instead_of="first")
        writes: list[Callable[[], object]] = [
            lambda: index.apply([Record("b", "dog")]),
            lambda: index.set_state("state", {"ready": True}),
            index.clear,
        ]
        for write in writes:
            with pytest.raises(LexicalIndexError, match=r"second at server.*first"):
                write()
        assert (list(other.ids()), other.state("state")) == (["a"], {})
        other.apply([Record("c", "zebra")])
        with pytest.raises(LexicalIndexError, match="second at server"):
            index.search("zebra", 1)
        other.bind("first", "folder", instead_of="second")
        assert found(index, "zebra") == ["c"]
