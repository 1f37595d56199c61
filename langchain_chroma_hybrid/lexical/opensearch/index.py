"""The lexical index in an OpenSearch or Elasticsearch that several hosts share."""

from __future__ import annotations

import json
import math
import threading
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.analysis.analyzer import (
    DEFAULT_LANGUAGE,
    Analyzer,
    analyzer_of,
)
from langchain_chroma_hybrid.core.checks import whole
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import IndexFormatError, IndexLockedError, LexicalIndexError
from langchain_chroma_hybrid.lexical.binding import Owner
from langchain_chroma_hybrid.lexical.opensearch.answers import Answers
from langchain_chroma_hybrid.lexical.opensearch.clients import ElasticsearchClient
from langchain_chroma_hybrid.lexical.opensearch.cluster import LostError
from langchain_chroma_hybrid.lexical.opensearch.documents import FORMAT, DocumentTokens
from langchain_chroma_hybrid.lexical.opensearch.journal import OpenSearchJournal
from langchain_chroma_hybrid.lexical.opensearch.locking import WriterLock
from langchain_chroma_hybrid.lexical.opensearch.opening import Opening
from langchain_chroma_hybrid.lexical.opensearch.places import Places
from langchain_chroma_hybrid.lexical.opensearch.reading import Reader
from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex
from langchain_chroma_hybrid.lexical.opensearch.view import View
from langchain_chroma_hybrid.lexical.protocol import Capabilities
from langchain_chroma_hybrid.lexical.seen import Seen
from langchain_chroma_hybrid.lexical.texts import (
    checked,
    checked_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.opensearch.names import Names
    from langchain_chroma_hybrid.lexical.opensearch.side import Info


class OpenSearchIndex(Answers, Places):
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
        analyzer: turns texts and queries into terms, or its language; English by default.
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

    @known_keywords
    def __init__(
        self,
        server: Any,
        *,
        prefix: str | None = None,
        name: str = "lexical",
        analyzer: Analyzer | str | None = None,
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
        self.analyzer = analyzer_of(DEFAULT_LANGUAGE if analyzer is None else analyzer)
        self.lexical_fields = checked_fields(lexical_fields)
        self.capabilities = Capabilities(durable=True, syntax=True, remote=True)
        self._tokens = DocumentTokens(self.lexical_fields)
        self._wanted, self._shards, self._replicas = self.analyzer, shards, replicas
        self.name, self._lease = name, lease
        self._cluster = self._reached(
            server, request_timeout, retry_timeout, ca_certs, verify_certs=verify_certs
        )
        self._open(self._named(server, prefix, name), lock_timeout)

    def _open(self, names: Names, lock_timeout: float, current: str | None = None) -> None:
        """Use the index of a name, or the one that is built beside the `current` one."""
        self._names, self._side = names, SideIndex(self._cluster, names)
        self._opening = Opening(
            self._cluster,
            names,
            self._side,
            analyzer=self._wanted.fingerprint,
            fields=self._tokens.names,
            shards=self._shards,
            replicas=self._replicas,
        )
        prepare = self._opening.prepare
        info = prepare() if current is None else self._opening.beside(current)
        self._seen = Seen(info)
        self._lock = WriterLock(self._side, self._lease, lock_timeout, self._place, self._let_go)
        self._refreshing = threading.Lock()
        self._unrefreshed = self._written = False
        self._scale = self._opening.scale()
        self._use(info)

    def _use(self, info: Info) -> None:
        """From now on read and write the index that has the records, as it was built."""
        built = self._opening.built(info.generation)
        outdated = self._opening.is_outdated(built)
        reader = Reader(
            self._cluster,
            self._side,
            info.generation,
            self._wanted.by_rules(built.rules) if outdated else self._wanted,
            self.lexical_fields,
            self._seen,
            scale=self._scale,
            shards=self._shards,
            before=self._refresh,
        )
        self._view = View(self._cluster, info.generation, reader, outdated=outdated)
        self.analyzer = self._view.analyzer

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
        return f"{place} {self._wanted.fingerprint}, lexical_fields {fields}"

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
        with self._writing() as info:
            gone = sorted({*deletes} - latest.keys())
            self._view.write(latest.values(), stamps, gone, info.version)

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
        """Remove all records at once: another index takes the place of the one they were in."""
        with self._writing():
            new = self._opening.make()
            self._become(lambda info: replace(info, generation=new))

    @property
    def outdated(self) -> bool:
        """Whether the index was last seen to be such as an older version has built."""
        return self._view.outdated

    @contextmanager
    def successor(self) -> Iterator[OpenSearchIndex]:
        """An index of today's beside an outdated one, empty or as a killed build has left it.

        Nobody else has it inside the block.

        Raises:
            IndexLockedError: another thread or process has it, or has put it in place.
        """
        self._follow(self._view)
        if not self.outdated:
            raise IndexLockedError(f"the lexical index at {self._place} needs no successor")
        new = copy(self)
        new._open(  # noqa: SLF001  # its own
            self._names.successor(self._built), 0.0, self._view.generation
        )
        try:
            with new.locked():
                self._follow(self._view)
                if not self.outdated:
                    message = f"the lexical index at {self._place} has its successor"
                    raise IndexLockedError(message)
                yield new
        except IndexFormatError:  # it has taken its place, or somebody has made the index anew
            self._follow(self._view)
            if self.outdated:
                raise

    def switch(self) -> None:
        """Be the successor from now on, in one step for all hosts; for who has locked both.

        An index that is no longer outdated stays.
        """
        with self.locked():
            self._follow(self._view)
            if self.outdated:
                new = SideIndex(self._cluster, self._names.successor(self._built)).info()
                self._cluster.request("POST", f"/{new.generation}/_refresh")
                self._written = True
                # Later than all that the new one has: an external version that is none loses.
                self._become(
                    lambda info: replace(
                        info,
                        instance=new.instance,
                        generation=new.generation,
                        version=max(info.version, new.version) + 1,
                    )
                )

    def _become(self, change: Callable[[Info], Info]) -> None:
        """Have the records in another index, for who has the lock."""
        info = self._lock.change(change)
        self._seen.become(info)
        self._use(info)
        self._opening.sweep(info.generation)

    @property
    def _built(self) -> str:
        return f"{FORMAT} {self._wanted.fingerprint} {self._tokens.names}"

    def close(self) -> None:
        """Close the connections; reading afterwards raises LexicalIndexError."""
        self._cluster.close()

    @contextmanager
    def _writing(self) -> Iterator[Info]:
        """What a write begins with: the lock, and a version that no other write has."""
        self._cluster.open()
        with self._lock.held():
            info = self._lock.begin()
            if info.generation != self._view.generation:
                self._use(info)
            if self._opening.unswept:
                self._opening.sweep(info.generation)
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
        try:
            self._refresh()
            total, textless, unused = self._asked(lambda v: v.reader.statistics())
        except LexicalIndexError as error:
            # The journal has it written, and counted, again: nobody has to wait for the lease.
            if not isinstance(error, LostError):
                with suppress(LexicalIndexError):
                    self._side.update(
                        lambda info: replace(
                            keep(info), version=info.version + 1, writer="", until=0.0
                        )
                    )
            raise

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
                self._view.refresh()
                self._unrefreshed = False


class ElasticsearchIndex(OpenSearchIndex):
    """The same in Elasticsearch 8 or later, by the client of the package `elasticsearch`.

    Everything as for `OpenSearchIndex`. The client has to be of the server's major version.
    """

    _PRODUCT = "Elasticsearch"
    _CLIENT = ElasticsearchClient
