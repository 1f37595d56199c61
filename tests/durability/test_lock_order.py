"""Locks are taken in one order, so that no two threads can wait for each other."""

from __future__ import annotations

import linecache
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import engine
from langchain_chroma_hybrid.engine import registry
from langchain_chroma_hybrid.engine.chroma.second_client import SecondClient
from langchain_chroma_hybrid.engine.sync import watch
from tests.durability.processes import ended, started
from tests.durability.test_other_writers import write_as_a_peer
from tests.durability.workers import NAME, numbered, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import HybridChroma

HOME = Path(engine.__file__).parent.parent
ROOMS = ("engine", "lexical", "_files.py")
ORDER = re.findall(r"^\d+\. `([\w./]+)`", engine.__doc__ or "", re.MULTILINE)

real = threading.Lock, threading.RLock


class Watched:
    """A lock that notes which others its thread holds when it is taken."""

    _held = threading.local()

    def __init__(self, lock: Any, name: str, taken: set[tuple[str, str]]) -> None:
        self._lock, self.name, self.taken = lock, name, taken

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        held: list[Watched] = vars(self._held).setdefault("locks", [])
        if self not in held:  # one that may be taken twice cannot be waited for
            for other in held:
                self.taken.add((other.name, self.name))
        got = self._lock.acquire(*args, **kwargs)
        if got:
            held.append(self)
        return got

    def release(self) -> None:
        self._lock.release()
        vars(self._held)["locks"].remove(self)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def named(path: str, line: str) -> str:
    """`folder/file.attribute` of the line of code that makes a lock."""
    where = Path(path).relative_to(HOME).with_suffix("").as_posix()
    return f"{where}.{line.split('=', maxsplit=1)[0].strip().rsplit('.', maxsplit=1)[-1]}"


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    taken: set[tuple[str, str]] = set()

    def maker(make: Callable[[], Any]) -> Callable[[], Any]:
        def lock() -> Any:
            code = sys._getframe(1)
            path = code.f_code.co_filename
            if not path.startswith(tuple(str(HOME / room) for room in ROOMS)):
                return make()
            return Watched(make(), named(path, linecache.getline(path, code.f_lineno)), taken)

        return lock

    monkeypatch.setattr(threading, "Lock", maker(real[0]))
    monkeypatch.setattr(threading, "RLock", maker(real[1]))
    monkeypatch.setattr(registry, "_lock", Watched(real[0](), "engine/registry._lock", taken))
    second = Watched(real[0](), "engine/chroma/second_client._mutex", taken)
    monkeypatch.setattr(SecondClient, "_mutex", second)
    monkeypatch.setattr(watch, "_turns", watch._Turns())
    return taken


def queries(store: HybridChroma) -> None:
    for mode in ("hybrid", "lexical", "vector", "two_step"):
        store.similarity_search("words", mode=mode)
        store.similarity_search("words", mode=mode, filter={"n": {"$lt": 90}})


def writes(store: HybridChroma) -> None:
    for n in range(4):
        store.add_texts([f"words {n}"] * 2, [{"n": n}] * 2, [f"own{n}", f"too{n}"])
        store.add_texts(["words of many"] * 140, ids=numbered(range(140)))
        store.delete([f"own{n}"])
        store._collection.update("too0", metadatas={"n": n})


def keeps_in_step(store: HybridChroma) -> None:
    store.sync(deep=True)
    store.verify(fix=True)
    store.rebuild()


def writes_unseen(store: HybridChroma) -> None:
    other = store._client.get_collection(NAME)
    for n in range(4):
        other.upsert(f"other{n}", [0.1] * 8, {"n": n}, "words of others")


def opens_and_closes(store: HybridChroma) -> None:
    for _ in range(3):
        other = type(store)(NAME, store._embedding_function, client=store._client)
        other.similarity_search("words")
        other.close()


def test_locks_are_taken_in_the_order_that_is_written_down(tmp_path, watched):
    store = open_store(tmp_path, max_age=0)
    store.add_texts([f"mine {n}" for n in range(160)], ids=[f"mine{n}" for n in range(160)])
    queries(store)
    assert ended(started(write_as_a_peer, tmp_path)) == 0
    queries(store)  # through a second client from here on
    failures: list[BaseException] = []

    def guarded(work: Callable[[HybridChroma], None]) -> None:
        try:
            work(store)
        except BaseException as error:
            failures.append(error)
            raise

    work = (queries, queries, writes, writes_unseen, keeps_in_step, opens_and_closes)
    threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store.close()
    store._client.close()
    place = {name: i for i, name in enumerate(ORDER)}
    assert not {name for pair in watched for name in pair} - place.keys(), "not in the list"
    assert not {pair for pair in watched if place[pair[0]] >= place[pair[1]]}, "in wrong order"
    assert ("engine/sync/freshness._lock", "_files._threads") in watched
    assert ("engine/sync/writer._flushing", "engine/sync/writer._mutex") in watched


def test_every_lock_is_in_the_list():
    made = set()
    for path in (HOME / "_files.py", *HOME.glob("engine/**/*.py"), *HOME.glob("lexical/**/*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"threading\.R?Lock\(\)", line):
                made.add(named(str(path), line))
    assert made == set(ORDER)
