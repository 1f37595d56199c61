"""What the words of a query can add to a score, told from how frequent they are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.lexical.scoring import MAX_TERMS, ceiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.lexical.asked import Asked
    from langchain_chroma_hybrid.lexical.tokens import Tokens


def weights_of(
    asked: Asked,
    terms: Sequence[tuple[int, str, float, int]],
    runs: Sequence[tuple[int, float]],
    total: int,
    tokens: Tokens,
) -> dict[str, float]:
    """What each term of the plain words can add, unknown ones as if they were the rarest."""
    most = _by_group(terms, runs, total)
    weights: dict[str, float] = {}
    for typed, groups in asked.spelt.items():
        if found := sum(most.get(group, 0.0) for group in groups):
            weights[typed] = found
    own: dict[str, float] = defaultdict(float)
    for group, token, *_ in terms:
        if group in asked.plain:
            own[tokens.term(token)] += most.get(group, 0.0)
    unknown = 0
    for text, boost in asked.words.items():
        if own[text]:
            weights[text] = max(own[text], weights.get(text, 0.0))
        elif text not in weights and unknown < MAX_TERMS:
            weights[text] = boost * max(tokens.boosts) * ceiling(0, total)
            unknown += 1
    return weights


def bound_of(
    asked: Asked,
    terms: Sequence[tuple[int, str, float, int]],
    runs: Sequence[tuple[int, float]],
    weights: Mapping[str, float],
    total: int,
) -> float:
    """A score that no record exceeds; 0 where nothing can match."""
    most = _by_group(terms, runs, total)
    if not most:
        return 0.0
    said = asked.plain.union(*asked.spelt.values())
    bound = sum(weights.values())
    for group, found in most.items():
        own = sum(weights.get(term, 0.0) for term in asked.instead.get(group, ()))
        bound += 0.0 if group in said else max(0.0, found - own)
    return bound * (1.0 + 1e-6)


def _by_group(
    terms: Sequence[tuple[int, str, float, int]], runs: Sequence[tuple[int, float]], total: int
) -> dict[int, float]:
    """What each group that occurs can add at most."""
    most: dict[int, float] = defaultdict(float)
    for group, _, weight, n in terms:
        if n > 0:
            most[group] = max(most[group], weight * ceiling(n, total))
    for group, bound in runs:
        most[group] = max(most[group], bound)
    return dict(most)
