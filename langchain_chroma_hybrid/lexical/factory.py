"""Which engine a lexical index is on: the one place that names them all.

A user says it by an object, or by an address `ENGINE:WHERE`: `tantivy:FOLDER`, `tantivy:` for RAM,
`rank_bm25:` with `okapi`, `l` or `plus` behind it, `postgresql://USER@HOST/DATABASE`, where
`?schema=NAME` and `?allow_unsafe=true` are ours, `opensearch+https://USER@HOST:9200/PREFIX` or
`elasticsearch+https://…` (or `+http`), with `?shards=`, `?replicas=`, `?ca_certs=FILE` and
`?verify_certs=false`. `chroma:` is the search of Chroma's own server. Without a word it is that
where it is there, else tantivy in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.opensearch.clients import Address
from langchain_chroma_hybrid.lexical.opensearch.index import ElasticsearchIndex, OpenSearchIndex
from langchain_chroma_hybrid.lexical.postgres.index import PostgresIndex
from langchain_chroma_hybrid.lexical.postgres.server import SPELLED, is_clear
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

FOLDERS, WORDS_ALONE = "tantivy", "rank_bm25"
SERVERS: Mapping[str, type[PostgresIndex | OpenSearchIndex]] = {
    "postgresql": PostgresIndex,
    "postgres": PostgresIndex,
    "opensearch+https": OpenSearchIndex,
    "opensearch+http": OpenSearchIndex,
    "elasticsearch+https": ElasticsearchIndex,
    "elasticsearch+http": ElasticsearchIndex,
}
OWN_SEARCH = "chroma:"
"""Address of no engine of ours: the search of Chroma's own server."""

EXPECTED = (
    "an address such as 'tantivy:FOLDER', 'postgresql://USER@HOST/DATABASE', "
    "'opensearch+https://USER@HOST:9200' or 'rank_bm25:okapi', "
    "an index such as TantivyIndex() or RankBM25Index(), or None"
)
_VARIANTS = ("", "okapi", "l", "plus")
_OURS = ("schema", "allow_unsafe")
_OF_CLUSTERS = ("shards", "replicas", "ca_certs", "verify_certs")
_OF_NEW_ONES = {"allow_unsafe", "shards", "replicas"}


def folder_of(address: str) -> Path | None:
    """The folder in which an address has the indexes of collections; None for one without folder.

    Raises:
        InvalidArgumentError: no engine has such an address. What is behind the colon may be a
            secret and is not repeated.
    """
    if address == OWN_SEARCH:
        return None
    engine, colon, where = address.partition(":")
    known = engine == FOLDERS or (engine == WORDS_ALONE and where in _VARIANTS)
    if engine in SERVERS and where.startswith("//"):
        _server(address)
        return None
    if not colon or not known:
        got = repr(engine + colon) if engine.isidentifier() else "another text"
        raise InvalidArgumentError(f"lexical: expected {EXPECTED}, got {got}")
    return Path(where) if engine == FOLDERS and where else None


def open_index(
    folder: Path | None,
    address: str | None = None,
    *,
    collection: str = "",
    analyzer: Analyzer,
    lexical_fields: Mapping[str, float] | None = None,
    lock_timeout: float = 30.0,
) -> LexicalIndex:
    """The index in `folder` or, without one, at an address that has none; None means in RAM.

    Args:
        folder: of this index.
        address: None for tantivy.
        collection: the id of its collection, which names it among others at the address.
        analyzer: turns texts and queries into terms.
        lexical_fields: what is searched, with boosts.
        lock_timeout: seconds to wait for another writer.

    Raises:
        InvalidArgumentError: the engine at `address` has no `lexical_fields`.
        LexicalIndexError: it cannot be opened, is of a newer version, or has another analyzer.
    """
    engine, _, where = (address or "").partition(":")
    if address is not None and engine in SERVERS:
        return SERVERS[engine](
            name=_name(collection),
            analyzer=analyzer,
            lexical_fields=lexical_fields,
            lock_timeout=lock_timeout,
            **_server(address),
        )
    if engine != WORDS_ALONE:
        return TantivyIndex(
            folder, analyzer=analyzer, lexical_fields=lexical_fields, lock_timeout=lock_timeout
        )
    if lexical_fields is not None:
        expected = f"None: {WORDS_ALONE} searches the text alone"
        raise InvalidArgumentError.of("lexical_fields", lexical_fields, expected)
    return RankBM25Index(where or "okapi", analyzer=analyzer)  # type: ignore[arg-type]  # see `folder_of`


