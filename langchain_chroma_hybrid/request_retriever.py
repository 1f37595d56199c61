"""A retriever whose filter comes with each request, and without which nothing is shown."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.config import ensure_config
from pydantic import ConfigDict, InstanceOf

from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.runnables import RunnableConfig

_NEAR = 0.75  # how alike a name has to be to what it may have been meant for


@runtime_checkable
class Searcher(Protocol):
    """What a `RequestRetriever` asks: a `ChromaHybridRetriever`, or what a store gives."""

    def default(self, name: str) -> Any:
        """What an option is where a call does not give it."""

    def invoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Search, with options by keyword."""

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """The same without blocking the event loop."""


class RequestRetriever(BaseRetriever):
    """Retrieves for whoever asks: a filter is made of the `configurable` values of each call.

    ```python
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    mine = retriever.configurable({"tenant": "tenant_id"})
    mine.invoke("error R123-78", {"configurable": {"tenant_id": "a"}})
    ```

    In a chain the values reach it wherever it stands: `chain.invoke(question, {"configurable":
    {"tenant_id": "a"}})`. A call that lacks one raises, since it would show everybody's records;
    so does one whose keys look like a misspelt name.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    retriever: InstanceOf[Searcher]
    """What searches; its own filters hold as well."""
    required: Mapping[str, str]
    """By metadata key the name of the `configurable` value that it has to equal."""
    options: tuple[str, ...] = ()
    """Options of the retriever that `configurable` may set, such as `k`; none by default."""

    def __init__(self, **data: Any) -> None:
        """One that nobody can ask without saying who he is.

        Raises:
            InvalidArgumentError: nothing is required, or what is named is no text.
        """
        required, options = data.get("required"), data.get("options", ())
        pairs = list(required.items()) if isinstance(required, Mapping) else []
        if not pairs or not all(map(_is_name, chain(*pairs))):
            expected = 'names by metadata key, such as {"tenant": "tenant_id"}'
            raise InvalidArgumentError.of("required", required, expected)
        if not isinstance(options, list | tuple) or not all(map(_is_name, options)):
            raise InvalidArgumentError.of("options", options, 'names of options, such as ["k"]')
        super().__init__(**data)

    def invoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Search for whoever `config` says.

        Raises:
            InvalidArgumentError: a value is missing, no text or number, or its name is misspelt.
        """
        config = ensure_config(config)
        return self.retriever.invoke(input, config, **self._options(config, kwargs))

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """`invoke` without blocking the event loop."""
        config = ensure_config(config)
        return await self.retriever.ainvoke(input, config, **self._options(config, kwargs))

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        raise NotImplementedError("`invoke` hands everything on")

    def _options(self, config: RunnableConfig, given: Mapping[str, Any]) -> dict[str, Any]:
        """The call's options with the filter that holds for it."""
        values = config.get("configurable") or {}
        self._refuse_misspelt(values)
        options = {name: values[name] for name in self.options if name in values} | dict(given)
        own = options.pop("filter", None) or self.retriever.default("filter")
        parts = [{key: {"$eq": self._value(name, values)}} for key, name in self.required.items()]
        parts += [own] if own else []
        return {**options, "filter": parts[0] if len(parts) == 1 else {"$and": parts}}

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        found = values.get(name)
        if not isinstance(found, str | int | float) or found == "":
            expected = f'{{"configurable": {{"{name}": ...}}}} with a text or a number'
            got = "nothing" if found is None else type(found).__name__
            raise InvalidArgumentError(f"config: expected {expected}, got {got} under {name!r}")
        return found

    def _refuse_misspelt(self, values: Mapping[str, Any]) -> None:
        """LangChain shares `configurable` among all, so that a strange name alone is no error."""
        known = [*self.required.values(), *self.options]
        for name in values:
            near = difflib.get_close_matches(str(name), known, 1, _NEAR)
            if near and name not in known:
                message = f"config: configurable has {name!r}: is {near[0]!r} meant?"
                raise InvalidArgumentError(message)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
