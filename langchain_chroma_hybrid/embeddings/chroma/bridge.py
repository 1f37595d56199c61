"""LangChain `Embeddings` <-> chromadb `EmbeddingFunction`, which a collection finds again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from chromadb.api.types import Documents, EmbeddingFunction, Space
from chromadb.utils.embedding_functions import register_embedding_function
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.base import (
    CheckedEmbeddings,
    check_text,
    check_texts,
    check_vector,
    check_vectors,
)
from langchain_chroma_hybrid.embeddings.chroma.config import OnChange, describe, find, provide
from langchain_chroma_hybrid.embeddings.chroma.stored_config import FORMAT, Config, checked
from langchain_chroma_hybrid.embeddings.chroma.trust import NOBODY, TrustedModels
from langchain_chroma_hybrid.embeddings.function import FunctionEmbeddings, is_embedding_function
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from chromadb.api.types import Embeddings as ChromaVectors

    from langchain_chroma_hybrid.embeddings.base import Vectors

__all__ = [
    "NAME",
    "ChromaHybridEmbeddingFunction",
    "from_chroma",
    "provide",
    "register",
    "to_chroma",
]

NAME = "langchain_chroma_hybrid"
"""What collections call this embedding function."""

AnyModel: TypeAlias = Embeddings | EmbeddingFunction[Any]
_SPACES: tuple[Space, ...] = ("cosine", "l2", "ip")


class ChromaHybridEmbeddingFunction(EmbeddingFunction[Documents]):
    """What `to_chroma` returns. A collection stores its `get_config()`: JSON values, no code.

    One that Chroma rebuilt looks its model up at each call, so a model that was retrained at the
    same path is the one that is used. May be called from several threads.

    Args:
        config: what a collection has stored, or is to store.
        embeddings: what embeds; then `config` is not read. None finds them by `config`.
        trusted: models that `config` may name, beside those that `trust_stored_models` was told.
    """

    @known_keywords
    def __init__(
        self,
        config: Config,
        embeddings: Embeddings | None = None,
        trusted: TrustedModels = NOBODY,
    ) -> None:
        self._config = config
        self._given = embeddings
        self._trusted = trusted

    @property
    def embeddings(self) -> Embeddings:
        """The embeddings behind this function.

        Raises:
            EmbeddingError: they cannot be rebuilt in this process, or may not be; the message says
                what to do.
        """
        return self._given if self._given is not None else find(self._config, self._trusted)

    def __call__(self, input: Documents) -> ChromaVectors:
        """Vectors of documents, or of pictures as arrays, float32, in the order given."""
        pictures = _pictures(self.embeddings, input)
        return list(
            _documents(self.embeddings, check_texts(input)) if pictures is None else pictures
        )

    def embed_query(self, input: Documents) -> ChromaVectors:
        """Vectors of queries, or of pictures as arrays, float32, in the order given."""
        embeddings = self.embeddings
        pictures = _pictures(embeddings, input)
        if pictures is not None:
            return list(pictures)
        return [_query(embeddings, text) for text in check_texts(input)]

    @staticmethod
    def name() -> str:
        """The name in Chroma's registry."""
        return NAME

    @staticmethod
    def build_from_config(config: Config) -> ChromaHybridEmbeddingFunction:
        """The function that a collection remembers. Loads nothing: Chroma asks at every query.

        What is wrong with `config` beside its format is said when something is to be embedded:
        Chroma would bury it in an error of its own.
        """
        found = config.get("format") if isinstance(config, dict) else None
        if found is True or found != FORMAT:
            raise InvalidArgumentError.of("config", config, f"format {FORMAT} of {NAME}")
        return ChromaHybridEmbeddingFunction(config)

    def get_config(self) -> Config:
        """What a collection is to remember."""
        return self._config

    def default_space(self) -> Space:
        """The distance that the model was trained for; cosine where nobody says."""
        return cast("Space", self._config["space"])

    def supported_spaces(self) -> list[Space]:
        """All of Chroma's."""
        return list(_SPACES)

    def validate_config_update(self, old_config: Config, new_config: Config) -> None:
        """A model that moved may take the old one's place, another model may not."""
        old, new = old_config.get("fingerprint"), new_config.get("fingerprint")
        if old != new:
            raise EmbeddingError.of("embedding function", f"model {new}", f"model {old}")

    @staticmethod
    def validate_config(config: Config) -> None:
        """Refuse what this version cannot read, or what no collection may name."""
        checked(config)


