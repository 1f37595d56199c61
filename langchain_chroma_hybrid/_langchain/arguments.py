"""What constructors are given, in the form that the rest of the package wants."""

from __future__ import annotations

import inspect
import math
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._langchain.bridge import analyzer_of
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.engine.registry import LexicalConfig
from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
from langchain_chroma_hybrid.errors import InvalidArgumentError, UnknownArgumentError
from langchain_chroma_hybrid.lexical.protocol import LexicalIndex
from langchain_chroma_hybrid.lexical.texts import checked_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.engine.sync.policy import Backfill, SyncMode, Writers
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

DEFAULT_LANGUAGE = "english"
_SEARCH_TYPES = ("similarity", "similarity_score_threshold", "mmr")


def lexical_config(
    *,
    analyzer: Analyzer | str | None,
    lexical_fields: Mapping[str, float] | None,
    lexical: LexicalIndex | None,
    lexical_directory: str | Path | None,
    lock_timeout: float,
    sync: SyncMode,
    max_age: float | None,
    backfill: Backfill,
    progress: Progress | None,
    writers: Writers,
    check_rate: float,
) -> LexicalConfig:
    """The lexical half as the arguments of both faces describe it.

    Raises:
        InvalidArgumentError: a value that cannot be used, or one beside `lexical` that the index
            given there would not read.
    """
    made = analyzer_of(analyzer)
    unread = {
        "analyzer": None if _is_default(analyzer) else analyzer or "no stemming",
        "lexical_fields": lexical_fields,
        "lexical_directory": lexical_directory,
    }
    beside = {name: value for name, value in unread.items() if value is not None}
    if lexical is not None and not isinstance(lexical, LexicalIndex):
        expected = "an index such as TantivyIndex() or RankBM25Index(), or None"
        raise InvalidArgumentError.of("lexical", lexical, expected)
    if not isinstance(lexical_directory, str | PathLike | None):
        raise InvalidArgumentError.of("lexical_directory", lexical_directory, "a path, or None")
    number("lock_timeout", lock_timeout, 0.0, math.inf)
    if lexical_fields is not None:
        checked_fields(lexical_fields)
    if lexical is not None and beside:
        expected = "to be left out beside `lexical`: that index is built with its own"
        raise InvalidArgumentError.of(", ".join(beside), [*beside.values()], expected)
    return LexicalConfig(
        made,
        lexical_fields,
        Path(lexical_directory) if lexical_directory else None,
        lexical,
        lock_timeout,
        SyncPolicy(sync, max_age, backfill, progress, writers, check_rate),
    )


def _is_default(analyzer: object) -> bool:
    return isinstance(analyzer, str) and analyzer == DEFAULT_LANGUAGE


def check_place(collection_name: Any, persist_directory: Any) -> None:
    """Refuse what names no collection or no folder, which Chroma notices late or never.

    Raises:
        InvalidArgumentError: not a string, not a path, or the path of a file.
    """
    if not isinstance(collection_name, str):
        expected = "a name; embeddings go by embedding_function="
        raise InvalidArgumentError.of_kind("collection_name", collection_name, expected)
    if persist_directory is None:
        return
    if not isinstance(persist_directory, str | PathLike):
        raise InvalidArgumentError.of("persist_directory", persist_directory, "a path, or None")
    if Path(persist_directory).is_file():
        raise InvalidArgumentError.of("persist_directory", str(persist_directory), "a folder")


def check_embeddings(embeddings: Any) -> None:
    """Refuse what cannot embed, and say what makes embeddings out of it.

    Raises:
        InvalidArgumentError: it is neither None nor LangChain embeddings.
    """
    methods = ("embed_query", "embed_documents")
    able = all(callable(getattr(embeddings, name, None)) for name in methods)
    if embeddings is None or (able and not isinstance(embeddings, type)):
        return
    if able:
        way = f"an object, {embeddings.__name__}(...)"
    elif isinstance(embeddings, str | PathLike):
        way = f"SentenceTransformerEmbeddings({str(embeddings)!r})"
    elif callable(getattr(embeddings, "embed_query", None)):
        way = "from_chroma(function), which takes chromadb's"
    else:
        way = "FunctionEmbeddings(function)" if callable(embeddings) else "None for Chroma's own"
    expected = f"LangChain Embeddings; from langchain_chroma_hybrid.embeddings: {way}"
    raise InvalidArgumentError.of("embedding_function", embeddings, expected)


def check_search_type(search_type: object) -> None:
    """Refuse a type of search that LangChain does not know.

    Raises:
        InvalidArgumentError: says which there are.
    """
    if search_type not in _SEARCH_TYPES:
        known = ", ".join(_SEARCH_TYPES)
        expected = f"one of {known} (each is hybrid by default; mode= has others)"
        raise InvalidArgumentError.of("search_type", search_type, expected)


def named(
    function: Callable[..., Any], positional: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """`keywords` with what came by position after `persist_directory`, in Chroma's order.

    Args:
        function: of Chroma's; its signature has the names.
        positional: values by position.
        keywords: values by name.

    Raises:
        UnknownArgumentError: more values than `function` has places, or one that is given twice.
    """
    places = [
        place.name
        for place in inspect.signature(function).parameters.values()
        if place.kind is place.POSITIONAL_OR_KEYWORD
    ]
    names = places[places.index("persist_directory") + 1 :]
    if len(positional) > len(names):
        message = f"{len(positional)} arguments after persist_directory; known: {', '.join(names)}"
        raise UnknownArgumentError(message)
    by_place = dict(zip(names, positional, strict=False))
    if twice := sorted(by_place.keys() & keywords.keys()):
        raise UnknownArgumentError(f"given by position and by name: {', '.join(twice)}")
    return {**by_place, **keywords}
