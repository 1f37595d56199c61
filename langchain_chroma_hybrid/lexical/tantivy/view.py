"""What one commit of an index has answered before, and may be asked again."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from tantivy import Occur, Query

from langchain_chroma_hybrid.core.filters import AllOf, Among, Filter, Ids, all_of, leaves
from langchain_chroma_hybrid.lexical.tantivy.filters import FilterCompiler
from langchain_chroma_hybrid.lexical.tantivy.hits import count
from langchain_chroma_hybrid.lexical.tantivy.query import QueryCompiler
from langchain_chroma_hybrid.lexical.tantivy.typos import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tantivy import Index

    from langchain_chroma_hybrid.lexical.tantivy.query import Asked, Compiled
    from langchain_chroma_hybrid.lexical.tantivy.schema import Layout

# Ids that a view remembers, those in filters too: some 10 MB.
_MOST_IDS = 100_000
# Every filter weighs as much as so many ids.
_FILTER = 10
# To find all ids that pass costs as much as some looks at candidates, if they are not too many.
_LOOKS, _MANY = 3, 30_000


class View:
    """A searcher and what it has answered before, for as long as it is the latest.

    A tenant's filter comes with each of its queries. Thread-safe.

    Attributes:
        searcher: sees one commit, whatever comes after.
        layout: what records look like in it.
        filters: compiles filters for it.
        query: the last query that was compiled, as it was asked for, and what came of it.
        unused: lexical fields in which there is nothing, once somebody has looked.
    """

    def __init__(self, index: Index, layout: Layout) -> None:
        """`index` has been reloaded."""
        self.searcher = index.searcher()
        self.layout = layout
        self.filters = FilterCompiler(index, layout.schema, self._required)
        self.query: tuple[Asked, Compiled] | None = None
        self._vocabulary = Vocabulary(layout, self.searcher)
        self.unused: tuple[str, ...] | None = None
        self._textless: int | None = None
        self._lock = threading.Lock()
        self._forget()

    @property
    def textless(self) -> int:
        """How many records have no term in any of the searched fields."""
        if self._textless is None:
            fields = [(Occur.Should, self.layout.has_text(field)) for field in self.layout.fields]
            known = count(self.searcher, Query.boolean_query(fields))
            self._textless = int(self.searcher.num_docs) - known
        return self._textless

    def compiler(self) -> QueryCompiler:
        """Compiles query texts for it."""
        return QueryCompiler(self.layout.analyzer, self.layout, self.searcher, self._vocabulary)

    def count(self, where: Filter, find: Callable[[], int]) -> int:
        """`find()`, or what it gave before for this filter."""
        known = self._counts.get(where)
        if known is None:
            known = find()
            with self._lock:
                self._make_room(_weight(where))
                self._counts[where] = known
        return known

    def ids(self, where: Filter, find: Callable[[Filter], list[str]]) -> list[str]:
        """The same for the ids of all records that pass, or of those among some candidates."""
        rest, candidates = _apart(where)
        if rest is None:
            return find(where)
        known = self._ids.get(rest)
        if known is None:
            if candidates is not None and not self._pays(rest):
                return find(where)
            known = frozenset(find(rest))
            with self._lock:
                self._make_room(_weight(rest) + len(known))
                self._ids[rest] = known
        return list(known if candidates is None else known & candidates)

    def _required(self, text: str) -> Query:
        return self.compiler().required(text)

    def _pays(self, where: Filter) -> bool:
        """Whether to find all ids that pass: not for a filter that is rare, or passes many."""
        with self._lock:
            self._make_room(_weight(where))
            self._looks[where] += 1
            return self._looks[where] > _LOOKS and self._counts.get(where, _MANY) < _MANY

    def _make_room(self, weight: int) -> None:
        if self._held + weight > _MOST_IDS:
            self._forget()
        self._held += weight

    def _forget(self) -> None:
        self._counts: dict[Filter, int] = {}
        self._ids: dict[Filter, frozenset[str]] = {}
        self._looks: Counter[Filter] = Counter()
        self._held = 0


def _weight(where: Filter) -> int:
    sizes = (leaf.ids if isinstance(leaf, Ids) else leaf.values for leaf in leaves(where)
             if isinstance(leaf, Ids | Among))  # fmt: skip
    return _FILTER + sum(map(len, sizes))


def _apart(where: Filter) -> tuple[Filter | None, frozenset[str] | None]:
    """A filter without the candidates that it is AND-ed with, and these."""
    parts = where.parts if isinstance(where, AllOf) else (where,)
    given = [part for part in parts if isinstance(part, Ids) and not part.negated]
    rest = all_of(*(part for part in parts if part not in given))
    return rest, frozenset.intersection(*(part.ids for part in given)) if given else None
