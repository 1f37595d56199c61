"""The lexical index in an OpenSearch or Elasticsearch that several hosts share."""

from __future__ import annotations

import json
import math
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.checks import whole
from langchain_chroma_hybrid.core.filters import QueryMatch
from langchain_chroma_hybrid.core.keywords import known_keywords, reject_unknown
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.corrections import Corrector
from langchain_chroma_hybrid.lexical.filter_terms import supports
from langchain_chroma_hybrid.lexical.opensearch import writing
from langchain_chroma_hybrid.lexical.opensearch.clients import (
    ElasticsearchClient,
    OpenSearchClient,
    address_of,
)
from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
from langchain_chroma_hybrid.lexical.opensearch.documents import (
    DocumentTokens,
    document,
    key_of,
)
from langchain_chroma_hybrid.lexical.opensearch.journal import OpenSearchJournal
from langchain_chroma_hybrid.lexical.opensearch.locking import WriterLock
from langchain_chroma_hybrid.lexical.opensearch.names import PREFIX, Names
from langchain_chroma_hybrid.lexical.opensearch.opening import Opening
from langchain_chroma_hybrid.lexical.opensearch.reading import Reader
from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex
from langchain_chroma_hybrid.lexical.opensearch.typos import OpenSearchVocabulary
from langchain_chroma_hybrid.lexical.protocol import Capabilities
from langchain_chroma_hybrid.lexical.seen import Seen
from langchain_chroma_hybrid.lexical.texts import (
    PAGE_CONTENT,
    checked,
    checked_fields,
    matched_terms,
)
from langchain_chroma_hybrid.lexical.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.asked import Corrections
    from langchain_chroma_hybrid.lexical.opensearch.side import Info
    from langchain_chroma_hybrid.lexical.protocol import Hits, Passing, QuerySyntax

_REACH = ("request_timeout", "retry_timeout", "ca_certs", "verify_certs")


