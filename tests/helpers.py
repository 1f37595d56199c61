"""What the tests of the faces share: small stores, embeddings that count, a corpus."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MODES = ("hybrid", "vector", "lexical", "two_step")
# Chroma writes its own function into what it is given: `dict(COSINE)` for a client of its own.
COSINE = {"hnsw": {"space": "cosine"}}

_names = itertools.count()

CORPUS = [
    ("leaves", "The maple drops red leaves in autumn", {"tenant": "a", "year": 2021}),
    ("pump", "Error R123-78 means that the pump is blocked", {"tenant": "a", "year": 2022}),
    ("valve", "Error R123-79 means that the valve is open", {"tenant": "b", "year": 2022}),
    ("water", "The pump moves water through the valve", {"tenant": "b", "year": 2023}),
    ("cat", "A red cat sleeps under the maple tree", {"tenant": "a", "year": 2023}),
    ("river", "Water runs down the river in spring", {"tenant": "c", "year": 2024}),
    ("bank", "The bank of the river is steep", {"tenant": "c", "year": 2021}),
    ("manual", "Read the manual before you open the pump", {"tenant": "a", "year": 2024}),
]


def documents() -> list[Document]:
    return [Document(text, metadata=dict(meta), id=id_) for id_, text, meta in CORPUS]


def fresh_name() -> str:
    """A collection name that no other test uses: ephemeral clients share one memory."""
    return f"collection-{next(_names)}"


def make_store(folder: Path | None = None, **options: Any) -> HybridChroma:
    """An empty store: on disk in `folder`, else in memory."""
    settings = {"collection_configuration": COSINE, "embedding_function": WordEmbeddings()}
    directory = {"persist_directory": str(folder)} if folder else {}
    return HybridChroma(fresh_name(), **{**settings, **directory, **options})


def filled(folder: Path | None = None, **options: Any) -> HybridChroma:
    """A store with `CORPUS` in it."""
    store = make_store(folder, **options)
    store.add_documents(documents())
    return store


def plain_chroma(folder: Path | None = None, **options: Any) -> Chroma:
    """A Chroma of LangChain's with `CORPUS` in it, that knows nothing of us."""
    settings = {"collection_configuration": COSINE, "embedding_function": WordEmbeddings()}
    directory = {"persist_directory": str(folder)} if folder else {}
    chroma = Chroma(fresh_name(), **{**settings, **directory, **options})
    chroma.add_documents(documents())
    return chroma


def ids_of(found: Iterable[Document | tuple[Document, Any]]) -> list[str | None]:
    """Ids of documents, or of pairs that begin with one."""
    return [(entry if isinstance(entry, Document) else entry[0]).id for entry in found]


class CountingEmbeddings(WordEmbeddings):
    """Remembers what it was asked to embed."""

    def __init__(self, size: int = 64) -> None:
        super().__init__(size)
        self.queries: list[str] = []
        self.texts: list[str] = []

    def embed_query(self, text: str) -> list[float]:
        self.queries.append(text)
        return super().embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return [WordEmbeddings.embed_query(self, text) for text in texts]


COUNTING = CountingEmbeddings()
"""One for all, for what names its embeddings by `module:object`."""


class FailingEmbeddings(WordEmbeddings):
    """Embeds documents, and raises at every query."""

    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("the embedding service is down")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return WordEmbeddings(self.size).embed_documents(texts)


class FaultyEmbeddings(WordEmbeddings):
    """Gives what `fault` makes of the right vectors."""

    def __init__(self, fault: Any) -> None:
        super().__init__()
        self.fault = fault

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.fault(WordEmbeddings().embed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        return self.fault([WordEmbeddings().embed_query(text)])[0]


class ImageEmbeddings(WordEmbeddings):
    """Embeds a picture as the words of its file name."""

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        from pathlib import Path

        return [self.embed_query(Path(uri).stem.replace("_", " ")) for uri in uris]


def no_vector(_: Any) -> list[list[float]]:
    return []


def not_a_number(vectors: list[list[float]]) -> list[list[float]]:
    return [[math.nan, *vector[1:]] for vector in vectors]


def one_short(vectors: list[list[float]]) -> list[list[float]]:
    return [vector[:-1] for vector in vectors]


def colour_embeddings() -> Any:
    """A joint model without a model: a picture's mean colour, and the colours that words name."""
    import numpy as np

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    known = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "cat": (1, 1, 0)}

    def of_texts(texts: list[str]) -> Any:
        return [
            np.sum([known.get(word, (0.1, 0.1, 0.1)) for word in f"{text} ".split(" ")], axis=0)
            for text in texts
        ]

    def of_images(images: list[Any]) -> Any:
        return [np.asarray(image.convert("RGB")).mean(axis=(0, 1)) + 1.0 for image in images]

    return MultimodalEmbeddings(text_fn=of_texts, image_fn=of_images, fingerprint="colours")
