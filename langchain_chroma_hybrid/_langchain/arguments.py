"""What constructors are given, in the form that the rest of the package wants."""

from __future__ import annotations

import inspect
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma
from langchain_core.retrievers import BaseRetriever

from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.suggest import meant_value
from langchain_chroma_hybrid.embeddings.text.packaged import minilm
from langchain_chroma_hybrid.engine.chroma.clients import check_settings, is_at
from langchain_chroma_hybrid.errors import (
    InvalidArgumentError,
    UnknownArgumentError,
    kind_of,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CONFIGURATION = ("hnsw", "spann", "embedding_function")
_SEARCH_TYPES = ("similarity", "similarity_score_threshold", "mmr")


def check_place(collection_name: Any, persist_directory: Any) -> None:
    """Refuse what names no collection or no folder, which Chroma notices late or never.

    Raises:
        InvalidArgumentError: not a string, not a path, or the path of a file.
    """
    if not isinstance(collection_name, str):
        expected = "a name; embeddings go by embedding_function="
        raise InvalidArgumentError.of_kind("collection_name", collection_name, expected)
    if persist_directory is None:
        return
    if not isinstance(persist_directory, str | PathLike):
        raise InvalidArgumentError.of("persist_directory", persist_directory, "a path, or None")
    if Path(persist_directory).is_file():
        raise InvalidArgumentError.of("persist_directory", str(persist_directory), "a folder")


def check_chroma(given: Mapping[str, Any]) -> None:
    """Refuse arguments that Chroma would leave unread, or fail on without naming them.

    Args:
        given: all that Chroma's constructor takes, by name.

    Raises:
        InvalidArgumentError: says what to leave out, or what to give with it.
    """
    metadata = given.get("collection_metadata")
    if not isinstance(metadata, dict | None):
        raise InvalidArgumentError.of("collection_metadata", metadata, "a dict, or None")
    configuration = given.get("collection_configuration")
    if not isinstance(configuration, dict | None):
        expected = "a dict such as {'hnsw': {'space': 'cosine'}}, or None"
        raise InvalidArgumentError.of("collection_configuration", configuration, expected)
    reject_unknown("collection_configuration", configuration or {}, _CONFIGURATION)
    check_settings(given.get("client_settings"))
    _check_place_of_client(given)


def _check_place_of_client(given: Mapping[str, Any]) -> None:
    """A client has its data where it has them, and only a host has a port."""
    client, host, headers = (given.get(name) for name in ("client", "host", "headers"))
    if host is not None and not (isinstance(host, str) and host):
        raise InvalidArgumentError.of("host", host, "the name of a server, such as 'localhost'")
    if headers is not None and not _are_texts(headers):
        raise InvalidArgumentError.of_kind("headers", headers, "a dict of names to strings")
    if client is None:
        alone = [name for name in ("port", "ssl", "headers") if given.get(name) and host is None]
        if alone:
            expected = "host= with it, the server's name"
            raise InvalidArgumentError.of_kind(alone[0], given[alone[0]], expected)
        return
    for name in ("persist_directory", "host", "chroma_cloud_api_key"):
        if given.get(name) is not None and not is_at(client, name, given[name]):
            expected = "to be left out beside client=, which has its data elsewhere"
            place = "a key" if name == "chroma_cloud_api_key" else shown(given[name])
            raise InvalidArgumentError(f"{name}: expected {expected}, got {place}")


def _are_texts(headers: object) -> bool:
    """Whether these are names and values as HTTP has them."""
    return isinstance(headers, dict) and all(
        isinstance(part, str) for pair in headers.items() for part in pair
    )


def check_embeddings(embeddings: Any, name: str = "embedding_function") -> None:
    """Refuse what cannot embed, and say what makes embeddings out of it.

    Args:
        embeddings: what was given.
        name: of the argument.

    Raises:
        InvalidArgumentError: it is neither None nor LangChain embeddings.
    """
    methods = ("embed_query", "embed_documents")
    able = all(callable(getattr(embeddings, name, None)) for name in methods)
    if embeddings is None or (able and not isinstance(embeddings, type)):
        return
    if able:
        way = f"an object, {embeddings.__name__}(...)"
    elif embeddings is minilm:
        way = "minilm(), which has to be called"
    elif isinstance(embeddings, str | PathLike):
        way = f"SentenceTransformerEmbeddings({str(embeddings)!r})"
    elif callable(getattr(embeddings, "embed_query", None)):
        way = "from_chroma(function), which takes chromadb's"
    else:
        way = "FunctionEmbeddings(function)" if callable(embeddings) else "None for Chroma's own"
    expected = f"LangChain Embeddings; from langchain_chroma_hybrid.embeddings: {way}"
    if isinstance(embeddings, Chroma | BaseRetriever):
        expected = "LangChain Embeddings, such as those that it was made with itself"
    # A list is mostly one of texts.
    nameable = isinstance(embeddings, str | PathLike) or callable(embeddings)
    got = shown(embeddings) if nameable else kind_of(embeddings)
    raise InvalidArgumentError(f"{name}: expected {expected}, got {got}")


def check_search_type(search_type: object) -> None:
    """Refuse a type of search that LangChain does not know.

    Raises:
        InvalidArgumentError: says which there are.
    """
    if search_type not in _SEARCH_TYPES:
        known = ", ".join(_SEARCH_TYPES)
        meant = meant_value(search_type, ("lexical", "vector", "two_step"))
        way = f"mode={meant!r} is another option" if meant else "mode= has others"
        expected = f"one of {known} (each is hybrid by default; {way})"
        raise InvalidArgumentError.of("search_type", search_type, expected)


def named(
    function: Callable[..., Any], positional: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """`keywords` with what came by position after `persist_directory`, in Chroma's order.

    Args:
        function: of Chroma's; its signature has the names.
        positional: values by position.
        keywords: values by name.

    Raises:
        UnknownArgumentError: more values than `function` has places, or one that is given twice.
    """
    places = [
        place.name
        for place in inspect.signature(function).parameters.values()
        if place.kind is place.POSITIONAL_OR_KEYWORD
    ]
    names = places[places.index("persist_directory") + 1 :]
    if len(positional) > len(names):
        message = f"{len(positional)} arguments after persist_directory; known: {', '.join(names)}"
        raise UnknownArgumentError(message)
    by_place = dict(zip(names, positional, strict=False))
    if twice := sorted(by_place.keys() & keywords.keys()):
        raise UnknownArgumentError(f"given by position and by name: {', '.join(twice)}")
    return {**by_place, **keywords}
