"""Segments to vectors: what is seen and heard in them, else what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.sides import pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.multimodal.media import Segment


def embedded(segments: Sequence[Segment], embeddings: Embeddings) -> list[Any]:
    """A vector `(d,)` for each segment; None where there is nothing that the model can embed.

    It is the mean of the vectors of its images; of that and the sound's, where it has both; of what
    is said, where it has neither. The model is called once for each.
    """
    found: list[list[Any]] = [[] for _ in segments]

    def add(kind: Sequence[Sequence[Any]], encode: Callable[[list[Any]], Any]) -> None:
        flat = [each for several in kind for each in several]
        rows = iter(encode(flat) if flat else ())
        for vectors, several in zip(found, kind, strict=True):
            if several:
                vectors.append(pooled([next(rows) for _ in several]))

    if isinstance(embeddings, MultimodalEmbeddings):
        if any(segment.images for segment in segments) and embeddings.sees:
            add([segment.images for segment in segments], embeddings.encode_images)
        sounds = [[] if segment.sound is None else [segment.sound] for segment in segments]
        if any(sounds) and embeddings.hears:
            add(sounds, embeddings.encode_sounds)
    words = [
        [" ".join(segment.lines)] if segment.lines and not vectors else []
        for segment, vectors in zip(segments, found, strict=True)
    ]
    add(words, embeddings.embed_documents)
    return [pooled(vectors) if vectors else None for vectors in found]


def in_batches(segments: Iterable[Segment], size: int) -> Iterator[list[Segment]]:
    """Segments that together have `size` images and sounds, or a few more."""
    batch: list[Segment] = []
    count = 0
    for segment in segments:
        batch.append(segment)
        count += max(1, len(segment.images) + (segment.sound is not None))
        if count >= size:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def nothing_in_it(embeddings: Embeddings) -> str:
    """Why a file that could be read has no segment."""
    able = embeddings if isinstance(embeddings, MultimodalEmbeddings) else None
    senses = [] if able is None else ["sees"] * able.sees + ["hears"] * able.hears
    model = f"one that {' and '.join(senses)}" if senses else "one of texts alone"
    return (
        f"expected something to embed, got silence or what this model ({model}) does not know: "
        "put a transcript beside it, give a `speech`, or take another model"
    )