@known_keywords
def to_chroma(
    embeddings: Embeddings,
    *,
    name: str | None = None,
    space: Space | None = None,
    on_change: OnChange = "warn",
) -> EmbeddingFunction[Documents]:
    """Use LangChain embeddings in plain chromadb; a collection made with them finds them again.

    `SentenceTransformerEmbeddings` and `MultimodalEmbeddings` of a name or path are rebuilt in
    every process that imports `langchain_chroma_hybrid` and trusts the model, see
    `trust_stored_models`; this one does by this call. They are loaded here, for their fingerprint.
    All others are code, which a database must not name: give them a `name` and, in a new process,
    call this or `provide` before the first query; until then it is refused. So are models with
    `trust_remote_code`, `model_kwargs` or pickles for weights: give a `name`.

    Args:
        embeddings: any LangChain embeddings.
        name: what collections remember them by.
        space: distance of collections made with it; None takes the model's own, or cosine.
        on_change: when the model that is found later is not the one the collection was made with:
            `warn` logs that once and uses it, `raise` refuses.

    Raises:
        InvalidArgumentError: not LangChain embeddings, a choice that does not exist, or a model
            that needs a `name`.
    """
    if not isinstance(embeddings, Embeddings):
        raise InvalidArgumentError.of("embeddings", embeddings, "LangChain Embeddings")
    if space is not None and space not in _SPACES:
        raise InvalidArgumentError.of("space", space, " or ".join(map(repr, _SPACES)))
    if on_change not in ("warn", "raise"):
        raise InvalidArgumentError.of("on_change", on_change, "'warn' or 'raise'")
    if isinstance(embeddings, FunctionEmbeddings) and embeddings.chroma_function is not None:
        return cast("EmbeddingFunction[Documents]", embeddings.chroma_function)
    register()
    if name is not None:
        provide(name, embeddings)
    # Now, not when Chroma asks: it would take an error for a function that it cannot store.
    return ChromaHybridEmbeddingFunction(describe(embeddings, name, space, on_change), embeddings)


@known_keywords
def from_chroma(function: EmbeddingFunction[Any]) -> Embeddings:
    """Use a chromadb `EmbeddingFunction` as LangChain embeddings, its `embed_query` for queries.

    What came from `to_chroma` comes back as what it was.

    Raises:
        InvalidArgumentError: not an `EmbeddingFunction`.
    """
    if isinstance(function, ChromaHybridEmbeddingFunction):
        return function.embeddings
    if not is_embedding_function(function):
        raise InvalidArgumentError.of("function", function, "a chromadb EmbeddingFunction")
    return FunctionEmbeddings(function)


def chromas_function(given: AnyModel | None) -> EmbeddingFunction[Any] | None:
    """LangChain's embeddings by `to_chroma`; Chroma's own function, or None, as it is.

    Raises:
        InvalidArgumentError: it is something else.
    """
    if isinstance(given, Embeddings):
        return to_chroma(given)
    if given is not None and not is_embedding_function(given):
        expected = "LangChain Embeddings, a chromadb EmbeddingFunction, or None"
        raise InvalidArgumentError.of("embedding_function", given, expected)
    return given


def register() -> None:
    """Make Chroma rebuild our collections' embedding functions. Cheap; may be called again."""
    register_embedding_function(ChromaHybridEmbeddingFunction)  # type: ignore[no-untyped-call]


def _documents(embeddings: Embeddings, texts: list[str]) -> Vectors:
    if isinstance(embeddings, CheckedEmbeddings):
        return embeddings.document_vectors(texts)
    return check_vectors(embeddings.embed_documents(texts), len(texts))


def _pictures(embeddings: Embeddings, given: Any) -> Vectors | None:
    """Vectors of pictures; None if `given` is something else.

    Chroma hands over what the collection's data loader read: arrays, or, from the one for
    LangChain, `("images", uris)`.
    """
    listed = list(given) if isinstance(given, list | tuple) else []
    named = isinstance(given, tuple) and isinstance(listed[0], str) and listed[0] == "images"
    loaded = listed[1] if named else listed
    if not named and not any(isinstance(entry, np.ndarray) for entry in listed):
        return None
    embed = getattr(embeddings, "image_vectors", None) or getattr(embeddings, "embed_image", None)
    if embed is None:
        raise EmbeddingError.of("input", "pictures", "texts: these embeddings have no embed_image")
    return check_vectors(embed(loaded), len(loaded))


def _query(embeddings: Embeddings, text: str) -> Vectors:
    if isinstance(embeddings, CheckedEmbeddings):
        return embeddings.query_vector(text)
    return check_vector(embeddings.embed_query(check_text(text, "input")))


register()
