"""ChromaHybridRetriever: hybrid retrieval over any `langchain_chroma.Chroma`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import (
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from langchain_chroma_hybrid._langchain import bridge, tracing
from langchain_chroma_hybrid._langchain.rerank import Choice
from langchain_chroma_hybrid._langchain.upkeep import Upkeep
from langchain_chroma_hybrid.core.analysis.analyzer import DEFAULT_LANGUAGE, Analyzer
from langchain_chroma_hybrid.core.checks import refused_value
from langchain_chroma_hybrid.core.context import Expand
from langchain_chroma_hybrid.core.explanation import EXPLAIN_KEY, explanation_of
from langchain_chroma_hybrid.core.filters import Filter, parse
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, DEFAULT_FUSION
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.search import (
    Mode,
    OnLegError,
    SearchRequest,
    SearchResult,
    Typos,
)
from langchain_chroma_hybrid.core.validate import CALL_OPTIONS, check, own_key
from langchain_chroma_hybrid.engine.config import (
    LexicalConfig,
    OnModelChange,
    lexical_config,
)
from langchain_chroma_hybrid.errors import (
    InvalidArgumentError,
    UnknownArgumentError,
)
from langchain_chroma_hybrid.request_retriever import RequestRetriever

if TYPE_CHECKING:
    from chromadb.api.types import SparseEmbeddingFunction
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.runnables import RunnableSerializable

    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.query.values import Trace
    from langchain_chroma_hybrid.engine.sync.policy import Backfill, SyncMode, Writers
    from langchain_chroma_hybrid.engine.sync.reconcile import Progress
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

_CALL_OPTIONS = ("explain", "filter", "k", *CALL_OPTIONS)
# What a call may change about the choice among the fused results.
CHOICE_OPTIONS = ("candidates", "lambda_mult", "reranker")
_FIXED = ("base_filter", "base_where_document", "vectorstore")
# Options whose field has another name, and back.
_FIELDS = {"explain": "explained"}
_OPTIONS = {field: option for option, field in _FIELDS.items()}
# What no list of options shows.
_UNSAID = ("explained", "options")


class ChromaHybridRetriever(Upkeep, BaseRetriever):
    """BM25 and vectors over a Chroma collection, fused, filtered, scored, explained.

    ```python
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, k=5)
    retriever.invoke("error R123-78 after update", filter={"tenant": "a"})
    ```

    Making one reads nothing; the lexical index is built at the first query and kept, on disk where
    Chroma is on disk. Over a `HybridChroma`, what is not given is as in the store. Everything but
    the base filters can be changed per call (`invoke(query, k=10)`) and through
    `configurable_fields`; unknown names raise. A copy, deep or not, shares the store.

    Thread safety: may be used from many threads; `ainvoke` and `abatch` never block the loop.
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", frozen=True, strict=True
    )

    vectorstore: InstanceOf[Chroma]
    """The store that is searched: a `Chroma` or a `HybridChroma`."""
    k: int = 4
    """Number of documents, >= 1."""
    fetch_k: int | Mapping[str, int] | None = None
    """Depth of each leg, or by name the most hits that a leg contributes, >= 1; None means 100, or
    32 for a leg alone."""
    mode: Mode = "hybrid"
    """`hybrid`, `vector`, `lexical` or `two_step` (lexical candidates, ranked by vector)."""
    weights: Mapping[str, float] | Sequence[float] | None = None
    """Share of (lexical, vector), or by name; a leg of weight 0 is not run."""
    fusion: str = DEFAULT_FUSION
    """`adaptive` (weights that suit each query, unless `weights` are given), `rrf`, `min_max`,
    `three_sigma` or `theoretical_min_max`."""
    c: float = DEFAULT_C
    """Constant of `rrf`."""
    filter: Mapping[str, Any] | None = None
    """Chroma's `where`; a call may replace it."""
    where_document: Mapping[str, Any] | None = None
    """Chroma's `where_document`; a call may replace it."""
    base_filter: Mapping[str, Any] | None = Field(default=None, repr=False)
    """A `where` that is ANDed with every call; nothing at run time can widen it."""
    base_where_document: Mapping[str, Any] | None = Field(default=None, repr=False)
    """A `where_document` that is ANDed with every call; nothing at run time can widen it."""
    score_threshold: float | None = None
    """Drop records whose relevance (0..1, see `Hit.relevance`) is lower, before the cut to `k`."""
    score_key: str | None = None
    """Metadata key for the fused score (0..1, higher is better) in the returned copy, such as
    `chroma_hybrid_score`: it has to begin with `chroma_hybrid_`, is never stored, and makes
    documents that two queries find unequal. None: `search` has the scores."""
    explained: bool = False
    """Given as `explain`: put each leg's rank, scores, weight, terms and filter way into the copy,
    under `chroma_hybrid_explanation`, which is never stored."""
    dedupe_key: str | None = None
    """Metadata key; of several results with one value the best stays."""
    group_by: str | None = None
    """Metadata key, such as `source`; of several results with one value the best `group_limit`
    stay."""
    group_limit: int = 1
    """Results per value of `group_by`, >= 1."""
    expand: Expand | None = None
    """`neighbours` or `parent`, or with keys of your own `Neighbours(...)`, `Parent(...)` of
    `core.context`: the text is that of the records around the result, or of the one that it is a
    part of; `chroma_hybrid_context` in the copy of the metadata lists their ids."""
    reranker: Any = None
    """Orders the fused results anew: a LangChain `BaseDocumentCompressor`, a Sentence Transformers
    `CrossEncoder`, or anything with its `predict`. The scores of the latter two replace the fused
    ones under `score_key`; what a compressor puts into metadata stays as it is."""
    lambda_mult: float | None = None
    """Maximal marginal relevance over the fused (or reranked) results: 0 is all diversity, 1 all
    relevance; None turns it off."""
    candidates: int = 20
    """How many results a reranker or `lambda_mult` chooses from; never fewer than `k`."""
    extra_retrievers: Mapping[str, InstanceOf[BaseRetriever]] = Field(default_factory=dict)
    """Further legs by name, such as a retriever over learned sparse vectors: their order counts,
    their documents are found in the collection by id. What it does not hold, or what does not pass
    the filters, is left out, whatever they return. `weights` may name them."""
    query_syntax: Literal["plain", "simple"] = "plain"
    """`simple` understands `"phrases"`, `prefix*`, `fuzzy~1`, `+must`, `-not`; these two hold for
    every result, whichever leg found it."""
    typos: Typos = True
    """Whether a word that occurs in no record counts for some that are spelt almost like it, or,
    with `"sound"`, that sound like it."""
    on_leg_error: OnLegError = "raise"
    """`raise`, or `degrade` to the legs that answered."""
    lexical_config: InstanceOf[LexicalConfig] | None = Field(default=None, repr=False)
    """How the lexical index is built; None means as the `HybridChroma` says, or the default."""

    _locked: ClassVar[str] = (
        "what was given when the retriever was made, which nothing changes later"
    )

    def __init__(self, *unnamed: Any, **data: Any) -> None:
        if unnamed:
            message = (
                f"{type(self).__name__} takes its arguments by name: vectorstore=...; "
                "from_vectorstore(...) takes a store by position, too"
            )
            raise UnknownArgumentError(message)
        # A method has the name of the option, as it has in the store.
        fields = {_FIELDS.get(name, name): value for name, value in data.items()}
        self._refuse_unknown(fields, type(self).__name__)
        store = data.get("vectorstore")
        if not isinstance(store, Chroma):
            expected = "a Chroma or a HybridChroma"
            raise InvalidArgumentError.of_kind("vectorstore", store, expected)
        try:
            super().__init__(**{**getattr(store, "search_settings", {}), **fields})
        except ValidationError as error:
            raise refused_value(error, type(self).__name__, _FIXED, _OPTIONS) from error

    @field_validator("base_filter", "base_where_document")
    @classmethod
    def _freeze(cls, value: Any, info: ValidationInfo) -> Any:
        # Read before it is frozen, so that messages show what was given.
        _read_base(**{str(info.field_name): value})
        # Copies and configurable calls make the retriever anew from its fields: a dict that is
        # changed in between would become the new base.
        return _frozen(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Check every value; reads nothing."""
        own_key("score_key", self.score_key)
        self._check_call({})
        return self

    def _check_call(self, options: Mapping[str, Any]) -> None:
        """Check what a call would go by with these `options`; reads nothing."""
        request = self._request("", options)
        parse(request.where, request.where_document, names=("filter", "where_document"))
        check(request)
        self._choice(options)

    @classmethod
    def from_vectorstore(
        cls,
        vectorstore: Chroma,
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
        **options: Any,
    ) -> Self:
        """A retriever over a collection that exists; nothing is read until the first query.

        Args:
            vectorstore: a `Chroma`; a `HybridChroma` brings its own settings.
            analyzer: an `Analyzer`, or a language (its stemmer), or None for no stemming.
            lexical_fields: boost by field; `page_content` is the text, others are metadata keys.
            lexical: where the index is in place of beside the data: an address, `tantivy:FOLDER`,
                `tantivy:` (in RAM) or `rank_bm25:okapi`, or an index of your own, with an analyzer,
                fields and a place of its own.
            lexical_directory: parent folder of the index; None means beside the data.
            lock_timeout: seconds to wait for another process that writes to the index.
            sync: when to look for what others wrote, as for `HybridChroma`.
            max_age: seconds for which a count is trusted, as for `HybridChroma`.
            backfill: when to build an index that is not there, as for `HybridChroma`.
            progress: called with (records done, records to do) while it is built.
            writers: who writes to a collection on a server, as for `HybridChroma`.
            check_rate: records a second whose contents are compared, as for `HybridChroma`.
            on_model_change: what becomes of queries by another model, as for `HybridChroma`.
            sparse_embedding_function: of the server's sparse index, as for `HybridChroma`.
            **options: any other field of the retriever.
        """
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
        known = [*inspect.signature(cls.from_vectorstore).parameters, *cls.model_fields, *_FIELDS]
        reject_unknown("from_vectorstore", options, [n for n in known if n not in _UNSAID])
        own = getattr(vectorstore, "lexical_config", None)
        if own is not None:
            default = LexicalConfig(config.analyzer)
            if config != default or config.signature != LexicalConfig().signature:
                expected = "lexical settings where the HybridChroma is made, which has its own"
                raise InvalidArgumentError.of("vectorstore", type(vectorstore).__name__, expected)
            return cls(vectorstore=vectorstore, **options)
        return cls(vectorstore=vectorstore, **{"lexical_config": config, **options})

    def search(self, query: str, **options: Any) -> SearchResult:
        """The same query as a `SearchResult`, with each leg's view, matched terms and timings.

        These are the fused results, before `reranker` and `lambda_mult` choose among them.

        Raises:
            UnknownArgumentError: a name that nothing would read, those two included.
        """
        request = self._explained(query, options)
        with tracing.search_run(query, self.get_name(), self._get_ls_params) as run:
            return self._seen(run, request, self._found(request, run.trace))

    def explain(self, query: str, **options: Any) -> SearchResult:
        """`search`, under the name that it has in a `HybridChroma`."""
        return self.search(query, **options)

    async def asearch(self, query: str, **options: Any) -> SearchResult:
        """`search` without blocking the event loop; cancelling the task stops the waiting."""
        request = self._explained(query, options)
        async with tracing.asearch_run(query, self.get_name(), self._get_ls_params) as run:
            return self._seen(run, request, await self._afound(request, run.trace))

    def _seen(
        self, run: tracing.SearchRun, request: SearchRequest, result: SearchResult
    ) -> SearchResult:
        """What was found, which a trace shows, too."""
        if run.manager is not None:
            run.found(request, result)
            run.documents = [bridge.shown(hit) for hit in result.hits]
        return result

    def _explained(self, query: str, options: Mapping[str, Any]) -> SearchRequest:
        if unread := [name for name in CHOICE_OPTIONS if name in options]:
            message = (
                f"search got {', '.join(unread)}: it shows the fused results before they are "
                "reranked or diversified, which `invoke` does"
            )
            raise UnknownArgumentError(message)
        return self._request(query, {"explain": True, **options})

    def default(self, name: str) -> Any:
        """What an option is where a call does not give it."""
        return getattr(self, _FIELDS.get(name, name))

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        """What LangSmith shows, as for a retriever of LangChain's own stores."""
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = type(self.vectorstore).__name__
        if self.vectorstore.embeddings is not None:
            params["ls_embedding_provider"] = type(self.vectorstore.embeddings).__name__
        return params

    def configurable(
        self, required: Mapping[str, str], options: Sequence[str] = ()
    ) -> RequestRetriever:
        """A retriever for many users, whose filter is made of the `configurable` of each call.

        Args:
            required: by metadata key the name of the `configurable` value that it has to equal,
                such as `{"tenant": "tenant_id"}`. A call without the value raises.
            options: what `configurable` may set besides, such as `("k",)`.

        Raises:
            InvalidArgumentError: nothing is required, or an option that nothing may change.
            UnknownArgumentError: an option that is none.
        """
        made = RequestRetriever(retriever=self, required=required, options=options)
        self._refuse_fixed(dict.fromkeys(made.options))
        self._refuse_unknown(dict.fromkeys(made.options), "configurable")
        return made

    def configurable_fields(self, **kwargs: Any) -> RunnableSerializable[str, list[Document]]:
        """As in LangChain; base filters and the store cannot be made configurable."""
        self._refuse_fixed(kwargs)
        self._refuse_unknown(kwargs, "configurable_fields")
        fields = {_FIELDS.get(name, name): value for name, value in kwargs.items()}
        return super().configurable_fields(**fields)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A checked copy; base filters and the store stay what they are, whatever `deep` says."""
        del deep
        self._refuse_fixed(update or {})
        values = {name: getattr(self, name) for name in type(self).model_fields}
        changes = {_FIELDS.get(name, name): value for name, value in (update or {}).items()}
        return type(self)(**{**values, **changes})

    def __copy__(self) -> Self:
        return self.model_copy()

    def __deepcopy__(self, _: Any = None) -> Self:
        """With mappings and lists of its own; store, models and other retrievers are shared."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        own = {n: _rebuilt(v) for n, v in values.items() if n not in _FIXED}
        return self.model_copy(update=own)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to change a field; pydantic's own words would show the value."""
        try:
            super().__setattr__(name, value)
        except ValidationError:
            self._refuse_fixed({name: value})
            self._refuse_unknown({name: value}, type(self).__name__)
            expected = f"to stay as it is; model_copy(update={{{name!r}: ...}}) has another"
            raise InvalidArgumentError.of_kind(name, value, expected) from None

    def __reduce_ex__(self, _: Any) -> Any:
        raise bridge.not_picklable(self, self.vectorstore)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # type: ignore[override]  # pydantic 1 took parts away, too
        """`model_copy`, under the name that it had in pydantic 1."""
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def _refuse_unknown(cls, names: Mapping[str, Any], where: str) -> None:
        known = [*_FIELDS, *cls.model_fields]
        given = {_OPTIONS.get(name, name): value for name, value in names.items()}
        reject_unknown(where, given, [n for n in known if n not in _UNSAID])

    def _refuse_fixed(self, names: Mapping[str, Any]) -> None:
        for name in _FIXED:
            if name in names:
                raise InvalidArgumentError.of_kind(name, names[name], self._locked)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        request = self._request(query, options)
        run = tracing.SearchRun(run_manager, query)
        choice = self._choice(options)
        result = self._found(choice.widened(request), run.trace)
        run.found(request, result)
        documents = self._documents(result, request.explain)
        return choice.made(documents, result, request, run_manager.get_child("reranker"))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        request = self._request(query, options)
        run = tracing.SearchRun(run_manager.get_sync(), query)
        choice = self._choice(options)
        result = await self._afound(choice.widened(request), run.trace)
        run.found(request, result)
        documents = self._documents(result, request.explain)
        return await choice.amade(documents, result, request, run_manager.get_child("reranker"))

    def _found(self, request: SearchRequest, trace: Trace | None = None) -> SearchResult:
        return self._handle.run(lambda index: index.search(request, trace=trace))

    async def _afound(self, request: SearchRequest, trace: Trace | None = None) -> SearchResult:
        return await self._handle.arun(lambda index: index.asearch(request, trace=trace))

    def close(self) -> None:
        """Bring in writes that wait, give the index back; may be called twice.

        The store that it searches stays open, and so does the index for others; a later query opens
        it anew.
        """
        bridge.close(self.vectorstore)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _choice(self, options: Mapping[str, Any]) -> Choice:
        values = {name: options.get(name, getattr(self, name)) for name in CHOICE_OPTIONS}
        return Choice(**values, score_key=self.score_key)

    def _request(self, query: str, options: Mapping[str, Any]) -> SearchRequest:
        """The fields as a request, the call's options in their place; base filters always hold."""
        self._refuse_fixed(options)
        # `verbose` is read by BaseRetriever's `invoke`, which hands it on with everything else.
        given = {name: value for name, value in options.items() if name != "verbose"}
        reject_unknown(type(self).__name__, given, (*_CALL_OPTIONS, *CHOICE_OPTIONS))
        values = {
            name: given[name] if name in given else getattr(self, _FIELDS.get(name, name))
            for name in _CALL_OPTIONS
        }
        further = {n: bridge.RetrieverLeg(r) for n, r in self.extra_retrievers.items()}
        where = values.pop("filter")
        scored = self.score_key is not None
        return SearchRequest(
            query, where=where, base=self._base, further=further, with_relevance=scored, **values
        )

    def _documents(self, result: SearchResult, explain: bool) -> list[Document]:
        """Hits as documents, with what is asked for under keys of our own in their copies."""
        documents = []
        for hit in result.hits:
            document = bridge.shown(hit)
            if self.score_key is not None:
                document.metadata[self.score_key] = hit.relevance
            if explain:
                document.metadata[EXPLAIN_KEY] = explanation_of(hit, result)
            documents.append(document)
        return documents

    @property
    def _handle(self) -> CollectionHandle:
        return bridge.handle_of(self.vectorstore, self.lexical_config)

    @property
    def _base(self) -> Filter | None:
        # From the frozen fields, each time: nothing that a subclass leaves out can lose them.
        return _read_base(self.base_filter, self.base_where_document)


def _read_base(base_filter: Any = None, base_where_document: Any = None) -> Filter | None:
    names = ("base_filter", "base_where_document")
    return parse(base_filter, base_where_document, names=names, base=True)


def _rebuilt(value: Any) -> Any:
    """Plain mappings and lists made anew; what is in them stays what it is."""
    if type(value) is dict:
        return {key: _rebuilt(part) for key, part in value.items()}
    return [_rebuilt(part) for part in value] if type(value) is list else value


def _frozen(value: Any) -> Any:
    """A filter that nobody can change in place."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: _frozen(part) for key, part in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
