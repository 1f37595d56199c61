"""Any callable as LangChain `Embeddings`, with its results checked."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.base import (
    CheckedEmbeddings,
    check_text,
    check_texts,
    check_vector,
    check_vectors,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError

EmbedTexts: TypeAlias = Callable[[list[str]], Any] | Callable[[list[str]], Awaitable[Any]]
EmbedText: TypeAlias = Callable[[str], Any] | Callable[[str], Awaitable[Any]]


class FunctionEmbeddings(CheckedEmbeddings):
    """A function from texts to vectors, or a chromadb `EmbeddingFunction`, as embeddings.

    An async function is awaited in the caller's loop by the async methods; the sync methods run it
    in one loop of their own, in a thread, so that its connections live on. A sync function that is
    called by the async methods runs in the loop's executor.

    Args:
        fn: takes a list of texts and gives one vector for each: lists, an array, a tensor `(n, d)`,
            or a generator. Or a chromadb `EmbeddingFunction`, whose `embed_query` embeds queries.
        query_fn: takes one query and gives its vector `(d,)` or `(1, d)`; None means `fn`.
        dimension: the `d` that every vector must have; None takes that of the first.
        batch_size: texts of one call of `fn`; None hands over all.
        fingerprint: a name for the model behind `fn`; change it with the model, so that a
            collection can be told from one of another model.

    Attributes:
        chroma_function: `fn`, if it is a chromadb `EmbeddingFunction`; else None.

    Raises:
        InvalidArgumentError: `fn` is not callable, or a number is below 1.
    """

    @known_keywords
    def __init__(
        self,
        fn: EmbedTexts,
        query_fn: EmbedText | None = None,
        *,
        dimension: int | None = None,
        batch_size: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
        for name, value in (("fn", fn), ("query_fn", query_fn)):
            if not callable(value) and (name == "fn" or value is not None):
                raise InvalidArgumentError.of(name, value, "a callable")
        for name, number in (("dimension", dimension), ("batch_size", batch_size)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise InvalidArgumentError.of(name, number, "a number >= 1")
        self._fn: Callable[..., Any] = fn
        self._query_fn: Callable[..., Any] | None = query_fn
        self.chroma_function: Any = None
        if query_fn is None and is_embedding_function(fn):
            self.chroma_function = fn
            self._query_fn = lambda text: self.chroma_function.embed_query(input=[text])
        self._dimension = dimension
        self._batch_size = batch_size
        self._fingerprint = fingerprint
        self._loop = _LoopThread()

    @property
    def fingerprint(self) -> str | None:
        """What was given; None if nothing was."""
        return self._fingerprint

    @property
    def dimension(self) -> int | None:
        """What was given, or the dimension of the first vectors; None before."""
        return self._dimension

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, without holding up the loop."""
        if not _is_async(self._fn):
            return await super().aembed_documents(texts)
        parts = [await self._fn(batch) for batch in self._batches(check_texts(texts))]
        vectors = check_vectors(_joined(parts), len(texts), self._dimension)
        self._dimension = vectors.shape[1]
        return vectors.tolist()  # type: ignore[no-any-return]

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, without holding up the loop."""
        call = self._query_fn or self._fn
        if not _is_async(call):
            return await super().aembed_query(text)
        check_text(text, "text")
        vector = check_vector(await call(text if self._query_fn else [text]), self._dimension)
        self._dimension = len(vector)
        return vector.tolist()  # type: ignore[no-any-return]

    def _encode_documents(self, texts: list[str]) -> Any:
        parts = [self._call(self._fn, batch) for batch in self._batches(texts)]
        got = check_vectors(_joined(parts), len(texts), self._dimension)
        self._dimension = got.shape[1]
        return got

    def _encode_query(self, text: str) -> Any:
        got = self._call(self._query_fn, text) if self._query_fn else self._call(self._fn, [text])
        vector = check_vector(got, self._dimension)
        self._dimension = len(vector)
        return vector

    def _batches(self, texts: list[str]) -> list[list[str]]:
        step = self._batch_size or len(texts)
        return [texts[start : start + step] for start in range(0, len(texts), step)]

    def _call(self, fn: Callable[..., Any], argument: object) -> Any:
        got = fn(argument)
        return self._loop.run(got) if inspect.isawaitable(got) else got


def is_embedding_function(value: object) -> bool:
    """Whether `value` has the methods of a chromadb `EmbeddingFunction`; needs no chromadb."""
    return callable(value) and all(
        callable(getattr(value, name, None))
        for name in ("embed_query", "get_config", "default_space")
    )


def _is_async(fn: Callable[..., Any]) -> bool:
    call = fn if inspect.isroutine(fn) else type(fn).__call__
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call)


def _joined(parts: Sequence[Any]) -> Any:
    """One result per batch, as one; each row is read by the checks later."""
    listed = [list(part) if isinstance(part, Iterator) else part for part in parts]
    return listed[0] if len(listed) == 1 else [row for part in listed for row in part]


class _LoopThread:
    """An event loop in a daemon thread, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """The awaitable's result; blocks the calling thread."""

        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._started()).result()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="embed", daemon=True).start()
            return self._loop