def remove_index(folder: Path, *, lock_timeout: float) -> None:
    """Remove the index in `folder`, whatever its state; one that is not there is no error.

    Raises:
        IndexLockedError: another process is writing.
        LexicalIndexError: the folder holds other files too, or cannot be removed.
    """
    TantivyIndex.destroy(folder, lock_timeout=lock_timeout)


def remove_from(address: str, collection: str, *, lock_timeout: float) -> None:
    """Remove the index of a collection from a server; one that is not there is no error.

    Raises:
        IndexLockedError: another process is writing.
        LexicalIndexError: the server cannot be reached, or refuses.
    """
    engine = SERVERS.get(address.partition(":")[0])
    if engine is not None:
        engine.destroy(**_place(address, collection), lock_timeout=lock_timeout)


def is_there(address: str, collection: str) -> bool:
    """Whether a server has an index of a collection; False for what ends with a process.

    Raises:
        LexicalIndexError: the server cannot be reached, or refuses.
    """
    engine = SERVERS.get(address.partition(":")[0])
    return engine is not None and engine.exists(**_place(address, collection))


def unused_at(address: str, place: str, seconds: float) -> list[str]:
    """Ids of collections at `place` whose indexes at a server nobody has used for so long.

    Raises:
        LexicalIndexError: the server cannot be reached, or refuses.
    """
    if SERVERS.get(address.partition(":")[0]) is not PostgresIndex:
        return []
    said = {key: value for key, value in _server(address).items() if key != "allow_unsafe"}
    found = PostgresIndex.unused(seconds=seconds, **said)
    return [id_ for name, (id_, at) in found.items() if at == place and name == _name(id_)]


def shown(address: str) -> str:
    """An address without what may be a secret."""
    if address.partition(":")[0] not in SERVERS:
        return address
    said = _server(address)
    scheme, _, rest = address.partition("?")[0].partition("://")
    user, at, host = rest.rpartition("@")
    place = f"{scheme}://{user.partition(':')[0]}{at}{host}"
    return f"{place} {said.get('schema', '')}".rstrip()


def _name(collection: str) -> str:
    return f"c{collection.replace('-', '')}"


def _place(address: str, collection: str) -> dict[str, Any]:
    """Where the index of a collection is at an address, whatever way it is used."""
    said = {key: value for key, value in _server(address).items() if key not in _OF_NEW_ONES}
    return {**said, "name": _name(collection)}


def _server(address: str) -> dict[str, Any]:
    """The arguments of an index on a server that an address says.

    Raises:
        InvalidArgumentError: it cannot be read, or has another value for one of ours.
    """
    scheme = address.partition(":")[0].partition("+")[2]
    if not scheme and not is_clear(address):
        raise InvalidArgumentError(f"lexical: expected {EXPECTED}, {SPELLED}; got another text")
    base, _, query = address.partition("?")
    if scheme and "@" in query:  # of a password that has a question mark
        raise InvalidArgumentError(f"lexical: expected {EXPECTED}, {SPELLED}; got another text")
    given = [pair for pair in query.split("&") if pair]
    names = _OF_CLUSTERS if scheme else _OURS
    ours = [pair for pair in given if pair.partition("=")[0] in names]
    own: dict[str, Any] = dict(parse_qsl("&".join(ours), keep_blank_values=True))
    for name in {"allow_unsafe", "verify_certs"} & own.keys():
        if own[name] not in ("true", "false"):
            raise InvalidArgumentError.of(name, own[name], "true or false")
        own[name] = own[name] == "true"
    for name in {"shards", "replicas"} & own.keys():
        if not own[name].isdecimal():
            raise InvalidArgumentError.of(name, own[name], "a whole number")
        own[name] = int(own[name])
    rest = "&".join(pair for pair in given if pair not in ours)
    server = f"{base}?{rest}" if rest else base
    if not scheme:
        return {"dsn": server, **own}
    server = server.partition("+")[2]
    Address.of(server)
    return {"server": server, **own}
