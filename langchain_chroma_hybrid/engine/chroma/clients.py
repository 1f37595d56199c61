"""Clients and collection objects of Chroma: watching the caller's, opening our own."""

from __future__ import annotations

import copy
import re
import weakref
from collections.abc import Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.api.client import Client
from chromadb.config import DEFAULT_DATABASE, DEFAULT_TENANT, Settings
from chromadb.errors import InternalError, NotFoundError
from chromadb.errors import InvalidArgumentError as ChromaRefusesError
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

from langchain_chroma_hybrid.engine.chroma.calls import let_go
from langchain_chroma_hybrid.engine.chroma.patience import unreachable
from langchain_chroma_hybrid.engine.chroma.rows import is_id
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    CollectionError,
    InvalidArgumentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from urllib.parse import SplitResult

    from chromadb.api import ClientAPI


_MUTATORS = ("add", "upsert", "update", "delete")
_OBSERVERS = "_hybrid_observers"

# What Chroma says of a folder, and what arguments call it.
_FOLDERS = ("persist_directory", "persist_dir")
_OF_FOLDER = re.compile(r"os error|error returned from database|null byte|\[Errno")

# Embedding functions that never need a network, and those that fetch their model once.
_LOCAL = ("langchain_chroma_hybrid", "sentence_transformer")
_FETCHED = ("default", "onnx_mini_lm_l6_v2")


def connect(
    place: Path | SplitResult, *, tenant: str | None = None, database: str | None = None
) -> ClientAPI:
    """A client of a data folder, or of the server at an URL."""
    tenant = tenant or DEFAULT_TENANT
    database = database or DEFAULT_DATABASE
    if isinstance(place, Path):
        return chromadb.PersistentClient(place, tenant=tenant, database=database)
    secure = place.scheme == "https"
    return chromadb.HttpClient(
        place.hostname or "",
        place.port or (443 if secure else 8000),
        ssl=secure,
        tenant=tenant,
        database=database,
    )


def make_collection(
    name: str | None,
    *,
    host: str | None,
    port: str | int | None,
    ssl: bool,
    headers: dict[str, str] | None,
    persist_dir: str | None,
    options: Mapping[str, Any],
) -> chromadb.Collection:
    """The collection of that name in a folder or on a server, made if it is not there.

    Raises:
        InvalidArgumentError: no name, or no place.
    """
    if not isinstance(name, str):
        raise InvalidArgumentError.of("collection_name", name, "a string")
    client: ClientAPI
    try:
        if persist_dir:
            client = chromadb.PersistentClient(persist_dir)
        elif host:
            client = chromadb.HttpClient(host, int(port or 8000), ssl=ssl, headers=headers)
        else:
            expected = "`chroma_collection`, `persist_dir`, or `host` and `port`"
            raise InvalidArgumentError.of("persist_dir", persist_dir, expected)
        return client.get_or_create_collection(name, **options)
    except Exception as error:
        given = {"collection_name": name, "host": host, "port": port, "persist_dir": persist_dir}
        refused = refusal(error, None, given)
        if refused is error:
            raise
        raise refused from error


def check_collection(collection: Any, name: str) -> chromadb.Collection:
    """The same; refuses what is no collection object of a synchronous client.

    Raises:
        InvalidArgumentError: it is something else.
    """
    if not isinstance(collection, chromadb.Collection):
        expected = "a chromadb Collection of a synchronous client"
        raise InvalidArgumentError.of(name, collection, expected)
    return collection


def collection_names(client: ClientAPI) -> list[str]:
    """Names of all collections, sorted."""
    return sorted(collection.name for collection in client.list_collections())


def needs_network(function: str) -> bool:
    """Whether an embedding function of that name may use the network to embed a text."""
    if function in _FETCHED:
        model = ONNXMiniLM_L6_V2
        return not (model.DOWNLOAD_PATH / model.EXTRACTED_FOLDER_NAME / "model.onnx").is_file()
    return function not in _LOCAL


