"""The background of a collection: estimated once, kept beside the index."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from langchain_chroma_hybrid._files import write_json
from langchain_chroma_hybrid.core.analysis.language import other_language
from langchain_chroma_hybrid.core.background import SAMPLE, Background, estimate, snippet
from langchain_chroma_hybrid.core.filters import Ids
from langchain_chroma_hybrid.lexical.texts import PAGE_CONTENT, field_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
    from langchain_chroma_hybrid.engine.chroma.vectors import Matrix, Vector
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

    Embed = Callable[[list[str]], Sequence[Sequence[float]]]

_FILE = "background.json"
_LENGTH_1 = 1e-3
_log = logging.getLogger(__name__)


class CollectionBackground:
    """What relevance is measured against. Thread-safe; processes find the same.

    It is estimated anew when the collection has grown to twice the size, or shrunk to half: until
    then a threshold means the same.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder` None keeps it in memory."""
        self._folder = folder
        self._lock = threading.Lock()
        self._known: Background | None = None
        self._of_words: Background | None = None
        self._told: str | None = None
        self._tells = True

    def told(self) -> str | None:
        """What is to be said of the texts, once: that they are in another language."""
        with self._lock:
            told, self._told = self._told, None
        return told

    def _look(self, store: ChromaStore, lexical: LexicalIndex) -> None:
        """Whether the texts are in the language whose stemmer and stop words they go by."""
        language = lexical.analyzer.language
        if not self._tells or language is None or lexical.analyzer.preprocess_func is not None:
            return
        self._tells = False
        texts = _texts(lexical, store.fetch(lexical.sample(SAMPLE)).values())
        other = other_language(texts, language)
        if other is not None:
            self._told = (
                f"most texts look {other.capitalize()}, and words go by the rules of "
                f"{language.capitalize()}: analyzer={other!r} finds their other forms too"
            )
            _log.warning("%s: %s", store.name, self._told)

    def get(
        self, store: ChromaStore, lexical: LexicalIndex, embed: Embed | None = None
    ) -> Background:
        """The background, estimated now if there is none that fits.

        Without `embed`, or where it fails, what can be told of words alone, which is not kept.
        """
        count = lexical.count()
        with self._lock:
            if self._known is None:
                self._known = self._load()
            if self._known is not None and self._known.fits(count):
                return self._known
            if self._of_words is None or not self._of_words.fits(count):
                self._look(store, lexical)
                self._of_words = _estimated(store, lexical, count, None)
            elif embed is None:
                return self._of_words
            return self._whole(store, lexical, count, embed) if embed else self._of_words

    def _whole(
        self, store: ChromaStore, lexical: LexicalIndex, count: int, embed: Embed
    ) -> Background:
        try:
            self._known = _estimated(store, lexical, count, embed)
        except Exception as error:  # noqa: BLE001  # whatever a model raises: relevance does without
            _log.warning("relevance does without a background of cosines: %s", error)
            self._known = self._of_words
            return self._known or Background()
        if self._folder is not None:
            with suppress(OSError):
                write_json(self._folder / _FILE, asdict(self._known))
        return self._known

    def _load(self) -> Background | None:
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, TypeError, RecursionError):
            content = json.loads((self._folder / _FILE).read_text("utf-8"))
            if _is_whole(content):
                return Background(**content)
        return None


def _is_whole(content: object) -> bool:
    expected = asdict(Background())
    if not isinstance(content, dict):
        return False
    return content.keys() == expected.keys() and all(
        isinstance(content[name], type(value)) and np.isfinite(value)
        for name, value in expected.items()
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
        own_rows = rows[[id_ in snippets for id_ in vectors]]
        cosines = asked @ own_rows.T
        own, others = np.diag(cosines).tolist(), _apart(cosines)
    seen = [cosine for line in between for cosine in line]
    return estimate(own, others, *of_words, between=seen, unit=unit)


def _texts(lexical: LexicalIndex, records: Iterable[Record]) -> list[str]:
    """What is searched of each record."""
    fields = tuple(getattr(lexical, "lexical_fields", None) or (PAGE_CONTENT,))
    return [" ".join(t for f in fields for t in field_texts(record, f)) for record in records]


def _normalized(vectors: Sequence[Vector] | Sequence[Sequence[float]]) -> tuple[Matrix, bool]:
    """Vectors of length 1, as rows, and whether they had it before."""
    rows = np.array(vectors, dtype=np.float64)
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
    most = lexical.max_score(text)
    own = lexical.search(text, 1, where=Ids(frozenset([id_])))
    if not own or not most:
        return 0.0, 0.0
    rival = max((hit.score for hit in hits if hit.id != id_), default=0.0)
    return own[0].score / most, max(0.0, rival) / most
