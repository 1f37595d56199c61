"""Weights that suit the query: which leg is believed, and when nothing is known about it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.confidence import weigh
from langchain_chroma_hybrid.core.fusion import RankedList, fuse

IDS = [f"d{n}" for n in range(8)]


def lexical(scores: list[float], ceiling: float | None = 10.0, weight: float = 0.5) -> RankedList:
    return RankedList(IDS[: len(scores)], scores, weight, 0.0, 0.0, ceiling)


def vector(scores: list[float], ceiling: float | None = 1.0, weight: float = 0.5) -> RankedList:
    """In the opposite order of ids, so that the legs disagree."""
    return RankedList(IDS[::-1][: len(scores)], scores, weight, -1.0, None, ceiling)


def weights(*lists: RankedList) -> list[float]:
    return [ranked.weight for ranked in weigh(lists)]


VAGUE_LEXICAL = [3.0, 2.9, 2.8, 2.7, 2.6, 2.5]
VAGUE_VECTOR = [0.30, 0.29, 0.28, 0.27, 0.26, 0.25]
SURE_VECTOR = [0.80, 0.50, 0.45, 0.40, 0.35, 0.30]


def test_a_query_that_one_record_covers_is_the_lexical_legs() -> None:
    share, _ = weights(lexical([9.5, 3.0, 2.0, 1.0, 1.0, 1.0]), vector(VAGUE_VECTOR))
    assert share > 0.9


def test_a_clear_nearest_neighbour_beats_scattered_words() -> None:
    share, _ = weights(lexical(VAGUE_LEXICAL), vector(SURE_VECTOR))
    assert share < 0.4


@pytest.mark.parametrize("field", ["level", "lead"])
def test_surer_legs_weigh_more(field: str) -> None:
    before = weights(lexical([5.0, 4.0, 3.0, 3.0, 3.0]), vector(SURE_VECTOR))[0]
    surer = {"level": lexical([5.0, 4.0, 3.0, 3.0, 3.0], 6.0), "lead": lexical([5.0, 1.0, 1.0])}
    assert weights(surer[field], vector(SURE_VECTOR))[0] > before


def test_vectors_whose_best_hit_the_words_know_weigh_more() -> None:
    known = RankedList(IDS[:6], SURE_VECTOR, 0.5, -1.0, None, 1.0)
    assert (
        weights(lexical(VAGUE_LEXICAL), known)[1]
        > weights(lexical(VAGUE_LEXICAL), vector(SURE_VECTOR))[1]
    )


def test_squared_distance_weighs_like_the_cosine_that_it_comes_from() -> None:
    squared = vector([2 * cosine - 2 for cosine in SURE_VECTOR], 0.0)
    expected = weights(lexical(VAGUE_LEXICAL), vector(SURE_VECTOR))
    assert weights(lexical(VAGUE_LEXICAL), squared) == pytest.approx(expected)


@pytest.mark.parametrize(
    "lists",
    [
        (),
        (lexical(VAGUE_LEXICAL),),
        (lexical([]), vector(SURE_VECTOR)),
        (lexical(VAGUE_LEXICAL), vector([])),
        (lexical(VAGUE_LEXICAL), vector(SURE_VECTOR, None)),
        (lexical(VAGUE_LEXICAL, None), vector(SURE_VECTOR)),
    ],
)
def test_legs_of_which_nothing_is_known_keep_their_weight(lists: tuple[RankedList, ...]) -> None:
    assert weights(*lists) == [0.5] * len(lists)


def test_a_third_leg_without_ceiling_keeps_its_share_beside_the_others() -> None:
    third = RankedList(["d0"], [1.0], 1.0)
    first, second, last = weights(lexical(VAGUE_LEXICAL), vector(SURE_VECTOR), third)
    assert last == 1.0
    assert first + second == pytest.approx(1.0)
    assert first < second


def test_a_weight_of_zero_stays_zero() -> None:
    assert weights(lexical(VAGUE_LEXICAL, weight=0.0), vector(SURE_VECTOR)) == [0.0, 0.5]


def test_what_lies_below_depth_does_not_count() -> None:
    short = weigh([lexical(VAGUE_LEXICAL[:3]), vector(SURE_VECTOR[:3])])
    deep = weigh([lexical(VAGUE_LEXICAL), vector(SURE_VECTOR)], depth=3)
    assert [ranked.weight for ranked in deep] == [ranked.weight for ranked in short]


def test_nonsense_does_not_score_one() -> None:
    best = fuse(weigh([lexical([]), vector(VAGUE_VECTOR)]), "adaptive")[0]
    assert best.score == pytest.approx(0.5)


extreme = st.sampled_from([0.0, 5e-324, 1e-300, 1.0, 1e300, 1.7e308]) | st.floats(
    allow_nan=False, allow_infinity=False
)
scores = st.lists(extreme, max_size=8).map(lambda values: sorted(values, reverse=True))


@given(scores, scores, extreme, extreme, st.sampled_from([0.0, 0.1, 1.0, 5.0]))
@settings(max_examples=150, deadline=None)
def test_any_scores_give_weights_that_add_up_to_what_was_given(
    words: list[float], vectors: list[float], top: float, bound: float, weight: float
) -> None:
    lists = [lexical(words, top, weight), vector(vectors, bound)]
    for order in (lists, lists[::-1]):
        found = weights(*order)
        assert all(value >= 0.0 for value in found)
        assert sum(found) == pytest.approx(0.5 + weight)
    assert weights(*lists) == pytest.approx(weights(*lists[::-1])[::-1])
