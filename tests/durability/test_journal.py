"""What is on disk before Chroma is touched, and who may touch it later."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.engine.sync import write_ahead_log as module
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from langchain_chroma_hybrid.testing.lexical_journal_suite import JournalSuite
from tests.durability.processes import ended, halves, started, wait_until
from tests.durability.workers import Log, numbered, open_store, work_for_ever

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


def orphans(folder: Path) -> tuple[frozenset[str] | None, bool]:
    with WriteAheadLog(folder).take_over() as found:
        return found.ids, found.living


def begin_and_die(folder: Path, ids: Collection[str]) -> None:
    WriteAheadLog(folder).begin(ids)
    os.kill(os.getpid(), signal.SIGKILL)


class TestWriteAheadLog(JournalSuite):
    @pytest.fixture
    def writer(self, tmp_path: Path) -> Callable[[], WriteAheadLog]:
        return lambda: WriteAheadLog(tmp_path)

    @pytest.fixture
    def killed(self, tmp_path: Path) -> Callable[[Collection[str]], None]:
        def die(ids: Collection[str]) -> None:
            assert ended(started(begin_and_die, tmp_path, ids)) == -signal.SIGKILL

        return die

    def test_no_file_is_left_when_all_is_done(self, tmp_path: Path) -> None:
        log = WriteAheadLog(tmp_path)
        log.done([log.begin(["a"]), log.begin(["b"])])
        log.close()
        assert list(tmp_path.iterdir()) == []


def test_entries_are_there_until_they_are_done(tmp_path):
    log = WriteAheadLog(tmp_path)
    numbers = [log.begin([f"id{n}", 'quote " and\nline \u2028 日本']) for n in range(3)]
    (path,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)[0] for line in path.read_text().splitlines()] == ["id0", "id1", "id2"]
    log.done(numbers[:2])
    log.close()
    assert orphans(tmp_path) == ({"id0", "id1", "id2", 'quote " and\nline \u2028 日本'}, False)


@pytest.mark.parametrize(
    ("tail", "ids"),
    [(b'["torn', {"whole"}), (b"\xff\xfe", {"whole"}), (b"garbage\n", None), (b"7\n", None)],
)
def test_torn_and_garbled_lines(tmp_path, tail, ids):
    (tmp_path / "dead.jsonl").write_bytes(b'["whole"]\n' + tail)
    assert orphans(tmp_path) == (ids, False)


def test_a_writer_that_never_pauses_does_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_COMPACT_ABOVE", 1_000)
    log = WriteAheadLog(tmp_path)
    last = log.begin(["first"])
    for n in range(200):
        before, last = last, log.begin([f"id{n}"])
        log.done([before])
    (path,) = tmp_path.glob("*.jsonl")
    assert path.stat().st_size < 1_100
    log.close()
    found, _ = orphans(tmp_path)
    assert found is not None
    assert "id199" in found


def test_one_process_is_killed_while_another_writes(tmp_path):
    """The living one repairs what the dead one left, and nobody touches its own journal."""
    folder, log = tmp_path / "db", tmp_path / "log"
    store = open_store(folder, max_age=0)
    store.add_texts(["words of mine"], ids=["mine"])
    store.similarity_search("words", mode="lexical")
    for seed in range(3):
        process = started(work_for_ever, folder, seed, log)
        wait_until(lambda: sum(kind == "done" for kind, _ in Log(log).read()) > 6)
        store.add_texts(["more words of mine"], ids=["waiting"])
        process.kill()
        assert ended(process) != 0
        # Not closed and opened: the living process finds what the dead one left.
        store.similarity_search("words", mode="lexical")
        assert store.verify().ok
        Log(log)._path.unlink()
    store.delete(["mine", *numbered(range(100))])
    store._index.close()
    store._client.close()
    chroma, index, texts = halves(folder)
    assert index == chroma
    assert texts["waiting"] == "more words of mine"
