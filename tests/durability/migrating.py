"""What the killed processes of `test_migration_kills.py` do."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import ModelChangedError
from langchain_chroma_hybrid.migration import drop_previous, migrate, rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.workers import NO_FILES, Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "documents"
N = 40


def model(name: str) -> FunctionEmbeddings:
    size = {"old": 8, "new": 16}[name]
    return FunctionEmbeddings(WordEmbeddings(size).embed_documents, fingerprint=f"{name}-model")


def opened(folder: Path, name: str) -> HybridChroma:
    return HybridChroma(NAME, model(name), str(folder), collection_configuration=NO_FILES)


def closed(store: HybridChroma) -> None:
    store.close()
    store._client.close()


def filled(folder: Path) -> None:
    store = opened(folder, "old")
    numbers = range(N)
    store.add_texts([f"words of number {i}" for i in numbers], [{"n": i} for i in numbers],
                    [f"id{i}" for i in numbers])  # fmt: skip
    store.similarity_search("words")
    closed(store)


def migrated(folder: Path) -> None:
    filled(folder)
    to_the_new(folder)
    store = opened(folder, "new")
    store.add_texts(["words written since"], ids=["since"])
    closed(store)


def to_the_new(folder: Path, *, swap: bool = False) -> None:
    store = opened(folder, "old")
    migrate(store, model("new"), batch_size=8, swap_names=swap)
    closed(store)


def and_swap(folder: Path) -> None:
    to_the_new(folder, swap=True)


def back(folder: Path) -> None:
    store = opened(folder, "new")
    rollback(store, model("old"))
    closed(store)


def drop(folder: Path) -> None:
    store = opened(folder, "new")
    drop_previous(store)
    closed(store)


ACTIONS: dict[str, Callable[[Path], None]] = {
    "migrate": to_the_new, "swap": and_swap, "roll back": back, "drop": drop,
}  # fmt: skip


def steps_of(folder: Path, action: str, log: Path) -> None:
    seen: list[str] = []
    failpoints.watcher = seen.append
    ACTIONS[action](folder)
    Log(log).write("seen", seen)


def until(folder: Path, action: str, step: str, times: int) -> None:
    """Do it, and die when `step` has been reached so often."""
    left = times

    def watch(reached: str) -> None:
        nonlocal left
        left -= reached == step
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.watcher = watch
    ACTIONS[action](folder)


def at_some_time(folder: Path, seed: int, log: Path) -> None:
    """Migrate while a thread writes, and die somewhere in the middle."""
    delay = random.Random(seed).random() * 1.5  # noqa: S311  # a test's
    store = opened(folder, "old")  # Chroma does not bear two threads that open a folder at once
    threading.Thread(target=_die, args=(delay,), daemon=True).start()
    threading.Thread(target=_write, args=(store, seed, log), daemon=True).start()
    with suppress(ModelChangedError):
        to_the_new(folder)
    time.sleep(2)


def _die(delay: float) -> None:
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)


def _write(store: HybridChroma, seed: int, log: Path) -> None:
    for i in range(10_000):
        id_ = f"w{seed}-{i}"
        try:
            store.add_texts([f"words written {id_}"], ids=[id_])
        except ModelChangedError:
            return
        Log(log).write("done", id_)
