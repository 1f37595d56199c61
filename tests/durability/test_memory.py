"""What the build of a large index takes in memory: the ids and a page, not the records."""

from __future__ import annotations

import sys
import uuid
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import TantivyIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.engine.sync.reconcile import repair, verify
from tests.durability.processes import ended, started
from tests.durability.workers import Log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MILLION = 1_000_000


class Made:
    """In the place of a Chroma collection: a million records that are made when they are read."""

    def ids(self) -> set[str]:
        chance = Random(1)  # noqa: S311  # no secret
        return {str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(MILLION)}

    def fetch(self, ids: Iterable[str]) -> dict[str, Record]:
        return {id_: Record(id_, id_.replace("-", " "), {"n": 1}) for id_ in ids}


def build(folder: Path, log: Path) -> None:
    import resource

    def used() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    store: Any = Made()
    index = TantivyIndex(folder)
    before = used()
    repair(verify(store, index, deep=False), store, index)
    assert verify(store, index, deep=False).ok
    Log(log).write("grown", (used() - before) * (1 if sys.platform == "darwin" else 1024))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the most memory used")
def test_a_million_records_take_less_than_500_megabytes(tmp_path: Path):
    process = started(build, tmp_path / "index", tmp_path / "log")
    process.join(3000)
    assert ended(process) == 0
    ((_, grown),) = Log(tmp_path / "log").read()
    assert grown < 500e6
