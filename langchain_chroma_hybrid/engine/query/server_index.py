"""The words of a collection as its own server has them, for the queries that ask about words."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.analysis.query_words import wanted
from langchain_chroma_hybrid.core.filters import Ids, writable
from langchain_chroma_hybrid.core.values import Scored, digest
from langchain_chroma_hybrid.engine.chroma.server_search import MOST_HITS, by_words
from langchain_chroma_hybrid.lexical.protocol import Capabilities, Hits, Passing
from langchain_chroma_hybrid.lexical.scoring import MAX_QUERY_CHARS, MAX_TERMS, idf
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT, matched_terms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.hybrid_schema import SparseIndex
    from langchain_chroma_hybrid.engine.chroma.server_search import Found
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax

# Seconds for which a count is trusted.
_COUNTED = 60.0
# Terms of a query that are searched for one by one; of a longer query nobody knows the best score.
_MOST_PROBES = 64


class ServerIndex:
    """A `LexicalIndex` that nobody writes: the server keeps it with the records.

    Asks through one caller's client, in his name. May be called from many threads.

    How rare a term is, the server alone knows: a search for that term gives it away. One small
    search for each term goes with the request where scores are wanted.
    """

    def __init__(self, store: ChromaStore, sparse: SparseIndex) -> None:
        self._store, self.sparse = store, sparse
        self.analyzer = sparse.function.analyzer
        self.capabilities = Capabilities(
            durable=True, syntax=True, remote=True, most=MOST_HITS, fuses=True
        )

    @property
    def signature(self) -> str:
        """The same for everybody who opens the collection."""
        return f"the server's own, analyzer {self.analyzer.fingerprint}"

    @property
    def folder(self) -> None:
        """None: it lies on the server."""

    # What queries ask

    def search(
        self, query: str, k: int, *, where: Filter | None = None, syntax: QuerySyntax = "plain"
    ) -> Hits:
        """The best `k` that have a term of the query, by BM25; phrases and prefixes as words.

        Those of one score are in the server's order, as where it fuses them.

        Raises:
            LexicalIndexError: a quota is exceeded, or the server stays busy.
        """
        terms = self.terms(query, syntax)
        if not terms or k < 1:
            return Hits()
        words = self.sparse.function.of_terms(terms)
        main = by_words(words, self.sparse.key, k, where)
        probes = self._probes(terms, None) if len(terms) <= _MOST_PROBES else []
        found, *each = self._store.search([main, *probes])
        best = math.fsum(self._weights(terms, each).values()) if probes else None
        scores = [(id_, 1.0 - far) for id_, far in zip(found.ids, found.scores, strict=True)]
        # What has no term of the query comes along while it is not in the server's index yet.
        hits = [Scored(id_, score) for id_, score in scores if score > 0.0]
        return Hits(hits, best)

    def terms(self, query: str, syntax: QuerySyntax = "plain") -> dict[str, float]:
        """The distinct terms of a query with their boosts, a bounded number."""
        text = query[:MAX_QUERY_CHARS]
        found = self.analyzer.query(wanted(text) if syntax == "simple" else text)
        return {term.text: term.boost for term in found[:MAX_TERMS]}

    def weights(self, query: str, *, syntax: QuerySyntax = "plain") -> Mapping[str, float]:
        """What each term can add to a score."""
        terms = dict(islice(self.terms(query, syntax).items(), _MOST_PROBES))
        return self._weights(terms, self._store.search(self._probes(terms, None))) if terms else {}

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`."""
        parts = {t for word in words for phrase in word.phrases for t in phrase}
        terms = list(dict.fromkeys([t for word in words for t in word.terms] + sorted(parts)))
        if not terms:
            return ()
        asked = terms[:_MOST_PROBES]
        found = self._store.search(self._probes(asked, where))
        nowhere = {t for t, each in zip(asked, found, strict=True) if _best(each) <= 0.0}
        # Whether a phrase stands somewhere nobody tells: its terms may be in different records.
        ways = {word.text: [*[(term,) for term in word.terms], *word.phrases] for word in words}
        return tuple(
            text for text, of in ways.items() if of and all(nowhere & set(way) for way in of)
        )

    def _probes(self, terms: Iterable[str], where: Filter | None) -> list[Any]:
        """For each term a search for the record that has most of it."""
        function, key = self.sparse.function, self.sparse.key
        return [
            by_words(function.of_terms({term: 1.0}), key, 1, where, vectors=True) for term in terms
        ]

    def _weights(self, terms: Mapping[str, float], found: Sequence[Found]) -> dict[str, float]:
        """What each term can add to a score; as the rarest, where no record has it."""
        most = self.sparse.function.k1 + 1.0
        weights: dict[str, float] = {}
        rarest: float | None = None
        for (term, boost), each in zip(terms.items(), found, strict=True):
            score, vector = _best(each), next(iter(each.vectors.values()), None)
            place = self.sparse.function.of_terms({term: 1.0}).indices[0]
            if score > 0.0 and vector is not None and place in vector.indices:
                value = vector.values[vector.indices.index(place)]
                weights[term] = most * boost * score / value
                continue
            rarest = idf(0, self.count()) if rarest is None else rarest
            weights[term] = most * boost * rarest
        return weights

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's text that match."""
        return matched_terms(self.analyzer, query, record, (PAGE_CONTENT,))

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans of `text` that terms of the query match."""
        return self.analyzer.highlight(query, text)

    # What Chroma answers

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:  # noqa: ARG002  # the protocol's
        """Nobody counts: the server filters."""
        return Passing(0, 0)

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass, by Chroma's own filter."""
        found = self.ids() if where is None else self._store.match(where)
        return list(found)[:limit]

    def match_count(self, where: Filter | None) -> int:
        """How many records pass."""
        return self.count() if where is None else len(self.match(where))

    def supports(self, leaf: Leaf) -> bool:
        """Whether Chroma has words for it."""
        return writable(leaf) or (isinstance(leaf, Ids) and not leaf.negated)

    def count(self) -> int:
        """Number of records."""
        return self._store.count()

    def ids(self) -> Iterable[str]:
        """All ids."""
        return self._store.ids()

    def sample(self, n: int) -> list[str]:
        """The ids of the first records."""
        return list(self._store.first(n))

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """As the records are now."""
        records = self._store.fetch(self.ids() if ids is None else ids)
        return {id_: digest(record) for id_, record in records.items()}

    def unused_fields(self) -> tuple[str, ...]:
        """None: the text is the field."""
        return ()

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:  # noqa: ARG002  # the protocol's
        """Not known: to tell would take the records."""
        return frozenset()

    def version(self) -> object:
        """Another one each minute: a server tells nobody of commits."""
        return int(time.monotonic() / _COUNTED)

    def state(self, name: str) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's
        """Nothing is kept."""
        return {}

    # What is the server's own affair

    def locked(self) -> AbstractContextManager[None]:
        """Nobody writes here."""
        return nullcontext()

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """The server has it already."""

    def foreign_commits(self) -> int:
        """Never any."""
        return 0

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """It belongs to its collection."""

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Forgotten at once."""

    def clear(self) -> None:
        """The server's index goes with its records."""

    def close(self) -> None:
        """Nothing is open."""


def _best(found: Found) -> float:
    """The score of the best record; 0 for none, or one without the words."""
    return 1.0 - found.scores[0] if found.scores else 0.0
