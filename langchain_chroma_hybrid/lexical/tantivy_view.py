"""What one commit of an index has answered before, and may be asked again."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.filters import AllOf, Filter, Ids, all_of, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from tantivy import Searcher

    from langchain_chroma_hybrid.lexical.tantivy_query import Part

# What a view remembers of filters, some 10 MB.
_MOST_IDS, _MOST_FILTERS = 100_000, 1_000
# To find all ids that pass costs as much as some looks at candidates, if they are not too many.
_LOOKS, _MANY = 3, 30_000


class View:
    """A searcher and what it has answered before, for as long as it is the latest.

    Attributes:
        searcher: sees one commit, whatever comes after.
        query: the last query that was compiled, as text and syntax, and what came of it.
    """

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self.query: tuple[tuple[str, str], Part | None] | None = None
        self._counts: dict[Filter, int] = {}
        self._ids: dict[Filter, frozenset[str]] = {}
        self._looks: Counter[Filter] = Counter()
        self._lock = threading.Lock()

    def count(self, where: Filter, find: Callable[[], int]) -> int:
        """`find()`, or what it gave before for this filter: a tenant's comes with every query."""
        if not _rememberable(where):
            return find()
        known = self._counts.get(where)
        if known is None:
            if len(self._counts) >= _MOST_FILTERS:
                self._counts.clear()
            known = self._counts[where] = find()
        return known

    def ids(self, where: Filter, find: Callable[[Filter], list[str]]) -> list[str]:
        """The same for the ids of all records that pass, or of those among some candidates."""
        rest, candidates = _apart(where)
        if rest is None or not _rememberable(rest):
            return find(where)
        known = self._ids.get(rest)
        if known is None:
            if candidates is not None and not self._pays(rest):
                return find(where)
            known = frozenset(find(rest))
            self._remember(rest, known)
        return list(known if candidates is None else known & candidates)

    def _pays(self, where: Filter) -> bool:
        """Whether to find all ids that pass, which costs as much as some looks at candidates."""
        with self._lock:
            if len(self._looks) >= _MOST_FILTERS:
                self._looks.clear()
            self._looks[where] += 1
            return self._looks[where] > _LOOKS and self._counts.get(where, _MANY) < _MANY

    def _remember(self, where: Filter, ids: frozenset[str]) -> None:
        with self._lock:
            if sum(map(len, self._ids.values())) + len(ids) > _MOST_IDS:
                self._ids.clear()
            if len(ids) <= _MOST_IDS:
                self._ids[where] = ids


def _rememberable(where: Filter) -> bool:
    """Not with ids in it: those are of one query."""
    return not any(isinstance(leaf, Ids) for leaf in leaves(where))


def _apart(where: Filter) -> tuple[Filter | None, frozenset[str] | None]:
    """A filter without the candidates that it is AND-ed with, and these."""
    parts = where.parts if isinstance(where, AllOf) else (where,)
    given = [part for part in parts if isinstance(part, Ids) and not part.negated]
    rest = all_of(*(part for part in parts if part not in given))
    return rest, frozenset.intersection(*(part.ids for part in given)) if given else None
