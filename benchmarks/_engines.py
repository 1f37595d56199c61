"""What the benchmark of engines measures: our engines, bm25s, and BM25 as the formula has it."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from _methods import K

from langchain_chroma_hybrid import Analyzer
from langchain_chroma_hybrid.core.filters import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

PAGE = 5_000
OSMEM = "osmem-server, which is no OpenSearch"
QUESTIONS = (
    "search", "plan", "match", "match_count", "count", "corrections", "weights", "unmatched",
)  # fmt: skip


class Engine(Protocol):
    """One way to index and search."""

    name: str

    def build(self, records: Sequence[Record]) -> None:
        """Add records."""

    def search(self, query: str, filter: dict[str, Any] | None) -> list[str]:
        """Ids of the best `K`."""

    def disk(self) -> int:
        """Bytes."""

    def close(self) -> None:
        """Give everything back."""


class Indexed:
    """One of our engines."""

    def __init__(
        self, name: str, index: LexicalIndex, size: Callable[[], int] | None = None
    ) -> None:
        """`size`: its bytes on a server."""
        self.name, self.index, self._size = name, index, size

    def build(self, records: Sequence[Record]) -> None:
        """In pages, as a first build does; over when a search has answered."""
        for start in range(0, len(records), PAGE):
            self.index.apply(records[start : start + PAGE])
        self.search("pump", None)

    def search(self, query: str, filter: dict[str, Any] | None) -> list[str]:
        """With the filter within the engine."""
        where = None if filter is None else parse(filter)
        return [hit.id for hit in self.index.search(query, K, where=where)]

    def disk(self) -> int:
        """Of its folder, or on its server; 0 in memory."""
        if self._size is not None:
            return self._size()
        if self.index.folder is None:
            return 0
        return sum(f.stat().st_size for f in self.index.folder.rglob("*") if f.is_file())

    def close(self) -> None:
        """Close the index."""
        self.index.close()


class Peer:
    """bm25s with the same terms; it is built anew for each change, and filters by a mask."""

    name = "bm25s"

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._terms: list[list[str]] = []
        self._columns: dict[str, np.ndarray] = {}

    def build(self, records: Sequence[Record]) -> None:
        """All of it."""
        import bm25s  # noqa: PLC0415  # a peer, in benchmarks/requirements.txt alone

        self._records += records
        self._terms += [Exact.ANALYZER.document(record.text or "") for record in records]
        self._index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        self._index.index(self._terms, show_progress=False)
        keys = self._records[0].metadata
        self._columns = {
            key: np.array([record.metadata[key] for record in self._records]) for key in keys
        }

    def search(self, query: str, filter: dict[str, Any] | None) -> list[str]:
        """What has a score above 0."""
        terms = [term.text for term in Exact.ANALYZER.query(query)]
        known = [term for term in terms if term in self._index.vocab_dict]
        mask = None
        if filter is not None:
            ((key, value),) = filter.items()
            mask = (self._columns[key] == value).astype(np.float32)
        if not known:
            return []
        rows, scores = self._index.retrieve(
            [known], k=K, weight_mask=mask, show_progress=False, n_threads=0
        )
        pairs = zip(rows[0], scores[0], strict=True)
        return [self._records[int(row)].id for row, score in pairs if score > 0]

    def disk(self) -> int:
        """0: it is in memory."""
        return 0

    def close(self) -> None:
        """Nothing to do."""


class Exact:
    """BM25 by the formula, k1 = 1.2 and b = 0.75."""

    ANALYZER: ClassVar[Analyzer] = Analyzer()

    def __init__(self, texts: Sequence[str]) -> None:
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = np.zeros(len(texts))
        for row, text in enumerate(texts):
            counts = Counter(self.ANALYZER.document(text))
            lengths[row] = counts.total()
            for term, count in counts.items():
                postings[term].append((row, count))
        self._postings = {term: np.array(found).T for term, found in postings.items()}
        self._norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())

    @classmethod
    def is_flat(cls, query: str) -> bool:
        """Whether all terms of a query count alike."""
        return all(term.boost == 1.0 for term in cls.ANALYZER.query(query))

    def scores(self, query: str) -> np.ndarray:
        """Of every record."""
        found, total = np.zeros(len(self._norm)), len(self._norm)
        for term in {term.text for term in self.ANALYZER.query(query)}:
            if term in self._postings:
                rows, counts = self._postings[term]
                idf = np.log(1 + (total - len(rows) + 0.5) / (len(rows) + 0.5))
                found[rows] += idf * counts * 2.2 / (counts + self._norm[rows])
        return found

    def overlap(self, query: str, ids: Sequence[str]) -> float:
        """The share of `ids` that are as good as the best `K`; equal texts are equally good."""
        scores = self.scores(query)
        best = np.sort(scores[scores > 0])[::-1][:K]
        if not best.size:
            return 1.0 if not ids else 0.0
        least = best[-1] * (1 - 1e-9)
        return sum(scores[int(id_[2:])] >= least for id_ in ids) / best.size


def product_of(index: LexicalIndex) -> str:
    """What answers, with its version."""
    cluster = index._cluster  # type: ignore[attr-defined]  # noqa: SLF001
    _, about = cluster.request("GET", "/")
    osmem = about.get("cluster_name") == "osmem"
    return OSMEM if osmem else f"{cluster.product} {about['version']['number']}"


def stores(index: LexicalIndex) -> int:
    """Bytes of an index in a cluster, on one node of those that have it."""
    cluster, names = index._cluster, index._names  # type: ignore[attr-defined]  # noqa: SLF001
    _, answer = cluster.request("GET", f"/{names.alias}/_stats/store")
    return int(answer["_all"]["primaries"]["store"]["size_in_bytes"])


def tables(dsn: str) -> int:
    """Bytes of the tables of our schema, with their indexes."""
    import psycopg  # noqa: PLC0415  # of the extra `postgres`

    asked = """select sum(pg_total_relation_size(oid)) from pg_class
               where relnamespace = 'chroma_hybrid'::regnamespace and relkind = 'r'"""
    with psycopg.connect(dsn.partition("?")[0]) as connection:
        found = connection.execute(asked).fetchone()
    return int(found[0]) if found else 0


@contextmanager
def counted(index: LexicalIndex) -> Iterator[list[str]]:
    """The questions that an index is asked in the block; what one of them asks in turn is none."""
    asked: list[str] = []
    within = threading.local()

    def noted(name: str, answer: Any) -> Any:
        @wraps(answer)
        def ask(*args: Any, **options: Any) -> Any:
            if getattr(within, "now", False):
                return answer(*args, **options)
            asked.append(name)
            within.now = True
            try:
                return answer(*args, **options)
            finally:
                within.now = False

        return ask

    names = [name for name in QUESTIONS if hasattr(index, name)]
    for name in names:
        setattr(index, name, noted(name, getattr(index, name)))
    try:
        yield asked
    finally:
        for name in names:
            delattr(index, name)
