"""The embedding function that a collection remembers, for our own calls: no stranger's choice.

Chroma rebuilds whatever the database says, with the options it says: a model with code or pickles,
a service at any address that is sent any of our environment's keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chromadb.api.types import DefaultEmbeddingFunction, Documents, EmbeddingFunction
from chromadb.utils.embedding_functions import known_embedding_functions
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.embeddings.chroma.bridge import NAME, ChromaHybridEmbeddingFunction
from langchain_chroma_hybrid.embeddings.chroma.config import load_stored
from langchain_chroma_hybrid.embeddings.chroma.stored_config import checked_chroma_model
from langchain_chroma_hybrid.embeddings.chroma.trust import NOBODY, TrustedModels, is_trusted
from langchain_chroma_hybrid.errors import EmbeddingError

if TYPE_CHECKING:
    from chromadb.api.types import Embeddings as ChromaVectors

# One model, which no option changes.
_FIXED = ("default", "onnx_mini_lm_l6_v2")


def stored_function(
    configuration: Mapping[str, Any], trusted: TrustedModels = NOBODY
) -> EmbeddingFunction[Any] | None:
    """What a collection remembers, built only as far as somebody trusts it; None if nothing.

    Args:
        configuration: a collection's `configuration_json`.
        trusted: what may be loaded, beside what `trust_stored_models` was told.

    Raises:
        EmbeddingError: there is no function of that name here, or nobody trusts it. What is wrong
            with its model is raised when it embeds.
    """
    stored = configuration.get("embedding_function")
    if not isinstance(stored, Mapping) or stored.get("type") == "legacy":
        return None
    name, config = stored.get("name"), stored.get("config")
    if name == NAME:
        return ChromaHybridEmbeddingFunction(config, trusted=trusted)  # type: ignore[arg-type]
    if name == "sentence_transformer":
        return _StoredModel(config, trusted)
    known: Any = known_embedding_functions.get(name) if isinstance(name, str) else None
    if known is None:
        raise EmbeddingError(
            f"the collection's embedding function {name} not found in this process: import the "
            "module that registers it, or give embeddings of your own"
        )
    if name in _FIXED:
        return _ChromasOwn()
    if not is_trusted(str(name), trusted):
        raise EmbeddingError(
            f"only the database says that texts go to the embedding function {name!r}, and with "
            f"which options: write langchain_chroma_hybrid.trust_stored_models({name!r}), or give "
            "embeddings of your own, such as from_chroma(function)"
        )
    return known.build_from_config(config)  # type: ignore[no-any-return]


class StoredEmbeddings(Embeddings):
    """LangChain `Embeddings` by what a collection remembers, as far as somebody trusts it.

    Args:
        configuration: gives the collection's `configuration_json`, as it is at each call.
        trusted: what may be loaded, beside what `trust_stored_models` was told.
    """

    def __init__(
        self, configuration: Callable[[], Mapping[str, Any]], trusted: TrustedModels = NOBODY
    ) -> None:
        self._configuration = configuration
        self._trusted = trusted

    def embed_query(self, text: str) -> list[float]:
        """One vector `(d,)`.

        Raises:
            EmbeddingError: the collection remembers nothing that anybody trusts, or Chroma's own
                model, which also stands for nothing at all, is not here.
        """
        return [float(number) for number in self._function().embed_query([text])[0]]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors `(n, d)`; errors as for `embed_query`."""
        return [[float(number) for number in vector] for vector in self._function()(texts)]

    def _function(self) -> EmbeddingFunction[Any]:
        function = stored_function(self._configuration(), self._trusted)
        if function is None:  # as Chroma does
            return _ChromasOwn()
        return function


class _ChromasOwn(DefaultEmbeddingFunction):
    """Chroma's default, one model that it fetches at the first use."""

    def __call__(self, input: Documents) -> ChromaVectors:
        try:
            return super().__call__(input)
        except Exception as error:
            folder = ONNXMiniLM_L6_V2.DOWNLOAD_PATH / ONNXMiniLM_L6_V2.EXTRACTED_FOLDER_NAME
            if (folder / "model.onnx").is_file():
                raise
            raise EmbeddingError(
                "embedding_function: none was given, so that Chroma's own (all-MiniLM-L6-v2) "
                f"embeds; its model is not at {folder} and could not be fetched "
                f"({type(error).__name__}): connect to the network once, copy the folder from "
                "where it is, give an embedding_function, or search with mode='lexical'"
            ) from error


class _StoredModel(EmbeddingFunction[Documents]):
    """Chroma's own `sentence_transformer`: the same vectors, from files that run no code."""

    def __init__(self, config: object, trusted: TrustedModels) -> None:
        self._config, self._trusted = config, trusted

    def __call__(self, input: Documents) -> ChromaVectors:
        options = checked_chroma_model(self._config)
        normalize = options.pop("normalize")
        found: Any = load_stored("sentence_transformer", options, self._trusted)
        return list(found.model.encode(list(input), normalize_embeddings=normalize))
