"""From what a user has - a name, a folder, a loaded model - to a `SentenceTransformer`."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.text.safe_files import check_folder, download
from langchain_chroma_hybrid.errors import ChromaHybridError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sentence_transformers import SentenceTransformer

Pooling: TypeAlias = Literal["mean", "cls", "max"]
POOLINGS = ("mean", "cls", "max")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and how it is put together.

    Attributes:
        name: a Hub name, or the absolute path of a folder.
        revision: branch, tag or commit on the Hub.
        pooling: given for a plain Hugging Face encoder; None takes what the model has stored
            (and mean, Sentence Transformers' own default, where nothing is stored).
        device: `cpu`, `cuda:0`, ...; None takes what is there.
        max_seq_length: cut texts after this many tokens instead of the model's own limit.
        local_files_only: never ask the Hub.
        trust_remote_code: run Python code that comes with the model.
        model_kwargs: handed to the transformer, such as `{"attn_implementation": "sdpa"}`.
        safetensors_only: see `unpickled`.
    """

    name: str
    revision: str | None = None
    pooling: Pooling | None = None
    device: str | None = None
    max_seq_length: int | None = None
    local_files_only: bool = False
    trust_remote_code: bool = False
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)
    safetensors_only: bool = False


def resolve(model: str | os.PathLike[str]) -> str:
    """The Hub name as it is, or the absolute path of an existing model folder.

    Raises:
        InvalidArgumentError: a path that does not exist, is a file, or holds no model.
    """
    text = os.fspath(model) if isinstance(model, str | os.PathLike) else ""
    if not text:
        raise InvalidArgumentError.of(
            "model", model, "a Hub name, a folder or a SentenceTransformer"
        )
    path = Path(text).expanduser()
    if not path.exists():
        if isinstance(model, str) and not looks_like_path(text):
            return text
        raise InvalidArgumentError.of(
            "model", text, "an existing model folder; there is no such path"
        )
    if not path.is_dir():
        raise InvalidArgumentError.of("model", text, "a model folder; this is a file")
    if not any((path / name).is_file() for name in ("modules.json", "config.json")):
        raise InvalidArgumentError.of(
            "model",
            text,
            "a folder with modules.json (Sentence Transformers) or config.json (Hugging Face)",
        )
    return str(path.resolve())


def load(source: Source) -> SentenceTransformer:
    """Load the model.

    Raises:
        InvalidArgumentError: nothing to load there, or `pooling` for a model that has its own.
        MissingDependencyError: Sentence Transformers is not installed.
    """
    library = require("sentence_transformers", "local")
    try:
        # A folder is read in a moment; downloads keep their bars.
        with without_bars() if Path(source.name).is_absolute() else nullcontext():
            model: SentenceTransformer = _build(library, source)
    except ChromaHybridError:
        raise
    except Exception as error:  # three libraries raise whatever they like at a damaged file
        why = f"a model that loads ({_first_line(error)})"
        if not Path(source.name).exists():
            why += "; offline: the path of a folder, or minilm()"
        raise InvalidArgumentError.of("model", source.name, why) from error
    if "text" not in model.modalities:
        raise InvalidArgumentError.of(
            "model", source.name, f"one that embeds text, not {model.modalities}"
        )
    if source.max_seq_length is not None:
        model.max_seq_length = source.max_seq_length
    return model


def unpickled(source: Source) -> Source:
    """The same model from files that run no code whoever wrote them: safetensors and JSON.

    Raises:
        InvalidArgumentError: a folder whose weights are pickles, or with modules that are not
            Sentence Transformers' own.
    """
    folder = source.name
    if not Path(folder).is_absolute():
        folder = download(folder, source.revision, local_files_only=source.local_files_only)
    check_folder(Path(folder))
    safe = {"use_safetensors": True, "weights_only": True}
    return replace(
        source,
        name=folder,
        revision=None,
        trust_remote_code=False,
        model_kwargs={**source.model_kwargs, **safe},
    )


def _build(library: Any, source: Source) -> Any:
    """The model from the library; `pooling` goes on a bare transformer that brings none."""
    if source.safetensors_only:
        source = unpickled(source)
    common = {
        "revision": source.revision,
        "local_files_only": source.local_files_only,
        "trust_remote_code": source.trust_remote_code,
    }
    kwargs = dict(source.model_kwargs)
    if source.pooling is None:
        return library.SentenceTransformer(
            source.name, device=source.device, model_kwargs=kwargs, **common
        )
    if _has_modules(source):
        raise InvalidArgumentError.of(
            "pooling",
            source.pooling,
            "None: this Sentence Transformers model brings its own pooling",
        )
    modules = require("sentence_transformers.sentence_transformer.modules", "local")
    transformer = modules.Transformer(
        source.name, model_kwargs=common | kwargs, processor_kwargs=common, config_kwargs=common
    )
    pooling = modules.Pooling(transformer.get_embedding_dimension(), source.pooling)
    return library.SentenceTransformer(modules=[transformer, pooling], device=source.device)


@contextmanager
def without_bars() -> Iterator[None]:
    """Transformers shows no bars here, which it does for reading and writing each file."""
    bars = require("transformers.utils.logging", "local")
    shown = bars.is_progress_bar_enabled()
    if shown:
        bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _has_modules(source: Source) -> bool:
    files = require("sentence_transformers.util", "local")
    return bool(
        files.is_sentence_transformer_model(
            source.name, revision=source.revision, local_files_only=source.local_files_only
        )
    )


def looks_like_path(text: str) -> bool:
    """Hub names are `name` or `owner/name`; anything else that is not there is a lost path."""
    return (
        text.startswith((".", "~", "/"))
        or text.count("/") > 1
        or "\\" in text
        or Path(text).is_absolute()
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
