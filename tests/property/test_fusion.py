"""What holds for every fusion, whatever the lists."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.fusion import FUSIONS, Fused, RankedList, fuse, rescale

IDS = [f"d{n:02}" for n in range(26)]  # more than `HEAD`
EXTREME = (0.0, -0.0, 5e-324, -5e-324, 1e-300, 1.0, -1.0, 1e300, 1.7e308, -1.7e308)
quick = settings(max_examples=60, deadline=None)
extreme_scores = st.sampled_from(EXTREME) | st.floats(allow_nan=False, allow_infinity=False)
plain_scores = st.integers(0, 40).map(lambda n: n / 4)
weights = st.sampled_from([0.1, 0.5, 1.0, 3.0])
fusions = st.sampled_from(FUSIONS)


def by_rank(pairs: list[tuple[str, float]], weight: float, floor: float | None) -> RankedList:
    """A leg's answer: best score first, then by id."""
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return RankedList([i for i, _ in ordered], [s for _, s in ordered], weight, floor)


@st.composite
def ranked_lists(
    draw: st.DrawFn, scores: st.SearchStrategy[float] = plain_scores, min_size: int = 0
) -> RankedList:
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, min_size=min_size))
    values = [draw(scores) for _ in ids]
    floor = draw(st.none() | st.just(min(values, default=0.0)) | st.just(-1.0))
    return by_rank(list(zip(ids, values, strict=True)), draw(weights), floor)


def lists(
    scores: st.SearchStrategy[float] = plain_scores, min_size: int = 0
) -> st.SearchStrategy[list[RankedList]]:
    return st.lists(ranked_lists(scores), min_size=min_size, max_size=4)


def by_id(fused: list[Fused]) -> dict[str, Fused]:
    return {hit.id: hit for hit in fused}


def with_score(ranked: RankedList, record: str, score: float) -> RankedList:
    pairs = dict(zip(ranked.ids, ranked.scores, strict=True)) | {record: score}
    return by_rank(list(pairs.items()), ranked.weight, ranked.floor)


@given(lists(extreme_scores), fusions)
@quick
def test_every_id_comes_once_with_scores_from_zero_to_one(
    given_lists: list[RankedList], fusion: str
) -> None:
    fused = fuse(given_lists, fusion)
    assert sorted(hit.id for hit in fused) == sorted({i for r in given_lists for i in r.ids})
    for hit in fused:
        assert 0.0 <= hit.score <= 1.0 + 1e-12
        assert all(0.0 <= value <= 1.0 for value in hit.normalized)
    assert [hit.score for hit in fused] == sorted((hit.score for hit in fused), reverse=True)


