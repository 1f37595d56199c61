"""Texts and pictures in one answer: two retrievers, fused by rank."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.fusion import DEFAULT_C, RankedList, fuse
from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.core.validate import own_key, shares

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.runnables import RunnableConfig

_SIDES = ("texts", "images")


class TextImageRetriever(BaseRetriever):
    """One list from a retriever over texts and one over pictures.

    Their scores come from different models and mean different things, so that only ranks are fused
    (`sum(w / (c + rank))`, scaled so that first place everywhere is 1). Each document says in its
    metadata where it comes from. Thread-safe if both retrievers are.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    texts: BaseRetriever
    """Finds texts, such as a `ChromaHybridRetriever`."""
    images: BaseRetriever
    """Finds pictures, such as a `MultimodalRetriever`."""
    k: int = 4
    """Number of documents, >= 1; each retriever decides itself how many it offers."""
    weights: Sequence[float] = (0.5, 0.5)
    """Share of (texts, images)."""
    c: float = DEFAULT_C
    """Constant of the fusion."""
    score_key: str | None = None
    """Metadata key for the fused score, 0..1, higher is better, in place of each retriever's own,
    such as `chroma_hybrid_score`: it has to begin with `chroma_hybrid_`, and is never stored."""
    source_key: str | None = "chroma_hybrid_found_in"
    """Metadata key for `texts` or `images`, under the same rules; None turns it off."""

    def __init__(self, **data: Any) -> None:
        known = sorted(type(self).model_fields)
        reject_unknown(
            "TextImageRetriever", {n: v for n, v in data.items() if n not in known}, known
        )
        # Before pydantic, which would wrap the errors in its own.
        positive("k", data.get("k", 1))
        shares(data.get("weights", (1, 1)), _SIDES)
        for name in ("score_key", "source_key"):
            own_key(name, data.get(name))
        super().__init__(**data)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        reject_unknown("TextImageRetriever", _others(options), ("k",))
        config: RunnableConfig = {"callbacks": run_manager.get_child()}
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(copy_context().run, lambda: self.texts.invoke(query, config))
            pictures = self.images.invoke(query, config)
            return self._fused(waiting.result(), pictures, options.get("k", self.k))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        reject_unknown("TextImageRetriever", _others(options), ("k",))
        config: RunnableConfig = {"callbacks": run_manager.get_child()}
        found = await asyncio.gather(
            self.texts.ainvoke(query, config), self.images.ainvoke(query, config)
        )
        return self._fused(*found, options.get("k", self.k))

    def _fused(self, texts: list[Document], pictures: list[Document], k: int) -> list[Document]:
        """The best `k` of both lists by rank alone; one id on both sides is two documents."""
        positive("k", k)
        by_key: dict[str, tuple[str, Document]] = {}
        lists = []
        for side, documents in zip(_SIDES, (texts, pictures), strict=True):
            keys = [
                f"{side}/{document.id or position}" for position, document in enumerate(documents)
            ]
            by_key |= {key: (side, found) for key, found in zip(keys, documents, strict=True)}
            falling = [float(-rank) for rank in range(len(keys))]
            lists.append(RankedList(keys, falling, shares(self.weights, _SIDES)[side]))
        best = fuse(lists, "rrf", c=self.c)[:k]
        return [self._noted(*by_key[hit.id], hit.score) for hit in best]

    def _noted(self, side: str, document: Document, score: float) -> Document:
        metadata = dict(document.metadata)
        if self.score_key is not None:
            metadata[self.score_key] = score
        if self.source_key is not None:
            metadata[self.source_key] = side
        return document.model_copy(update={"metadata": metadata})


def _others(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in ("k", "verbose")}
