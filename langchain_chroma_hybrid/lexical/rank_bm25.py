"""`rank_bm25` in memory, for those who come from LangChain's BM25Retriever and want its scores."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import rank_bm25

from langchain_chroma_hybrid.core.analysis.analyzer import (
    DEFAULT_LANGUAGE,
    Analyzer,
    QueryTerm,
    analyzer_of,
)
from langchain_chroma_hybrid.core.filters import evaluable, leaves, matches
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.core.values import Record, Scored
from langchain_chroma_hybrid.errors import InvalidArgumentError, LexicalIndexError
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.protocol import Capabilities, Hits, Passing
from langchain_chroma_hybrid.lexical.scoring import MAX_QUERY_CHARS, MAX_TERMS, ceiling
from langchain_chroma_hybrid.lexical.texts import (
    PAGE_CONTENT,
    checked,
    field_texts,
    matched_terms,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax

Variant: TypeAlias = Literal["okapi", "l", "plus"]

_CLASSES = {"okapi": rank_bm25.BM25Okapi, "l": rank_bm25.BM25L, "plus": rank_bm25.BM25Plus}
_FLOOR = {"okapi": "epsilon", "l": "delta", "plus": "delta"}


@dataclass(frozen=True, slots=True)
class _Statistics:
    """What `rank_bm25` knows about one state of the records, and where each term occurs."""

    records: list[Record]
    model: Any
    postings: Mapping[str, list[int]]


class RankBM25Index:
    """A `LexicalIndex` in memory with the scores of `rank_bm25`'s `get_scores`.

    A hit is a record that contains a query term; BM25Plus gives the others a score too. Okapi may
    give terms that most records hold a weight <= 0; records that only have such terms are still
    hits, in the order of their scores, at the end. Statistics are made anew at the first search
    after a change, which takes time linear in the collection: for small collections.

    Reads and writes may come from any thread. The faces refuse `query_syntax="simple"`
    over it.

    Args:
        variant: `okapi`, `l` or `plus`.
        analyzer: turns texts and queries into terms, or its language; English by default.
        k1: saturation of term frequency.
        b: influence of the length of a record, 0..1.
        epsilon: Okapi's floor for weights below 0, as a share of the average weight.
        delta: what L (default 0.5) and Plus (default 1) add to the frequency part.

    Raises:
        InvalidArgumentError: an unknown variant, or a parameter that the variant does not have, or
            of a value that means nothing.
    """

    @known_keywords
    def __init__(
        self,
        variant: Variant = "okapi",
        *,
        analyzer: Analyzer | str | None = None,
        k1: float = 1.5,
        b: float = 0.75,
        epsilon: float | None = None,
        delta: float | None = None,
    ) -> None:
        if variant not in _CLASSES:
            raise InvalidArgumentError.of("variant", variant, f"one of {', '.join(_CLASSES)}")
        floors = {"epsilon": epsilon, "delta": delta}
        given = {name: value for name, value in floors.items() if value is not None}
        for name in given.keys() - {_FLOOR[variant]}:
            raise InvalidArgumentError.of(name, given[name], f"None with variant {variant!r}")
        number("k1", k1, 0.0, math.inf)
        number("b", b, 0.0, 1.0)
        self.variant = variant
        self.analyzer = analyzer_of(DEFAULT_LANGUAGE if analyzer is None else analyzer)
        self.capabilities = Capabilities(durable=False, syntax=False)
        self._parameters = {"k1": k1, "b": b, **given}
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._digests: dict[str, str] = {}
        self._statistics: _Statistics | None = None
        self._version, self._owner = 0, Owner()
        self._closed = False

    @property
    def signature(self) -> str:
        """Its own: nobody else reads or writes these records."""
        return f"{type(self).__name__} {id(self)}"

    @property
    def folder(self) -> None:
        """None: it is in memory."""

    def locked(self) -> AbstractContextManager[Any]:
        """Keep every other writer (and reader) out; may be nested."""
        return self._lock

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """Make `upserts` the content of their ids and remove `deletes`; all or nothing.

        Raises:
            InvalidArgumentError: a record that Chroma could not hold either.
        """
        digests = checked(upserts)
        with self._open():
            for record_id in set(deletes) - digests.keys():
                self._records.pop(record_id, None)
                self._digests.pop(record_id, None)
            for record in upserts:
                self._records[record.id] = Record(record.id, record.text, dict(record.metadata))
            self._digests.update(digests)
            self._changed()

    def search(
        self, query: str, k: int, *, where: Filter | None = None, syntax: QuerySyntax = "plain"
    ) -> Hits:
        """The best `k` records that contain a query term and pass `where`.

        Higher is better; ties are in the order of ids. `syntax` makes no difference.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """
        self._check(where)
        statistics, most = self._current(), self.max_score(query, syntax=syntax)
        terms = self._terms(query, statistics)
        found = sorted({at for term in terms for at in statistics.postings[term.text]})
        found = [at for at in found if matches(where, statistics.records[at])]
        if not found or k < 1:
            return Hits([], most)
        scores = sum(_scores(statistics, term, found) for term in terms)
        hits = [
            Scored(statistics.records[at].id, score)
            for at, score in zip(found, np.asarray(scores).tolist(), strict=True)
        ]
        return Hits(sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k], most)

    def max_score(self, query: str, *, syntax: QuerySyntax = "plain") -> float:
        """The sum of each term's best score in any record, >= 0; no record's score exceeds it."""
        if not self._terms(query, self._current()):
            return 0.0
        # Sums of floats depend on their order.
        return sum(self.weights(query, syntax=syntax).values()) * (1.0 + 1e-9)

    def weights(self, query: str, *, syntax: QuerySyntax = "plain") -> Mapping[str, float]:
        """What each term of `query` can add to a score, >= 0; unknown ones as BM25 has them."""
        del syntax
        statistics = self._current()
        found = {
            term.text: float(_scores(statistics, term, statistics.postings[term.text]).max())
            for term in self._terms(query, statistics)
        }
        terms = self.analyzer.query(query[:MAX_QUERY_CHARS])
        unknown = [term for term in terms if term.text not in statistics.postings][:MAX_TERMS]
        most = ceiling(0, len(statistics.records))
        weights = {term.text: term.boost * most for term in unknown}
        return weights | {term: max(0.0, score) for term, score in found.items()}

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""
        self._check(where)
        statistics = self._current()

        def occurs(word: QueryWord) -> bool:
            rows = [row for term in word.terms for row in statistics.postings.get(term, ())]
            return any(matches(where, statistics.records[row]) for row in rows)

        return tuple(word.text for word in words if not occurs(word))

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's text that match `query`, each once."""
        return matched_terms(self.analyzer, query, record, [PAGE_CONTENT])

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""
        return self.analyzer.highlight(query, text)

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        ids = tuple(self.match(where))
        return Passing(len(ids), self.count(), ids if len(ids) <= limit else None)

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""
        self._check(where)
        found = [record.id for record in self._all() if matches(where, record)]
        return found if limit is None else found[: max(0, limit)]

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        return len(self.match(where))

    def supports(self, leaf: Leaf) -> bool:
        """Everything but regular expressions and conditions on Chroma's own rows."""
        return evaluable(leaf)

    def count(self) -> int:
        """Number of records."""
        return len(self._all())

    def ids(self) -> Iterable[str]:
        """All ids, in no order."""
        return self.match(None)

    def sample(self, n: int) -> list[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""
        with self._open():
            return nsmallest(max(0, n), self._digests, key=lambda id_: (self._digests[id_], id_))

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id; None means all."""
        with self._open():
            wanted = self._digests if ids is None else ids
            return {id_: self._digests[id_] for id_ in wanted if id_ in self._digests}

    def unused_fields(self) -> Collection[str]:
        """None: only the text is searched."""
        return ()

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) whose text holds no term."""
        statistics = self._current()
        known = {at for records in statistics.postings.values() for at in records}
        found = (r.id for at, r in enumerate(statistics.records) if at not in known)
        return frozenset(found if ids is None else set(ids).intersection(found))

    def foreign_commits(self) -> int:
        """0: nobody else can write."""
        return 0

    def version(self) -> object:
        """How often records were changed."""
        return self._version

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """Belong to one collection from now on, by its id.

        Raises:
            IndexBoundError: it belongs to another one, and not to `instead_of`.
        """
        with self._lock:
            wanted = Owner(collection, place)
            if self._owner.give_way(wanted, instead_of):
                self._owner = wanted

    def state(self, name: str) -> Mapping[str, Any]:  # noqa: ARG002  # as the protocol has it
        """Nothing: it ends with the process."""
        return {}

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Forget it."""

    def clear(self) -> None:
        """Remove all records."""
        with self._open():
            self._records.clear()
            self._digests.clear()
            self._changed()

    def close(self) -> None:
        """Forget the records; reading afterwards raises LexicalIndexError. May be called twice."""
        with self._lock:
            self._closed = True
            self._records = {}
            self._digests = {}
            self._statistics = None

    def _changed(self) -> None:
        self._statistics = None
        self._version += 1

    def _open(self) -> AbstractContextManager[Any]:
        if self._closed:
            raise LexicalIndexError("the lexical index is closed")
        return self._lock

    def _all(self) -> list[Record]:
        with self._open():
            return list(self._records.values())

    def _check(self, where: Filter | None) -> None:
        for leaf in () if where is None else leaves(where):
            if not evaluable(leaf):
                expected = "parts that the lexical index can answer"
                raise InvalidArgumentError.of("where", leaf, expected)

    def _current(self) -> _Statistics:
        with self._open():
            if self._statistics is None:
                self._statistics = self._counted(list(self._records.values()))
            return self._statistics

    def _counted(self, records: list[Record]) -> _Statistics:
        """The model over all records, None if they hold no term, and which record has which."""
        texts = [" ".join(field_texts(record, PAGE_CONTENT)) for record in records]
        corpus = [self.analyzer.document(text) for text in texts]
        postings: dict[str, list[int]] = defaultdict(list)
        for at, terms in enumerate(corpus):
            for term in dict.fromkeys(terms):
                postings[term].append(at)
        model = _CLASSES[self.variant](corpus, **self._parameters) if postings else None
        if model is not None:
            # rank_bm25 turns the list into an array at every call.
            model.doc_len = np.array(model.doc_len)
        return _Statistics(records, model, dict(postings))

    def _terms(self, query: str, statistics: _Statistics) -> list[QueryTerm]:
        """The query's terms that occur; of too many the rarest."""
        postings = statistics.postings
        query = query[:MAX_QUERY_CHARS]
        terms = {term.text: term for term in self.analyzer.query(query)}
        for _, others, boost in self.analyzer.spellings(query):
            for other in others:
                if not other[1:]:  # phrases would need positions
                    terms.setdefault(other[0], QueryTerm(other[0], boost))
        known = [term for term in terms.values() if term.text in postings]
        if len(known) > MAX_TERMS:
            known = sorted(known, key=lambda term: len(postings[term.text]))[:MAX_TERMS]
        return known


def _scores(statistics: _Statistics, term: QueryTerm, found: list[int]) -> Any:
    return term.boost * np.asarray(statistics.model.get_batch_scores([term.text], found))
