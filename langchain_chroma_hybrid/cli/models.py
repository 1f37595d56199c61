"""What `--embeddings` names beside Sentence Transformers models: services, and the user's code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.embeddings import from_chroma, minilm
from langchain_chroma_hybrid.embeddings.function import is_embedding_function
from langchain_chroma_hybrid.errors import InvalidArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTION = "--embeddings"
_PROVIDERS = frozenset({
    "azure_ai", "azure_openai", "bedrock", "cohere", "google_genai", "google_vertexai",
    "huggingface", "mistralai", "ollama", "openai",
})  # fmt: skip


def named(name: str) -> Embeddings | None:
    """What `minilm`, `provider:model` or `module:object` stands for; None for other names.

    Raises:
        InvalidArgumentError: there is no such thing, or it makes no vectors.
        MissingDependencyError: a package is not installed; says which.
    """
    if name == "minilm":
        return minilm()
    head, colon, tail = name.partition(":")
    if not colon or Path(name).exists():
        return None
    if head in _PROVIDERS:
        return _service(name)
    if all(part.isidentifier() for part in (*head.split("."), *tail.split("."))):
        return _object(name, head, tail)
    expected = f"module:object, or provider:model of {', '.join(sorted(_PROVIDERS))}"
    raise InvalidArgumentError.of(_OPTION, name, expected)


def _service(name: str) -> Embeddings:
    """A model behind an API, by LangChain."""
    try:
        init: Callable[[str], Embeddings] = importlib.import_module(
            "langchain.embeddings"
        ).init_embeddings
    except ImportError as error:
        raise MissingDependencyError(
            f"{_OPTION} {name}: langchain is not installed: pip install 'langchain>=1', and the "
            "provider's package, such as langchain-openai"
        ) from error
    try:
        return init(name)
    except ImportError as error:
        raise MissingDependencyError(f"{_OPTION} {name}: {error}") from error
    except Exception as error:
        # Mostly a key that is not set, which the provider's package names.
        raise InvalidArgumentError(f"{_OPTION} {name}: {error}") from error


def _object(name: str, module: str, path: str) -> Embeddings:
    """Embeddings or an embedding function of the user's, or what makes one without arguments."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        if isinstance(found, type) or not _embeds(found):
            found = found() if callable(found) else found
    except Exception as error:
        why = f"cannot be loaded ({type(error).__name__}: {error})"
        raise InvalidArgumentError(f"{_OPTION} {name}: {why}") from error
    if not _embeds(found):
        expected = "LangChain Embeddings or a Chroma EmbeddingFunction, or what makes one"
        raise InvalidArgumentError.of(_OPTION, found, expected)
    return found if isinstance(found, Embeddings) else from_chroma(found)


def _embeds(found: object) -> bool:
    return isinstance(found, Embeddings) or is_embedding_function(found)