class CollectionClient(Client):
    """The connection that a collection object came through, as a client: the caller's own.

    Opens nothing and owns nothing, so there is nothing to close.
    """

    def __init__(self, collection: chromadb.Collection) -> None:
        # A client of Chroma's would begin with requests and, for a server, a new connection.
        self._server = collection._client  # noqa: SLF001  # no public way to it
        self.tenant, self.database = collection.tenant, collection.database
        self._closed = True


class Observer(Protocol):
    """Who hears of the changes that go through a collection object."""

    @property
    def opened(self) -> object | None:
        """Nothing has to be told as long as this is None."""

    def changing(self, ids: Collection[str]) -> AbstractContextManager[None]:
        """`ids` change in Chroma inside the block."""


def observe(collection: chromadb.Collection, index: Observer) -> None:
    """Let `index` know which ids are changed through this very object.

    The object keeps its type and behaviour. Only its own attributes are set, to functions that tell
    the index which ids are concerned and call the method of its class. Several may observe it:
    they share their lexical half, so that one that is open speaks for all.
    """
    own = vars(collection)
    if _OBSERVERS not in own:
        own[_OBSERVERS] = weakref.WeakSet()
        for name in _MUTATORS:
            own[name] = _observed(collection, name, own[_OBSERVERS])
    own[_OBSERVERS].add(index)


def unobserved(collection: chromadb.Collection) -> chromadb.Collection:
    """The same collection through another object, whose changes nobody hears of."""
    other = copy.copy(collection)
    for name in (*_MUTATORS, _OBSERVERS):
        vars(other).pop(name, None)
    return other


class MissingCollectionError(CollectionError, NotFoundError):
    """There is no such collection, also for those who wait for Chroma's own error."""


def refusal(error: Exception, client: ClientAPI | None, given: Mapping[str, Any]) -> Exception:
    """What Chroma says of the constructor's arguments in our words; other errors as they are.

    Args:
        error: what it raised.
        client: as far as it came to be one.
        given: the arguments by name; none of their values but names and places is shown.
    """
    text = str(error)
    if isinstance(error, NotFoundError):
        known = ", ".join(map(repr, collection_names(client))) if client is not None else ""
        there = f"there are: {known}" if known else "there is none at all"
        return MissingCollectionError(
            f"collection_name: {text}; {there} (create_collection_if_not_exists=True makes one)"
        )
    if isinstance(error, httpx.TransportError):
        return unreachable(error)
    kinds = (ValueError, TypeError, ChromaRefusesError, InternalError, OSError)
    if not isinstance(error, kinds) or isinstance(error, ChromaHybridError):
        return error
    if (refused := _refused(text, given)) is not None:
        return refused
    own = isinstance(error, ValueError | ChromaRefusesError)
    return InvalidArgumentError(f"Chroma: {text}") if own else error


def _refused(text: str, given: Mapping[str, Any]) -> InvalidArgumentError | None:
    """What Chroma's words mean, by the argument that they are of; None where that is unclear."""
    name, metadata = given["collection_name"], given.get("collection_metadata")
    if "metadata" in text and metadata is not None:
        expected = "a dict of names to str, int, float or bool"
        if "hnsw" in text:
            expected = "values that Chroma knows, such as hnsw:space of 'l2', 'cosine' or 'ip'"
        return InvalidArgumentError.of("collection_metadata", metadata, expected)
    if "name: Expected" in text:
        expected = "3-512 of a-z, A-Z, 0-9, `.`, `_`, `-`, with a letter or digit at both ends"
        return InvalidArgumentError.of("collection_name", name, expected)
    if any(said in text for said in ("unknown variant", "unknown field", "invalid type")):
        said = text.partition(" at line")[0].replace("`", "'")
        return InvalidArgumentError(f"collection_configuration: {said}")
    return _misplaced(text, given)


