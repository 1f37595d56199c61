"""QueryLane chooses by what calls take; here a clock of our own says what they take."""

import threading

import pytest

pytest.importorskip("torch", reason="the extra `local`")

from langchain_chroma_hybrid.embeddings.text import threads
from langchain_chroma_hybrid.embeddings.text.threads import QueryLane

CALLS = 200


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a call takes inline and in a worker; time passes only by calls."""
    costs = {"inline": 1.0, "worker": 1.0, "now": 0.0}
    monkeypatch.setattr(threads, "perf_counter", lambda: costs["now"])
    monkeypatch.setattr(threads, "_can_tune", lambda: True)
    return costs


def run(lane, clock, calls=CALLS):
    """Where each call ran."""
    caller, places = threading.current_thread(), []

    def call():
        place = "inline" if threading.current_thread() is caller else "worker"
        places.append(place)
        clock["now"] += clock[place]

    for _ in range(calls):
        lane.run(call)
    return places


@pytest.mark.parametrize(("faster", "slower"), [("inline", "worker"), ("worker", "inline")])
def test_the_faster_way_is_taken_and_trying_the_other_costs_at_most_5_percent(
    clock, faster, slower
):
    clock[slower] = 4.0
    lane = QueryLane("auto")
    run(lane, clock, 8)
    places = run(lane, clock, 1000)
    extra = places.count(slower) * (clock[slower] - clock[faster])
    assert 0 < extra <= 0.05 * 1000 * clock[faster]


def test_it_changes_its_mind_when_the_machine_does(clock):
    clock["worker"] = 3.0
    lane = QueryLane("auto")
    assert run(lane, clock).count("inline") > 0.9 * CALLS
    clock["inline"] = 30.0
    run(lane, clock, 20)
    assert run(lane, clock).count("worker") > 0.9 * CALLS


def test_queries_at_the_same_time_go_to_workers(clock):
    lane, inside, may_end, places = QueryLane("auto"), threading.Event(), threading.Event(), []

    def first():
        inside.set()
        assert may_end.wait(30)

    other = threading.Thread(target=lane.run, args=(first,))
    other.start()
    assert inside.wait(30)
    for _ in range(5):
        lane.run(lambda: places.append(threading.current_thread()))
    may_end.set()
    other.join()
    assert threading.current_thread() not in places


@pytest.mark.parametrize(("setting", "inline"), [("default", True), (1, False)])
def test_a_setting_is_kept(clock, setting, inline):
    assert set(run(QueryLane(setting), clock, 40)) == {"inline" if inline else "worker"}


def test_errors_come_through_and_the_lane_goes_on(clock):
    lane = QueryLane("auto")

    def fail():
        raise ZeroDivisionError

    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            lane.run(fail)
    assert lane.run(lambda: 7) == 7
