"""What the journal of an index (`Journaled`) has to do: subclass the suite in a test.

```text
class TestMyJournal(JournalSuite):
    @pytest.fixture
    def writer(self, tmp_path):
        return lambda: MyIndex(tmp_path).journal()
```

Needs pytest; import it from `langchain_chroma_hybrid.testing.lexical_journal_suite`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from langchain_chroma_hybrid.lexical.protocol import Journal, Unfinished

    Writer: TypeAlias = Callable[[], Journal]
    Killed: TypeAlias = Callable[[Collection[str]], None]

__all__ = ["JournalSuite"]

ODD = ["", " ", 'quote " and\nline \u2028 日本', "😀", "a\\b", "x" * 5_000]


def left(journal: Journal) -> Unfinished:
    """What dead writers left, taken over by `journal` and finished."""
    with journal.take_over() as found:
        return found


class JournalSuite:
    """Override the fixture `writer`, and `killed` where writers are processes."""

    @pytest.fixture
    def writer(self) -> Writer:
        """Gives a new writer's journal, each time over the same index, empty before the test."""
        raise NotImplementedError

    @pytest.fixture
    def killed(self, writer: Writer) -> Killed:
        """Has a writer note ids and die; over when every other one sees that it is dead."""

        def die(ids: Collection[str]) -> None:
            journal = writer()
            journal.begin(ids)
            journal.close()

        return die

    def test_nothing_is_left_where_nothing_was_begun(self, writer: Writer) -> None:
        found = left(writer())
        assert (found.ids, found.living, found.put_off) == (frozenset(), False, frozenset())

    def test_what_a_dead_writer_has_begun_is_taken_over_once(
        self, writer: Writer, killed: Killed
    ) -> None:
        killed(ODD)
        mine = writer()
        found = left(mine)
        assert (found.ids, found.living) == (frozenset(ODD), False)
        assert left(mine).ids == left(writer()).ids == frozenset()

    def test_what_is_done_is_forgotten(self, writer: Writer) -> None:
        journal = writer()
        numbers = [journal.begin(["a"]), journal.begin(["b", "c"])]
        assert len(set(numbers)) == 2
        journal.done(numbers)
        journal.done(numbers)
        journal.close()
        journal.close()
        found = left(writer())
        assert (found.ids, found.living) == (frozenset(), False)

    def test_what_is_not_done_is_there_for_the_next(self, writer: Writer) -> None:
        journal = writer()
        done = journal.begin(["a"])
        journal.begin(["b"])
        journal.done([done])
        journal.close()
        ids = left(writer()).ids
        assert ids is not None
        assert "b" in ids

    def test_nobody_touches_a_living_writers(self, writer: Writer) -> None:
        journal, other = writer(), writer()
        number = journal.begin(["a", "b"])
        for _ in range(2):
            found = left(other)
            assert (found.ids, found.living) == (frozenset(), True)
            assert found.put_off == {"a", "b"}
        own = left(journal)
        assert (own.ids, own.living, own.put_off) == (frozenset(), False, frozenset())
        journal.done([number])
        found = left(other)
        assert (found.living, found.put_off) == (False, frozenset())
        journal.begin(["c"])
        journal.close()
        assert left(other).ids == frozenset("c")

    def test_it_is_left_again_where_finishing_fails(self, writer: Writer, killed: Killed) -> None:
        killed(["a"])
        mine = writer()
        with pytest.raises(ZeroDivisionError), mine.take_over():
            raise ZeroDivisionError
        assert left(writer()).ids == frozenset("a")
        assert left(mine).ids == frozenset()

    def test_dead_and_living_beside_each_other(self, writer: Writer, killed: Killed) -> None:
        killed(["a", "b"])
        killed(["b", "c"])
        journal = writer()
        journal.begin(["living"])
        found = left(writer())
        assert (found.ids, found.living) == (frozenset("abc"), True)
        assert found.put_off == {"living"}

    def test_two_at_once_do_not_get_the_same(self, writer: Writer, killed: Killed) -> None:
        killed(["a"])
        with writer().take_over() as first, writer().take_over() as second:
            assert first.ids == frozenset("a")
            assert second.ids == frozenset()
        killed([f"id{n}" for n in range(100)])
        seen: list[str] = []
        start = threading.Barrier(4)

        def take(journal: Journal) -> None:
            start.wait(30)
            with journal.take_over() as found:
                seen.extend(found.ids or ())

        _together([lambda: take(writer()) for _ in range(4)])
        assert sorted(seen) == sorted({*seen})
        assert len(seen) == 100

    def test_from_many_threads(self, writer: Writer) -> None:
        journal, kept = writer(), set[str]()

        def work(thread: int) -> None:
            for n in range(20):
                number = journal.begin([f"{thread}-{n}"])
                if n % 2:
                    journal.done([number])
                else:
                    kept.add(f"{thread}-{n}")

        _together([lambda n=n: work(n) for n in range(8)])  # type: ignore[misc]
        journal.close()
        ids = left(writer()).ids
        assert ids is not None
        assert ids >= kept

    def test_a_large_write(self, writer: Writer, killed: Killed) -> None:
        ids = [f"{n:040}" for n in range(20_000)]
        journal = writer()
        journal.done([journal.begin(ids)])
        journal.close()
        killed(ids)
        assert left(writer()).ids == frozenset(ids)


def _together(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
