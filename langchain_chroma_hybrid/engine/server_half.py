"""The lexical half where Chroma's own server has the words: there is nothing to keep in step."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer, settings_of
from langchain_chroma_hybrid.engine.chroma.change_token import TokenReading
from langchain_chroma_hybrid.engine.half import LexicalHalf
from langchain_chroma_hybrid.engine.query.background import CollectionBackground
from langchain_chroma_hybrid.engine.query.server_index import ServerIndex
from langchain_chroma_hybrid.engine.query.server_sample import ServerSample
from langchain_chroma_hybrid.engine.sync.checkpoint import Checkpoint
from langchain_chroma_hybrid.engine.sync.freshness import Freshness
from langchain_chroma_hybrid.engine.sync.reconcile import SyncReport, VerifyReport
from langchain_chroma_hybrid.engine.sync.write_ahead_log import WriteAheadLog
from langchain_chroma_hybrid.engine.sync.writer import Writer
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    EmbeddingError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.factory import OWN_SEARCH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from langchain_chroma_hybrid.core.background import Background
    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore, Remembered
    from langchain_chroma_hybrid.engine.chroma.hybrid_schema import SparseIndex
    from langchain_chroma_hybrid.engine.config import LexicalConfig
    from langchain_chroma_hybrid.engine.query.background import Embed
    from langchain_chroma_hybrid.engine.sync.policy import SyncPolicy
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


def server_has_words(store: ChromaStore, config: LexicalConfig) -> bool:
    """Whether queries go to the server's own search: it has a sparse index, and answers.

    An index or a folder that somebody has chosen is what he gets.

    Raises:
        InvalidArgumentError: another sparse function was handed over than the index is filled by.
        LexicalIndexError: what is stored of the sparse index cannot be read; or `lexical` asks for
            the server's own search, which is not there.
        Exception: it cannot be told now, such as without a network.
    """
    wanted = config.address == OWN_SEARCH
    if config.index is not None or config.directory is not None:
        return False
    if config.address is not None and not wanted:
        return False
    other_fields = set(config.lexical_fields or ()) - {"page_content"}
    if wanted and other_fields:
        expected = f"page_content alone with lexical={OWN_SEARCH!r}"
        raise InvalidArgumentError.of("lexical_fields", config.lexical_fields, expected)
    sparse, lacks = _usable(store)
    _refuse_another_analyzer(store, sparse, config)
    there = sparse is not None and not other_fields and store.searches
    if wanted and not there:
        lacks = "its server has no `search`" if sparse else lacks or "it has no sparse index"
        raise LexicalIndexError(
            f"lexical={OWN_SEARCH!r}: collection {store.name!r} cannot be searched by its server: "
            f"{lacks}; `create_hybrid_collection` makes one that can, on Chroma Cloud or "
            "distributed Chroma, and without `lexical=` an index of this library serves"
        )
    return there


def why_not_asked(store: ChromaStore, config: LexicalConfig) -> str | None:
    """What keeps the server's own search from being used where nobody has chosen otherwise."""
    chosen = (config.index, config.directory, config.address)
    if store.stored_sparse is None or any(each is not None for each in chosen):
        return None
    lacks = _usable(store)[1]
    return lacks and f"the server's own search is not used, but an index of this library: {lacks}"


def _usable(store: ChromaStore) -> tuple[SparseIndex | None, str | None]:
    """The sparse index over the texts whose vectors can be made here, or why there is none."""
    try:
        sparse = store.sparse
    except EmbeddingError as error:
        return None, str(error)
    if sparse is not None and not sparse.of_texts:
        return None, f"its sparse index is over {sparse.stored.source!r}, not the text"
    return sparse, None


def _refuse_another_analyzer(
    store: ChromaStore, sparse: SparseIndex | None, config: LexicalConfig
) -> None:
    """One that somebody has chosen; nobody has chosen the usual one."""
    given = config.analyzer.fingerprint
    if sparse is None or given == Analyzer().fingerprint:
        return
    if sparse.analyzer is None:
        made = f"has a sparse index by {sparse.words.name!r}, which has words of its own"
    elif sparse.analyzer.fingerprint != given:
        made = f"was made with {settings_of(sparse.analyzer.fingerprint)}"
    else:
        return
    raise AnalyzerMismatchError(
        f"collection {store.name!r} {made}, now asked for with {settings_of(given)}: leave "
        "`analyzer` out, or give `lexical_directory` for an index of your own"
    )


class ServerHalf(LexicalHalf):
    """Of one store, since it asks through its client; opens, builds and writes nothing."""

    def __init__(self, store: ChromaStore, config: LexicalConfig, remembered: Remembered) -> None:
        assert store.sparse is not None  # noqa: S101  # see `server_has_words`
        index = ServerIndex(store, store.sparse)
        policy = replace(config.policy, sync="manual", writers="any")
        super().__init__(
            index,
            WriteAheadLog(None),
            Checkpoint(index, store.place),
            policy,
            remembered,
            signature=config.signature,
            description=f"the server's own search, {config.description}",
            background=_SampledBackground(),
            owned=False,
        )
        self.writer = _DirectWriter(index, WriteAheadLog(None))
        self.freshness = _AlwaysFresh(self.writer, Checkpoint(index, store.place), policy)


class _DirectWriter(Writer):
    """What Chroma has taken is everywhere."""

    @contextmanager
    def changing(
        self,
        store: ChromaStore,
        ids: Collection[str],  # noqa: ARG002  # as the others have it
        *,
        wait: bool = False,  # noqa: ARG002
    ) -> Iterator[None]:
        """Nothing has to be brought in."""
        try:
            yield
        finally:
            store.reader.mark_outdated()

    def flush(self, store: ChromaStore) -> None:
        """Nothing waits."""

    def _known(self, ids: Collection[str]) -> set[str]:
        return set(ids)


class _AlwaysFresh(Freshness):
    """The server's index goes with its records."""

    def prepare(
        self,
        store: ChromaStore,  # noqa: ARG002  # as the others have it
        policy: SyncPolicy,  # noqa: ARG002
    ) -> tuple[TokenReading, str | None]:
        """Nothing to do, nothing to do without."""
        return TokenReading(), None

    def sync(self, store: ChromaStore, *, deep: bool, progress: Progress | None) -> SyncReport:  # noqa: ARG002
        """Nothing differs."""
        return SyncReport()

    def verify(self, store: ChromaStore, *, fix: bool) -> VerifyReport:  # noqa: ARG002
        """Nothing differs."""
        return VerifyReport()

    def rebuild(self, store: ChromaStore, progress: Progress | None) -> SyncReport:  # noqa: ARG002
        """It is the server's."""
        return SyncReport()

    def close(self, store: ChromaStore) -> None:  # noqa: ARG002
        """Nothing is noted."""
        self.stop()


class _SampledBackground(CollectionBackground):
    """Estimated on a sample as if that were the collection: else each text would be a request."""

    def get(
        self, store: ChromaStore, lexical: LexicalIndex, embed: Embed | None = None
    ) -> Background:
        """See `CollectionBackground`."""
        return super().get(store, ServerSample(lexical, store), embed)
