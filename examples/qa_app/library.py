"""The documents in a folder of their own: what goes in, what may be filtered by, what is found."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.documents import read_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid import SearchResult

    Progress = Callable[[int, int], None]

MOST_BYTES = 50_000_000
MOST_NUMBER = 2.0**53  # that a slider has
BATCH = 32
# Where a passage is, which is nothing to filter by.
_PLACES = frozenset({"source", "file_name", "page", "row", "start_index", "title"})


@dataclass(frozen=True, slots=True)
class Wish:
    """How to search; `weights` None lets each query have its own."""

    mode: str = "hybrid"
    k: int = 4
    words: float | None = None
    threshold: float = 0.5
    filter: dict[str, Any] | None = None

    def options(self) -> dict[str, Any]:
        """As keyword arguments of a retriever."""
        words = self.words
        weights = None if words is None else {"lexical": words, "vector": 1 - words}
        return {"mode": self.mode, "k": self.k, "weights": weights, "filter": self.filter}


@dataclass(frozen=True, slots=True)
class Facet:
    """A metadata key to filter by: one of `values`, or a number from `low` to `high`."""

    name: str
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    many: bool = False


class Library:
    """Files as passages in a collection that is kept in `folder`."""

    def __init__(self, embeddings: Embeddings, folder: str | Path) -> None:
        self._store = HybridChroma("documents", embeddings, str(folder))
        self._retriever = ChromaHybridRetriever(vectorstore=self._store)

    def add(self, name: str, content: BinaryIO, size: int, progress: Progress) -> str | None:
        """Bring in a file, in place of what was there by its name; what is the matter, if anything.

        If that fails or is broken off, nothing of it stays, and what was there does.
        """
        if size > MOST_BYTES:
            most = f"{MOST_BYTES / 1e6:.0f} MB are read; cut it into several files"
            return f"{size / 1e6:.0f} MB, at most {most}"
        try:
            documents, problem = _read(name, content)
            if problem is None:
                self._replace(name, documents, progress)
        except Exception as error:  # noqa: BLE001  # the other files are not to suffer
            return f"could not be stored: {' '.join(str(error).split()) or type(error).__name__}"
        return problem

    def remove(self, name: str) -> None:
        """Take a file's passages out."""
        self._store.delete(where={"source": name})
        self._forget()

    def _replace(self, name: str, documents: list[Document], progress: Progress) -> None:
        """New passages first, then the old ones go."""
        before = set(self._store.get(where={"source": name}, include=[])["ids"])
        written: list[str] = []
        try:
            for start in range(0, len(documents), BATCH):
                batch = documents[start : start + BATCH]
                written += [str(document.id) for document in batch]
                self._store.add_documents(batch)
                progress(len(written), len(documents))
        except BaseException:  # also Streamlit's, when somebody clicks meanwhile
            if new := sorted({*written} - before):
                self._store.delete(new)
            raise
        finally:
            self._forget()
        if gone := sorted(before - {*written}):
            self._store.delete(gone)

    def _forget(self) -> None:
        for name in ("files", "facets"):
            self.__dict__.pop(name, None)

    @cached_property
    def files(self) -> dict[str, int]:
        """Passages of each file, by name."""
        rows = self._store.get(include=["metadatas"])["metadatas"]
        return dict(sorted(Counter(str(row.get("source")) for row in rows).items()))

    @cached_property
    def facets(self) -> tuple[Facet, ...]:
        """What may be filtered by: the files, and keys of few values or of numbers."""
        found = [Facet("source", tuple(self.files))] if len(self.files) > 1 else []
        for key in self._retriever.describe().keys:
            if key.name in _PLACES or key.kind is None:
                continue
            if key.complete and len(key.values) > 1:
                found.append(Facet(key.name, tuple(sorted(key.values)), many=key.many))
            elif not key.many and -MOST_NUMBER < (key.low or 0) < (key.high or 0) < MOST_NUMBER:
                found.append(Facet(key.name, low=key.kind(key.low), high=key.kind(key.high)))
        return tuple(found)

    def search(self, question: str, wish: Wish) -> SearchResult:
        """What is relevant; no hits mean that it is not in the documents."""
        options = wish.options()
        return self._retriever.search(question, score_threshold=wish.threshold, **options)

    def nearest(self, question: str, wish: Wish) -> SearchResult:
        """What comes next to it, relevant or not."""
        return self._retriever.search(question, **wish.options())


def filter_of(chosen: Mapping[Facet, Any]) -> dict[str, Any] | None:
    """Chroma's filter for what was chosen of each facet: values, or two bounds."""
    parts = [_condition(facet, value) for facet, value in chosen.items() if value]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def _condition(facet: Facet, chosen: Any) -> dict[str, Any]:
    if facet.low is not None:
        low, high = chosen
        return {"$and": [{facet.name: {"$gte": low}}, {facet.name: {"$lte": high}}]}
    if facet.many:
        parts = [{facet.name: {"$contains": value}} for value in chosen]
        return {"$or": parts} if len(parts) > 1 else parts[0]
    return {facet.name: {"$in": list(chosen)}}


def _read(name: str, content: BinaryIO) -> tuple[list[Document], str | None]:
    """A file's passages under the name that it was given, which is nobody's path here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{PurePosixPath(name).suffix.lower()}"
        with path.open("wb") as copy:
            shutil.copyfileobj(content, copy)
        digest = hashlib.sha256(name.encode("utf-8", "replace"))
        digest.update(path.read_bytes())
        [read] = read_files([path], chunk_size=500, chunk_overlap=50)
        passages = [
            Document(
                document.page_content,
                metadata={**document.metadata, "source": name, "file_name": name},
                id=f"{digest.hexdigest()[:24]}-{number}",
            )
            for number, document in enumerate(read.documents)
        ]
    return passages, read.problem
