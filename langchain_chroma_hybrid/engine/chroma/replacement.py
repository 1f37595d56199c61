"""The collection that is to take another one's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from chromadb.errors import NotFoundError

from langchain_chroma_hybrid.engine.chroma.calls import translated
from langchain_chroma_hybrid.engine.chroma.collection import MIGRATED_FROM
from langchain_chroma_hybrid.engine.chroma.hybrid_schema import create_like
from langchain_chroma_hybrid.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import chromadb
    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.embeddings.chroma.sparse_stored import SparseFunctions


def make_replacement(
    client: ClientAPI,
    source: chromadb.Collection,
    root: str,
    name: str,
    function: Any,
    kept: Collection[str],
    functions: SparseFunctions,
) -> chromadb.Collection:
    """A collection of that name with the metadata and the index settings of `source`.

    One that an interrupted migration has left is taken as it is.

    Args:
        client: the caller's.
        source: what it is to be like.
        root: id of the collection that had the place first.
        name: what it is called.
        function: embedding function that it remembers; None for none.
        kept: ids of collections that have or had the place.
        functions: make the vectors of a sparse index that `source` has.

    Raises:
        EmbeddingError: they cannot.
        CollectionError: there is a collection of that name which is something else.
    """
    with translated():
        try:
            found = client.get_collection(name, embedding_function=None)
        except NotFoundError:
            metadata = {**(source.metadata or {}), MIGRATED_FROM: root}
            made = create_like(client, name, source, function, metadata, functions)
            return made or client.create_collection(
                name,
                metadata=metadata,
                configuration=_index_settings(source.configuration_json),  # type: ignore[arg-type]  # as Chroma gave it
                embedding_function=function,
            )
    if not is_replacement(found, root, kept):
        raise CollectionError(
            f"there is a collection {name!r} already, which no migration of {source.name!r} has "
            "made: give another target_name, or delete it"
        )
    return found


def is_replacement(found: chromadb.Collection, root: str, kept: Collection[str]) -> bool:
    """Whether a migration has begun it, and nobody ever went by it."""
    return (found.metadata or {}).get(MIGRATED_FROM) == root and str(found.id) not in kept


def collection_of(client: ClientAPI, uuid: str) -> chromadb.Collection | None:
    """The collection of that id, if there is one."""
    try:
        with translated():
            found: chromadb.Collection = client.get_collection_by_id(UUID(uuid))
            return client.get_collection(found.name, embedding_function=None)
    except (CollectionError, ValueError):
        return None


def delete_collection(client: ClientAPI, uuid: str) -> None:
    """Delete the collection of that id; one that is not there is no error."""
    found = collection_of(client, uuid)
    if found is not None and str(found.id) == uuid:
        client.delete_collection(found.name)


def rename_collection(client: ClientAPI, uuid: str, name: str) -> None:
    """Give the collection of that id a name; one that has it already is left as it is."""
    found = collection_of(client, uuid)
    if found is not None and found.name != name:
        found.modify(name=name)


def _index_settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: configuration[kind] for kind in ("hnsw", "spann") if configuration.get(kind)}
