"""What `HybridChroma.as_retriever` gives: LangChain's retriever of a store, with our options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from langchain_chroma import Chroma
from langchain_core.vectorstores import VectorStoreRetriever
from pydantic import ConfigDict, InstanceOf, model_validator

from langchain_chroma_hybrid._langchain.arguments import check_search_type
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.retrievers import CHOICE_OPTIONS, ChromaHybridRetriever

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult
    from langchain_chroma_hybrid.engine.query.values import Trace

_MMR, _THRESHOLD = "mmr", "similarity_score_threshold"


class HybridStoreRetriever(ChromaHybridRetriever, VectorStoreRetriever):
    """A `VectorStoreRetriever` with the options and methods of a `ChromaHybridRetriever`.

    ```python
    store = HybridChroma("docs", embedding_function=embeddings)
    store.as_retriever(search_type="mmr", search_kwargs={"k": 5, "fetch_k": 50})
    store.as_retriever(k=5, mode="lexical", base_filter={"tenant": "a"})
    ```

    What a call says comes before `search_kwargs`, these come before the options. With
    `search_type="mmr"` `fetch_k` is, as for Chroma, how many results MMR chooses from.
    """

    # As LangChain's, whose fields may be assigned; see `__setattr__`.
    model_config = ConfigDict(frozen=False)

    vectorstore: InstanceOf[Chroma]
    """The `HybridChroma` that is searched."""

    @model_validator(mode="before")
    @classmethod
    def validate_search_type(cls, values: dict[str, Any]) -> Any:
        """LangChain's check, in our words; `score_threshold` may also be an option.

        Raises:
            InvalidArgumentError: an unknown type, or no threshold where there has to be one.
        """
        check_search_type(values.get("search_type", "similarity"))
        given = values.get("search_kwargs", {})
        if not isinstance(given, dict):
            raise InvalidArgumentError.of("search_kwargs", given, "a dict of options")
        if values.get("search_type") == _THRESHOLD:
            threshold = given.get("score_threshold", values.get("score_threshold"))
            number("score_threshold", threshold, 0.0, 1.0)
        return values

    @model_validator(mode="after")
    def _check_kwargs(self) -> Self:
        """Check `search_kwargs` as if they came with a call; reads nothing."""
        self._check_call(self._merged({}))
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """Change a field, checked; base filters and the store stay what they are."""
        self._refuse_fixed({name: value})
        changed = self.model_copy(update={name: value})
        super().__setattr__(name, getattr(changed, name))

    def default(self, name: str) -> Any:
        """What an option is where a call does not give it: `search_kwargs` come first."""
        return self._merged({}).get(name, super().default(name))

    def _merged(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a call goes by, with the names of `ChromaHybridRetriever`."""
        merged = {**self.search_kwargs, **options}
        if self.search_type == _MMR:
            own = 0.5 if self.lambda_mult is None else self.lambda_mult
            candidates = merged.get("candidates", self.candidates)
            if not isinstance(merged.get("fetch_k"), Mapping):  # which is one of depths
                candidates = merged.pop("fetch_k", candidates)
            merged = {"lambda_mult": own, **merged, "candidates": candidates}
            k = merged.get("k", self.k)
            if type(k) is type(candidates) is int and 0 < candidates < k:
                merged["k"] = candidates
        return merged

    def _explained(self, query: str, options: Mapping[str, Any]) -> SearchRequest:
        # What a search shows comes before the choice, which a call must not ask for in vain.
        merged = self._merged(options).items()
        asked = {n: v for n, v in merged if n not in CHOICE_OPTIONS or n in options}
        return super()._explained(query, asked)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        merged = self._merged(options)
        return super()._get_relevant_documents(query, run_manager=run_manager, **merged)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        merged = self._merged(options)
        return await super()._aget_relevant_documents(query, run_manager=run_manager, **merged)

    def _found(self, request: SearchRequest, trace: Trace | None = None) -> SearchResult:
        by_distance, asked = self._scored(request)
        result = super()._found(asked, trace)
        return self._above(result, request) if by_distance else result

    async def _afound(self, request: SearchRequest, trace: Trace | None = None) -> SearchResult:
        by_distance, asked = self._scored(request)
        result = await super()._afound(asked, trace)
        return self._above(result, request) if by_distance else result

    def _scored(self, request: SearchRequest) -> tuple[bool, SearchRequest]:
        """Whether the store's `relevance_score_fn` decides, and the request to make then."""
        decides = self.search_type == _THRESHOLD and self._store.rescores(request)
        if not decides:
            return False, request
        return True, replace(request, with_distance=True, score_threshold=None)

    def _above(self, result: SearchResult, request: SearchRequest) -> SearchResult:
        score, least = self._store.override_relevance_score_fn, request.score_threshold or 0.0
        hits = [hit for hit in result.hits if score(hit.distance) >= least]
        return replace(result, hits=tuple(hits))

    @property
    def _store(self) -> Any:
        return self.vectorstore
