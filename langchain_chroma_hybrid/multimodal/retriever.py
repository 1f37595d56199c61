"""MultimodalRetriever: pictures (and texts) by words, by a picture, or by both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import Field, model_validator

from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.vectors import arithmetic, blend
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import SearchRequest, SearchResult

# Under this name the query's vector travels to where the request is made.
_VECTOR = "query_vector"
_PARTS = ("image", "image_weight", "audio", "audio_weight")


class MultimodalRetriever(ChromaHybridRetriever):
    """Hybrid retrieval over a collection of pictures: captions in the lexical leg, CLIP beside it.

    ```python
    photos = ImageCollection.open("photos", MultimodalEmbeddings("clip-ViT-B-32"))
    retriever = photos.as_retriever(k=5, base_filter={"tenant": "a"})
    retriever.invoke("red shoe")
    retriever.invoke("in snow", image="pictures/train.png", image_weight=0.7)
    retriever.invoke("", image="pictures/train.png")
    ```

    Everything else is as in `ChromaHybridRetriever`, from the same engine. The query is always
    text; only what is given as `image` is opened, as the embeddings' `PicturePolicy` allows. A
    query of a picture alone has no lexical leg.
    """

    image: Any = Field(default=None, repr=False)
    """A picture to search with: path, URI, data URI, bytes, PIL image or array."""
    image_weight: float = 0.5
    """Share of the picture in the query's vector, 0..1, when there is text as well."""

    audio: Any = Field(default=None, repr=False)
    """A sound to search with, for a model that hears: path, URI, data URI, bytes, or `(samples,
    sampling rate)`."""
    audio_weight: float = 0.5
    """Share of the sound in the query's vector, 0..1, when there is anything else as well."""

    _texts_too: ClassVar[bool] = False

    @model_validator(mode="after")
    def _check_embeddings(self) -> Self:
        """Check the store's embeddings, too; reads nothing."""
        joint = isinstance(self.vectorstore.embeddings, MultimodalEmbeddings)
        if not joint and not self._texts_too:
            got = type(self.vectorstore.embeddings).__name__
            raise InvalidArgumentError.of("vectorstore", got, "a store with MultimodalEmbeddings")
        return self

    def search(self, query: str, **options: Any) -> SearchResult:
        """The same query as a `SearchResult`, with each leg's view, matched terms and timings."""
        return super().search(query, **self._with_vector(query, options))

    async def asearch(self, query: str, **options: Any) -> SearchResult:
        """`search` without blocking the event loop."""
        given = await asyncio.to_thread(self._with_vector, query, options)
        return await super().asearch(query, **given)

    def query(
        self,
        add: Sequence[Any],
        subtract: Sequence[Any] = (),
        weights: Sequence[float] | None = None,
        *,
        text: str = "",
        leg_weights: Mapping[str, float] | Sequence[float] | None = None,
        **options: Any,
    ) -> SearchResult:
        """Search with a sum: like all of `add`, unlike what is in `subtract`.

        Args:
            add: texts (each `str` is one, never a path) and pictures (`Path`, bytes, PIL image).
            subtract: the same.
            weights: a number > 0 for each of `add`, then of `subtract`; None means 1 each. Every
                part has length 1 before it is weighted.
            text: words for the lexical leg; empty means that there is none.
            leg_weights: share of (lexical, vector), as `weights` of `invoke`.
            **options: `k`, `filter` and all the others of `invoke`.

        Raises:
            InvalidArgumentError: see `vectors.arithmetic`.
            PictureError: a picture cannot be read.
        """
        vector = arithmetic(self._embeddings, add, subtract, weights)
        legs = {} if leg_weights is None else {"weights": leg_weights}
        return super().search(text, **{**options, **legs, _VECTOR: vector})

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        given = self._with_vector(query, options)
        return super()._get_relevant_documents(query, run_manager=run_manager, **given)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        given = await asyncio.to_thread(self._with_vector, query, options)
        return await super()._aget_relevant_documents(query, run_manager=run_manager, **given)

    @property
    def _embeddings(self) -> MultimodalEmbeddings:
        return cast("MultimodalEmbeddings", self.vectorstore.embeddings)

    def _with_vector(self, query: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with the query's vector in place of its picture and sound."""
        given = {name: value for name, value in options.items() if name != _VECTOR}
        own = {name: given.pop(name, getattr(self, name)) for name in _PARTS}
        if own["image"] is None and own["audio"] is None:
            return given
        model = self.vectorstore.embeddings
        if not isinstance(model, MultimodalEmbeddings):
            got, expected = type(model).__name__, "a collection whose model knows them"
            raise InvalidArgumentError.of("image, audio", got, expected)
        return {**given, _VECTOR: blend(model, query, **own)}

    def _request(self, query: str, options: Mapping[str, Any]) -> SearchRequest:
        """The request, with the vector if `options` hold one; then no words means vectors alone."""
        given = dict(options)
        vector = given.pop(_VECTOR, None)
        request = super()._request(query, given)
        if vector is None:
            return request
        if not query:
            mode = "vector" if request.mode == "hybrid" else request.mode
            request = replace(request, text=None, mode=mode)
        return replace(request, embedding=vector)
