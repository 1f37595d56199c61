"""What an index answers, out of the index that has the records by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from langchain_chroma_hybrid.core.filters import QueryMatch
from langchain_chroma_hybrid.lexical.filter_terms import supports
from langchain_chroma_hybrid.lexical.opensearch.asking import MovedError
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT, matched_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.opensearch.cluster import Attempts, Cluster
    from langchain_chroma_hybrid.lexical.opensearch.side import Info, SideIndex
    from langchain_chroma_hybrid.lexical.opensearch.view import View
    from langchain_chroma_hybrid.lexical.protocol import Hits, Passing, QuerySyntax
    from langchain_chroma_hybrid.lexical.seen import Seen

_T = TypeVar("_T")


class Answers:
    """The reading half of an index."""

    analyzer: Analyzer
    lexical_fields: Mapping[str, float]
    _cluster: Cluster
    _side: SideIndex
    _seen: Seen[Info]
    _view: View

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Filter | None = None,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Hits:
        """The best `k` records that contain a query term and pass `where`; in one round trip.

        Scores are > 0, higher is better; ties are in the order of ids. A filter of more than 8
        levels, and more than 256 words, take another one. Without `corrections` that which of the
        words occur comes along, so that `corrections` of the same query need not ask, where all do.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """
        return self._asked(lambda v: v.reader.search(query, k, where, syntax, corrections))

    def weights(
        self,
        query: str,
        *,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score, unknown ones included."""
        return self._asked(lambda v: v.reader.weights(query, syntax, corrections or {}))

    def corrections(
        self, query: str, where: Filter | None = None, *, sounds: bool = False
    ) -> Mapping[str, tuple[str, ...]]:
        """Words of `query` that occur in no record which passes `where`, and a few like each.

        As `TantivyIndex.corrections` has them; what sounds alike where it is at most two edits
        away. One round trip tells which words occur, none where `search` has told; those of a
        mistyped word are two.
        """
        return self._asked(lambda v: v.corrector.corrections(query, where, sounds=sounds))

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""
        return self._asked(lambda v: v.reader.unmatched(words, where)) if words else ()

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's indexed fields that match `query`, each once."""
        return matched_terms(self.analyzer, query, record, self.lexical_fields)

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""
        return self.analyzer.highlight(query, text)

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        return self._asked(lambda v: v.reader.plan(where, limit))

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""
        return self._asked(lambda v: v.reader.match(where, limit))

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        return self._asked(lambda v: v.reader.match_count(where))

    def supports(self, leaf: Leaf) -> bool:
        """Everything but conditions on the document and on Chroma's own rows."""
        return isinstance(leaf, QueryMatch) or supports(leaf)

    def count(self) -> int:
        """Number of records."""
        return self._asked(lambda v: v.reader.match_count(None))

    def ids(self) -> Iterable[str]:
        """All ids, in no order; those that others write meanwhile may be among them."""
        self._cluster.open()
        return self._each_id()

    def _each_id(self) -> Iterator[str]:
        """All ids, from one index on to the next that takes its place."""
        last: str | None = None
        attempts = self._cluster.attempts()
        while True:
            view = self._view
            try:
                for id_ in view.reader.ids(last):
                    yield id_
                    last = id_
            except MovedError:
                self._follow(view, attempts)
            else:
                return

    def sample(self, n: int) -> list[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""
        return self._asked(lambda v: v.reader.sample(n))

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id; None means all."""
        return self._asked(lambda v: v.reader.digests(ids))

    def unused_fields(self) -> Collection[str]:
        """Names among `lexical_fields`, but for the text, under which no record has a term."""
        unused = [self._view.reader.tokens.names[n] for n in self._seen.info.unused]
        return [name for name in unused if name != PAGE_CONTENT]

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) with no term in any of the searched fields."""
        return self._asked(lambda v: v.reader.without_text(ids))

    def foreign_commits(self) -> int:
        """How many commits of others the answers so far have told of."""
        return self._seen.foreign

    def version(self) -> object:
        """Another value after each commit that an answer has told of."""
        return self._seen.version

    def _use(self, info: Info) -> None:
        """From now on read and write the index that has the records, as it was built."""
        raise NotImplementedError

    def _follow(self, view: View, attempts: Attempts | None = None) -> None:
        """Use the index that has the records by now, unless `view` has been left already.

        Raises:
            LexicalIndexError: with `attempts`, a search told of another one until these ended.
        """
        info = self._side.info()
        if self._view is view and info.generation != view.generation:
            self._use(info)
        elif self._view is view and attempts is not None and not attempts.again():
            raise self._cluster.stale()

    def _asked(self, question: Callable[[View], _T]) -> _T:
        """What a view answers; another one where the records are in another index by now."""
        self._cluster.open()
        attempts = self._cluster.attempts()
        while True:
            view = self._view
            try:
                return question(view)
            except MovedError:
                self._follow(view, attempts)
