"""A Chroma collection for the engine: batching, reading, exact ranking, paging, writing."""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager, suppress
from functools import cached_property, partial, wraps
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
from chromadb.errors import ChromaError, InternalError, NotFoundError

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    Filter,
    all_of,
    evaluable,
    given_ids,
    halves,
    leaves,
    matches,
    to_chroma,
    writable,
)
from langchain_chroma_hybrid.core.values import LLAMA_NODE, Record, Scored
from langchain_chroma_hybrid.embeddings.chroma.sparse_stored import SparseFunctions
from langchain_chroma_hybrid.engine.chroma.announced import AnnouncedCollection
from langchain_chroma_hybrid.engine.chroma.calls import (
    columns,
    let_go,
    pages,
    records_of,
    reworded,
    translated,
)
from langchain_chroma_hybrid.engine.chroma.change_token import (
    Token,
    TokenReading,
    only_opened,
    read_token,
)
from langchain_chroma_hybrid.engine.chroma.clients import unobserved
from langchain_chroma_hybrid.engine.chroma.distances import Space, distances
from langchain_chroma_hybrid.engine.chroma.hybrid_schema import (
    space_in,
    sparse_index_of,
    stored_schema,
    stored_sparse,
)
from langchain_chroma_hybrid.engine.chroma.patience import OverQuotaError, patiently
from langchain_chroma_hybrid.engine.chroma.read_ahead import ReadAhead
from langchain_chroma_hybrid.engine.chroma.rows import is_id
from langchain_chroma_hybrid.engine.chroma.server_search import (
    MOST_HITS,
    Found,
    answers,
    can_search,
)
from langchain_chroma_hybrid.engine.chroma.token_cache import TokenCache
from langchain_chroma_hybrid.engine.chroma.torn import told_if_torn
from langchain_chroma_hybrid.engine.chroma.unread import unread
from langchain_chroma_hybrid.engine.chroma.vector_reader import (
    MOST_LOOKS,
    PAGE,
    SharedVectors,
    VectorReader,
)
from langchain_chroma_hybrid.errors import (
    CollectionError,
    EmbeddingError,
    LexicalIndexError,
    SearchError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import chromadb
    from chromadb import Search
    from chromadb.api import ClientAPI
    from chromadb.config import Settings

    from langchain_chroma_hybrid.engine.chroma.hybrid_schema import SparseIndex, StoredSparse
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector, Vectors


# What Chroma's binding can be asked for.
_MOST_RESULTS = 2**31 - 1
MIGRATED_FROM = "chroma_hybrid_migrated_from"
"""Metadata key of a collection that takes another one's place: the id of the first of them."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OTHER_DIMENSION = re.compile(r"dimension of (\d+), got (\d+)")
# Records among which those are looked for that can be embedded again.
_PROBED = 50
_NO_SEGMENT = re.compile(r"Missing \w+ segment")
# What is remembered while nothing changes, of ids that passed filters.
_ANSWER_BYTES = 64 * 2**20
# One query restricted to more ids than this meets SQLite's limit.
MOST_IDS = 30_000
# What a query gives of a record, a list for each query.
_COLUMNS = ("ids", "distances", "documents", "metadatas", "uris")
# Offsets cost Chroma a scan up to the offset: few large pages. Each takes 1 kB an id meanwhile.
_SCAN_PAGE = 100_000
# Whole records take more.
_RECORD_PAGE = 20_000
_name = attrgetter("name")
T = TypeVar("T")
P = ParamSpec("P")


class Remembered:
    """What was read of one collection on this machine's disk, for all its stores in this process.

    Nothing is remembered of a server: who may read what is decided there, at each call.
    """

    def __init__(self, directory: Path | None) -> None:
        self.answers = TokenCache[Filter, frozenset[str]](_ANSWER_BYTES, _bytes_of_ids)
        self.vectors = SharedVectors()
        self.ahead = ReadAhead(directory)

        # The change token under which Chroma's index was seen to find all that it holds.
        self.found_all: Token | None = None
        # What metadata there was at a commit of the lexical index.
        self.keys: tuple[object, Any] = (None, None)

    def close(self) -> None:
        """Stop reading and close what was opened; callers' clients stay open."""
        self.ahead.close()
        self.vectors.close()


def _once_more_in_small_steps(method: Callable[Concatenate[ChromaStore, P], T]) -> Callable[
    Concatenate[ChromaStore, P], T
]:
    """A method whose requests are made smaller where a quota says so; it may be repeated."""

    @wraps(method)
    def call(store: ChromaStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(store, *args, **kwargs)
        except OverQuotaError:
            if store._in_small_steps:  # noqa: SLF001  # its own module
                raise
            store._in_small_steps = True  # noqa: SLF001  # the same
        return method(store, *args, **kwargs)

    return call


class ChromaStore:
    """One Chroma collection through one caller's client, as the engine needs it.

    Attributes:
        answered: when Chroma last did what this client asked for, by `time.monotonic`.
        filled_by: which model has filled the collection, in words; empty if nobody knows.
        root: id of the collection that had the name first; its own unless a model was changed.

    Thread safety: as chromadb's own; reads and writes may come from many threads.
    """

    def __init__(
        self,
        client: ClientAPI,
        collection: chromadb.Collection,
        functions: SparseFunctions | None = None,
    ) -> None:
        """`functions`: what may make the vectors of a sparse index that the server has."""
        self._client = client
        self._functions = functions or SparseFunctions()
        # What the database says of embeddings; who reads it decides what of that may be loaded.
        self.configuration: Mapping[str, Any] = collection.configuration_json
        self._schema = stored_schema(collection)
        # Only Chroma Cloud has such indexes; other collections there are told by its quota.
        self._in_small_steps = self.stored_sparse is not None
        # Writes of the engine are not to be observed as somebody else's, and rebuild nothing.
        self._collection = unread(unobserved(collection))
        self.answered = -math.inf
        self.uuid = str(collection.id)
        self.name = collection.name
        # Whose place this one has taken, as a migration has written it.
        origin = str((collection.metadata or {}).get(MIGRATED_FROM))
        self.root = origin if _UUID.fullmatch(origin) else self.uuid
        self.filled_by: Callable[[], str] = str
        self.share(Remembered(self.directory))

    def share(self, remembered: Remembered) -> None:
        """Remember together with the other stores of the collection."""
        self._remembered = remembered
        self.reader = VectorReader(
            self._client,
            self._collection,
            self.directory,
            remembered.vectors,
            lambda: self._at_once(PAGE),
        )

    @property
    def ahead(self) -> ReadAhead:
        """Which filters have their vectors at hand."""
        return self._remembered.ahead

    @cached_property
    def directory(self) -> Path | None:
        """Folder of a persistent client; None for an ephemeral one and for a server."""
        settings = self._client.get_settings()
        return Path(settings.persist_directory).resolve() if settings.is_persistent else None

    @cached_property
    def location(self) -> str:
        """Where the data lives: equal for two clients exactly when they see the same data."""
        settings = self._client.get_settings()
        if settings.chroma_server_host:
            return f"{_server(settings)}/{self._client.tenant}/{self._client.database}"
        return str(self.directory) if self.directory else "memory"

    @cached_property
    def in_memory(self) -> bool:
        """Whether the client is ephemeral."""
        return self.location == "memory"

    @cached_property
    def on_server(self) -> bool:
        """Whether each call is a request, which the server may refuse."""
        return self.directory is None and not self.in_memory

    def answered_within(self, seconds: float) -> bool:
        """Whether a server has let this very client read the collection so lately."""
        if not self.on_server:
            return True
        return self.answered > -math.inf and time.monotonic() - self.answered <= seconds

    @property
    def place(self) -> str:
        """Tenant and database: collections of others are not to be seen through this client."""
        return f"{self._client.tenant}/{self._client.database}"

    @cached_property
    def space(self) -> Space:
        """Distance function of the collection."""
        index = self.configuration.get("hnsw") or self.configuration.get("spann") or {}
        space: Space = index.get("space") or space_in(self._schema) or "l2"
        return space

    @cached_property
    def stored_sparse(self) -> StoredSparse | None:
        """What the collection says of a sparse index; builds nothing."""
        return stored_sparse(self._schema)

    @cached_property
    def sparse(self) -> SparseIndex | None:
        """The server's sparse index, with what makes its vectors; None for none.

        Raises:
            EmbeddingError: nobody here may make them, or can; that may change.
            InvalidArgumentError: another function was handed over than it is filled by.
            LexicalIndexError: it cannot be used as it is stored.
        """
        return sparse_index_of(self._schema, self._functions)

    @property
    def searches(self) -> bool:
        """Whether the server behind this client has `search`; tried once.

        Raises:
            Exception: it cannot be told now.
        """
        with self._asking():
            return self._patiently(lambda: can_search(self._collection))

    @cached_property
    def search_depth(self) -> int:
        """Candidates of every search of Chroma's index: fewer neighbours are the first of these.

        hnswlib looks for `max(ef_search, n)` and gives the first `n`; 0 where nobody knows.
        """
        return int((self.configuration.get("hnsw") or {}).get("ef_search") or 0)

    @cached_property
    def announced(self) -> AnnouncedCollection:
        """Where processes tell each other what they have written to this collection."""
        return AnnouncedCollection(self._client, self.uuid)

    @cached_property
    def model_record(self) -> AnnouncedCollection:
        """Where hosts tell each other which model has filled this collection."""
        return AnnouncedCollection(self._client, self.root)

    def probes(self, n: int) -> list[Record]:
        """The first `n` records whose vectors are of their texts alone.

        Pictures have vectors of their own, and LlamaIndex embeds metadata with the text.
        """
        records = self.first(_PROBED).values()
        plain = (r for r in records if r.uri is None and LLAMA_NODE not in r.metadata)
        return list(islice((r for r in plain if r.text and not r.text.isspace()), n))

    def of_other_dimension(self, expected: int, got: int) -> EmbeddingError:
        """The error for vectors `(got,)` where the collection has others."""
        by = self.filled_by()
        filled = f", which {by} has filled" if by else ""
        wanted = f"vectors of {expected} numbers, as collection {self.name!r} has{filled}"
        return EmbeddingError(f"embedding: expected {wanted}, got {got} numbers")

    @property
    def batch_size(self) -> int:
        """Most records that one write may hold."""
        return self._at_once(self._most_rows)

    @cached_property
    def _most_rows(self) -> int:
        return self._client.get_max_batch_size()

    def _at_once(self, most: int) -> int:
        """Records in one request: `most`, but for Chroma Cloud."""
        return min(most, MOST_HITS) if self._in_small_steps else most

    # Reading

    def query(
        self, embedding: Vector, n: int, where: Filter | None, **restriction: Any
    ) -> list[Scored]:
        """The `n` nearest records that pass `where`, as `(id, distance)`, nearest first."""
        if where is not None and not writable(where):
            return self.rank_exactly(embedding, self._passing(where), n)
        found = self._nearest(embedding, n, where, ["distances"], **restriction)
        return list(map(Scored, found["ids"][0], map(float, (found["distances"] or [[]])[0])))

    def query_records(
        self, embedding: Vector, n: int, where: Filter | None
    ) -> tuple[list[Scored], dict[str, Record]]:
        """The same with the records, in one call and no other where Chroma can say `where`."""
        if where is not None and not writable(where):
            hits = self.query(embedding, n, where)
            return hits, self.fetch([hit.id for hit in hits])
        found = self._nearest(embedding, n, where, ["distances", "documents", "metadatas", "uris"])
        first = {name: found[name][0] for name in _COLUMNS}
        records = {record.id: record for record in records_of(first)}
        # What another process has deleted comes without anything, as what never had anything does.
        if empty := [id_ for id_, r in records.items() if r.text is None and not r.metadata]:
            there = self.fetch(empty)
            records = {id_: r for id_, r in records.items() if id_ not in empty or id_ in there}
        return list(map(Scored, first["ids"], map(float, first["distances"]))), records

    def _nearest(
        self,
        embedding: Vector,
        n: int,
        where: Filter | None,
        include: list[str],
        **restriction: Any,
    ) -> Mapping[str, Any]:
        """Chroma's answer for one vector as it comes, with the columns in `include`."""
        conditions, document = to_chroma(where)
        options: dict[str, Any] = {
            "query_embeddings": [embedding],  # one array is all it needs
            "n_results": min(n, _MOST_RESULTS),
            "where": conditions,
            "where_document": document,
            "include": include,
            **restriction,
        }
        looks = 1 if "ids" in restriction else MOST_LOOKS  # ids that are gone lack at every look
        with self._asking():
            return self._patiently(
                lambda: self.reader.ask(lambda collection: collection.query(**options), looks)
            )

    def finds_all(self, token: Token | None) -> bool:
        """Whether Chroma's index is known to miss no record by itself; a server's is trusted.

        An HNSW graph can have islands that no search reaches, after deletions or with few links.
        """
        return self.on_server or (token is not None and self._remembered.found_all == token)

    def found_all(self, token: Token | None) -> None:
        """A query without a filter has found as many records as there are, or as it asked for."""
        self._remembered.found_all = token

    def query_among(self, embedding: Vector, n: int, ids: Sequence[str]) -> list[Scored] | None:
        """The `n` nearest of `ids`, at most `MOST_IDS`; None if Chroma's index lacks one."""
        try:
            return self.query(embedding, n, None, ids=list(ids))
        except InternalError:
            return None

    def match(self, where: Filter, token: Token | None = None) -> frozenset[str]:
        """Ids of all records that pass, by Chroma's own filter; remembered under `token`."""
        known = self._remembered.answers.known(token, [where])
        if where in known:
            return known[where]
        ids = self._passing(where)
        self._remembered.answers.keep(token, {where: ids})
        return ids

    def _passing(self, where: Filter) -> frozenset[str]:
        if not writable(where):
            return frozenset(record.id for record in self.select(where, given_ids(where)))
        if self.stored_sparse is not None:
            return frozenset(record.id for record in self.select(where))
        conditions, document = to_chroma(where)
        found = self.get(where=conditions, where_document=document, include=[])
        return frozenset(found["ids"])

    def select(
        self, where: Filter | None, ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """All records that pass, of `ids` or in the order in which they came, read from Chroma.

        What Chroma has no words for is told from the records.
        """
        if ids is not None:
            yield from self.passing(ids, where).values()
            return
        asked, rest = (None, None) if where is None else halves(where)
        conditions, document = to_chroma(asked)
        offset = 0
        while True:
            size, page = self._page(offset, conditions, document)
            yield from (record for record in records_of(page) if matches(rest, record))
            if len(page["ids"]) < size:
                return
            offset += size

    @_once_more_in_small_steps
    def _page(self, offset: int, where: Any, document: Any) -> tuple[int, dict[str, Any]]:
        """Records from there on, and how many were asked for."""
        size = self._at_once(_RECORD_PAGE)
        return size, self.get(
            where=where,
            where_document=document,
            limit=size,
            offset=offset,
            include=["documents", "metadatas", "uris"],
        )

    def get(self, **options: Any) -> dict[str, Any]:
        """Chroma's own `get`.

        Raises:
            InvalidArgumentError: Chroma says what it does not take.
        """
        with self._asking(), reworded("get"):
            return self._patiently(lambda: dict(self._collection.get(**options)))

    def search(self, searches: Sequence[Search]) -> list[Found]:
        """The answers of the server's own search, all in one request.

        Raises:
            LexicalIndexError: a quota is exceeded, or the server stays busy.
        """
        key = "" if self.stored_sparse is None else self.stored_sparse.key
        try:
            with self._asking():
                found = self._patiently(lambda: self._collection.search(list(searches)))
            told = answers(found, key)
        except SearchError as error:
            raise LexicalIndexError(str(error)) from error.__cause__
        except KeyError as error:  # chromadb takes whatever is an object
            expected = "answers of Chroma's server to a search"
            raise LexicalIndexError(f"expected {expected}, got none: no {error}") from error
        if len(told) != len(searches):
            expected = f"{len(searches)} answers of Chroma's server, one for each search"
            raise LexicalIndexError(f"expected {expected}, got {len(told)}")
        return told

    def _patiently(self, call: Callable[[], T]) -> T:
        """What a call gives that may be repeated; a server that is busy is asked again."""
        return patiently(call, self._client.get_settings()) if self.on_server else call()

    @_once_more_in_small_steps
    def first(self, n: int, where: Filter | None = None) -> dict[str, Record]:
        """The first `n` records that pass `where`, by id, in the order in which they came."""
        if where is not None and not writable(where):
            return {r.id: r for r in islice(self.select(where, given_ids(where)), n)}
        conditions, document = to_chroma(where)
        found = self.get(
            where=conditions,
            where_document=document,
            limit=min(n, self._at_once(MOST_IDS)),
            include=["documents", "metadatas", "uris"],
        )
        return {record.id: record for record in records_of(found)}

    def passing(self, ids: Iterable[str], where: Filter | None) -> dict[str, Record]:
        """The records among `ids` that exist and pass `where`, by id, as they are now.

        Told from the records, which is fast; of some filters only Chroma can tell.
        """
        parts = where.parts if isinstance(where, AllOf) else (where,)
        told = [part for part in parts if part and all(map(evaluable, leaves(part)))]
        beyond = all_of(*(part for part in parts if part and part not in told))
        rest = all_of(*told)
        found = self.fetch(ids, beyond)
        return {id_: record for id_, record in found.items() if matches(rest, record)}

    @_once_more_in_small_steps
    def fetch(self, ids: Iterable[str], where: Filter | None = None) -> dict[str, Record]:
        """The records among `ids` that exist and pass `where`, by id."""
        records: dict[str, Record] = {}
        conditions, document = to_chroma(where)
        # One id that no record can have must not keep the others from being found.
        for page in pages(dict.fromkeys(filter(is_id, ids)), self._at_once(PAGE)):
            options = {"ids": page, "where": conditions, "where_document": document}
            found = self._read(**options, include=["documents", "metadatas", "uris"])
            records.update((record.id, record) for record in records_of(found))
        return records

    def _read(self, **options: Any) -> Any:
        """Chroma's own `get`, whose arguments are ours."""
        with self._asking():
            return self._patiently(lambda: self._collection.get(**options))

    @_once_more_in_small_steps
    def vectors(self, ids: Iterable[str], token: Token | None = None) -> Vectors:
        """Those of the records among the distinct `ids` that exist; remembered under `token`."""
        with told_if_torn(self.name, self.directory):
            return self.reader.vectors(tuple(ids), token)

    def unread(self, ids: Sequence[str], token: Token | None) -> int:
        """For how many of `ids` `vectors` would have to ask Chroma."""
        return self.reader.unread(ids, token)

    @property
    def remembers(self) -> bool:
        """Whether what is read once need not be read again until something changes."""
        return self.directory is not None

    def rank_exactly(
        self,
        embedding: Vector,
        ids: Iterable[str],
        n: int | None = None,
        token: Token | None = None,
    ) -> list[Scored]:
        """The `n` nearest of the distinct `ids` that exist, as `(id, distance)`, exactly."""
        vectors = self.vectors(ids, token)
        if not vectors.ids:
            return []
        far = self.distances(embedding, vectors)
        near: Iterable[int] = range(len(far))
        if n is not None and n < len(far):
            # With all that are as far as the last: among equals the smaller id comes first.
            near = np.flatnonzero(far <= np.partition(far, n - 1)[n - 1]).tolist()
        ranked = sorted((float(far[i]), vectors.ids[i]) for i in near)
        return [Scored(id_, distance) for distance, id_ in ranked[:n]]

    def distances(self, embedding: Vector, vectors: Vectors) -> Vector:
        """Chroma's distances `(m,)` of the query `(d,)` to `m` vectors; lower is nearer."""
        dimension = vectors.block.shape[1]
        if embedding.shape != (dimension,):
            raise self.of_other_dimension(dimension, embedding.size)
        return distances(embedding, vectors, self.space)

    def cosines(self, embedding: Vector, vectors: Vectors) -> Vector:
        """Cosines `(m,)` of the query `(d,)` and `m` vectors, whatever the space."""
        return 1.0 - distances(embedding, vectors, "cosine")

    def count(self) -> int:
        """Number of records."""
        with self._asking():
            return self._patiently(self._collection.count)

    @_once_more_in_small_steps
    def ids(self) -> set[str]:
        """All ids. Records that others add or delete meanwhile may be missed."""
        found: set[str] = set()
        offset, size = 0, self._at_once(_SCAN_PAGE)
        while True:
            page = self._read(limit=size, offset=offset, include=[])["ids"]
            found.update(page)
            if len(page) < size:
                return found
            offset += len(page)

    def read_token(self) -> TokenReading:
        """A look at the change token, which servers and ephemeral clients do not have."""
        return read_token(self.directory) if self.directory else TokenReading()

    def unchanged(self, noted: Token | None, token: Token | None) -> bool:
        """Whether nothing but our opening of clients made `token` out of `noted`."""
        return self.directory is not None and only_opened(self.directory, noted, token)

    def touch(self) -> None:
        """Let Chroma finish what it does at the first read of a collection."""
        with self._asking():
            self._patiently(partial(self._collection.get, limit=1, include=[]))

    def siblings(self) -> set[str]:
        """Ids of all collections in the tenant and database of this client."""
        return {str(collection.id) for collection in self._client.list_collections()}

    def metadata_keys(self, commit: object, read: Callable[[], T]) -> T:
        """What `read` tells of the metadata; remembered until the lexical index changes."""
        noted, known = self._remembered.keys
        found: T = read() if self.on_server or noted != commit or known is None else known
        self._remembered.keys = commit, found
        return found

    def filled_siblings(self, most: int) -> list[str]:
        """Names of other collections that have records; only of the first `most` beside this."""
        others = [c for c in self._client.list_collections() if str(c.id) != self.uuid]
        with suppress(ChromaError):  # one was deleted meanwhile, or may not be read
            return [c.name for c in sorted(others, key=_name)[:most] if c.count()]
        return []

    def exists(self, uuid: str) -> bool:
        """Whether tenant and database of this client have a collection of that id."""
        try:
            self._client.get_collection_by_id(UUID(uuid))
        except NotFoundError as error:
            let_go(error)
            return False
        return True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One call: its errors as ours, and whether it was allowed."""
        try:
            with translated(), told_if_torn(self.name, self.directory):
                yield
        except BaseException as error:
            self.answered = -math.inf
            # Chroma's words for a collection that is being deleted at this moment.
            if isinstance(error, InternalError) and _NO_SEGMENT.search(str(error)):
                raise CollectionError(f"the Chroma collection is gone: {error}") from error
            other = _OTHER_DIMENSION.search(str(error))
            if isinstance(error, EmbeddingError) and other is not None:
                raise self.of_other_dimension(*map(int, other.groups())) from error
            raise
        self.answered = time.monotonic()

    # Writing

    def upsert(self, rows: Rows) -> None:
        """Add or replace, in one call; at most `batch_size` rows."""
        self._write(self._collection.upsert, rows)

    def update(self, rows: Rows) -> None:
        """Change records that exist, in one call; at most `batch_size` rows."""
        self._write(self._collection.update, rows)

    @_once_more_in_small_steps
    def _write(self, call: Callable[..., None], rows: Rows) -> None:
        for step in rows.batches(self.batch_size):
            given = self._with_words(columns(step))
            with self._asking():
                self._patiently(partial(call, **given))

    @_once_more_in_small_steps
    def delete(self, ids: Collection[str]) -> None:
        """Remove records; unknown ids are no error."""
        for page in pages(dict.fromkeys(ids), self.batch_size):
            with self._asking():
                self._patiently(partial(self._collection.delete, ids=page))

    def _with_words(self, given: dict[str, Any]) -> dict[str, Any]:
        """The columns of a write with the sparse vectors of the texts, where these are indexed.

        Chroma makes them by what the schema names, which is not read (`unread`).

        Raises:
            EmbeddingError: nobody here may make them: without them others would find nothing.
        """
        stored = self.stored_sparse
        if stored is None or not (stored.made or self._functions.given):
            return given
        return given if self.sparse is None else self.sparse.filled(given)


def _bytes_of_ids(ids: Collection[str]) -> int:
    return sum(map(len, ids)) + 100 * len(ids)


def _server(settings: Settings) -> str:
    """The server's address, without what a URL may say of the user."""
    host = str(settings.chroma_server_host)
    url = urlsplit(host if "//" in host else f"//{host}")
    scheme = url.scheme or ("https" if settings.chroma_server_ssl_enabled else "http")
    port = url.port or settings.chroma_server_http_port
    return f"{scheme}://{url.hostname}:{port}{url.path.rstrip('/')}"
