"""What is on disk before Chroma is touched, and who may touch it later."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.engine.sync import write_ahead_log as module
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from tests.durability.processes import ended, halves, started, wait_until
from tests.durability.workers import Log, numbered, open_store, work_for_ever

if TYPE_CHECKING:
    from pathlib import Path


def orphans(folder: Path) -> tuple[frozenset[str] | None, bool]:
    with WriteAheadLog(folder).take_over() as found:
        return found.ids, found.living


def test_entries_are_there_until_they_are_done(tmp_path):
    log = WriteAheadLog(tmp_path)
    numbers = [log.begin([f"id{n}", 'quote " and\nline \u2028 日本']) for n in range(3)]
    (path,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)[0] for line in path.read_text().splitlines()] == ["id0", "id1", "id2"]
    log.done(numbers[:2])
    log.close()
    assert orphans(tmp_path) == ({"id0", "id1", "id2", 'quote " and\nline \u2028 日本'}, False)


def test_nothing_is_left_when_all_is_done(tmp_path):
    log = WriteAheadLog(tmp_path)
    log.done([log.begin(["a"]), log.begin(["b"])])
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_living_writers_journal_is_not_touched(tmp_path):
    log = WriteAheadLog(tmp_path)
    number = log.begin(["a"])
    assert orphans(tmp_path) == (frozenset(), True)
    log.done([number])
    assert orphans(tmp_path) == (frozenset(), False)
    log.begin(["b"])
    log.close()
    assert orphans(tmp_path) == ({"b"}, False)
    assert orphans(tmp_path) == (frozenset(), False)


def test_journals_stay_when_the_repair_fails(tmp_path):
    log = WriteAheadLog(tmp_path)
    log.begin(["a"])
    log.close()
    with pytest.raises(RuntimeError), WriteAheadLog(tmp_path).take_over():
        raise RuntimeError
    assert orphans(tmp_path) == ({"a"}, False)


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


def test_from_many_threads(tmp_path):
    log = WriteAheadLog(tmp_path)
    kept: list[str] = []

    def work(thread: int) -> None:
        for n in range(20):
            number = log.begin([f"{thread}-{n}"])
            if n % 2:
                log.done([number])
            else:
                kept.append(f"{thread}-{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    found, _ = orphans(tmp_path)
    assert found is not None
    assert found >= set(kept)


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
