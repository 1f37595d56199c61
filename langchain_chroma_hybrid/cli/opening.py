"""From options to a collection that exists, and to what embeds its queries."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.models import named
from langchain_chroma_hybrid.cli.output import note
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.engine.chroma.change_token import opening, token_of
from langchain_chroma_hybrid.engine.chroma.clients import (
    collection_names,
    connect,
    needs_network,
)
from langchain_chroma_hybrid.engine.migrate.names import finish_names
from langchain_chroma_hybrid.errors import CollectionError, InvalidArgumentError
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chromadb.api import ClientAPI
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.cli.options import Model, Place, Server

_COSINE = {"hnsw": {"space": "cosine"}}


def open_store(
    place: Place,
    model: Model | None = None,
    *,
    embeddings: Embeddings | None = None,
    fields: dict[str, float] | None = None,
) -> HybridChroma:
    """The collection that `place` names; makes neither folder nor collection.

    `embeddings` count more than what `model` names.

    Raises:
        InvalidArgumentError: no folder, URL or name to go by, or one that leads nowhere.
        CollectionError: there is no such collection.
    """
    if embeddings is None and model is not None:
        embeddings = embeddings_of(model)
    client = client_of(place)
    name = chosen(place.collection, collection_names(client))
    trust = None if model is None else model.trust
    return store_in(client, name, place, embeddings, trust, fields=fields)


def store_in(
    client: ClientAPI,
    name: str,
    place: Place,
    embeddings: Embeddings | None = None,
    trust: Sequence[str] | None = None,
    *,
    make: bool = False,
    fields: dict[str, float] | None = None,
) -> HybridChroma:
    """A collection of a client, with the lexical index that `place` describes."""
    return HybridChroma(
        name,
        embeddings,
        client=client,
        create_collection_if_not_exists=make,
        collection_configuration=_COSINE if make else None,
        analyzer=None if place.analyzer == "none" else place.analyzer,
        lexical_fields=_boosts(place.field) or fields,
        lexical=place.lexical,
        trust_stored_models=trust,
    )


def embeddings_of(model: Model) -> Embeddings | None:
    """What `--embeddings` names; None without it."""
    offline(model)
    if model.embeddings is None:
        return None
    found = named(model.embeddings)
    if found is not None:
        return found
    return SentenceTransformerEmbeddings(model.embeddings, local_files_only=not model.network)


def offline(model: Model) -> None:
    """Unless it was allowed, no model is fetched."""
    if not model.network:
        # Read by the Hub's client when it is imported, which comes later.
        for switch in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS"):
            os.environ.setdefault(switch, "1")


def mode_for(store: HybridChroma, model: Model, asked: str | None) -> str:
    """The mode that was asked for, or the best one that the collection's embeddings allow.

    Raises:
        InvalidArgumentError: the mode needs vectors, and nothing may make them.
    """
    if asked == "lexical" or store.embeddings is not None:
        return asked or "hybrid"
    why = words_only(store, model)
    if why is None:
        return asked or "hybrid"
    if asked is not None:
        raise InvalidArgumentError.of("--mode", asked, f"lexical, because {why}")
    note(f"lexical search only, because {why}")
    return "lexical"


def words_only(store: HybridChroma, model: Model) -> str | None:
    """Why queries cannot be embedded; None if they can be."""
    if store.embeddings is not None:
        return None
    function = bridge.handle_of(store).embedding_function
    if function is None:
        return "the collection has no embedding function: name a model with --embeddings"
    if model.network:
        return None
    if needs_network(function):
        return (
            f"the collection's embedding function {function!r} may use the network: allow it with "
            "--network, or name a model with --embeddings"
        )
    try:
        bridge.handle_of(store).embeddings.embed_query("words")
    except Exception as error:  # noqa: BLE001  # whatever a model raises: words can still be found
        return f"the collection's embedding function fails: {error}. Here: --embeddings MODEL"
    return None


def json_option(name: str, value: str | None) -> dict[str, Any] | None:
    """An object that was given as JSON.

    Raises:
        InvalidArgumentError: something else.
    """
    if value is None:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError.of(name, value, "JSON") from error
    if not isinstance(found, dict):
        raise InvalidArgumentError.of(name, value, "a JSON object")
    return found


def numbers_option(name: str, value: str | None) -> list[float] | None:
    """Numbers that were given with commas between them.

    Raises:
        InvalidArgumentError: something else.
    """
    if value is None:
        return None
    try:
        return [float(part) for part in value.split(",")]
    except ValueError as error:
        raise InvalidArgumentError.of(name, value, "numbers such as 0.3,0.7") from error


def client_of(place: Server, *, make: bool = False) -> ClientAPI:
    """A client of the server, or of a folder that Chroma has written, whichever was typed.

    Raises:
        InvalidArgumentError: neither, both, or no such thing; with `make` a new folder will do.
    """
    scope = {"tenant": place.tenant, "database": place.database}
    if (place.path is None) == (place.url is None):
        got = None if place.path is None else (str(place.path), place.url)
        raise InvalidArgumentError.of("--path, --url", got, "one of them")
    if place.url is not None:
        url = urlsplit(place.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidArgumentError.of("--url", place.url, "http://host:port")
        return connect(url, **scope)
    with opening(str(place.path)):
        folder = _data_folder(place.path, make)
        finish_names(folder, None, None)  # whose names are about to be read
        return connect(folder, **scope)


def _data_folder(path: Path | None, make: bool) -> Path:
    # One process has one client by the name of a folder, and names depend on where one is.
    path = path and path.absolute()
    if path is not None and token_of(path) is not None:
        return path
    if make and path is not None and (not path.exists() or _is_empty(path)):
        path.mkdir(parents=True, exist_ok=True)
        return path
    expected = "a folder that Chroma has written" + (", or a new or empty one" if make else "")
    raise InvalidArgumentError.of("--path", str(path), expected)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def chosen(name: str | None, names: Sequence[str]) -> str:
    """The name, if there is such a collection; the only one if none is typed.

    Raises:
        CollectionError, InvalidArgumentError: there is none, or several of which to choose.
    """
    if name in names:
        return str(name)
    if name is None and len(names) == 1:
        return names[0]
    known = f"there are: {', '.join(names)}" if names else "there is none at all"
    if name is None and names:
        raise InvalidArgumentError.of("--collection", name, f"a name; {known}")
    meant = get_close_matches(name or "", names, 1)
    guess = f"; did you mean {meant[0]!r}?" if meant else ""
    raise CollectionError(f"no collection {name or ''!r}; {known}{guess}")


def _boosts(fields: Sequence[str] | None) -> dict[str, float] | None:
    """The boost of each field typed as `NAME=BOOST`, 1 for a bare name; None without any."""
    if not fields:
        return None
    boosts = {}
    for given in fields:
        name, _, boost = given.partition("=")
        try:
            boosts[name] = float(boost or 1.0)
        except ValueError as error:
            raise InvalidArgumentError.of("--field", given, "NAME or NAME=BOOST") from error
    return boosts
