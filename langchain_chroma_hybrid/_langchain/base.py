"""The ground of HybridChroma: its settings, and what it has open."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma import Chroma

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.arguments import (
    check_chroma,
    check_embeddings,
    check_place,
    named,
)
from langchain_chroma_hybrid._langchain.upkeep import Upkeep
from langchain_chroma_hybrid.core.analysis.analyzer import DEFAULT_LANGUAGE
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.search import (
    Mode,
    OnLegError,
    SearchRequest,
    SearchResult,
    Typos,
)
from langchain_chroma_hybrid.core.validate import check
from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
from langchain_chroma_hybrid.engine.chroma.change_token import opening
from langchain_chroma_hybrid.engine.chroma.clients import close_client, refusal
from langchain_chroma_hybrid.engine.config import lexical_config
from langchain_chroma_hybrid.engine.migrate.names import finish_names
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from chromadb.api.types import SparseEmbeddingFunction
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.engine.config import OnModelChange
    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.engine.sync.policy import Backfill, SyncMode, Writers
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

Trusted = str | PathLike[str] | bool | Iterable[str | PathLike[str]] | None


# What a store goes by in each search; a retriever over it does as well.
_SEARCH_SETTINGS = ("mode", "weights", "fusion", "c", "fetch_k", "query_syntax", "on_leg_error")


class HybridBase(Upkeep, Chroma):
    """A Chroma with a lexical half."""

    def __init__(
        self,
        collection_name: str = "langchain",
        embedding_function: Embeddings | None = None,
        persist_directory: str | None = None,
        *further: Any,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | Sequence[float] | None = None,
        fusion: str = DEFAULT_FUSION,
        c: float = DEFAULT_C,
        fetch_k: int | None = None,
        query_syntax: str = "plain",
        typos: Typos = True,
        on_leg_error: OnLegError = "raise",
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
        trust_stored_models: Trusted = None,
        **chroma: Any,
    ) -> None:
        """Open or create the collection; its lexical index is opened at the first use.

        Args:
            collection_name: as for Chroma.
            embedding_function: as for Chroma.
            persist_directory: as for Chroma.
            *further: everything else that Chroma's constructor takes, in its order.
            mode: `hybrid`, `vector`, `lexical`, or `two_step` (lexical candidates, vector ranking).
            weights: share of (lexical, vector), as a sequence or by name; a leg of weight 0 is not
                run.
            fusion: `adaptive` (weights that suit each query, unless `weights` are given),
                `rrf`, `min_max`, `three_sigma` or `theoretical_min_max`; see docs/scores.md.
            c: constant of `rrf`.
            fetch_k: depth of each leg; None means 100, or 32 for a leg alone.
            query_syntax: `plain` words, or `simple`: `"phrases"`, `prefix*`, `fuzzy~1`, `+must`,
                `-not`; these two hold for every result, whichever leg found it.
            typos: whether a word that occurs in no record counts for some that are spelt almost
                like it, at half its weight; with plain words, from 1,000 records on. `"sound"`:
                also for some that sound like it, in collections of any size.
            on_leg_error: `raise`, or `degrade` to the legs that answered.
            analyzer: an `Analyzer`, or a language (its stemmer), or None for no stemming.
            lexical_fields: boost by field; `page_content` is the text, others are metadata keys.
            lexical: where the index is in place of beside the data: an address, `tantivy:FOLDER`
                (the same as `lexical_directory`), `tantivy:` (in RAM) or `rank_bm25:okapi`, or an
                index of your own. That has an analyzer, fields and a place of its own, so that the
                arguments for those must be left out.
            lexical_directory: parent folder of the index; None means beside the data.
            lock_timeout: seconds to wait for another process that writes to the index.
            sync: when to look for what others wrote straight to Chroma: `before_query`, `on_open`
                or `manual` (only when `sync()` is called). Own writes are always seen.
            max_age: seconds for which a count of the collection is trusted where Chroma gives no
                cheaper sign of change; None means 1 for a server and 0 in memory.
            backfill: build the index of a collection that has none `now` (the first query waits),
                in the `background` or `manual` (by `sync()`); until then queries go by vector alone
                and say so.
            progress: called with (records done, records to do) while the index is built; None shows
                a bar on a terminal.
            writers: who writes to a collection on a server. `any`: any client, so that a filtered
                vector leg goes by Chroma's own filter, and contents are compared in the background
                for updates by others. `ours`: everybody writes through this library with this
                setting; then the lexical index answers filters, and processes tell each other what
                they write, in a small collection beside this one. See docs/durability.md.
            check_rate: records a second whose contents are compared with `writers="any"`; 0 turns
                that off, as `sync="manual"` does.
            on_model_change: what becomes of the first query or write by another model than the one
                that has filled the collection: `raise`, `warn` or `ignore`. None raises where the
                collection was filled here, warns where a few of its records, embedded again, look
                otherwise, and ignores callables without a name. See docs/models.md.
            sparse_embedding_function: what has filled the sparse index that the collection has on
                Chroma Cloud, where that is neither ours nor Chroma's BM25. See docs/cloud.md.
            trust_stored_models: without an `embedding_function`, what the collection may name to be
                loaded: names, folders, or True for everything; beside what the function of this
                name was told. The same for its sparse embedding function.
            **chroma: everything else that Chroma's constructor takes, by name. In the modes
                `vector` and `two_step` `relevance_score_fn` makes the scores of
                `similarity_search_with_relevance_scores` out of Chroma's distances; the
                relevance of the other modes it does not touch, and a `ChromaHybridWarning` says
                so.

        Raises:
            UnknownArgumentError: an argument that neither this class nor Chroma knows.
            InvalidArgumentError: a value that cannot be used.
            CollectionError: `create_collection_if_not_exists=False`, and there is none.
        """
        chroma = named(Chroma, further, chroma)
        reject_unknown("HybridChroma", chroma, constructor_options())
        self._defaults = SearchRequest(
            "",
            mode=mode,
            weights=weights,
            fusion=fusion,
            c=c,
            fetch_k=fetch_k,
            query_syntax=query_syntax,  # type: ignore[arg-type]  # checked below
            typos=typos,
            on_leg_error=on_leg_error,
        )
        check(self._defaults)
        config = lexical_config(
            analyzer=analyzer,
            lexical_fields=lexical_fields,
            lexical=lexical,
            lexical_directory=lexical_directory,
            lock_timeout=lock_timeout,
            sync=sync,
            max_age=max_age,
            backfill=backfill,
            progress=progress,
            writers=writers,
            check_rate=check_rate,
            on_model_change=on_model_change,
            sparse_embedding_function=sparse_embedding_function,
        )
        check_place(collection_name, persist_directory)
        check_embeddings(embedding_function)
        score_fn = chroma.get("relevance_score_fn")
        if score_fn is not None and not callable(score_fn):
            raise InvalidArgumentError.of("relevance_score_fn", score_fn, "a function, or None")
        self.trusted_models = TrustedModels.of(trust_stored_models)
        self.lexical_config = config.trusting(self.trusted_models)
        bridge.check_client(chroma.get("client"))
        check_chroma({**chroma, "persist_directory": persist_directory})
        self._owns_client, self._closed, self._warned = chroma.get("client") is None, False, False
        try:
            with opening(persist_directory):
                finish_names(persist_directory, chroma.get("client"), collection_name)
                super().__init__(collection_name, embedding_function, persist_directory, **chroma)
        except Exception as error:
            place = {"collection_name": collection_name, "persist_directory": persist_directory}
            given = {"host": None, "port": None, **chroma, **place}
            refused = refusal(error, getattr(self, "_client", None), given)
            if refused is error:
                raise
            raise refused from error

    @property
    def search_settings(self) -> dict[str, Any]:
        """What searches go by where a call says nothing else, by the constructor's names."""
        return {name: getattr(self._defaults, name) for name in _SEARCH_SETTINGS}

    def __copy__(self) -> Self:
        """A store that shares all that is open; the client is closed by the one that made it."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, _owns_client=False)
        if not self._closed:
            bridge.share(self, other)
        return other

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """The same: neither client nor model is copied."""
        return self.__copy__()

    def __reduce_ex__(self, _: Any) -> Any:
        raise bridge.not_picklable(self, self)

    @property
    def _handle(self) -> CollectionHandle:
        return bridge.handle_of(self, self.lexical_config)

    @property
    def _index(self) -> HybridIndex:
        return self._handle.index()

    def close(self) -> None:
        """Bring in writes that wait, give files and threads back; may be called twice.

        The Chroma client is closed if this store has made it itself on disk or for a server. Other
        stores and retrievers over the same collection go on. A closed store raises CollectionError.
        """
        if not self._closed:
            bridge.close(self)
            self._closed = True
            if self._owns_client:
                close_client(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _search(self, request: SearchRequest) -> SearchResult:
        return self._handle.run(lambda index: index.search(request))

    async def _asearch(self, request: SearchRequest) -> SearchResult:
        return await self._handle.arun(lambda index: index.asearch(request))


def constructor_options(*further: type[HybridBase]) -> list[str]:
    """All that a constructor takes by name: ours, Chroma's, and those of subclasses."""
    classes: tuple[type, ...] = (HybridBase, Chroma, *further)
    places = [p for each in classes for p in inspect.signature(each).parameters.values()]
    return [p.name for p in places if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
