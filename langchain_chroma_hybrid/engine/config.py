"""How a lexical half is to be built, as callers of every face say it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from langchain_chroma_hybrid.core.analysis.analyzer import (
    DEFAULT_LANGUAGE,
    Analyzer,
    analyzer_of,
)
from langchain_chroma_hybrid.core.analysis.analyzer import settings_of as described
from langchain_chroma_hybrid.core.keywords import known_fields, reject_unknown
from langchain_chroma_hybrid.core.validate import number, one_of
from langchain_chroma_hybrid.embeddings.chroma.sparse_stored import (
    SparseFunctions,
    checked_sparse_function,
)
from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.factory import EXPECTED, folder_of, shown
from langchain_chroma_hybrid.lexical.protocol import LexicalIndex
from langchain_chroma_hybrid.lexical.texts import checked_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from chromadb.api.types import SparseEmbeddingFunction

    from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
    from langchain_chroma_hybrid.engine.sync.policy import Backfill, SyncMode, Writers
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress

OnModelChange: TypeAlias = Literal["raise", "warn", "ignore"]


@known_fields
@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """How the lexical half of a collection is built.

    Attributes:
        lexical_fields: boost by field; `page_content` is the text, other names are metadata keys.
        directory: parent of the index folders; None means beside the data.
        index: an index of the caller's own, which then decides about everything above.
        address: of an engine that has no folders, see `lexical.factory`.
        lock_timeout: seconds to wait for another writer of the index.
        policy: how the index follows the collection; the first to open it in a process decides.
        on_model_change: what becomes of a query or write by another model than the one that has
            filled the collection, see `HybridChroma`.
        sparse: what may make the vectors of a sparse index that the server has.
    """

    analyzer: Analyzer = field(default_factory=Analyzer)
    lexical_fields: Mapping[str, float] | None = None
    directory: Path | None = None
    index: LexicalIndex | None = None
    lock_timeout: float = 30.0
    policy: SyncPolicy = field(default_factory=SyncPolicy)
    on_model_change: OnModelChange | None = None
    # It may hold a password.
    address: str | None = field(default=None, repr=False)
    sparse: SparseFunctions = field(default_factory=SparseFunctions)

    def trusting(self, models: TrustedModels) -> Self:
        """The same, where a collection may name these."""
        return replace(self, sparse=replace(self.sparse, trusted=models))

    def answers_as(self, other: LexicalConfig) -> bool:
        """Whether one handle can serve both, if they build the same index."""
        return (self.on_model_change, self.sparse) == (other.on_model_change, other.sparse)

    @property
    def signature(self) -> str:
        """Equal for configurations that build the same index."""
        if self.index is not None:
            return self.index.signature
        fields = sorted((self.lexical_fields or {"page_content": 1.0}).items())
        built = f"analyzer {self.analyzer.fingerprint}, lexical_fields {fields}"
        return built if self.address is None else f"{shown(self.address)} {built}"

    @property
    def description(self) -> str:
        """The same for people."""
        if self.index is not None:
            return f"an index of its own, {type(self.index).__name__}"
        boosts = (self.lexical_fields or {"page_content": 1.0}).items()
        fields = ", ".join(f"{name} x{boost:g}" for name, boost in boosts)
        where = "" if self.address is None else f"{self.address.partition(':')[0]}, "
        return f"{where}{described(self.analyzer.fingerprint)}, lexical_fields {fields}"


# Parameters that are no names of arguments.
_UNSAID = ("self", "settings")


class LexicalSettings(TypedDict, total=False):
    """The arguments of `lexical_config`, for faces that hand them on."""

    analyzer: Analyzer | str | None
    lexical_fields: Mapping[str, float] | None
    lexical: LexicalIndex | str | None
    lexical_directory: str | Path | None
    lock_timeout: float
    sync: SyncMode
    max_age: float | None
    backfill: Backfill
    progress: Progress | None
    writers: Writers
    check_rate: float
    on_model_change: OnModelChange | None
    sparse_embedding_function: SparseEmbeddingFunction[Any] | None


def settings_of(face: type, given: Mapping[str, Any]) -> LexicalConfig:
    """The lexical half as those keywords say that the constructor of a `face` hands on.

    Raises:
        UnknownArgumentError: one that is no such setting.
        InvalidArgumentError: a value that cannot be used.
    """
    own = [name for name in signature(face.__init__).parameters if name not in _UNSAID]  # type: ignore[misc]  # of this very class
    reject_unknown(face.__name__, given, [*own, *LexicalSettings.__annotations__])
    return lexical_config(**given)


def lexical_config(
    *,
    analyzer: Analyzer | str | None = DEFAULT_LANGUAGE,
    lexical_fields: Mapping[str, float] | None = None,
    lexical: LexicalIndex | str | None = None,
    lexical_directory: str | Path | None = None,
    lock_timeout: float = 30.0,
    sync: SyncMode = "before_query",
    max_age: float | None = None,
    backfill: Backfill = "now",
    progress: Progress | None = None,
    writers: Writers = "any",
    check_rate: float = 500.0,
    on_model_change: OnModelChange | None = None,
    sparse_embedding_function: SparseEmbeddingFunction[Any] | None = None,
) -> LexicalConfig:
    """The lexical half as the arguments of a face describe it.

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
    if not isinstance(lexical, LexicalIndex | str | None):
        raise InvalidArgumentError.of("lexical", lexical, EXPECTED)
    if not isinstance(lexical_directory, str | PathLike | None):
        raise InvalidArgumentError.of("lexical_directory", lexical_directory, "a path, or None")
    number("lock_timeout", lock_timeout, 0.0, math.inf)
    if on_model_change is not None:
        one_of("on_model_change", on_model_change, get_args(OnModelChange))
    if lexical_fields is not None:
        checked_fields(lexical_fields)
    address = lexical if isinstance(lexical, str) else None
    if address is not None:
        beside = {name: value for name, value in beside.items() if name == "lexical_directory"}
    if lexical is not None and beside:
        expected = "to be left out beside `lexical`, which has its own"
        raise InvalidArgumentError.of(", ".join(beside), [*beside.values()], expected)
    folder = lexical_directory if address is None else folder_of(address)
    return LexicalConfig(
        made,
        lexical_fields,
        Path(folder) if folder else None,
        None if isinstance(lexical, str) else lexical,
        lock_timeout,
        SyncPolicy(sync, max_age, backfill, progress, writers, check_rate),
        on_model_change,
        None if folder else address,
        SparseFunctions(checked_sparse_function(sparse_embedding_function)),
    )


def _is_default(analyzer: object) -> bool:
    return isinstance(analyzer, str) and analyzer == DEFAULT_LANGUAGE
