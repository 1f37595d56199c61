"""Relevance: what it promises for any numbers, and what an application may conclude from it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.background import VERSION, Background, estimate, snippet
from langchain_chroma_hybrid.core.relevance import NEAR, THRESHOLD, Evidence, relevance

UNIT = st.floats(0.0, 1.0)
COSINES = st.floats(-1.0, 1.0)
ANY = st.floats(allow_nan=True, allow_infinity=True)
BACKGROUNDS = st.builds(
    Background,
    mean=st.floats(-0.9, 0.9),
    spread=st.floats(0.01, 0.5),
    level=st.floats(0.0, 9.0),
    distinct=UNIT,
)
EVIDENCE = st.builds(
    Evidence,
    cosine=st.none() | COSINES,
    share=st.none() | UNIT,
    near=st.none() | COSINES,
    rival=UNIT,
    has=st.floats(0.0, 0.5),
    lacks=st.floats(0.0, 0.5),
)
PRIOR = Background()
ANSWER = Evidence(cosine=0.7, share=0.6, near=0.4, rival=0.2)
STRANGE = Evidence(cosine=0.2, share=0.1, near=0.1, rival=0.08)


def with_records(count: int, own: float, other: float, noise: float = 0.05) -> Background:
    """As if `count` snippets had been compared with each other's records."""
    turns = [math.sin(n) * noise for n in range(count)]
    return estimate(
        [own + turn for turn in turns],
        [[other + turn for turn in turns[1:]] for _ in range(count)],
        [0.6] * count,
        [0.3] * count,
        count,
    )


@given(EVIDENCE, BACKGROUNDS)
def test_always_from_0_to_1(evidence: Evidence, background: Background) -> None:
    assert 0.0 <= relevance(evidence, background) <= 1.0


@given(st.builds(Evidence, ANY, ANY, ANY, ANY, ANY, ANY), BACKGROUNDS)
def test_no_number_makes_it_raise_or_undefined(
    evidence: Evidence, background: Background
) -> None:
    assert 0.0 <= relevance(evidence, background) <= 1.0


@given(EVIDENCE, BACKGROUNDS, COSINES, COSINES)
def test_a_higher_cosine_never_lowers_it(
    evidence: Evidence, background: Background, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    less, more = (relevance(replace(evidence, cosine=c), background) for c in (low, high))
    assert less <= more + 1e-12


@given(EVIDENCE, BACKGROUNDS, UNIT, UNIT)
def test_a_higher_share_never_lowers_it(
    evidence: Evidence, background: Background, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    less, more = (relevance(replace(evidence, share=s), background) for s in (low, high))
    assert less <= more + 1e-12


@given(EVIDENCE, BACKGROUNDS, st.floats(0.0, 1.0), st.floats(0.01, 1.0))
def test_an_identifier_that_is_there_never_lowers_it(
    evidence: Evidence, background: Background, part: float, weight: float
) -> None:
    one, all_ = (
        relevance(replace(evidence, has=weight * p, lacks=weight * (1 - p)), background)
        for p in (part, 1.0)
    )
    assert one <= all_ + 1e-12


@given(EVIDENCE, BACKGROUNDS, st.floats(0.01, 1.0))
def test_a_record_without_the_identifier_stays_below_the_threshold(
    evidence: Evidence, background: Background, weight: float
) -> None:
    assert relevance(replace(evidence, has=0.0, lacks=weight), background) < THRESHOLD


@given(EVIDENCE, BACKGROUNDS)
def test_a_record_with_the_only_identifier_is_above_it(
    evidence: Evidence, background: Background
) -> None:
    assert relevance(replace(evidence, has=0.9, lacks=0.0), background) > THRESHOLD


@pytest.mark.parametrize("without", [{}, {"cosine": None}, {"share": None}], ids=str)
def test_one_scale_with_one_leg_or_both(without: dict[str, None]) -> None:
    assert relevance(replace(ANSWER, **without), PRIOR) > THRESHOLD
    assert relevance(replace(STRANGE, **without), PRIOR) < THRESHOLD


def test_words_in_common_do_not_outweigh_a_strange_subject() -> None:
    assert relevance(replace(STRANGE, share=0.4), PRIOR) < THRESHOLD


def test_vectors_that_know_nothing_leave_it_to_the_words() -> None:
    blind = replace(PRIOR, level=0.0)
    assert blind.trust == 0.0
    far, near = (relevance(replace(ANSWER, cosine=c), blind) for c in (-0.2, 0.9))
    assert far == near > THRESHOLD


@pytest.mark.parametrize("count", [8, 50, 96])
def test_vectors_are_known_by_how_they_find_their_own_record(count: int) -> None:
    assert with_records(count, own=0.6, other=0.1).trust > 0.9
    assert with_records(count, own=0.0, other=0.0).trust < 0.1


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_few_records_have_a_background(count: int) -> None:
    background = with_records(count, own=0.5, other=0.5, noise=0.0)
    assert background.count == count
    assert background.version == VERSION
    numbers = (background.mean, background.spread, background.level, background.distinct)
    assert all(map(math.isfinite, numbers))
    assert background.spread > 0.0
    assert 0.0 <= relevance(ANSWER, background) <= 1.0


def test_eight_records_tell_an_answer_from_nonsense() -> None:
    background = with_records(8, own=0.6, other=0.15)
    assert relevance(Evidence(0.62, 0.45, None, 0.1), background) > THRESHOLD
    assert relevance(Evidence(0.15, 0.05, None, 0.05), background) < THRESHOLD


def test_numbers_that_are_none_are_left_out_of_the_background() -> None:
    nan = math.nan
    background = estimate([nan, 0.5], [[nan, 0.1], [0.1]], [nan, 0.6], [0.3, nan], 2)
    assert math.isfinite(background.mean + background.spread + background.level)
    assert math.isfinite(background.distinct)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("   ", ""),
        ("word", "word"),
        ("two words", "two"),
        (" ".join("abcdefghijklmnopqrst"), "g h i j k l m n"),
        ("战国" * 30, "战国" * 8),
    ],
)
def test_a_snippet_is_a_piece_of_the_record(text: str, expected: str) -> None:
    assert snippet(text) == expected
    assert snippet(text) in text


def test_the_neighbour_that_a_hit_is_compared_with_may_be_missing() -> None:
    assert NEAR > 8
    assert 0.0 < relevance(replace(ANSWER, near=None), PRIOR) < 1.0
