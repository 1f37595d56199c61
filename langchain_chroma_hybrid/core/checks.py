"""Values that arguments may have, whichever object takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    InvalidArgumentError,
    kind_of,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import ValidationError


def positive(name: str, value: object) -> None:
    """Raise `InvalidArgumentError` unless `value` is a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidArgumentError.of(name, value, "a whole number >= 1")


def whole(name: str, value: object, low: int, high: int) -> None:
    """Raise `InvalidArgumentError` unless `value` is a whole number from `low` to `high`."""
    fits = isinstance(value, Integral) and not isinstance(value, bool)
    if not fits or not low <= int(value) <= high:  # type: ignore[call-overload]  # it fits
        raise InvalidArgumentError.of(name, value, f"a whole number from {low} to {high}")


def check_seed(seed: object) -> None:
    """Raise `InvalidArgumentError` unless NumPy and torch both take `seed`."""
    whole("seed", seed, 0, 2**32 - 1)


def items(name: str, value: object, kind: str) -> list[Any]:
    """What an iterable holds.

    Raises:
        InvalidArgumentError: none, or a text or mapping, which nobody means to be one.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise InvalidArgumentError.of_kind(name, value, kind)
    return list(value)


def plain(name: str, values: Any) -> dict[str, Any]:
    """A mapping as it comes back from JSON.

    Raises:
        InvalidArgumentError: none, or one that JSON cannot hold.
    """
    try:
        found = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        expected = f"a mapping that JSON can hold ({error})"
        raise InvalidArgumentError.of_kind(name, values, expected) from error
    return dict(found)


def metadata_key(name: str, value: object) -> None:
    """Raise `InvalidArgumentError` unless `value` is a text that can be a key."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError.of(name, value, "a metadata key")


def metadata_keys(name: str, value: object) -> tuple[str, ...]:
    """Several metadata keys.

    Raises:
        InvalidArgumentError: one key alone, whose letters would be taken for keys, or no keys.
    """
    if isinstance(value, list | tuple) and all(isinstance(key, str) and key for key in value):
        return tuple(value)
    raise InvalidArgumentError.of(name, value, f'metadata keys, such as {name}=["source"]')


def refused_value(
    error: ValidationError,
    owner: str,
    secret: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> ChromaHybridError:
    """The first thing that pydantic found, in the form of all our errors.

    Args:
        error: pydantic's.
        owner: what was made, for an error of the whole.
        secret: fields whose values are not shown.
        names: what callers call a field where its name is another.
    """
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ChromaHybridError):
        return cause
    name = str(first["loc"][0]) if first["loc"] else owner
    expected = first["msg"].replace("Input should be", "expected")
    hidden = name in secret or not first["loc"]
    got = kind_of(first["input"]) if hidden else shown(first["input"])
    return InvalidArgumentError(f"{(names or {}).get(name, name)}: {expected}, got {got}")
