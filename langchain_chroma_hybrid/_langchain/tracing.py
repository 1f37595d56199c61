"""What LangSmith and other tracers of LangChain's see of a search."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import (
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)
from langchain_core.tracers.base import BaseTracer

from langchain_chroma_hybrid.core.values import OWN_KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.runnables import RunnableConfig

    from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult
    from langchain_chroma_hybrid.engine.query.values import Outcome, Step, Trace

    Params = Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class SearchRun:
    """One search in a trace: a child run for each leg, the whole in the retriever's metadata."""

    manager: CallbackManagerForRetrieverRun | None
    query: str
    documents: Sequence[Document] = ()

    @property
    def trace(self) -> Trace | None:
        """What the engine calls for each leg; None when nobody listens."""
        manager = self.manager
        if manager is None or not (manager.handlers or manager.inheritable_handlers):
            return None
        return self._leg

    def _leg(self, name: str, step: Step) -> Outcome:
        """A leg as a child run."""
        assert self.manager is not None  # noqa: S101  # see `trace`
        child, called = self.manager.get_child(name), f"{name}_leg"
        run = child.on_chain_start({"name": called}, {"query": self.query}, name=called)
        outcome = step()
        if outcome.error is not None:
            run.on_chain_error(outcome.error)
        else:
            hits = [{"id": hit.id, "score": hit.score} for hit in outcome.hits]
            run.on_chain_end(
                {"hits": hits, "filtered_by": outcome.filtered_by, "took_ms": outcome.took_ms}
            )
        return outcome

    def found(self, request: SearchRequest, result: SearchResult) -> None:
        """Note what was chosen and how long it took, where a tracer shows a run's metadata.

        Only now it is known, and nothing but the documents goes out with the end of a run.
        """
        manager = self.manager
        tracers = [h for h in manager.handlers if isinstance(h, BaseTracer)] if manager else []
        for tracer in tracers:
            run = tracer.run_map.get(str(manager.run_id)) if manager else None
            if run is not None:
                known = (run.extra or {}).get("metadata") or {}
                # Anew: others share these dicts.
                run.extra = {**(run.extra or {}), "metadata": {**known, **_facts(request, result)}}


def _facts(request: SearchRequest, result: SearchResult) -> dict[str, Any]:
    """How a query was answered, in plain values."""
    took = {leg.name: round(leg.took_ms, 3) for leg in result.legs}
    facts = {
        "mode": request.mode,
        "fusion": request.fusion,
        "weights": {leg.name: leg.weight for leg in result.legs},
        "took_ms": {**took, "total": round(result.took_ms, 3)},
        "notes": list(result.notes),
    }
    return {f"{OWN_KEYS}{name}": value for name, value in facts.items() if value != []}


@contextmanager
def search_run(query: str, name: str, params: Params) -> Iterator[SearchRun]:
    """A retriever's run within the one in which we are called; nobody is told outside of one.

    `params`: what LangSmith is to show of the retriever.
    """
    config = _config(params)
    if config is None:
        yield SearchRun(None, query)
        return
    own = get_callback_manager_for_config(config).on_retriever_start({}, query, name=name)
    run = SearchRun(own, query)
    try:
        yield run
    except BaseException as error:
        own.on_retriever_error(error)
        raise
    own.on_retriever_end(run.documents)


@asynccontextmanager
async def asearch_run(query: str, name: str, params: Params) -> AsyncIterator[SearchRun]:
    """The same without blocking the event loop."""
    config = _config(params)
    if config is None:
        yield SearchRun(None, query)
        return
    manager = get_async_callback_manager_for_config(config)
    own = await manager.on_retriever_start({}, query, name=name)
    run = SearchRun(own.get_sync(), query)
    try:
        yield run
    except BaseException as error:
        await own.on_retriever_error(error)
        raise
    await own.on_retriever_end(run.documents)


def _config(params: Params) -> RunnableConfig | None:
    """That of the run in which we are called, with what is to be shown; None outside of one."""
    config = ensure_config()
    if not config.get("callbacks"):
        return None
    return {**config, "metadata": {**(config.get("metadata") or {}), **params()}}