def _misplaced(text: str, given: Mapping[str, Any]) -> InvalidArgumentError | None:
    """The same, where there is no Chroma at the place that was given."""
    folders = (name for name in _FOLDERS if given.get(name) is not None)
    if _OF_FOLDER.search(text) and (name := next(folders, "")):
        expected = f"a folder that Chroma can open or make ({text})"
        return InvalidArgumentError.of(name, str(given[name]), expected)
    if "invalid literal for int()" in text:
        return InvalidArgumentError.of("port", given["port"], "a number such as 8000")
    if "Could not connect to a Chroma server" in text:
        expected = "a Chroma server that answers, such as `chroma run --path ./db` starts"
        # An address may hold a password.
        host = str(given["host"]).rpartition("@")[2]
        return InvalidArgumentError.of("host", f"{host}:{given['port'] or 8000}", expected)
    return None


def how_to_open(client: ClientAPI) -> str:
    """The arguments with which another process opens the same data, without credentials."""
    settings = client.get_settings()
    if settings.chroma_server_host:
        host = str(settings.chroma_server_host)
        named = urlsplit(host if "//" in host else f"//{host}").hostname
        return f"host={named!r}, port={settings.chroma_server_http_port}"
    # What is in memory, no other process can open.
    folder = settings.persist_directory if settings.is_persistent else "./db"
    return f"persist_directory={folder!r}"


def check_settings(settings: object) -> None:
    """Raise `InvalidArgumentError` unless these are Chroma's settings, or None."""
    if not isinstance(settings, Settings | None):
        raise InvalidArgumentError.of("client_settings", settings, "a chromadb.config.Settings")


def is_at(client: ClientAPI, name: str, value: Any) -> bool:
    """Whether a client has its data at the place that another argument of that name gives."""
    settings = client.get_settings()
    if name == "persist_directory" and settings.is_persistent:
        return Path(value).resolve() == Path(settings.persist_directory).resolve()
    return name == "host" and value == settings.chroma_server_host


def close_client(client: ClientAPI) -> None:
    """Close a client; one in memory stays, since others may share what it holds."""
    settings = client.get_settings()
    if settings.is_persistent or settings.chroma_server_host:
        client.close()  # type: ignore[attr-defined]  # its declared type lacks it


def reopened(client: ClientAPI, name: str, uuid: str) -> chromadb.Collection | None:
    """The collection that now has that name, if its id is another one; else None."""
    try:
        new = client.get_collection(name, embedding_function=None)
    except NotFoundError as error:
        let_go(error)
        return None
    return None if str(new.id) == uuid else new


def _observed(
    collection: chromadb.Collection, name: str, observers: Iterable[Observer]
) -> Callable[..., Any]:
    """The method `name`, telling a living index what it changes; keeps none alive."""
    # No reference to the collection but a weak one: it would keep itself alive.
    owner, method = weakref.ref(collection), getattr(type(collection), name)

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        self = owner()
        told = next((index for index in observers if index.opened is not None), None)
        if told is None:
            return method(self, *args, **kwargs)
        with told.changing(_concerned(self, name, args, kwargs)):
            return method(self, *args, **kwargs)

    return call


def _concerned(collection: Any, name: str, args: tuple[Any, ...], kwargs: Any) -> list[str]:
    """The ids that a call is about to change; a deletion by filter is looked up first."""
    ids = args[0] if args else kwargs.get("ids")
    if isinstance(ids, str):
        ids = [ids]
    if ids is None and name == "delete":
        names = ("ids", "where", "where_document")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        conditions = {key: given[key] for key in names[1:] if given.get(key) is not None}
        return list(collection.get(**conditions, include=[])["ids"]) if conditions else []
    # What Chroma refuses, it refuses itself; nothing of that may be waited for.
    return [id_ for id_ in ids if is_id(id_)] if isinstance(ids, Iterable) else []
