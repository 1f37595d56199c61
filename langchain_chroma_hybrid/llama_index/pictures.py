"""Pictures, sound and video for LlamaIndex: what `MultimodalRetriever` finds, as nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.explanation import MOMENTS_KEY
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.llama_index.nodes import NodeReader, relevance

if TYPE_CHECKING:
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import QueryBundle

    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.multimodal.moments import FileMoments, MediaRetriever
    from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever


class MultimodalNodeRetriever(BaseRetriever):
    """Pictures by words, by the picture of `QueryBundle(image_path=...)`, or by both.

    Results are `ImageNode`s with the picture's place in `image_path` or `image_url`; nothing is
    opened but the query's own picture, as the retriever's `PicturePolicy` allows.
    """

    @known_keywords
    def __init__(
        self,
        retriever: MultimodalRetriever,
        *,
        similarity_top_k: int | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """`similarity_top_k` None means the retriever's own `k`.

        Raises:
            InvalidArgumentError: not a `MultimodalRetriever`.
        """
        if not hasattr(retriever, "image_weight"):
            raise InvalidArgumentError.of("retriever", retriever, "a MultimodalRetriever")
        if similarity_top_k is not None:
            positive("similarity_top_k", similarity_top_k)
        self._retriever, self._k = retriever, similarity_top_k
        self._reader = NodeReader()
        super().__init__(callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._retriever.search(query_bundle.query_str, **self._options(query_bundle))
        return self._nodes(found)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        options = self._options(query_bundle)
        return self._nodes(await self._retriever.asearch(query_bundle.query_str, **options))

    def _options(self, query_bundle: QueryBundle) -> dict[str, Any]:
        options: dict[str, Any] = {} if self._k is None else {"k": self._k}
        if query_bundle.image_path is not None:
            options["image"] = query_bundle.image_path
        return options

    def _nodes(self, result: SearchResult) -> list[NodeWithScore]:
        return [
            self._reader.with_score(hit, result, relevance(hit), explain=False)
            for hit in result.hits
        ]


class MediaNodeRetriever(MultimodalNodeRetriever):
    """Pictures, sound and video by words or a picture: a node for each file, with its best seconds.

    Pictures are `ImageNode`s; sounds and videos are `Node`s with their place in `audio_resource` or
    `video_resource`, `start` and `end` (seconds) in the metadata, and all moments of the file under
    `chroma_hybrid_moments`. Nothing is opened but the query's own picture.
    """

    @known_keywords
    def __init__(
        self,
        retriever: MediaRetriever,
        *,
        similarity_top_k: int | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """`similarity_top_k` None means the retriever's own `k`.

        Raises:
            InvalidArgumentError: not a `MediaRetriever`.
        """
        if not hasattr(retriever, "moments"):
            raise InvalidArgumentError.of("retriever", retriever, "a MediaRetriever")
        super().__init__(
            retriever, similarity_top_k=similarity_top_k, callback_manager=callback_manager
        )
        self._media = retriever

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._media.moments(query_bundle.query_str, **self._options(query_bundle))
        return [self._of_file(each) for each in found]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        options = self._options(query_bundle)
        found = await self._media.amoments(query_bundle.query_str, **options)
        return [self._of_file(each) for each in found]

    def _of_file(self, file: FileMoments) -> NodeWithScore:
        """The best segment's node, with the seconds and the text of the best moment."""
        notes = {MOMENTS_KEY: [each.as_dict() for each in file.moments]} if file.moments else {}
        node = self._reader.shown(file.hit, notes)
        if file.moments:
            best = file.moments[0]
            node.set_content(best.text)
            node.metadata |= {"start": best.start, "end": best.end}
        return NodeWithScore(node=node, score=relevance(file.hit))
