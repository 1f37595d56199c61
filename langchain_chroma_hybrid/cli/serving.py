"""The command `mcp`: a collection as a server for the programs in which models work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from langchain_chroma_hybrid import __version__
from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.opening import json_option, mode_for, open_store, words_only
from langchain_chroma_hybrid.cli.output import note
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.mcp.collection import ServedCollection
from langchain_chroma_hybrid.mcp.server import CollectionServer
from langchain_chroma_hybrid.mcp.transports import (
    LOOPBACK,
    PATH,
    bound,
    check_token,
    serve_http,
    serve_stdio,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid.cli.options import Model, Place
    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.search import Mode
    from langchain_chroma_hybrid.vectorstores import HybridChroma

TOKEN_VARIABLE = "CHROMA_HYBRID_TOKEN"  # noqa: S105  # the name of one


def prepared(
    place: Place,
    model: Model,
    *,
    base_filter: str | None,
    write: bool,
    about: str | None,
    http: int | None,
    token: str | None,
) -> Callable[[], None]:
    """What serves, with all that it needs loaded: nothing is missing once it is called.

    Raises:
        Exception: whatever keeps the collection from being searched.
    """
    base = parse(json_option("--base-filter", base_filter), names=("--base-filter", ""), base=True)
    secret = _token(token, http)
    listening = None if http is None else bound(http)
    store = open_store(place, model)
    served = _served(store, model, base, write=write)
    served.warm_up()
    server = CollectionServer(served, version=__version__, about=about, write=write)

    def serve() -> None:
        with store:
            try:
                if listening is None:
                    serve_stdio(server)
                    return
                note(f"serving at http://{LOOPBACK}:{listening.getsockname()[1]}{PATH}")
                serve_http(server, listening, secret)
            finally:
                server.close()

    return serve


def _token(given: str | None, http: int | None) -> str | None:
    """The token that callers have to bring; None if they need none.

    Raises:
        InvalidArgumentError: it cannot be one, or there are no callers who could bring it.
    """
    if http is None:
        if given is not None:
            raise InvalidArgumentError("--token: only with --http")
        return None
    token = os.environ.get(TOKEN_VARIABLE) if given is None else given
    if token is not None:
        check_token(token)
    return token


def _served(
    store: HybridChroma, model: Model, base: Filter | None, *, write: bool
) -> ServedCollection:
    """The collection, by words alone where nothing can embed.

    Raises:
        InvalidArgumentError: what is added would have to be embedded.
    """
    mode = cast("Mode", mode_for(store, model, None))
    if write and mode == "lexical":
        why = words_only(store, model)
        raise InvalidArgumentError(f"--write: nothing can embed what is added, because {why}")
    return ServedCollection(bridge.handle_of(store), base, mode)
