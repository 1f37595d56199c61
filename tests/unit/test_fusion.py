"""What each fusion does with lists that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from langchain_chroma_hybrid.core.fusion import FUSIONS, HEAD, Fused, RankedList, fuse
from langchain_chroma_hybrid.errors import InvalidArgumentError

LEXICAL = RankedList(["a", "b", "c"], [9.0, 6.0, 3.0], 1.0, 0.0)
VECTOR = RankedList(["c", "d"], [0.8, 0.4], 1.0, -1.0)
FIXED = ("rrf", "min_max", "three_sigma", "theoretical_min_max")


def scores(fused: list[Fused]) -> dict[str, float]:
    return {hit.id: hit.score for hit in fused}


def test_all_fusions_are_known() -> None:
    assert set(FIXED) <= set(FUSIONS)


def test_rrf_is_scaled_so_that_first_everywhere_is_one() -> None:
    fused = scores(fuse([LEXICAL, VECTOR], "rrf", c=60))
    assert fused["c"] == pytest.approx((61 / 63 + 1) / 2)
    assert fused["a"] == pytest.approx(0.5)
    assert fused["d"] == pytest.approx(61 / 62 / 2)
    both = fuse([LEXICAL, LEXICAL], "rrf")
    assert both[0].score == pytest.approx(1.0)


def test_min_max_sums_the_shares_of_each_list() -> None:
    fused = fuse([LEXICAL, VECTOR], "min_max")
    assert scores(fused) == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.5, "d": 0.0})
    # c and a tie; both are first somewhere, so the smaller id leads.
    assert [hit.id for hit in fused] == ["a", "c", "b", "d"]


def test_theoretical_min_max_starts_at_the_lowest_possible_score() -> None:
    fused = scores(fuse([LEXICAL, VECTOR], "theoretical_min_max"))
    assert fused == pytest.approx(
        {"a": 0.5, "b": 6 / 9 / 2, "c": (3 / 9 + 1) / 2, "d": 1.4 / 1.8 / 2}
    )


def test_adaptive_measures_from_the_background_and_favours_the_head() -> None:
    lexical = RankedList(["a", "b", "c"], [9.0, 6.0, 3.0], 1.0, 0.0, background=0.0)
    fused = scores(fuse([lexical, VECTOR], "adaptive"))
    assert fused == pytest.approx(
        {"a": 0.5, "b": (6 / 9) ** 1.25 / 2, "c": (3 / 9) ** 1.25 / 2 + 0.5, "d": 0.0}
    )


def test_scores_below_the_background_keep_their_order() -> None:
    """BM25Okapi goes below 0 for words that most of a small collection contains."""
    below = RankedList(["a", "b", "c"], [-1.0, -2.0, -3.0], 1.0, 0.0, background=0.0)
    assert [hit.score for hit in fuse([below], "adaptive")] == pytest.approx([1.0, 0.5**1.25, 0.0])


def test_three_sigma_puts_the_mean_in_the_middle() -> None:
    fused = scores(fuse([RankedList(["a", "b", "c"], [3.0, 2.0, 1.0])], "three_sigma"))
    third = 1 / 6 / (2 / 3) ** 0.5
    assert fused == pytest.approx({"a": 0.5 + third, "b": 0.5, "c": 0.5 - third})


def test_each_result_shows_its_rank_and_value_in_every_list() -> None:
    hits = {hit.id: hit for hit in fuse([LEXICAL, VECTOR], "min_max")}
    assert hits["c"].ranks == (3, 1)
    assert hits["c"].normalized == (0.0, 1.0)
    assert hits["b"].ranks == (2, None)
    assert hits["b"].normalized == (0.5, 0.0)


def test_weights_are_relative() -> None:
    light = [RankedList(r.ids, r.scores, w, r.floor) for r, w in ((LEXICAL, 0.3), (VECTOR, 0.1))]
    heavy = [RankedList(r.ids, r.scores, w, r.floor) for r, w in ((LEXICAL, 30), (VECTOR, 10))]
    for fusion in FIXED:
        assert scores(fuse(light, fusion)) == pytest.approx(scores(fuse(heavy, fusion)))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_no_list_and_empty_lists_give_nothing(fusion: str) -> None:
    assert fuse([], fusion) == []
    assert fuse([RankedList([], []), RankedList([], [])], fusion) == []


@pytest.mark.parametrize("fusion", FIXED)
def test_an_empty_leg_keeps_its_share_so_that_nothing_scores_one(fusion: str) -> None:
    fused = fuse([RankedList([], [], 1.0, 0.0), VECTOR], fusion)
    assert [hit.id for hit in fused] == ["c", "d"]
    assert fused[0].score <= 0.5


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_single_hit_counts_as_best_not_as_worst(fusion: str) -> None:
    alone = RankedList(["x"], [0.1], 1.0, 0.0)
    fused = fuse([alone, VECTOR], fusion)
    assert next(hit for hit in fused if hit.id == "x").normalized[0] > 0.5


@pytest.mark.parametrize("fusion", FUSIONS)
def test_equal_scores_keep_the_order_of_ids(fusion: str) -> None:
    level = RankedList(["a", "b", "c"], [2.0, 2.0, 2.0], 1.0, 2.0)
    assert [hit.id for hit in fuse([level, level], fusion)] == ["a", "b", "c"]


def test_three_lists() -> None:
    third = RankedList(["d", "b"], [5.0, 1.0])
    fused = fuse([LEXICAL, VECTOR, third], "rrf")
    assert scores(fused)["d"] == pytest.approx((61 / 62 + 1) / 3)
    assert {hit.id: hit.ranks for hit in fused}["b"] == (2, None, 2)


def test_entries_below_depth_follow_in_order_of_rank_with_falling_scores() -> None:
    fused = fuse([LEXICAL, VECTOR], "rrf", depth=1)
    assert [hit.id for hit in fused] == ["a", "c", "b", "d"]
    assert [hit.score for hit in fused] == sorted((hit.score for hit in fused), reverse=True)


def test_unknown_fusion_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgumentError, match=r"fusion: expected one of rrf.*got 'borda'"):
        fuse([LEXICAL], "borda")


def test_behind_the_head_adaptive_goes_on_by_reciprocal_ranks() -> None:
    ids = [f"l{n:02}" for n in range(60)]
    lexical = RankedList(ids, [60.0 - n for n in range(60)], 9.0, None, 0.0)
    others = [f"v{n:02}" for n in range(50)] + ids[50:]
    vector = RankedList(others, [0.9 - n / 200 for n in range(60)], 1.0)
    fused = fuse([lexical, vector], "adaptive", deep=[1.0, 1.0])
    by_score = fuse([lexical, vector], "theoretical_min_max")
    assert {hit.id for hit in fused} == {hit.id for hit in by_score}
    assert [hit.id for hit in fused[:HEAD]] == [f"l{n:02}" for n in range(HEAD)]
    ranks = {hit.id: hit for hit in fuse([replace(lexical, weight=1.0), vector], "rrf")}
    behind = [hit.id for hit in fused[HEAD:]]
    assert behind == [id_ for id_ in ranks if id_ in set(behind)]
    assert behind[0] == "l50"  # in both lists, though late
    scores = [hit.score for hit in fused]
    assert scores == sorted(scores, reverse=True)
    assert scores[HEAD - 1] > scores[HEAD] == pytest.approx(scores[HEAD - 1] * ranks["l50"].score)
