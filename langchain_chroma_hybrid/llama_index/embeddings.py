"""LlamaIndex' `BaseEmbedding` <-> LangChain's `Embeddings`, which the engine takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.settings import Settings

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.search import is_model
from langchain_chroma_hybrid.embeddings.chroma.stored import StoredEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Configuration = Callable[[], Mapping[str, Any]]


class _ForLangChain(Embeddings):
    """What `from_llama` returns."""

    def __init__(self, embedding: BaseEmbedding) -> None:
        self.embedding = embedding

    def embed_query(self, text: str) -> list[float]:
        return self.embedding.get_query_embedding(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embedding.get_text_embedding_batch(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return await self.embedding.aget_query_embedding(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self.embedding.aget_text_embedding_batch(texts)


class _ForLlamaIndex(BaseEmbedding):
    """What `to_llama` returns."""

    _embeddings: Embeddings = PrivateAttr()

    def __init__(self, embeddings: Embeddings, **data: Any) -> None:
        super().__init__(**data)
        self._embeddings = embeddings

    @classmethod
    def class_name(cls) -> str:
        return "ChromaHybridEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return list(self._embeddings.embed_query(query))

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [list(vector) for vector in self._embeddings.embed_documents(texts)]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return list(await self._embeddings.aembed_query(query))

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [list(vector) for vector in await self._embeddings.aembed_documents(texts)]


@known_keywords
def to_llama(
    embeddings: Embeddings, *, embed_batch_size: int = 256, model_name: str | None = None
) -> BaseEmbedding:
    """Use LangChain embeddings in LlamaIndex; what came from `from_llama` comes back as it was.

    Args:
        embeddings: any LangChain embeddings, such as `SentenceTransformerEmbeddings`.
        embed_batch_size: most texts of one call, 1 to 2048.
        model_name: what LlamaIndex' events call the model; None means the class.

    Raises:
        InvalidArgumentError: not LangChain embeddings.
    """
    if isinstance(embeddings, _ForLangChain):
        return embeddings.embedding
    if not isinstance(embeddings, Embeddings):
        raise InvalidArgumentError.of("embeddings", embeddings, "LangChain Embeddings")
    name = model_name or type(embeddings).__name__
    return _ForLlamaIndex(embeddings, embed_batch_size=embed_batch_size, model_name=name)


@known_keywords
def from_llama(embedding: BaseEmbedding) -> Embeddings:
    """Use a LlamaIndex embedding as LangChain `Embeddings`; inverse of `to_llama`.

    Raises:
        InvalidArgumentError: not a LlamaIndex embedding.
    """
    if isinstance(embedding, _ForLlamaIndex):
        return embedding._embeddings  # noqa: SLF001  # its own module
    if not isinstance(embedding, BaseEmbedding):
        raise InvalidArgumentError.of("embedding", embedding, "a LlamaIndex BaseEmbedding")
    return _ForLangChain(embedding)


class NoEmbeddings(Embeddings):
    """Stands for a model where none was given."""

    missing = True

    def embed_query(self, text: str) -> list[float]:
        """Never.

        Raises:
            InvalidArgumentError: always.
        """
        raise InvalidArgumentError.of("embed_model", None, f"one, or a vector for {text[:40]!r}")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Never.

        Raises:
            InvalidArgumentError: always.
        """
        expected = f"one, or nodes with embeddings ({len(texts)} have none)"
        raise InvalidArgumentError.of("embed_model", None, expected)


class _DefaultEmbeddings(Embeddings):
    """`Settings.embed_model` if that is set, else what the collection remembers, as they are now.

    What it remembers counts for reading alone: Chroma notes a function of its own in every
    collection that is made without one, and LlamaIndex fills it by another model.
    """

    def __init__(self, configuration: Configuration | None) -> None:
        self._configuration = configuration

    def embed_query(self, text: str) -> list[float]:
        return self._model().embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._model().embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return await self._model().aembed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self._model().aembed_documents(texts)

    @property
    def missing(self) -> bool:
        """Whether there is none, now."""
        return not is_model(self._model())

    @property
    def fingerprint(self) -> str | None:
        """That of the model which embeds now; None if it has none."""
        return getattr(self._model(), "fingerprint", None)

    @property
    def query_fingerprint(self) -> str | None:
        """That of the model which embeds queries now; None if it has none."""
        return getattr(self._model(), "query_fingerprint", self.fingerprint)

    def _model(self) -> Embeddings:
        # The public property would load LlamaIndex' default, a paid service, where nothing is set.
        chosen = Settings._embed_model  # noqa: SLF001
        if chosen is not None:
            return from_llama(chosen)
        configuration = {} if self._configuration is None else self._configuration()
        if self._configuration is None or not configuration.get("embedding_function"):
            return NoEmbeddings()
        return StoredEmbeddings(self._configuration)


def model_of(
    given: BaseEmbedding | Embeddings | None, configuration: Configuration | None = None
) -> Embeddings:
    """What was given to embed with, for the engine, or what takes its place.

    Args:
        given: the argument `embed_model`.
        configuration: gives the collection's `configuration_json`, where that may decide.

    Raises:
        InvalidArgumentError: it is no model of either kind.
    """
    if given is None:
        return _DefaultEmbeddings(configuration)
    if isinstance(given, Embeddings):
        return given
    if isinstance(given, BaseEmbedding):
        return from_llama(given)
    expected = "a LlamaIndex BaseEmbedding, LangChain Embeddings or None"
    raise InvalidArgumentError.of("embed_model", given, expected)
