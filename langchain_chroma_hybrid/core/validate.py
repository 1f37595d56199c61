"""Checking a request before anything runs: one clear error, or values the engine can trust."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, get_args

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.context import expansion
from langchain_chroma_hybrid.core.fusion import FUSIONS
from langchain_chroma_hybrid.core.search import Mode, OnLegError, SearchRequest
from langchain_chroma_hybrid.core.suggest import meant_value
from langchain_chroma_hybrid.core.values import LEXICAL, OWN_KEYS, VECTOR
from langchain_chroma_hybrid.errors import InvalidArgumentError

LEGS = (LEXICAL, VECTOR)
_MODES, _ON_LEG_ERROR = get_args(Mode), get_args(OnLegError)
_SYNTAXES = ("plain", "simple")

# What every call of both faces may change, with the names of `SearchRequest`.
CALL_OPTIONS = (
    "c", "dedupe_key", "expand", "fetch_k", "fusion", "group_by", "group_limit", "mode",
    "on_leg_error", "query_syntax", "score_threshold", "typos", "weights", "where_document",
)  # fmt: skip


def check(request: SearchRequest) -> None:
    """Check every value of `request` but the filters, which `core.filters.parse` reads.

    Raises:
        InvalidArgumentError: names the argument, what was got and what is expected.
    """
    _text(request)
    positive("k", request.k)
    depths(request)
    expansion(request.expand)
    one_of("mode", request.mode, _MODES)
    one_of("fusion", request.fusion, FUSIONS)
    one_of("query_syntax", request.query_syntax, _SYNTAXES)
    one_of("on_leg_error", request.on_leg_error, _ON_LEG_ERROR)
    if not isinstance(request.typos, bool) and request.typos != "sound":
        raise InvalidArgumentError.of("typos", request.typos, "True, False or 'sound'")
    number("c", request.c, 0.0, math.inf)
    if taken := [name for name in request.further if name in LEGS]:
        raise InvalidArgumentError.of("extra_retrievers", taken, "names other than these")
    if request.weights is not None:
        shares(request.weights, leg_names(request))
    if request.score_threshold is not None:
        number("score_threshold", request.score_threshold, 0.0, 1.0)
    positive("group_limit", request.group_limit)
    for name in ("dedupe_key", "group_by"):
        key = getattr(request, name)
        if key is not None and not isinstance(key, str):
            raise InvalidArgumentError.of(name, key, "a metadata key or None")


def depths(request: SearchRequest) -> dict[str, int]:
    """`fetch_k` by leg; empty where there is none.

    Raises:
        InvalidArgumentError: no whole number >= 1, nor a mapping of legs to such.
    """
    given, names = request.fetch_k, leg_names(request)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        positive("fetch_k", given)
        return dict.fromkeys(names, int(given))
    if unknown := [name for name in given if name not in names]:
        raise InvalidArgumentError.of("fetch_k", unknown, f"names among {list(names)}")
    for name, depth in given.items():
        positive(f"fetch_k[{name!r}]", depth)
    return {name: int(depth) for name, depth in given.items()}


def leg_names(request: SearchRequest) -> tuple[str, ...]:
    """Names of the legs that a hybrid search can run, in the order of a sequence of weights."""
    return (*LEGS, *request.further)


def shares(
    weights: Mapping[str, float] | Sequence[float], names: Sequence[str]
) -> dict[str, float]:
    """Weights by leg name, scaled to add up to 1.

    Args:
        weights: one number per name in the order of `names`, or a mapping by name, where a name
            that is left out counts 1.
        names: the legs of the query.

    Raises:
        InvalidArgumentError: wrong length, unknown name, negative, not finite, or all zero.
    """
    if isinstance(weights, Mapping):
        if unknown := [name for name in weights if name not in names]:
            expected = f"names among {', '.join(names)}{_did_you_mean(unknown[0], names)}"
            raise InvalidArgumentError.of("weights", unknown, expected)
        given = [weights.get(name, 1.0) for name in names]
    elif isinstance(weights, Sequence) and not isinstance(weights, str | bytes):
        given = list(weights)
    else:
        raise InvalidArgumentError.of("weights", weights, "a sequence of numbers or a mapping")
    if len(given) != len(names):
        expected = f"{len(names)} numbers ({', '.join(names)})"
        raise InvalidArgumentError.of("weights", weights, expected)
    for weight in given:
        number("weights", weight, 0.0, math.inf)
    total = math.fsum(given)
    if total <= 0.0 or math.isinf(total):
        raise InvalidArgumentError.of("weights", weights, "at least one weight above 0")
    return {name: float(weight) / total for name, weight in zip(names, given, strict=True)}


def _text(request: SearchRequest) -> None:
    if request.text is None:
        if request.embedding is None:
            raise InvalidArgumentError.of("query", None, "a string, or an embedding in its place")
        if request.mode in ("lexical", "two_step"):
            raise InvalidArgumentError.of("mode", request.mode, "`vector`: there is no query text")
    elif not isinstance(request.text, str):
        raise InvalidArgumentError.of("query", request.text, "a string")


def number(name: str, value: object, low: float, high: float) -> None:
    """Raise `InvalidArgumentError` unless `value` is a finite number from `low` to `high`."""
    # Not by way of a float, which a huge int does not become.
    found: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not low <= found <= min(high, sys.float_info.max):
        span = f">= {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise InvalidArgumentError.of(name, value, f"a finite number {span}")


def own_key(name: str, value: object) -> None:
    """Raise `InvalidArgumentError` unless `value` is None or a metadata key under our own prefix.

    Under another key it would be stored when a document is written back, and go stale there.
    """
    if value is not None and not (isinstance(value, str) and value.startswith(OWN_KEYS)):
        kind = name.removesuffix("_key")
        expected = f'None or a key that begins with {OWN_KEYS}, such as {name}="{OWN_KEYS}{kind}"'
        raise InvalidArgumentError.of(name, value, expected)


def one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise `InvalidArgumentError` unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        expected = f"one of {', '.join(choices)}{_did_you_mean(value, choices)}"
        raise InvalidArgumentError.of(name, value, expected)


def _did_you_mean(value: object, choices: Sequence[str]) -> str:
    meant = meant_value(value, choices)
    return f" (did you mean {meant}?)" if meant else ""
