"""Of a filter that comes again and again the vectors are read, as soon as that pays."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_chroma_hybrid import Analyzer, HybridChroma
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.engine.chroma import read_ahead
from langchain_chroma_hybrid.engine.chroma.vectors import Vectors, VectorTable, room
from langchain_chroma_hybrid.engine.query import filter_plan, filtered_search
from langchain_chroma_hybrid.engine.query.cost import Cost
from langchain_chroma_hybrid.engine.query.legs import VectorLeg
from langchain_chroma_hybrid.engine.query.plan import make_plan
from tests.helpers import COSINE

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.engine.query.values import Plan

N, DIMENSION = 600, 8
TENANT = parse({"tenant": 1})
QUERY = np.eye(DIMENSION, dtype=np.float32)[0]
WORDS = Analyzer("english"), ("page_content",)
REQUEST = SearchRequest(
    None, embedding=QUERY.tolist(), k=10, fetch_k=10, mode="vector", where={"tenant": 1}
)


def no_gift(*_: Any, **__: Any) -> float:
    return 0.0


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HybridIndex:
    """Reading takes three queries to pay, and more than ten records are never read in a query."""
    for module in (filter_plan, filtered_search):
        monkeypatch.setattr(module, "EXACT_AT_MOST", 10)
    monkeypatch.setattr(Cost, "exact", staticmethod(no_gift))
    monkeypatch.setattr(read_ahead, "_PAGE", 50)
    store = HybridChroma("points", None, str(tmp_path), collection_configuration=COSINE, max_age=0)
    vectors = np.random.default_rng(1).normal(size=(N, DIMENSION))
    metadatas = [{"tenant": i % 3} for i in range(N)]
    store._collection.add([f"p{i}" for i in range(N)], vectors.tolist(), metadatas)
    store.sync()
    time.sleep(0.1)  # longer than a tick of the file's clock
    return store._index


def ask(index: HybridIndex) -> tuple[list[str], str]:
    result = index.search(REQUEST)
    return [hit.id for hit in result.hits], result.legs[0].filtered_by


def planned(index: HybridIndex) -> Plan:
    token = index.store.read_token().lasting
    return make_plan(REQUEST, index.store, index.lexical, token, words=WORDS)


def wait_for_reading() -> None:
    for thread in threading.enumerate():
        if thread.name == read_ahead.THREAD:
            thread.join()


def ask_until_read(index: HybridIndex, monkeypatch: pytest.MonkeyPatch, queries: int = 1) -> None:
    """The price is what so many queries lose."""
    seconds = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(seconds)))
    with monkeypatch.context() as slow:
        slow.setattr(filtered_search, "time", clock)
        index.store.ahead._rate = 1e3 * (queries - 0.5) / (N // 3)
        for _ in range(queries):
            assert ask(index)[1] != "exact"
    wait_for_reading()


def test_it_is_read_when_the_queries_have_lost_what_it_costs(index, monkeypatch):
    exact = [hit.id for hit in index.store.rank_exactly(QUERY, index.match(TENANT), 10)]
    ask_until_read(index, monkeypatch, queries=3)
    assert ask(index) == (exact, "exact")


def test_what_was_read_is_used_whatever_the_estimates_say(index, monkeypatch):
    ask_until_read(index, monkeypatch)
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda *_, **__: 1e6))
    assert ask(index)[1] == "exact"


def test_a_write_starts_it_anew(index, monkeypatch):
    ask_until_read(index, monkeypatch)
    assert ask(index)[1] == "exact"
    index.store._client.get_collection("points").update(["p1"], [QUERY.tolist()])
    ids, way = ask(index)
    assert way != "exact"
    assert ids[0] == "p1"
    time.sleep(0.1)
    ask_until_read(index, monkeypatch)
    ids, way = ask(index)
    assert (ids[0], way) == ("p1", "exact")


def test_what_does_not_fit_into_memory_is_left_alone(index, monkeypatch):
    monkeypatch.setattr(filtered_search, "VECTOR_BYTES", room_for(N // 3 - 1))
    with monkeypatch.context() as never:
        never.setattr(index.store.reader, "vectors", None)
        ask_until_read(index, monkeypatch)
        assert ask(index)[1] != "exact"


def room_for(vectors: int) -> int:
    most = 0
    while room(most, DIMENSION) < vectors:
        most += 1
    return most


@pytest.mark.parametrize("at_most", [10, N])
def test_vectors_that_made_room_for_others_are_not_read_in_a_query(index, monkeypatch, at_most):
    ask_until_read(index, monkeypatch)
    assert ask(index)[1] == "exact"
    index.store.reader._shared.known = VectorTable(0)
    for module in (filter_plan, filtered_search):
        monkeypatch.setattr(module, "EXACT_AT_MOST", at_most)
    monkeypatch.setattr(Cost, "exact", staticmethod(lambda _, unread, **__: 1e6 * unread))
    assert [ask(index)[1] == "exact" for _ in range(2)] == [False, False]


def test_what_loses_its_room_between_plan_and_ranking_is_not_read_in_the_query(index, monkeypatch):
    ask_until_read(index, monkeypatch)
    plan = planned(index)
    assert plan.filter.strategy == "exact"
    index.store.reader._shared.known = VectorTable(0)
    outcome = VectorLeg(index.store, index.lexical, QUERY).run(plan)
    assert outcome.filtered_by != "exact"
    assert [hit.id for hit in outcome.hits[:10]] == ask(index)[0]


def test_what_made_room_for_others_is_not_counted_again_in_every_query(index, monkeypatch):
    """A plan lists all that pass where their vectors were read, to see whether they still are."""
    ask_until_read(index, monkeypatch)
    index.store.reader._shared.known = VectorTable(0)
    listed = []
    match = type(index.lexical).match

    def counted(self: Any, where: Any) -> Any:
        listed.append(where)
        return match(self, where)

    monkeypatch.setattr(type(index.lexical), "match", counted)
    for _ in range(3):
        plan = planned(index)
        assert plan.filter.strategy != "exact"
    assert len(listed) == 1


def test_the_first_query_reads_a_page_to_learn_what_that_takes(index, monkeypatch):
    read: list[int] = []
    vectors = index.store.reader.vectors

    def watched(ids: list[str], token: Any) -> Vectors:
        read.append(len(ids))
        return vectors(ids, token)

    monkeypatch.setattr(index.store.reader, "vectors", watched)
    assert ask(index)[1] != "exact"
    wait_for_reading()
    assert read == [50]


def test_a_machine_without_room_for_a_thread(index, monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        ask_until_read(index, full)
    ask_until_read(index, monkeypatch)
    assert ask(index)[1] == "exact"


def test_vectors_that_overflow_do_not_disturb_the_others(index, monkeypatch):
    index.store._client.get_collection("points").update(["p1"], [[1e20] * DIMENSION])
    time.sleep(0.1)
    ask_until_read(index, monkeypatch)
    (ids, way), chroma = ask(index), index.store.query(QUERY, 10, TENANT)
    assert way == "exact"
    assert ids == [hit.id for hit in chroma]


def test_a_failure_and_the_end_of_the_index_end_it_quietly(index, monkeypatch):
    crashes: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", crashes.append)

    def fail(*_: Any) -> Vectors:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(index.store.reader, "vectors", fail)
        ask_until_read(index, monkeypatch)
    assert ask(index)[1] != "exact"
    index.store.ahead.close()
    ask_until_read(index, monkeypatch)
    assert ask(index)[1] != "exact"
    assert not crashes


def test_many_threads_share_one_cache():
    cache, token = VectorTable(room_for(400)), (1, 0, 0)
    ids = [f"p{i}" for i in range(1000)]
    truth = np.random.default_rng(2).normal(size=(1000, DIMENSION)).astype(np.float32)
    wrong: list[str] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(300):
            some = random.permutation(1000)[:60]
            found = cache.known(token, [ids[i] for i in some])
            for id_, vector in found.by_id().items():
                if not np.array_equal(vector, truth[int(id_[1:])]):
                    wrong.append(id_)
            cache.keep(token, Vectors.of([ids[i] for i in some], truth[some]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache.known(token, ids).ids) <= 400
    assert not cache.known((2, 0, 0), ids).ids


def test_the_block_of_vectors_is_not_to_be_written_to():
    cache, token = VectorTable(1000), (1, 0, 0)
    given = np.ones((1, 2), dtype=np.float32)
    cache.keep(token, Vectors.of(["a"], given))
    with pytest.raises(ValueError, match="read-only"):
        cache.known(token, ["a"]).block[0] = 0
