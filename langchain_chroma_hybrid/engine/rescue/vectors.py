"""What is lost of a torn collection, the model that makes it again, and making it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel
from langchain_chroma_hybrid.embeddings.base import check_vectors
from langchain_chroma_hybrid.embeddings.chroma.bridge import from_chroma
from langchain_chroma_hybrid.embeddings.chroma.stored import stored_function
from langchain_chroma_hybrid.engine.chroma.calls import pages
from langchain_chroma_hybrid.engine.chroma.rows import Rows
from langchain_chroma_hybrid.engine.guard import verdict_of
from langchain_chroma_hybrid.engine.model_notes import ModelNotes
from langchain_chroma_hybrid.engine.rescue.reading import pages_of_ids, records, surviving
from langchain_chroma_hybrid.engine.sync.failpoints import reach
from langchain_chroma_hybrid.errors import EmbeddingError, RescueError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.embeddings.base import Vectors
    from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Vector

# So many texts whose vectors are left are embedded again and compared. The same model in another
# precision is at .98, another model anywhere near 0.
_PROBES, _SAME = 20, 0.9


@dataclass(slots=True)
class Loss:
    """A torn collection as it is read without its vector files.

    Attributes:
        records: how many it has.
        lost: ids of those that have a text and no vector.
        left_out: those without a vector, which no text can give back.
        blank: those without a vector whose text is empty, which some models embed.
        probes: texts whose vectors `(d,)` are left.
        model: embeds; None as long as nobody is needed.
    """

    records: int = 0
    lost: list[str] = field(default_factory=list)
    left_out: list[Record] = field(default_factory=list)
    blank: list[Record] = field(default_factory=list)
    probes: list[tuple[str, Vector]] = field(default_factory=list)
    model: Any = None


def loss(store: ChromaStore) -> Loss:
    """Look through a collection; memory holds a page, and the ids of what is lost."""
    found = Loss()
    for ids in pages_of_ids(store):
        vectors = surviving(store, ids)
        found.records += len(ids)
        for record in records(store, ids):
            if record.id in vectors:
                if record.text and len(found.probes) < _PROBES:
                    found.probes.append((record.text, vectors[record.id]))
            elif record.text:
                found.lost.append(record.id)
            else:
                (found.left_out if record.text is None else found.blank).append(record)
    return found


def prepare(store: ChromaStore, found: Loss, embeddings: Any, trusted: TrustedModels) -> None:
    """Find the model for what is lost, and see that it is the one that the collection has.

    `embeddings` are LangChain's; None takes what the collection remembers, as far as `trusted` or
    `trust_stored_models` covers it.

    Raises:
        EmbeddingError: there is none, it may not be loaded, or it is another one.
        RescueError: it fails.
    """
    if not found.lost and not found.blank:
        return
    try:
        found.model = embeddings or _stored(store, trusted)
        if found.blank and not _embeds_nothing(found.model):
            found.left_out += found.blank
        else:
            found.lost += [record.id for record in found.blank]
        if found.lost:
            _refuse_noted(store, found)
            _check(store, found)
    except EmbeddingError as error:
        raise EmbeddingError(f"collection {store.name!r}: {error}") from error
    except Exception as error:
        raise _stopped(store, 0, found, error) from error


def refill(store: ChromaStore, found: Loss, batch_size: int, show: Callable[[int], None]) -> None:
    """Embed what is lost, and take out what no text can give back.

    `show` is told how many records each step has done.

    Raises:
        RescueError: the model or Chroma has failed.
    """
    done = 0
    try:
        for ids in pages(found.lost, min(batch_size, store.batch_size)):
            texts = {record.id: str(record.text) for record in records(store, ids)}
            vectors = embedded(found.model, [texts[id_] for id_ in ids])
            store.upsert(Rows(ids, vectors))
            done += len(ids)
            show(len(ids))
            reach("vectors written")
        store.delete([record.id for record in found.left_out])
    except Exception as error:
        raise _stopped(store, done, found, error) from error


def _stopped(store: ChromaStore, done: int, found: Loss, error: Exception) -> RescueError:
    return RescueError(
        f"collection {store.name!r}: stopped after {done} of {len(found.lost)} records by "
        f"{type(error).__name__}: {error}; nothing is written"
    )


def embedded(model: Any, texts: Sequence[str]) -> Vectors:
    """Vectors `(n, d)` of documents."""
    return check_vectors(model.embed_documents(list(texts)), len(texts))


def _stored(store: ChromaStore, trusted: TrustedModels) -> Any:
    """The model that the collection remembers, if somebody trusts it."""
    function = stored_function(store.configuration, trusted)
    if function is None:
        raise EmbeddingError.of("embeddings", None, "the model that filled it, as it names none")
    return from_chroma(function)


def _embeds_nothing(model: Any) -> bool:
    try:
        return len(embedded(model, [""])) == 1
    except Exception:  # noqa: BLE001  # whatever a model says of an empty text
        return False


def _refuse_noted(store: ChromaStore, found: Loss) -> None:
    """Raise where it is noted that another model has filled the collection.

    A model that was only compared with records counts if no vector is left to compare.

    Raises:
        EmbeddingError: it is.
    """
    model, filled = EmbeddingModel.of(found.model), ModelNotes(store).read().models.get(store.uuid)
    if filled is None or verdict_of(filled.model, model) != "other":
        return
    if filled.owned or not found.probes:
        expected = f"the model that has filled it, {filled.model}"
        raise EmbeddingError.of("embeddings", str(model), expected)


def _check(store: ChromaStore, found: Loss) -> None:
    """Compare what the model makes of some texts with what Chroma has of them.

    Where the model embeds pictures and the texts' vectors are not its own, those are of pictures.

    Raises:
        EmbeddingError: another dimension, or another model.
    """
    (first,) = records(store, found.lost[:1])
    texts = [str(first.text), *(text for text, _ in found.probes)]
    made = embedded(found.model, texts)
    store.query(made[0], 1, None)  # refuses another dimension
    cosines = [_cosine(new, old) for new, (_, old) in zip(made[1:], found.probes, strict=True)]
    level = float(np.median(cosines)) if cosines else None
    if level is not None and level >= _SAME:
        return
    if hasattr(found.model, "embed_image"):
        found.left_out += list(_all(store, found.lost))
        found.lost = []
    elif level is not None:
        raise EmbeddingError(
            f"embeddings: not the model that filled it: of {len(cosines)} texts whose vectors are "
            f"left, the model's own have a cosine of {level:.2f} to them (the same model: 1.00)"
        )


def _all(store: ChromaStore, ids: Sequence[str]) -> list[Record]:
    return [record for page in pages(ids, 1000) for record in records(store, page)]


def _cosine(a: Vector, b: Vector) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.dot(a, b)) / lengths if lengths else 1.0
