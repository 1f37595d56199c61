"""What a result is shown with: the records around it, or the one that it is a part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_chroma_hybrid.core.checks import metadata_key, positive
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Splitters repeat the end of a chunk at the beginning of the next one; less than this is chance.
_LEAST_OVERLAP, _MOST_OVERLAP = 10, 2_000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Show each result with the records before and after it in its source.

    Results that overlap become one passage, which the best of them stands for.

    Attributes:
        n: how many records before, and how many after, >= 1.
        position_key: metadata key of a number that says where in its source a record stands, such
            as a chunk's number, `start_index` or `page`; it may have gaps.
        source_key: metadata key of what positions count in, such as a file; None where the whole
            collection is one source.
        max_characters: most characters of all results together. The results themselves are never
            cut; the nearest of the best results come first.
    """

    n: int = 1
    position_key: str = "start_index"
    source_key: str | None = "source"
    max_characters: int | None = None

    def __post_init__(self) -> None:
        positive("expand.n", self.n)
        metadata_key("expand.position_key", self.position_key)
        if self.source_key is not None:
            metadata_key("expand.source_key", self.source_key)
        if self.max_characters is not None:
            positive("expand.max_characters", self.max_characters)


@dataclass(frozen=True, slots=True)
class Parent:
    """Show, in place of each result, the record of the same collection that it is a part of.

    Results with one parent become one, which the best of them stands for. Where the parent is not
    there, or does not pass the filters, the result is shown as it is.

    Attributes:
        key: metadata key under which a record has the id of its parent.
        max_characters: most characters of all results together; a parent that does not fit is
            left out, the result itself never.
    """

    key: str = "parent_id"
    max_characters: int | None = None

    def __post_init__(self) -> None:
        metadata_key("expand.key", self.key)
        if self.max_characters is not None:
            positive("expand.max_characters", self.max_characters)


Expansion: TypeAlias = Neighbours | Parent
Expand: TypeAlias = Literal["neighbours", "parent"] | Expansion


def expansion(expand: object) -> Expansion | None:
    """How results are expanded: a name stands for its kind with the usual keys.

    Raises:
        InvalidArgumentError: neither of the two names nor an object of one of the kinds.
    """
    if expand is None or isinstance(expand, Neighbours | Parent):
        return expand
    if expand == "neighbours":
        return Neighbours()
    if expand == "parent":
        return Parent()
    expected = "None, neighbours, parent, Neighbours(...) or Parent(...)"
    raise InvalidArgumentError.of("expand", expand, expected)


def joined(texts: Sequence[str]) -> str:
    """Consecutive texts as one; what the end of one has in common with the next stands once."""
    whole = ""
    for text in filter(None, texts):
        whole = f"{whole}{text[overlap:]}" if (overlap := _overlap(whole, text)) else (
            f"{whole}\n{text}" if whole else text
        )
    return whole


def _overlap(before: str, after: str) -> int:
    """How many characters the end of `before` and the beginning of `after` share."""
    start = after[:_LEAST_OVERLAP]
    tail = before[-_MOST_OVERLAP:]
    at = tail.find(start) if len(start) == _LEAST_OVERLAP else -1
    while at >= 0:
        if after.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(start, at + 1)
    return 0