class OpenSearchIndex:
    """A `LexicalIndex` in OpenSearch 2 or later, for hosts that share no disk.

    BM25 with k1 = 1.2 and b = 0.75 by the server, over the tokens of this package. Scores have
    the rounding of lengths that Lucene has.

    Threads share the connections of one client: the engine asks its index in threads, from `async`
    code, too. Writers of all hosts wait for each other. A write is not one transaction: one that
    fails half-way raises, and what its journal has noted is written again. What the cluster cannot
    take at the moment is tried again for `retry_timeout`.

    Args:
        server: `https://user:password@host:9200`, or a client of opensearch-py, for all that an
            address cannot say. A password is in no message, name or log.
        prefix: of the names of our indices; the path of `server` if left out, or `chroma-hybrid`.
        name: of this index among those of the prefix.
        analyzer: turns texts and queries into terms; English by default.
        lexical_fields: what is searched, with boosts > 0, as for `TantivyIndex`.
        shards: of a new index. How frequent a word is each shard counts for itself, which with
            more than one takes a further step in each search.
        replicas: of a new index.
        lock_timeout: seconds to wait for another writer.
        request_timeout: seconds that one request may take.
        retry_timeout: seconds for which one is tried again, after 429, 502, 503, 504 or no answer.
        lease: seconds without a sign of life after which a writer counts as dead, and another host
            finishes what it began. The clocks of hosts may differ by less than that.
        ca_certs: the file of the authorities that are trusted; those of the system if left out.
        verify_certs: whether a certificate has to be one of theirs.

    Raises:
        MissingDependencyError: the client is not installed.
        InvalidArgumentError: an argument that cannot be used.
        AnalyzerMismatchError: the index was built with another analyzer or other fields.
        IndexFormatError: it is of a newer version.
        LexicalIndexError: the server cannot be reached, or refuses.
    """

    _PRODUCT: ClassVar[str] = "OpenSearch"
    _CLIENT: ClassVar[type[OpenSearchClient] | type[ElasticsearchClient]] = OpenSearchClient

    @known_keywords
    def __init__(
        self,
        server: Any,
        *,
        prefix: str | None = None,
        name: str = "lexical",
        analyzer: Analyzer | None = None,
        lexical_fields: Mapping[str, float] | None = None,
        shards: int = 1,
        replicas: int = 1,
        lock_timeout: float = 30.0,
        request_timeout: float = 30.0,
        retry_timeout: float = 10.0,
        lease: float = 30.0,
        ca_certs: str | None = None,
        verify_certs: bool = True,
    ) -> None:
        number("lock_timeout", lock_timeout, 0.0, math.inf)
        number("retry_timeout", retry_timeout, 0.0, math.inf)
        for argument, value in (("request_timeout", request_timeout), ("lease", lease)):
            number(argument, value, 0.01, math.inf)
        whole("shards", shards, 1, 1_024)
        whole("replicas", replicas, 0, 100)
        self.analyzer = analyzer or Analyzer()
        self.lexical_fields = checked_fields(lexical_fields)
        self.capabilities = Capabilities(durable=True, syntax=True, remote=True)
        self._tokens, self._words = DocumentTokens(self.lexical_fields), Words(self.analyzer)
        self._names = self._named(server, prefix, name)
        self.name, self._lease = name, lease
        self._cluster = self._reached(
            server, request_timeout, retry_timeout, ca_certs, verify_certs=verify_certs
        )
        self._side = SideIndex(self._cluster, self._names)
        self._opening = Opening(
            self._cluster,
            self._names,
            self._side,
            analyzer=self.analyzer.fingerprint,
            fields=self._tokens.names,
            shards=shards,
            replicas=replicas,
        )
        self._seen = Seen(self._opening.prepare())
        self._lock = WriterLock(self._side, lease, lock_timeout, self._place, self._let_go)
        self._refreshing = threading.Lock()
        self._unrefreshed = self._written = False
        self._reader = Reader(
            self._cluster,
            self._names,
            self.analyzer,
            self.lexical_fields,
            self._seen,
            scale=self._opening.scale(),
            shards=shards,
            before=self._refresh,
        )
        self._corrector = Corrector(OpenSearchVocabulary(self._reader))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place!r})"

    @property
    def _place(self) -> str:
        return f"{self._cluster.place} {self._names.alias}"

    @property
    def signature(self) -> str:
        """Equal for objects over one index with the same analyzer, fields and boosts."""
        fields = sorted(self.lexical_fields.items())
        place = f"{self._PRODUCT} {self._place}"
        return f"{place} {self.analyzer.fingerprint}, lexical_fields {fields}"

    @property
    def folder(self) -> None:
        """None: it has none, and its writers note in the cluster what they begin."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer out, of all hosts; may be nested.

        Raises:
            IndexLockedError: another writer kept the lock for longer than `lock_timeout`.
        """
        with self._lock.held():
            yield

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """Make `upserts` the content of their ids and remove `deletes`.

        Of several records with one id the last counts; an id in both is upserted. What fails
        half-way is in part written: the same again, or a repair of these ids, completes it.

        Raises:
            InvalidArgumentError: a record that Chroma could not hold either.
            IndexLockedError: another writer kept the lock too long.
            LexicalIndexError: the server has gone, or refuses.
        """
        stamps = checked(upserts)
        latest = {record.id: record for record in upserts}
        if not latest and not deletes:
            self._cluster.open()
            return
        gone = [key for id_ in sorted({*deletes} - latest.keys()) if (key := key_of(id_))]
        documents = (
            (key_of(r.id) or "", document(r, stamps[r.id], self._words, self._tokens))
            for r in latest.values()
        )
        with self._writing() as info:
            lines = writing.operations(documents, gone, info.version)
            writing.write(self._cluster, self._names.alias, lines)

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
        levels, and more than 256 words, take another one.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """
        return self._reader.search(query, k, where, syntax, corrections or {})

    def weights(
        self,
        query: str,
        *,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score, unknown ones included."""
        return self._reader.weights(query, syntax, corrections or {})

    def corrections(
        self, query: str, where: Filter | None = None, *, sounds: bool = False
    ) -> Mapping[str, tuple[str, ...]]:
        """Words of `query` that occur in no record which passes `where`, and a few like each.

        As `TantivyIndex.corrections` has them; what sounds alike where it is at most two edits
        away. One round trip tells which words occur, none where that is known; those of a mistyped
        word are two.
        """
        return self._corrector.corrections(query, where, sounds=sounds)

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""
        return self._reader.unmatched(words, where) if words else ()

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's indexed fields that match `query`, each once."""
        return matched_terms(self.analyzer, query, record, self.lexical_fields)

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""
        return self.analyzer.highlight(query, text)

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        return self._reader.plan(where, limit)

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""
        return self._reader.match(where, limit)

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        return self._reader.match_count(where)

    def supports(self, leaf: Leaf) -> bool:
        """Everything but conditions on the document and on Chroma's own rows."""
        return isinstance(leaf, QueryMatch) or supports(leaf)

    def count(self) -> int:
        """Number of records."""
        return self._reader.match_count(None)

    def ids(self) -> Iterable[str]:
        """All ids, in no order; those that others write meanwhile may be among them."""
        self._cluster.open()
        return self._reader.ids()

    def sample(self, n: int) -> list[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""
        return self._reader.sample(n)

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id; None means all."""
        return self._reader.digests(ids)

    def unused_fields(self) -> Collection[str]:
        """Names among `lexical_fields`, but for the text, under which no record has a term."""
        unused = [self._tokens.names[n] for n in self._seen.info.unused]
        return [name for name in unused if name != PAGE_CONTENT]

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) with no term in any of the searched fields."""
        return self._reader.without_text(ids)

    def foreign_commits(self) -> int:
        """How many commits of others the answers so far have told of."""
        return self._seen.foreign

    def version(self) -> object:
        """Another value after each commit that an answer has told of."""
        return self._seen.version

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """Belong to one collection from now on, by its id.

        Raises:
            IndexBoundError: it belongs to another one, and not to `instead_of`.
        """
        wanted, was = Owner(collection, place), self._side.info().owned_by
        if was.give_way(wanted, instead_of):

            def give(info: Info) -> Info:
                another = info.owned_by.give_way(wanted, instead_of)
                return replace(info, owner=json.dumps(wanted.state)) if another else info

            self._side.update(give)
            if was.collection:
                self._side.remove_all(["note"])
        if self._seen.owner.collection != collection:
            self._seen.owner = wanted

    def state(self, name: str) -> Mapping[str, Any]:
        """What `set_state` was given last under `name`, by whichever host; else empty."""
        content = self._side.note(name)
        return content if isinstance(content, dict) else {}

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a small JSON object under `name`.

        Raises:
            LexicalIndexError: it cannot be written, or another collection has the index by now.
        """
        self._seen.owner.check(self._side.info().owned_by)
        self._side.set_note(name, dict(content))

    def journal(self) -> OpenSearchJournal:
        """A new writer's. Who renews nothing for `lease` seconds counts as dead."""
        return OpenSearchJournal(self._cluster, self._names, self._side, self._lease)

    def clear(self) -> None:
        """Remove all records at once: another index comes behind the alias."""
        with self._writing():
            self._opening.renew()

    @classmethod
    def destroy(
        cls,
        server: Any,
        *,
        prefix: str | None = None,
        name: str = "lexical",
        lock_timeout: float = 30.0,
        **options: Any,
    ) -> None:
        """Remove an index and all that is noted of it; without it this is no error.

        `options`: how to reach the server, as for the constructor.

        Raises:
            IndexLockedError: another process is writing.
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        reject_unknown(f"{cls.__name__}.destroy", options, _REACH)
        names = cls._named(server, prefix, name)
        cluster = cls._reached(server, **options)
        try:
            side = SideIndex(cluster, names)
            opening = Opening(
                cluster, names, side, analyzer="", fields=(), shards=1, replicas=0
            )
            if side.exists():
                lock = WriterLock(side, 30.0, lock_timeout, names.alias, lambda _: None)
                with lock.held():
                    opening.remove()
        finally:
            cluster.close()

    @classmethod
    def exists(
        cls, server: Any, *, prefix: str | None = None, name: str = "lexical", **options: Any
    ) -> bool:
        """Whether there is an index of that name; `options` as for `destroy`.

        Raises:
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        reject_unknown(f"{cls.__name__}.exists", options, _REACH)
        cluster = cls._reached(server, **options)
        try:
            return SideIndex(cluster, cls._named(server, prefix, name)).exists()
        finally:
            cluster.close()

    def close(self) -> None:
        """Close the connections; reading afterwards raises LexicalIndexError."""
        self._cluster.close()

    @classmethod
    def _named(cls, server: Any, prefix: str | None, name: str) -> Names:
        said = address_of(server, cls._CLIENT).prefix
        return Names(said or PREFIX if prefix is None else prefix, name)

    @classmethod
    def _reached(
        cls,
        server: Any,
        request_timeout: float = 30.0,
        retry_timeout: float = 10.0,
        ca_certs: str | None = None,
        *,
        verify_certs: bool = True,
    ) -> Cluster:
        """The cluster of an address, or behind a client."""
        address, kind = address_of(server, cls._CLIENT), cls._CLIENT

        def make() -> OpenSearchClient | ElasticsearchClient:
            if not isinstance(server, str):
                return kind(server, own=False)
            return kind.at(address, request_timeout, ca_certs, verify=verify_certs)

        secrets = [address.auth[1]] if address.auth else []
        return Cluster(cls._PRODUCT, address.place, make, retry_timeout, secrets)

    @contextmanager
    def _writing(self) -> Iterator[Info]:
        """What a write begins with: the lock, and a version that no other write has."""
        self._cluster.open()
        with self._lock.held():
            info = self._lock.begin()
            self._written = True
            self._seen.begin(info)
            try:
                yield info
            finally:
                self._unrefreshed = True
            self._seen.note(info)

    def _let_go(self, keep: Callable[[Info], Info]) -> None:
        """Let go of the lock, after what was written can be seen and counted."""
        if not self._written:
            self._side.update(lambda info: replace(keep(info), writer="", until=0.0))
            return
        self._refresh()
        total, textless, unused = self._reader.statistics()

        def free(info: Info) -> Info:
            counted = replace(keep(info), total=total, textless=textless, unused=unused)
            return replace(counted, version=info.version + 1, writer="", until=0.0)

        info = self._side.update(free)
        self._written = False
        self._seen.begin(info)
        self._seen.note(info)

    def _refresh(self) -> None:
        """Bring own writes to where reads see them.

        Once for all that was written under one lock, when the lock is let go of or somebody reads:
        to wait for the server's own refresh would keep the lock for a second.
        """
        with self._refreshing:
            if self._unrefreshed:
                self._cluster.request("POST", f"/{self._names.alias}/_refresh")
                self._unrefreshed = False


class ElasticsearchIndex(OpenSearchIndex):
    """The same in Elasticsearch 8 or later, by the client of the package `elasticsearch`.

    Everything as for `OpenSearchIndex`. The client has to be of the server's major version.
    """

    _PRODUCT = "Elasticsearch"
    _CLIENT = ElasticsearchClient
