"""The background of a collection: estimated once, kept beside the index."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid._files import StateFiles
from langchain_chroma_hybrid.core.analysis.language import other_language
from langchain_chroma_hybrid.core.background import SAMPLE, Background, estimate, snippet
from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.errors import EmbeddingError, LexicalIndexError
from langchain_chroma_hybrid.lexical.record_count import RecordCount
from langchain_chroma_hybrid.lexical.texts import field_texts, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Matrix, Vector
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

    Embed = Callable[[list[str]], Sequence[Sequence[float]]]

_STATE = "background"
_WHOLE, _OF_WORDS = "whole", "of_words"
_PAUSE = 60.0  # seconds after which a model that failed is asked again
_LENGTH_1 = 1e-3
_log = logging.getLogger(__name__)


class CollectionBackground:
    """What relevance is measured against. Thread-safe; processes find the same.

    It is estimated anew when the collection has grown to twice the size, or shrunk to half: until
    then a threshold means the same. What words tell is known apart from what cosines do.

    Attributes:
        note: why there are no cosines, where a model could not embed the samples; else None.
    """

    def __init__(self, states: LexicalIndex | None = None) -> None:
        """`states` None keeps it in memory."""
        self._states = states or StateFiles(None)
        self._embedding = threading.Lock()
        self._lock = threading.Lock()
        self._known: dict[str, Background] | None = None
        self._again = 0.0
        self.note: str | None = None
        self._language: str | None = None
        self._looked = False
        self._count = RecordCount()

    def told(self) -> tuple[str, ...]:
        """What is to be said to a query: the note, and once that texts are in another language."""
        with self._lock:
            language, self._language = self._language, None
        return tuple(note for note in (self.note, language) if note)

    def _look(self, store: ChromaStore, lexical: LexicalIndex) -> None:
        """Whether the texts are in the language whose stemmer and stop words they go by."""
        language = lexical.analyzer.language
        if self._looked or language is None or lexical.analyzer.preprocess_func is not None:
            return
        self._looked = True
        texts = _texts(lexical, store.fetch(lexical.sample(SAMPLE)).values())
        other = other_language(texts, language)
        if other is not None:
            self._language = (
                f"most texts look {other.capitalize()}, and words go by the rules of "
                f"{language.capitalize()}: analyzer={other!r} finds their other forms too"
            )
            _log.warning("%s: %s", store.name, self._language)

    def get(
        self, store: ChromaStore, lexical: LexicalIndex, embed: Embed | None = None
    ) -> Background:
        """The background, estimated now if there is none that fits.

        Without `embed`, or where it fails, what can be told of words alone.
        """
        count = self._count.of(lexical)
        known = self._fitting(_WHOLE, count)
        if known is not None:
            return known
        if self._fitting(_OF_WORDS, count) is None:
            self._look(store, lexical)
        if embed is not None:
            with self._embedding:  # the others wait for what the first one finds out
                known = self._fitting(_WHOLE, count)
                if known is None and time.monotonic() >= self._again:
                    known = self._whole(store, lexical, count, embed)
            if known is not None:
                return known
        known = self._fitting(_OF_WORDS, count)
        if known is None:
            known = self._keep(_OF_WORDS, _estimated(store, lexical, count, None))
        return known

    def _whole(
        self, store: ChromaStore, lexical: LexicalIndex, count: int, embed: Embed
    ) -> Background | None:
        """Estimated with cosines; None where the model fails, which is tried again later."""
        try:
            found = _estimated(store, lexical, count, embed)
        except Exception as error:  # noqa: BLE001  # whatever a model raises: relevance does without
            self.note = f"relevance: the model could not embed samples of the records: {error}"
            self._again = time.monotonic() + _PAUSE
            _log.warning("%s", self.note)
            return None
        self.note = None
        return self._keep(_WHOLE, found)

    def _fitting(self, kind: str, count: int) -> Background | None:
        with self._lock:
            if self._known is None:
                self._known = self._load()
            known = self._known.get(kind)
        return known if known is not None and known.fits(count) else None

    def _keep(self, kind: str, found: Background) -> Background:
        with self._lock:
            self._known = {**(self._known or {}), kind: found}
            with suppress(OSError, LexicalIndexError):
                content = {name: asdict(each) for name, each in self._known.items()}
                self._states.set_state(_STATE, content)
        return found

    def _load(self) -> dict[str, Background]:
        with suppress(OSError, LexicalIndexError, TypeError):
            content = self._states.state(_STATE)
            return {n: Background(**each) for n, each in content.items() if _is_whole(each)}
        return {}


_RANGES = {
    "mean": (-1.0, 1.0), "spread": (1e-6, 2.0), "level": (0.0, 1e6), "distinct": (0.0, 1.0),
    "count": (0, 10**15), "unit": (False, True), "record_mean": (-1.0, 1.0),
    "record_spread": (1e-6, 2.0), "version": (0, 10**6),
}  # fmt: skip


def _is_whole(content: object) -> bool:
    """Whether it is a background with values that one can have."""
    if not isinstance(content, dict) or content.keys() != _RANGES.keys():
        return False
    return all(
        type(content[name]) is type(low) and low <= content[name] <= high
        for name, (low, high) in _RANGES.items()
    )


def _estimated(
    store: ChromaStore, lexical: LexicalIndex, count: int, embed: Embed | None
) -> Background:
    """From snippets of a sample; without `embed` from their words."""
    records = store.fetch(lexical.sample(SAMPLE))
    texts = dict(zip(records, _texts(lexical, records.values()), strict=True))
    snippets = {id_: snippet(text) for id_, text in texts.items() if text.strip()}
    shares = [_shares(lexical, id_, text) for id_, text in snippets.items()]
    of_words = [share for share, _ in shares], [rival for _, rival in shares], count
    vectors = store.vectors(records).by_id() if embed is not None else {}
    if embed is None or not vectors:
        return estimate((), (), *of_words)
    rows, unit = _normalized([vectors[id_] for id_ in vectors])
    between = _apart(rows @ rows.T)
    own, others = [], []
    if known := [id_ for id_ in vectors if id_ in snippets]:
        asked, _ = _normalized(embed([snippets[id_] for id_ in known]))
        if not asked.any():
            raise EmbeddingError.of("embedding", "zeros", "vectors that tell texts apart")
        own_rows = rows[[id_ in snippets for id_ in vectors]]
        cosines = asked @ own_rows.T
        own, others = np.diag(cosines).tolist(), _apart(cosines)
    seen = [cosine for line in between for cosine in line]
    return estimate(own, others, *of_words, between=seen, unit=unit)


def _texts(lexical: LexicalIndex, records: Iterable[Record]) -> list[str]:
    """What is searched of each record."""
    fields = fields_of(lexical)
    return [" ".join(t for f in fields for t in field_texts(record, f)) for record in records]


def _normalized(vectors: Sequence[Vector] | Sequence[Sequence[float]]) -> tuple[Matrix, bool]:
    """Vectors of length 1, as rows, and whether they had it before."""
    rows = np.array(vectors, dtype=np.float64)
    if not np.isfinite(rows).all():
        raise EmbeddingError.of("embedding", "numbers that are not finite", "finite ones")
    lengths = np.linalg.norm(rows, axis=1)
    unit = bool((abs(lengths - 1.0) < _LENGTH_1).all())
    return rows / np.maximum(lengths, 1e-30)[:, None], unit


def _apart(cosines: Matrix) -> list[list[float]]:
    """By row, what is not on the diagonal."""
    off = ~np.eye(len(cosines), dtype=bool)
    return [line[mask].tolist() for line, mask in zip(cosines, off, strict=True)]


def _shares(lexical: LexicalIndex, id_: str, text: str) -> tuple[float, float]:
    """What a snippet's own record covers of it, and the best other one."""
    hits = lexical.search(text, 2)
    own = [hit for hit in hits if hit.id == id_]
    own = own or lexical.search(text, 1, where=Ids(frozenset([id_])))
    most = hits.ceiling
    if not own or not most:
        return 0.0, 0.0
    rival = max((hit.score for hit in hits if hit.id != id_), default=0.0)
    return own[0].score / most, max(0.0, rival) / most
