"""One clear error for keyword arguments that are not known, in place of Python's bare one."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from langchain_chroma_hybrid.core.suggest import in_place_of
from langchain_chroma_hybrid.errors import UnknownArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


def reject_unknown(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise for keyword arguments that nothing would read.

    Raises:
        UnknownArgumentError: a name is not `known`; the message lists what `where` knows, and what
            may have been meant.
    """
    if unknown := given.keys() - set(known):
        hints = {name: in_place_of(name, known) for name in sorted(unknown)}
        names = ", ".join(f"{n} ({hint})" if hint else n for n, hint in hints.items())
        all_known = ", ".join(sorted({*known}))
        raise UnknownArgumentError(f"{where} got unknown arguments: {names}; it knows: {all_known}")


def known_keywords(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """`function` of named keywords alone, which names them all when it is given another.

    An inherited constructor speaks of the class that is made.

    Raises:
        UnknownArgumentError: at a call, with what may have been meant.
    """
    signature = inspect.signature(function)
    places = signature.parameters.values()
    names = [p.name for p in places if p.kind is not p.POSITIONAL_ONLY and p.name != "self"]
    name, makes = function.__name__, function.__name__ == "__init__"

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        where = type(args[0]).__name__ if makes else name
        if kwargs:
            reject_unknown(where, kwargs, names)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{where}: {error}") from None
        return function(*args, **kwargs)

    return checked


def known_fields(kind: type[_T]) -> type[_T]:
    """A dataclass whose constructor is `known_keywords`."""
    kind.__init__ = known_keywords(kind.__init__)  # type: ignore[method-assign]
    return kind
