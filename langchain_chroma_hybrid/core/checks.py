"""Values that arguments may have, whichever object takes them."""

from __future__ import annotations

from numbers import Integral

from langchain_chroma_hybrid.errors import InvalidArgumentError


def positive(name: str, value: object) -> None:
    """Raise `InvalidArgumentError` unless `value` is a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidArgumentError.of(name, value, "a whole number >= 1")


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
