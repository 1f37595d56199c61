"""Which engine a lexical index is on: the one place that names them all.

A user says it by an object, or by an address `ENGINE:WHERE`: `tantivy:FOLDER`, `tantivy:` for RAM,
`rank_bm25:` with `okapi`, `l` or `plus` behind it. Without a word it is tantivy in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

FOLDERS, WORDS_ALONE = "tantivy", "rank_bm25"
EXPECTED = (
    "an address such as 'tantivy:FOLDER' or 'rank_bm25:okapi', an index such as TantivyIndex() or "
    "RankBM25Index(), or None"
)
_VARIANTS = ("", "okapi", "l", "plus")


def folder_of(address: str) -> Path | None:
    """The folder in which an address has the indexes of collections; None for one without folder.

    Raises:
        InvalidArgumentError: no engine has such an address. What is behind the colon may be a
            secret and is not repeated.
    """
    engine, colon, where = address.partition(":")
    known = engine == FOLDERS or (engine == WORDS_ALONE and where in _VARIANTS)
    if not colon or not known:
        got = repr(engine + colon) if engine.isidentifier() else "another text"
        raise InvalidArgumentError(f"lexical: expected {EXPECTED}, got {got}")
    return Path(where) if engine == FOLDERS and where else None


def open_index(
    folder: Path | None,
    address: str | None = None,
    *,
    analyzer: Analyzer,
    lexical_fields: Mapping[str, float] | None = None,
    lock_timeout: float = 30.0,
) -> LexicalIndex:
    """The index in `folder` or, without one, at an address that has none; None means in RAM.

    Raises:
        InvalidArgumentError: the engine at `address` has no `lexical_fields`.
        LexicalIndexError: it cannot be opened, is of a newer version, or has another analyzer.
    """
    engine, _, where = (address or "").partition(":")
    if engine != WORDS_ALONE:
        return TantivyIndex(
            folder, analyzer=analyzer, lexical_fields=lexical_fields, lock_timeout=lock_timeout
        )
    if lexical_fields is not None:
        expected = f"None: {WORDS_ALONE} searches the text alone"
        raise InvalidArgumentError.of("lexical_fields", lexical_fields, expected)
    return RankBM25Index(where or "okapi", analyzer=analyzer)  # type: ignore[arg-type]  # see `folder_of`


def remove_index(folder: Path, *, lock_timeout: float) -> None:
    """Remove the index in `folder`, whatever its state; one that is not there is no error.

    Raises:
        IndexLockedError: another process is writing.
        LexicalIndexError: the folder holds other files too, or cannot be removed.
    """
    TantivyIndex.destroy(folder, lock_timeout=lock_timeout)
