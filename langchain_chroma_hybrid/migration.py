"""Another model for a collection that is in use: embed it anew, switch, and go back if need be."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.arguments import check_embeddings
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.core.values import LLAMA_NODE
from langchain_chroma_hybrid.embeddings.chroma.bridge import to_chroma
from langchain_chroma_hybrid.engine.handle import CollectionHandle
from langchain_chroma_hybrid.engine.migrate.run import MigrationOptions
from langchain_chroma_hybrid.engine.sync.policy import check_progress
from langchain_chroma_hybrid.errors import ChromaHybridError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chromadb import EmbeddingFunction
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.migrate.report import MigrationReport


@known_keywords
def migrate(
    store: Any,
    embeddings: Embeddings,
    *,
    dry_run: bool = False,
    batch_size: int = 256,
    target_name: str | None = None,
    price: float | None = None,
    restart: bool = False,
    swap_names: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MigrationReport:
    """Embed a collection anew by another model, and put the new one in its place.

    The records are copied to a second collection with the same metadata, index settings and
    lexical index, in batches; everybody goes on reading and writing, and what is written meanwhile
    is copied too. At the end writers wait for a moment while one file, or on a server one record,
    is replaced: from then on stores of this package that are opened by the old name find the new
    collection. Those that are open go on reading the old one; what they write is refused with
    `ModelChangedError`. The old collection is kept until `drop_previous`. After a kill at any
    moment the same call goes on where that one has ended. `store` has the new model when this
    returns.

    Args:
        store: a `HybridChroma`, a `Chroma` or a retriever over one, or a store or retriever of
            `langchain_chroma_hybrid.llama_index`.
        embeddings: of the new model. Records with the address of a picture go to its
            `embed_image`.
        dry_run: only count, and embed a few records to see how long it takes.
        batch_size: records embedded and written at a time.
        target_name: of the new collection; None means the old one with a mark of the model.
        price: of a million tokens, for `MigrationReport.cost`.
        restart: throw away what an earlier call has begun.
        swap_names: also exchange the names of both, for plain Chroma clients, which know nothing
            of the switch. Stop them before: for a moment nobody has the name, and who opens it
            makes an empty collection.
        progress: called with (records done, records to do); None shows a bar on a terminal.

    Raises:
        InvalidArgumentError: an empty collection, one of this very model, or one of which a
            migration to another model is half done.
        EmbeddingError: records without text and address, or not one vector per record.
        IndexLockedError: another process is at it.
        CollectionError: the collection was deleted meanwhile, or there is one of the new name.
        WriteError: no room on disk, or both collections differ in the end; the old one keeps its
            place.

    One call at a time for a collection, which a lock sees to, on a server also between hosts.
    """
    positive("batch_size", batch_size)
    if price is not None:
        number("price", price, 0.0, math.inf)
    check_progress(progress)
    handle, model = _handle_of(store), _model(embeddings)
    options = MigrationOptions(
        batch_size, target_name, price, restart, progress, _text_of, _stored(model)
    )
    migration = handle.migration(model, options)
    if dry_run:
        return migration.costs().report
    report = migration.run()
    if swap_names:
        handle.swap_names()
    return report


@known_keywords
def rollback(store: Any, embeddings: Embeddings | None = None, *, discard: bool = False) -> int:
    """Give the place back to the collection that had it before `migrate`.

    Args:
        store: as for `migrate`.
        embeddings: the old model, for what was written since; `store` has it when this returns.
        discard: leave what was written since behind.

    Returns:
        How many records were written since and are in the old collection, too, by now.

    Raises:
        CollectionError: no collection is kept.
        InvalidArgumentError: records were written since, and there is no model for them, or it is
            not the one that has filled the old collection.
    """
    model = None if embeddings is None else _model(embeddings)
    return _handle_of(store).roll_back(model, _text_of, discard=discard)


@known_keywords
def drop_previous(store: Any) -> str:
    """Delete the collection that `migrate` has kept; the new one gets its name.

    Stop plain Chroma clients before, see `swap_names` of `migrate`.

    Returns:
        The name.

    Raises:
        CollectionError: none is kept, or another collection has its name by now.
    """
    return _handle_of(store).drop_previous()


def _handle_of(store: Any) -> CollectionHandle:
    """The door of a store, of a retriever or of a collection of pictures.

    Raises:
        InvalidArgumentError: it is none of them.
    """
    found = getattr(store, "vectorstore", getattr(store, "store", store))
    if isinstance(found, Chroma):
        return bridge.handle_of(found)
    handle = getattr(found, "_handle", None)
    if isinstance(handle, CollectionHandle):
        return handle
    expected = "a HybridChroma, a Chroma, a retriever over one, or a store for LlamaIndex"
    raise InvalidArgumentError.of_kind("store", store, expected)


def _model(embeddings: Any) -> Embeddings:
    """LangChain embeddings, also of LlamaIndex' own kind."""
    if hasattr(embeddings, "get_text_embedding"):
        from langchain_chroma_hybrid.llama_index import from_llama  # noqa: PLC0415  # an extra

        return from_llama(embeddings)
    if embeddings is None:
        raise InvalidArgumentError.of("embeddings", None, "LangChain Embeddings")
    check_embeddings(embeddings, "embeddings")
    return embeddings  # type: ignore[no-any-return]  # as checked


def _stored(model: Embeddings) -> EmbeddingFunction[Any] | None:
    """What the new collection can remember of the model, for plain Chroma clients."""
    with suppress(ChromaHybridError):
        return to_chroma(model)
    return None


def _text_of(record: Record) -> str:
    """What is embedded of a record: LlamaIndex' nodes say themselves."""
    if LLAMA_NODE not in record.metadata:
        return record.text or ""
    from langchain_chroma_hybrid.llama_index.nodes import embedded_text  # noqa: PLC0415  # an extra

    return embedded_text(record)
