"""Killed writers, several processes on one folder."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import IndexLockedError
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BATCH = 5
KILLS = 3

PRELUDE = """
import sys
from pathlib import Path
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

def say(what):
    print(what, flush=True)

index = TantivyIndex(Path(sys.argv[1]))
"""

WRITER = f"""
first, last, name = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
for n in range(first, last):
    ids = [f"{{name}}{{n}}-{{i}}" for i in range({BATCH})]
    records = [Record(record_id, f"batch {{name}}", {{"n": n}}) for record_id in ids]
    index.apply([*records, Record(name, "counter", {{"count": n}})], [f"{{name}}{{n - 3}}-0"])
    say(n)
"""

HOLDER = """
import time
with index.locked():
    say("held")
    time.sleep(60)
"""

READER = """
say("ready")
for line in sys.stdin:
    say(" ".join(hit.id for hit in index.search(line, 100)))
"""


@contextmanager
def process(script: str, folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PRELUDE + textwrap.dedent(script),
            str(folder),
            *map(str, arguments),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def check(folder: Path, acknowledged: int) -> int:
    """Everything up to `acknowledged` is there, later batches wholly or not at all."""
    index = TantivyIndex(folder)
    counts = [n for n in range(-1, acknowledged + 3) if index.match(parse({"count": n}))]
    assert len(counts) == 1, "the counter record is there once"
    last = counts[0]
    assert last >= acknowledged
    present = set(index.ids())
    for n in range(last + 1):
        gone = n <= last - 3
        batch = {f"w{n}-{i}" for i in range(1 if gone else 0, BATCH)}
        assert batch <= present
        assert (f"w{n}-0" in present) is not gone
    assert not {f"w{last + 1}-{i}" for i in range(BATCH)} & present
    assert index.count() == len(present) == len(index.digests())
    assert len(index.search("batch", 10_000)) == len(present) - 1
    index.close()
    return last


def test_kills_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    chance = random.Random(7)  # noqa: S311 - when to kill is no secret
    index = TantivyIndex(folder)
    index.apply([Record("w", "counter", {"count": -1})])
    index.close()
    last = -1
    for _ in range(KILLS):
        with process(WRITER, folder, last + 1, last + 1000, "w") as writer:
            for _ in range(chance.randint(1, 4)):
                acknowledged = int(line(writer))
            time.sleep(chance.random() * 0.06)
            writer.kill()
            rest = writer.communicate()[0].split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        last = check(folder, acknowledged)
    index = TantivyIndex(folder)
    index.apply([], list(index.ids()))
    assert index.count() == 0
    assert not list(folder.glob(".tmp*"))


def test_two_writers_both_succeed(tmp_path: Path) -> None:
    with (
        process(WRITER, tmp_path / "index", 0, 6, "a") as one,
        process(WRITER, tmp_path / "index", 0, 6, "b") as other,
    ):
        assert one.wait(60) == other.wait(60) == 0
    index = TantivyIndex(tmp_path / "index")
    assert index.count() == 2 * (6 * BATCH - 3 + 1)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "index", lock_timeout=0.2)
    with process(HOLDER, tmp_path / "index") as holder:
        assert line(holder) == "held"
        with pytest.raises(IndexLockedError, match="another process"):
            index.apply([Record("a", "cat")])
        assert index.count() == 0
        holder.kill()
        holder.wait()
        index.apply([Record("a", "cat")])
    assert index.count() == 1


def test_a_reader_sees_the_commits_of_another_process(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "index")
    with process(READER, tmp_path / "index") as reader:
        assert line(reader) == "ready"
        assert reader.stdin is not None
        for n in range(3):
            index.apply([Record(f"r{n}", "cat")], [f"r{n - 2}"])
            reader.stdin.write("cats\n")
            reader.stdin.flush()
            assert line(reader).split() == [f"r{i}" for i in range(max(0, n - 1), n + 1)]
