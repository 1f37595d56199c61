"""Queries for a collection that nobody has labelled, out of its records or by a chat model."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.data import TrainingData, check_data
from langchain_chroma_hybrid.finetune.examples import Example
from langchain_chroma_hybrid.finetune.loading import check_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_chroma import Chroma

TITLE_KEYS = ("title", "Title", "heading", "headline", "subject", "name")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")
_LEAST_WORDS = 3
_PAGE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A record's id, text and metadata."""

    id: str
    text: str
    metadata: dict[str, Any]


@known_keywords
def make_queries(
    store: Chroma,
    *,
    kinds: Sequence[str] = ("title", "heading", "first_sentence"),
    title_keys: Sequence[str] = TITLE_KEYS,
    limit: int | None = None,
) -> TrainingData:
    """Pairs out of a collection alone, without any model; the report says how many of each kind.

    Args:
        store: the collection.
        kinds: which to make, of each record the first that it has:
            `title`: the value of one of `title_keys`; where the text begins with it, it is cut off.
            `heading`: the first Markdown heading, and the text without it.
            `first_sentence`: the first sentence, and the text without it (inverse cloze task).
            `keyphrases`: the words by which the record differs most from the others.
        title_keys: metadata keys that may hold a title.
        limit: of records that are read; None for all.

    Raises:
        InvalidArgumentError: an unknown kind, or a collection in which none is found.
    """
    if not kinds or isinstance(kinds, str):
        raise InvalidArgumentError.of("kinds", kinds, f"names among {', '.join(_KINDS)}")
    for kind in kinds:
        one_of("kinds", kind, tuple(_KINDS))
    passages = list(passages_of(store, limit))
    makers = {kind: _KINDS[kind](passages, title_keys) for kind in kinds}
    examples = []
    for passage in passages:
        pairs = ((kind, make(passage)) for kind, make in makers.items())
        found = next(((kind, pair) for kind, pair in pairs if pair is not None), None)
        if found is not None:
            kind, (query, text) = found
            examples.append(Example(query, text, id=passage.id, origin=kind))
    lost = len(passages) - len(examples)
    data = TrainingData(examples, dropped={"nothing to make a query of": lost} if lost else None)
    check_data("data", data)
    return data


def passages_of(store: Chroma, limit: int | None) -> Iterator[Passage]:
    """The records that have a text, page by page in the order of the collection.

    Raises:
        InvalidArgumentError: no store, or a limit that is none.
    """
    check_store(store)
    if limit is not None:
        positive("limit", limit)
    for start in range(0, limit or 1 << 62, _PAGE):
        size = min(_PAGE, (limit or 1 << 62) - start)
        got = store.get(limit=size, offset=start, include=["documents", "metadatas"])
        for id_, text, metadata in zip(
            got["ids"], got["documents"], got["metadatas"], strict=True
        ):
            if text and text.strip():
                yield Passage(id_, text, metadata or {})
        if len(got["ids"]) < size:
            return


_Pair: TypeAlias = tuple[str, str]


def _title(_: Sequence[Passage], keys: Sequence[str]) -> Callable[[Passage], _Pair | None]:
    def make(passage: Passage) -> _Pair | None:
        values = (passage.metadata.get(key) for key in keys)
        title = next((v for v in values if isinstance(v, str) and v.strip()), None)
        if title is None:
            return None
        return _pair(title, passage.text.removeprefix(title))

    return make


def _heading(_: Sequence[Passage], __: Sequence[str]) -> Callable[[Passage], _Pair | None]:
    def make(passage: Passage) -> _Pair | None:
        found = _HEADING.search(passage.text)
        if found is None:
            return None
        return _pair(found[1], passage.text[: found.start()] + passage.text[found.end() :])

    return make


def _first_sentence(_: Sequence[Passage], __: Sequence[str]) -> Callable[[Passage], _Pair | None]:
    def make(passage: Passage) -> _Pair | None:
        first, *rest = _SENTENCE.split(passage.text.strip(), maxsplit=1)
        return _pair(first, *rest) if rest and len(first.split()) >= _LEAST_WORDS else None

    return make


def _keyphrases(
    passages: Sequence[Passage], _: Sequence[str]
) -> Callable[[Passage], _Pair | None]:
    """The rarest words of a record that others have, too, in the order of its text."""
    analyzer = Analyzer(None, stop_words=False)
    spread = Counter(word for p in passages for word in set(analyzer.phrase(p.text)))

    def make(passage: Passage) -> _Pair | None:
        counts = Counter(analyzer.phrase(passage.text))
        shared = [word for word in counts if spread[word] > 1 and len(word) > _LEAST_WORDS]
        best = sorted(shared, key=lambda word: -counts[word] / spread[word])[:4]
        return _pair(" ".join(word for word in counts if word in best), passage.text)

    return make


_KINDS = {
    "title": _title,
    "heading": _heading,
    "first_sentence": _first_sentence,
    "keyphrases": _keyphrases,
}
MADE_OF_RECORDS = tuple(_KINDS)
"""Origins of queries that nobody has asked."""

_CUT_OFF = ("title", "heading", "first_sentence")


def as_answer(passage: Passage, origin: str, title_keys: Sequence[str] = TITLE_KEYS) -> str:
    """A record's text in the form that answers to queries of an origin have: without what asks."""
    if origin not in _CUT_OFF:
        return passage.text
    pair = _KINDS[origin]((), title_keys)(passage)
    return passage.text if pair is None else pair[1]


def _pair(query: str, text: str) -> _Pair | None:
    """Both without white space around them; None where one is empty."""
    query, text = query.strip(), text.lstrip(" \t\r\n.:-").strip()
    return (query, text) if query and text else None
