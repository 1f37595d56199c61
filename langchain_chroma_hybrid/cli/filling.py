"""Collections that are written to: made where they are not there, left with an index in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.opening import chosen, client_of, store_in
from langchain_chroma_hybrid.cli.output import note, progress
from langchain_chroma_hybrid.engine.chroma.change_token import token_of
from langchain_chroma_hybrid.engine.chroma.clients import collection_names

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.cli.options import Place
    from langchain_chroma_hybrid.vectorstores import HybridChroma

# What a collection is called that nobody gives a name.
_UNNAMED = "documents"


def make_store(place: Place, embeddings: Embeddings | None, **options: Any) -> HybridChroma:
    """The collection that `place` names, made if it is not there, with its folder.

    Raises:
        InvalidArgumentError: a folder with other things in it, or which of several is not said.
    """
    client = client_of(place, make=True)
    names = collection_names(client)
    name = place.collection or (chosen(None, names) if names else _UNNAMED)
    if name in names:
        return store_in(client, name, place, embeddings, **options)
    store = store_in(client, name, place, embeddings, make=True, **options)
    others = f"; others here: {', '.join(names)}" if names else ""
    note(f"made the collection {name!r}{others}")
    return store


def there_is(place: Place) -> bool:
    """Whether the collection that `place` names is there; makes nothing."""
    if place.path is not None and place.url is None and token_of(place.path) is None:
        return False
    names = collection_names(client_of(place))
    return bool(names) if place.collection is None else place.collection in names


def in_step(store: HybridChroma) -> None:
    """Leave a lexical index that holds what was written, and is known to."""
    with progress("indexing") as show:
        store.sync(progress=show)
    store.close()