@given(lists(extreme_scores), fusions, st.randoms())
@quick
def test_the_order_of_the_lists_does_not_matter(
    given_lists: list[RankedList], fusion: str, random: object
) -> None:
    order = list(range(len(given_lists)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight = fuse(given_lists, fusion)
    mixed = fuse([given_lists[i] for i in order], fusion)
    assert [(hit.id, hit.score) for hit in straight] == [(hit.id, hit.score) for hit in mixed]
    assert [tuple(hit.ranks[i] for i in order) for hit in straight] == [h.ranks for h in mixed]


@given(ranked_lists(extreme_scores, min_size=1), fusions, st.integers(1, 4))
@quick
def test_equal_lists_keep_their_order(ranked: RankedList, fusion: str, copies: int) -> None:
    fused = fuse([ranked] * copies, fusion)
    assert [hit.id for hit in fused] == list(ranked.ids)
    alone = fuse([ranked], fusion)
    assert [hit.score for hit in fused] == pytest.approx([hit.score for hit in alone])


@given(lists(plain_scores, min_size=1), fusions, st.data())
@quick
def test_a_better_score_never_makes_a_result_worse(
    given_lists: list[RankedList], fusion: str, data: st.DataObject
) -> None:
    column = data.draw(st.integers(0, len(given_lists) - 1))
    record = data.draw(st.sampled_from(IDS))
    old = given_lists[column]
    held = dict(zip(old.ids, old.scores, strict=True)).get(record)
    lowest = min(old.scores, default=0.0) if held is None else held
    better = with_score(old, record, lowest + data.draw(plain_scores))
    changed = [better if i == column else ranked for i, ranked in enumerate(given_lists)]
    before, after = fuse(given_lists, fusion), fuse(changed, fusion)
    # Three sigma measures in units of the spread, which one score can change for all.
    if fusion != "three_sigma" and record in by_id(before):
        assert by_id(after)[record].score >= by_id(before)[record].score - 1e-9
        was = {hit.id for hit in before if hit.score < by_id(before)[record].score - 1e-9}
        own = by_id(after)[record].score
        assert all(by_id(after)[other].score <= own + 1e-9 for other in was)


@given(lists(plain_scores, min_size=2), fusions, st.data())
@quick
def test_more_weight_never_makes_the_first_of_a_list_worse(
    given_lists: list[RankedList], fusion: str, data: st.DataObject
) -> None:
    column = data.draw(st.integers(0, len(given_lists) - 1))
    ranked = given_lists[column]
    assume(ranked.ids)
    heavier = replace(ranked, weight=ranked.weight * 3)
    changed = [heavier if i == column else other for i, other in enumerate(given_lists)]
    before, after = by_id(fuse(given_lists, fusion)), by_id(fuse(changed, fusion))
    first = ranked.ids[0]
    behind = [i for i, hit in before.items() if hit.score < before[first].score - 1e-9]
    assert all(after[other].score <= after[first].score + 1e-9 for other in behind)


@given(lists(plain_scores, min_size=1), fusions, st.data())
@quick
def test_missing_from_a_list_is_never_better_than_being_its_last(
    given_lists: list[RankedList], fusion: str, data: st.DataObject
) -> None:
    ranked = data.draw(st.sampled_from(given_lists))
    assume(ranked.ids)
    column = given_lists.index(ranked)
    for hit in fuse(given_lists, fusion):
        if hit.ranks[column] is None:
            assert hit.normalized[column] == 0.0


@given(lists(plain_scores), fusions, st.integers(1, 6), st.integers(1, 6))
@quick
def test_asking_deeper_never_changes_what_came_before(
    given_lists: list[RankedList], fusion: str, depth: int, k: int
) -> None:
    def top(size: int) -> list[tuple[str, float]]:
        fetched = [ranked.head(max(size, depth)) for ranked in given_lists]
        return [(hit.id, hit.score) for hit in fuse(fetched, fusion, depth=depth)[:size]]

    assert top(2 * k)[:k] == top(k)


@given(lists(plain_scores), fusions, st.integers(1, 6))
@quick
def test_depth_loses_nothing_and_scores_go_on_falling(
    given_lists: list[RankedList], fusion: str, depth: int
) -> None:
    fused = fuse(given_lists, fusion, depth=depth)
    assert sorted(hit.id for hit in fused) == sorted({i for r in given_lists for i in r.ids})
    assert [hit.score for hit in fused] == sorted((hit.score for hit in fused), reverse=True)


@given(lists(plain_scores, min_size=1), fusions)
@quick
def test_one_needs_the_best_value_in_every_list(given_lists: list[RankedList], fusion: str) -> None:
    for hit in fuse(given_lists, fusion):
        if math.isclose(hit.score, 1.0):
            assert min(hit.normalized) == pytest.approx(1.0)


anything = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(-1e6, 1e6)


@given(st.lists(anything | finite, max_size=8), finite, finite)
def test_rescaling_cuts_off_whatever_lies_outside(scores, low, high):
    span = high / 2 - low / 2
    plain = [min(1.0, max(0.0, (s / 2 - low / 2) / span)) if span > 0 else 1.0 for s in scores]
    assert rescale(scores, low, high) == plain
