"""Whatever instant a process is killed at: after reopening both halves hold the same records."""

from __future__ import annotations

import random
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import TantivyIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.sync.failpoints import FAILPOINTS
from tests.durability.processes import acknowledged, ended, halves, started, wait_until
from tests.durability.workers import (
    DROPS,
    WRITES,
    Log,
    count_steps,
    fill,
    mutate_until,
    work_for_ever,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

KILLED = -getattr(signal, "SIGKILL", signal.SIGTERM)
OF_WRITES, OF_DROPS = FAILPOINTS[:8], FAILPOINTS[8:]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "db"
    process = started(fill, folder)
    assert ended(process) == 0
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "db")


@pytest.mark.parametrize("mutator", [*WRITES, *DROPS])
def test_every_mutator_passes_every_step(mutator: str, folder: Path, tmp_path: Path):
    assert ended(started(count_steps, folder, mutator, tmp_path / "log")) == 0
    ((_, seen),) = Log(tmp_path / "log").read()
    assert set(OF_WRITES if mutator in WRITES else OF_DROPS) <= set(seen)


def some(mutators: Iterable[str], steps: Sequence[str]) -> list[Any]:
    """Each mutator at one step, another for each; the other pairs are long."""
    return [
        pytest.param(mutator, step, marks=[] if n % len(steps) == at else [pytest.mark.long])
        for n, mutator in enumerate(mutators)
        for at, step in enumerate(steps)
    ]


@pytest.mark.parametrize(("mutator", "step"), some(WRITES, OF_WRITES))
def test_killed_at_a_step_of_a_write(mutator: str, step: str, folder: Path, tmp_path: Path):
    process = started(mutate_until, folder, mutator, step, tmp_path / "log")
    assert ended(process) == KILLED
    chroma, index, texts = halves(folder)
    assert index == chroma
    expected, _ = acknowledged(tmp_path / "log")
    assert {id_: texts.get(id_) for id_ in expected} == expected


@pytest.mark.parametrize(("mutator", "step"), some(DROPS, OF_DROPS))
def test_killed_at_a_step_of_the_end(mutator: str, step: str, folder: Path, tmp_path: Path):
    process = started(mutate_until, folder, mutator, step, tmp_path / "log")
    assert ended(process) == KILLED
    chroma, index, _ = halves(folder)
    assert chroma == index == {}
    assert len(list((folder / "lexical").iterdir())) == 1


def test_files_of_a_killed_commit_are_no_obstacle(tmp_path: Path):
    folder = tmp_path / "index"
    index = TantivyIndex(folder)
    index.apply([Record(f"id{i}", f"words {i}") for i in range(5)])
    committed = (folder / "meta.json").read_bytes()
    index.apply([], ["id1"])
    index.close()
    # A process killed before the last step of this commit leaves all of its files but this one.
    (folder / "meta.json").write_bytes(committed)
    index = TantivyIndex(folder)
    assert index.count() == 5
    index.apply([], ["id1"])
    assert sorted(index.ids()) == ["id0", "id2", "id3", "id4"]


def kill_at_random(folder: Path, log: Path, seed: int) -> None:
    """One process that works until it is killed at some instant, and what it leaves."""
    before = len([kind for kind, _ in Log(log).read() if kind == "ready"])
    process = started(work_for_ever, folder, seed, log)
    wait_until(lambda: sum(kind == "ready" for kind, _ in Log(log).read()) > before)
    instant = random.Random(seed).uniform(0.0, 0.4)  # noqa: S311  # no secret
    time.sleep(instant)
    process.kill()
    assert ended(process) == KILLED
    chroma, index, texts = halves(folder)
    assert index == chroma
    expected, open_ids = acknowledged(log)
    sure = {id_: text for id_, text in expected.items() if id_ not in open_ids}
    assert {id_: texts.get(id_) for id_ in sure} == sure
    # What was not acknowledged may be there or not; from now on it is as it is.
    Log(log).write("done", {id_: texts.get(id_) for id_ in open_ids})


def test_killed_at_random_instants(tmp_path: Path):
    for seed in range(3):
        kill_at_random(tmp_path / "db", tmp_path / "log", seed)
    kinds = [kind for kind, _ in Log(tmp_path / "log").read()]
    assert kinds.count("done") > 6


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_five_hundred_times(tmp_path: Path):
    for seed in range(1000, 1500):
        kill_at_random(tmp_path / f"db{seed // 50}", tmp_path / f"log{seed // 50}", seed)
