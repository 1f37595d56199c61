"""The words of a collection as its own server has them, for the queries that ask about words."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.analysis.query_words import wanted
from langchain_chroma_hybrid.core.filters import Ids, writable
from langchain_chroma_hybrid.core.values import Scored, digest
from langchain_chroma_hybrid.engine.chroma.server_search import MOST_HITS, by_words, unit
from langchain_chroma_hybrid.errors import EmbeddingError, LexicalIndexError
from langchain_chroma_hybrid.lexical.protocol import Capabilities, Hits, Passing
from langchain_chroma_hybrid.lexical.scoring import MAX_QUERY_CHARS, MAX_TERMS, idf
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT, matched_terms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from chromadb.api.types import SparseVector

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.hybrid_schema import SparseIndex
    from langchain_chroma_hybrid.engine.chroma.server_search import Found
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax

# Seconds for which a count is trusted.
_COUNTED = 60.0
# Dimensions that are searched for one by one; of a longer query nobody knows the best score.
_MOST_PROBES = 64


class ServerIndex:
    """A `LexicalIndex` that nobody writes: the server keeps it with the records.

    Asks through one caller's client, in his name. May be called from many threads.

    How rare a term is, the server alone knows: a search for its dimension gives it away. One small
    search for each goes with the request where scores are wanted.
    """

    def __init__(self, store: ChromaStore, sparse: SparseIndex) -> None:
        self._store, self.sparse, self._words = store, sparse, sparse.words
        self.analyzer = self._words.analyzer
        self.capabilities = Capabilities(
            durable=True, syntax=True, remote=True, most=MOST_HITS, fuses=True
        )

    @property
    def signature(self) -> str:
        """The same for everybody who opens the collection."""
        return f"the server's own, {self._words.name}"

    @property
    def folder(self) -> None:
        """None: it lies on the server."""

    # What queries ask

    def search(
        self, query: str, k: int, *, where: Filter | None = None, syntax: QuerySyntax = "plain"
    ) -> Hits:
        """The best `k` that have a term of the query, by BM25; phrases and prefixes as words.

        Those of one score are in the server's order, as where it fuses them. The ceiling is known
        where a word is a dimension, or some.

        Raises:
            LexicalIndexError: a quota is exceeded, the server stays busy, or no vector is made.
        """
        words = self.vector(query, syntax)
        if not words.indices or k < 1:
            return Hits()
        main = by_words(words, self.sparse.key, k, where)
        told = self._words.most is not None and len(words.indices) <= _MOST_PROBES
        probes = self._probes(words.indices, None) if told else []
        found, *each = self._store.search([main, *probes])
        adds = self._adds(words.indices, each) if told else {}
        pairs = zip(words.indices, words.values, strict=True)
        best = math.fsum(value * adds[place] for place, value in pairs) if told else None
        scores = [(id_, 1.0 - far) for id_, far in zip(found.ids, found.scores, strict=True)]
        # What has no term of the query comes along while it is not in the server's index yet.
        hits = [Scored(id_, score) for id_, score in scores if score > 0.0]
        return Hits(hits, best)

    def vector(self, query: str, syntax: QuerySyntax = "plain") -> SparseVector:
        """The words of a query as the server is asked for them, a bounded number.

        Raises:
            LexicalIndexError: the function does not give a vector.
        """
        with _of_the_words():
            return self._words.query(_read(query, syntax), MAX_TERMS)

    def weights(self, query: str, *, syntax: QuerySyntax = "plain") -> Mapping[str, float]:
        """What each term can add to a score; empty where no word is a dimension."""
        with _of_the_words():
            weighed = self._words.weighed(_read(query, syntax))
        distinct = dict.fromkeys(place for parts in weighed.values() for place in parts)
        places = list(islice(distinct, _MOST_PROBES))
        if not places:
            return {}
        adds = self._adds(places, self._store.search(self._probes(places, None)))
        known = {term: parts for term, parts in weighed.items() if parts.keys() <= adds.keys()}
        return {
            term: math.fsum(value * adds[place] for place, value in parts.items())
            for term, parts in known.items()
        }

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as far as one can tell.

        Whether a phrase stands somewhere nobody can: its terms may be in different records.
        """
        with _of_the_words():
            ways = {word.text: self._words.ways(word) for word in words}
        every = sorted((way for of in ways.values() for way in of), key=len)
        places = list(dict.fromkeys(place for way in every for place in sorted(way)))
        if not places:
            return ()
        asked = places[:_MOST_PROBES]
        found = self._store.search(self._probes(asked, where))
        nowhere = {place for place, each in zip(asked, found, strict=True) if _best(each) <= 0.0}
        return tuple(text for text, of in ways.items() if of and all(nowhere & way for way in of))

    def _probes(self, places: Iterable[int], where: Filter | None) -> list[Any]:
        """For each dimension a search for the record that has most of it."""
        key = self.sparse.key
        return [by_words(unit(place), key, 1, where, vectors=True) for place in places]

    def _adds(self, places: Sequence[int], found: Sequence[Found]) -> dict[int, float]:
        """What 1 in each dimension of a query can add to a score; as the rarest, where none is."""
        adds: dict[int, float] = {}
        most, rarest = self._words.most or 0.0, None
        for place, each in zip(places, found, strict=True):
            score, vector = _best(each), next(iter(each.vectors.values()), None)
            if score > 0.0 and vector is not None and place in vector.indices:
                adds[place] = most * score / vector.values[vector.indices.index(place)]
                continue
            if rarest is None:
                rarest = idf(0, self.count()) if self.sparse.stored.bm25 else 1.0
            adds[place] = most * rarest
        return adds

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


def _read(query: str, syntax: QuerySyntax) -> str:
    """What of a query is asked for by words."""
    text = query[:MAX_QUERY_CHARS]
    return wanted(text) if syntax == "simple" else text


@contextmanager
def _of_the_words() -> Iterator[None]:
    """What the function does not give, the leg of words lacks."""
    try:
        yield
    except EmbeddingError as error:
        raise LexicalIndexError(str(error)) from error


def _best(found: Found) -> float:
    """The score of the best record; 0 for none, or one without the words."""
    return 1.0 - found.scores[0] if found.scores else 0.0
