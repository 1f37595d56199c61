"""Eight processes over one Chroma server and one lexical index, while servers and they are killed.

`LCH_LOAD_SECONDS` says for how long, 600 if left out.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.engine.chroma.calls import pages
from tests.durability.load import Staleness, Told, opened, work
from tests.durability.processes import started, wait_until
from tests.integration.conftest import answers, free_port
from tests.postgres import own_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

SECONDS = float(os.environ.get("LCH_LOAD_SECONDS", "600"))
PROCESSES = 8
PAUSE = 10.0
# Seconds in which every process is heard of, and every write is found.
BOUND = 90.0
# What a call ends with whose server is away.
AWAY = {
    "ConnectError", "ReadError", "RemoteProtocolError", "WriteError", "LexicalIndexError",
    "ConnectionLostError", "SearchError", "UnansweredError",
}  # fmt: skip

Server = tuple[str, "Callable[[], None] | None"]


class ChromaServer:
    """`chroma run` over a folder, which can be killed and come back."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self.start()

    def start(self) -> None:
        command = [Path(sys.executable).with_name("chroma"), "run", "--host", "127.0.0.1"]
        place = ["--port", str(self.port), "--path", str(self._folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([*command, *place], **quiet)
        wait_until(lambda: answers(self.port), 60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def crash(self) -> None:
        """Away for a moment."""
        self.kill()
        time.sleep(1)
        self.start()


class Processes:
    """The processes that write and read, by their slots."""

    def __init__(self, port: int, address: str, folder: Path) -> None:
        self._where, self.folder = (port, address), folder
        self._seeds = itertools.count()
        self.running = [self._begin(slot) for slot in range(PROCESSES)]
        self._choose = random.Random(7)  # noqa: S311  # no secret

    def _begin(self, slot: int) -> BaseProcess:
        return started(work, *self._where, slot, self.folder, next(self._seeds))

    def crash(self) -> None:
        """Kill one of them, and begin another in its place."""
        slot = self._choose.randrange(PROCESSES)
        self.running[slot].kill()
        self.running[slot].join(30)
        self.running[slot] = self._begin(slot)

    def told(self) -> list[Told]:
        return [Told.by(self.folder / f"{slot}.log") for slot in range(PROCESSES)]

    def check(self) -> None:
        """All of them are alive, and none hangs."""
        for slot, (process, told) in enumerate(zip(self.running, self.told(), strict=True)):
            assert process.exitcode is None, f"process {slot} has ended: {told.failures[-3:]}"
            if told.alive:
                assert time.time() - told.alive < BOUND, f"process {slot} hangs"

    def stop(self) -> None:
        (self.folder / "stop").touch()
        for process in self.running:
            process.join(BOUND)

    def end(self) -> None:
        for process in self.running:
            process.kill()


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[ChromaServer]:
    server = ChromaServer(tmp_path / "chroma")
    yield server
    server.kill()


@pytest.fixture(params=["tantivy", "PostgreSQL"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    """The address of an index that all processes reach, and what kills its server, if any."""
    if request.param == "tantivy":
        return f"tantivy:{tmp_path / 'shared'}", None
    try:
        server = own_server()
    except LookupError as error:
        pytest.skip(str(error))

    def crash() -> None:
        server.kill()
        time.sleep(1)
        server.start()

    return f"{server.dsn}?schema=load&allow_unsafe=true", crash


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 300)
def test_nothing_is_lost_and_nobody_hangs(
    chroma: ChromaServer, index: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, crash_index = index
    folder = tmp_path / "work"
    folder.mkdir()
    opened(chroma.port, address, folder / "first").close()
    processes = Processes(chroma.port, address, folder)
    staleness = Staleness(chroma.port, address, folder, BOUND)
    reader = threading.Thread(target=staleness.look)
    reader.start()
    try:
        end = time.monotonic() + SECONDS
        crashes = [each for each in (processes.crash, crash_index, chroma.crash) if each]
        for crash in itertools.cycle(crashes):
            time.sleep(PAUSE)
            if time.monotonic() > end:
                break
            crash()
            processes.check()
        processes.stop()
        reader.join(2 * BOUND)
        assert not reader.is_alive(), "the reader hangs"
        told = processes.told()
        assert [each.stopped for each in told] == [True] * PROCESSES
    finally:
        (folder / "stop").touch()
        processes.end()
    with capsys.disabled():
        print(summary(told, staleness))  # noqa: T201  # what a load test is run for
    assert staleness.seconds
    assert not staleness.lost
    assert {*kinds(told)} <= AWAY
    with opened(chroma.port, address, folder / "last") as store:
        store.similarity_search("words", mode="lexical")
        for each in told:
            for page in pages([*{*each.state, *each.open}], 500):
                held = {d.id: d.page_content for d in store.get_by_ids(page)}
                wrong = {i: held.get(i) for i in page if not each.allows(i, held.get(i))}
                assert not wrong
        wait_until(lambda: store.verify().ok)


def kinds(told: list[Told]) -> Counter[str]:
    """How many calls failed, by the error's type."""
    return Counter(each.partition(":")[0] for one in told for each in one.failures)


def summary(told: list[Told], staleness: Staleness) -> str:
    """What has happened, in a line or two."""
    lines = [
        f"{sum(each.writes for each in told)} writes; calls that failed: {dict(kinds(told))}",
        f"found after, in all: {spread(staleness.seconds)}",
        f"where no server was away meanwhile: {spread(staleness.quiet)}",
    ]
    return "\n" + "\n".join(lines)


def spread(seconds: list[float]) -> str:
    parts = statistics.quantiles(seconds, n=20) if len(seconds) > 1 else [0.0] * 19
    most = max(seconds, default=0.0)
    looks = f"{len(seconds)} looks"
    return f"{parts[9]:.2f} s (median), {parts[18]:.2f} s (p95), {most:.2f} s (most) of {looks}"
