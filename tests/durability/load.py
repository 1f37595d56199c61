"""What the processes of `test_load.py` do until they are told to stop, or killed."""

from __future__ import annotations

import os
import random
import string
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import chromadb

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.workers import NO_FILES, Log

if TYPE_CHECKING:
    from pathlib import Path

NAME = "documents"
IDS = 60
"""Records of one process, which nobody else writes."""
SIZES = (1, 1, 1, 2, 5, 20)
_REST = 0.2


def opened(port: int, address: str, cache: Path) -> HybridChroma:
    """The collection as a host of its own has it."""
    os.environ.update(dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"), str(cache)))
    client = chromadb.HttpClient("127.0.0.1", port)
    return HybridChroma(
        NAME,
        WordEmbeddings(8),
        client=client,
        lexical=address,
        writers="ours",
        collection_configuration=NO_FILES,
    )


def work(port: int, address: str, slot: int, folder: Path, seed: int) -> None:
    """Write and read at random; what fails because a server is away is tried again."""
    choose = random.Random(seed)  # noqa: S311  # no secret
    log, stop = Log(folder / f"{slot}.log"), folder / "stop"
    store = None
    while not stop.exists():
        log.write("alive", time.time())
        try:
            store = store or opened(port, address, folder / f"cache{slot}")
            _step(store, choose, slot, log)
        except Exception as error:  # noqa: BLE001  # servers are killed under it
            log.write("failed", f"{type(error).__name__}: {error}")
            time.sleep(_REST)
    if store is not None:
        store.close()
    log.write("stopped", time.time())


def _step(store: HybridChroma, choose: random.Random, slot: int, log: Log) -> None:
    kind = choose.choice(["add", "add", "delete", "search", "search", "search"])
    word = "".join(choose.choices(string.ascii_lowercase, k=12))
    if kind == "search":
        store.similarity_search(f"words {word}", k=3)
        return
    size = choose.choice(SIZES)
    ids = [f"{slot}-{n}" for n in choose.sample(range(IDS), size)]
    text = f"words {word}" if kind == "add" else None
    log.write("begin", dict.fromkeys(ids, text))
    if text is None:
        store.delete(ids)
    else:
        store.add_texts([text] * size, [{"slot": slot}] * size, ids)
    log.write("done", [time.time(), dict.fromkeys(ids, text)])


@dataclass
class Told:
    """What one process has told.

    Attributes:
        state: the text of each id as it was last acknowledged, None for none.
        open: what each may hold instead, by writes that were not acknowledged since.
        last: the last that was acknowledged: when, and what.
        alive: when it was last heard of.
    """

    state: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, list[str | None]] = field(default_factory=dict)
    last: tuple[float, dict[str, str | None]] = (0.0, {})
    alive: float = 0.0
    writes: int = 0
    stopped: bool = False
    failures: list[str] = field(default_factory=list)

    @classmethod
    def by(cls, log: Path) -> Told:
        told = cls()
        for kind, content in Log(log).read():
            told.hear(kind, content)
        return told

    def hear(self, kind: str, content: Any) -> None:
        """One line of the log."""
        if kind == "alive":
            self.alive, self.stopped = content, False
        elif kind == "begin":
            for id_, text in content.items():
                self.open.setdefault(id_, []).append(text)
        elif kind == "done":
            self.last, self.writes = (content[0], content[1]), self.writes + 1
            self.state.update(content[1])
            for id_ in content[1]:
                self.open.pop(id_, None)
        elif kind == "failed":
            self.failures.append(content)
        elif kind == "stopped":
            self.stopped = True

    def allows(self, id_: str, text: str | None) -> bool:
        """Whether that may be what an id holds."""
        return text in (self.state.get(id_), *self.open.get(id_, ()))


class Staleness:
    """How long acknowledged writes of others take to be found by their words."""

    def __init__(self, port: int, address: str, folder: Path, bound: float) -> None:
        self._where = port, address, folder / "cache of the reader"
        self._folder, self._bound = folder, bound
        self.seconds: list[float] = []
        self.quiet: list[float] = []  # of those, where no call failed since the write
        self.lost: list[str] = []
        self._failed = 0.0

    def look(self) -> None:
        """One after the other until told to stop."""
        store, choose = None, random.Random(1)  # noqa: S311  # no secret
        while not (self._folder / "stop").exists():
            with suppress(OSError):
                log = choose.choice([*self._folder.glob("*.log"), None])
                if log is None:
                    time.sleep(_REST)
                    continue
                try:
                    store = store or opened(*self._where)
                    self._wait_for(store, log)
                except Exception:  # noqa: BLE001  # servers are killed under it
                    self._failed = time.time()
                    time.sleep(_REST)

    def _wait_for(self, store: HybridChroma, log: Path) -> None:
        """The last record that one process has acknowledged, unless it changes it meanwhile."""
        when, written = Told.by(log).last
        id_, text = next(iter(written.items()), ("", None))
        if text is None:
            time.sleep(_REST)
            return
        while True:
            try:
                found = store.similarity_search(text.removeprefix("words "), k=50, mode="lexical")
            except Exception:  # noqa: BLE001  # counts as not found
                found = []
                self._failed = time.time()
                time.sleep(_REST)
            if id_ in {document.id for document in found}:
                self.seconds.append(time.time() - when)
                if self._failed < when:
                    self.quiet.append(self.seconds[-1])
                return
            told = Told.by(log)
            if told.state.get(id_) != text or id_ in told.open:
                return
            if time.time() - when > self._bound:
                self.lost.append(f"{id_}: {text!r}")
                return
