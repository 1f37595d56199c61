"""A filter with all that an index cannot answer replaced by ids. Read `core.filters` first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from langchain_chroma_hybrid.core.filters.evaluate import evaluable
from langchain_chroma_hybrid.core.filters.tree import (
    AllOf,
    AnyOf,
    Filter,
    Ids,
    Leaf,
    TextMatch,
    join,
    leaves,
)
from langchain_chroma_hybrid.core.filters.write import is_textual, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_OPPOSITE: Mapping[str, Literal["$contains", "$regex"]] = {
    "$not_contains": "$contains",
    "$not_regex": "$regex",
}


def resolve(
    node: Filter,
    supports: Callable[[Leaf], bool],
    ask: Callable[[Filter], Iterable[str]],
) -> Filter:
    """Replace what an index cannot answer by the ids that pass it; the rest stays.

    Args:
        node: any tree; `Ids` in it are kept, whatever `supports` says.
        supports: whether the index can answer a leaf.
        ask: the ids that pass a filter which `to_chroma` can write or `matches` can evaluate. The
            unsupported parts of one AND or OR are one question where they can be asked together;
            equal questions are asked once.
    """
    return _Resolver(supports, ask).resolve(node)


class _Resolver:
    def __init__(
        self, supports: Callable[[Leaf], bool], ask: Callable[[Filter], Iterable[str]]
    ) -> None:
        self._supports = supports
        self._ask = ask
        self._answers: dict[Filter, Ids] = {}

    def resolve(self, node: Filter) -> Filter:
        absent = dict.fromkeys(self._absent(node))
        if not absent and self._foreign(node) and _answerable(node):
            return self._answer(node)
        if not isinstance(node, AllOf | AnyOf):
            return self._complement(AllOf, absent) if absent else node
        kind = type(node)
        foreign = [part for part in node.parts if self._foreign(part) and part not in absent]
        kept = [self.resolve(part) for part in node.parts if not self._foreign(part)]
        without = [self._complement(kind, absent)] if absent else []
        return join(kind, [*kept, *self._questions(kind, foreign), *without])

    def _absent(self, node: Filter) -> list[TextMatch]:
        """What of `node` asks for documents without a text: mostly nearly all of them."""
        parts = node.parts if isinstance(node, AllOf | AnyOf) else (node,)
        return [
            part
            for part in parts
            if isinstance(part, TextMatch) and part.op in _OPPOSITE and self._foreign(part)
        ]

    def _complement(self, kind: type[AllOf | AnyOf], absent: Iterable[TextMatch]) -> Ids:
        """`absent`, joined by `kind`, as all records but those that Chroma finds: these are few."""
        present = [TextMatch(_OPPOSITE[part.op], part.pattern) for part in absent]
        found = self._answer(join(AnyOf if kind is AllOf else AllOf, present))
        return Ids(found.ids, negated=True)

    def _questions(self, kind: type[AllOf | AnyOf], foreign: list[Filter]) -> list[Filter]:
        """One for all of `foreign` if that can be written, else documents apart, else one each."""
        text = [part for part in foreign if is_textual(part)]
        rest = [part for part in foreign if not is_textual(part)]
        for groups in ([foreign], [text, rest]):
            joined = [join(kind, group) for group in groups if group]
            if all(_answerable(question) for question in joined):
                return [self._answer(question) for question in joined]
        return [self.resolve(part) for part in foreign]

    def _foreign(self, node: Filter) -> bool:
        return not any(isinstance(leaf, Ids) or self._supports(leaf) for leaf in leaves(node))

    def _answer(self, question: Filter) -> Ids:
        if question not in self._answers:
            self._answers[question] = Ids(frozenset(self._ask(question)))
        return self._answers[question]


def _answerable(question: Filter) -> bool:
    """Whether Chroma has words for it, or its records at hand tell."""
    return writable(question) or all(map(evaluable, leaves(question)))
