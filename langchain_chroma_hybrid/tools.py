"""A search tool for agents: filters within a declared schema, sources to cite, errors to mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid._langchain.tool_calls import Calls, SafeTool
from langchain_chroma_hybrid.core.checks import metadata_keys, positive
from langchain_chroma_hybrid.core.citations import SOURCE_KEYS
from langchain_chroma_hybrid.core.filter_schema import Filterable, FilterSchema
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.search_tool import DESCRIPTION, SearchArguments, Shown
from langchain_chroma_hybrid.core.values import OWN_KEYS
from langchain_chroma_hybrid.engine.threads import in_thread
from langchain_chroma_hybrid.errors import InvalidArgumentError, ToolArgumentError
from langchain_chroma_hybrid.multimodal.blocks import as_content_blocks
from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever
from langchain_chroma_hybrid.multimodal.roots import Folder, Roots
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool

    from langchain_chroma_hybrid.core.search import SearchResult

Where = Mapping[str, Any]
Answer = tuple[Any, list[Document]]

SCORE_KEY = f"{OWN_KEYS}score"
"""Where the artifact's documents have their relevance, in copies of their metadata."""


@known_keywords
def create_search_tool(
    retriever: ChromaHybridRetriever,
    *,
    name: str = "search",
    description: str | None = None,
    filterable: Filterable | None = None,
    base_filter: Callable[[], Where] | None = None,
    max_k: int = 20,
    max_characters: int = 8_000,
    max_calls: int | None = None,
    source_keys: Sequence[str] = SOURCE_KEYS,
    roots: Roots | Folder | Sequence[Folder] = (),
    max_bytes: int = 4_000_000,
) -> StructuredTool:
    """A tool with which a model searches: it sets `query`, `k` and `filters`, and nothing else.

    ```python
    from langchain_chroma_hybrid.tools import create_search_tool

    retriever = ChromaHybridRetriever(vectorstore=chroma)
    search = create_search_tool(retriever, filterable={"year": int, "type": ["manual", "faq"]})
    ```

    It goes into `langchain.agents.create_agent(model, [search])`, a `ToolNode`, or any model's
    `bind_tools`. The model gets numbered sources with ids, to be cited as `[1]`, or is told that
    nothing is relevant and which of its words occur nowhere. What it gets wrong comes back as a
    message that it can mend, never as an exception. The artifact holds the documents, with their
    relevance under `chroma_hybrid_score`.

    Args:
        retriever: its filter and base filter hold for every call; so do its mode, weights,
            threshold, reranker and `expand`. Its `k` is the default of the tool's.
        name: of the tool, as the model calls it.
        description: what the model is told; it should say what is in the collection. None: only how
            to search.
        filterable: metadata keys that the model may filter by, with their types or all allowed
            values; `retriever.describe().filterable()` proposes some. None: none.
        base_filter: called for each call, where the tool runs; what it returns holds, too, so that
            a tenant comes from the request (`lambda: {"tenant": get_runtime(Ctx).context.tenant}`)
            and never from the model. An empty filter is an error: it would show everybody's.
        max_k: most results of one call.
        max_characters: most characters of all passages of one call.
        max_calls: how often the tool searches in one run of an agent, counted by the messages since
            the user's last one; where no LangGraph state is at hand, over the tool's whole life.
        source_keys: metadata keys that say where a record comes from.
        roots: for a `MultimodalRetriever`, whose pictures are shown as content blocks: folders of
            which pictures may be opened, see `multimodal.as_content_blocks`.
        max_bytes: most base64 characters of all pictures of one call.

    Raises:
        InvalidArgumentError: an argument cannot be used.
    """
    if not isinstance(retriever, ChromaHybridRetriever):
        expected = "a ChromaHybridRetriever, such as ChromaHybridRetriever.from_vectorstore(...)"
        raise InvalidArgumentError.of("retriever", type(retriever).__name__, expected)
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError.of("name", name, "what a model calls it by, such as search")
    limits = {"max_k": max_k, "max_characters": max_characters, "max_bytes": max_bytes}
    for key, value in limits.items():
        positive(key, value)
    if max_calls is not None:
        positive("max_calls", max_calls)
    if base_filter is not None and not callable(base_filter):
        expected = "a function that returns a filter; a fixed one belongs to the retriever"
        raise InvalidArgumentError.of("base_filter", base_filter, expected)
    schema = FilterSchema(filterable or {})
    places = roots if isinstance(roots, Roots) else Roots(roots)
    named = metadata_keys("source_keys", source_keys)
    shown = _Pictures(Shown(max_characters, named), places, max_bytes)
    tool = _SearchTool(retriever, schema, base_filter, max_k, Calls(name, max_calls), shown)
    return SafeTool.from_function(
        tool.run,
        tool.arun,
        name=name,
        description=description or DESCRIPTION,
        args_schema=tool.arguments.schema(),
        infer_schema=False,
        response_format="content_and_artifact",
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """How results are shown to a model that may see."""

    shown: Shown
    roots: Roots
    max_bytes: int

    def content(
        self, result: SearchResult, documents: Sequence[Document], *, seen: bool, filtered: bool
    ) -> Any:
        """Text, or content blocks for a model that sees."""
        said, cited = self.shown.told(result, filtered=filtered)
        # Each with its number: there may be sources without a picture in between.
        pictures = [
            Document(f"The picture of source [{number}]:", metadata=document.metadata)
            for number, document in enumerate(documents[: len(cited)], 1)
            if isinstance(document.metadata.get("uri"), str)
            and document.metadata["uri"]
            and document.metadata.get("kind") != "audio"
        ]
        if not seen or not pictures:
            return said
        blocks = as_content_blocks(pictures, roots=self.roots, max_bytes=self.max_bytes)
        return [{"type": "text", "text": said}, *blocks]


@dataclass(frozen=True, slots=True)
class _SearchTool:
    """What the tool does when it is called."""

    retriever: ChromaHybridRetriever
    filters: FilterSchema
    base_filter: Callable[[], Where] | None
    max_k: int
    calls: Calls
    shown: _Pictures

    @property
    def arguments(self) -> SearchArguments:
        """What the model may say."""
        default = self.retriever.default("k")
        return SearchArguments(self.calls.name, self.filters, default, self.max_k)

    # A parameter of the name `runtime` is given by LangGraph, and by nobody else believed.
    def run(self, runtime: Any = None, **arguments: Any) -> Answer:
        try:
            self.calls.count(runtime)
            query, options = self._read(arguments)
        except ToolArgumentError as error:
            return str(error), []
        result = self.retriever.search(query, **self._widened(options))
        return self._answer(query, options, result)

    async def arun(self, runtime: Any = None, **arguments: Any) -> Answer:
        try:
            self.calls.count(runtime)
            query, options = self._read(arguments)
        except ToolArgumentError as error:
            return str(error), []
        result = await self.retriever.asearch(query, **self._widened(options))
        return await in_thread(lambda: self._answer(query, options, result))

    def _read(self, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The model's arguments as the retriever's.

        Raises:
            ToolArgumentError: the message is for the model.
        """
        query, k, where = self.arguments.read(arguments)
        own = self.retriever.default("filter")
        parts = [part for part in (own, self._base(), where) if part]
        both = {"$and": parts} if len(parts) > 1 else next(iter(parts), None)
        return query, {"k": k, "filter": both}

    def _base(self) -> Where | None:
        """What the request at hand restricts the tool to.

        Raises:
            InvalidArgumentError: the caller's function gives no filter: nothing is shown then.
        """
        if self.base_filter is None:
            return None
        found = self.base_filter()
        if not isinstance(found, Mapping) or not found:
            raise InvalidArgumentError.of("base_filter()", type(found).__name__, "a filter")
        return found

    @property
    def _chooses(self) -> bool:
        """Whether the retriever chooses among more results than it gives."""
        return any(self.retriever.default(n) is not None for n in ("reranker", "lambda_mult"))

    def _widened(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options for all results that there are to choose from."""
        if not self._chooses:
            return dict(options)
        return {**options, "k": max(options["k"], self.retriever.default("candidates"))}

    def _answer(self, query: str, options: Mapping[str, Any], result: SearchResult) -> Answer:
        """What the model is told, and the documents; in the order of the retriever's reranker."""
        if result.hits and self._chooses:
            chosen = self.retriever.invoke(query, **options)
            hits = {hit.id: hit for hit in result.hits}
            result = replace(result, hits=tuple(hits[d.id] for d in chosen if d.id in hits))
        documents = []
        for hit in result.hits:
            document = bridge.shown(hit)
            document.metadata[SCORE_KEY] = hit.relevance
            documents.append(document)
        seen = isinstance(self.retriever, MultimodalRetriever)
        filtered = options["filter"] is not None
        content = self.shown.content(result, documents, seen=seen, filtered=filtered)
        return content, documents
