"""What a collection remembers of its embeddings, and how they are found again from that."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.chroma.stored_config import FORMAT, Config, checked
from langchain_chroma_hybrid.embeddings.chroma.trust import (
    NOBODY,
    TrustedModels,
    require_trust,
    trust_exactly,
)
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.text.fingerprint import folder_signature
from langchain_chroma_hybrid.embeddings.text.safe_files import check_folder
from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

OnChange: TypeAlias = Literal["warn", "raise"]
_Rebuildable: TypeAlias = SentenceTransformerEmbeddings | MultimodalEmbeddings

_SPACES = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}
_CLASSES: dict[str, type[_Rebuildable]] = {
    "sentence_transformer": SentenceTransformerEmbeddings,
    "multimodal": MultimodalEmbeddings,
}
_KEPT = 4  # rebuilt models that stay loaded
# Belongs to a machine or to a person's decision, not into a database.
_NOT_STORED = ("device", "local_files_only", "safetensors_only", "show_progress")
# What reading would refuse must not be written either, unless it is what everybody has.
_NEVER_STORED = ("trust_remote_code", "model_kwargs")
_log = logging.getLogger(__name__)
_lock = threading.RLock()
_provided: dict[str, Embeddings] = {}
_rebuilt: OrderedDict[str, _Rebuildable] = OrderedDict()


@known_keywords
def provide(name: str, embeddings: Embeddings) -> None:
    """Say what collections mean, in this process, that remember their embeddings as `name`.

    For embeddings that are code: `to_chroma(embeddings, name=name)` made the collection. A second
    call replaces the first.

    Raises:
        InvalidArgumentError: an empty name, or not LangChain embeddings.
    """
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError.of("name", name, "a non-empty string")
    if not isinstance(embeddings, Embeddings):
        raise InvalidArgumentError.of("embeddings", embeddings, "LangChain Embeddings")
    with _lock:
        _provided[name] = embeddings


def describe(
    embeddings: Embeddings,
    name: str | None = None,
    space: str | None = None,
    on_change: OnChange = "warn",
) -> Config:
    """The JSON values from which `find` rebuilds. Loads a model, for its fingerprint and distance.

    This process may load the model again by what is described here.

    Raises:
        InvalidArgumentError: a model that no collection may name: one with code of its own, with
            `model_kwargs`, or with pickles for weights.
    """
    config: Config = {"format": FORMAT, "kind": "named", "name": name, "space": space or "cosine"}
    model = embeddings.text if isinstance(embeddings, MultimodalEmbeddings) else embeddings
    if name is not None or not isinstance(model, SentenceTransformerEmbeddings):
        return config
    # An empty name is a model that was handed over loaded.
    if not model.source.name or getattr(embeddings, "image_source", None) == "":
        return config
    embeddings = cast("_Rebuildable", embeddings)
    options = _model_options(embeddings)
    own = _SPACES.get(model.model.similarity_fn_name, "cosine")
    config |= {"kind": _kind(embeddings), "space": space or own, "on_change": on_change}
    config = checked(config | {"fingerprint": embeddings.fingerprint, "model": options})
    for source, revision in _sources(config["model"]):
        _check_nameable(source)
        trust_exactly(source, revision)
    return config


def find(config: Config, trusted: TrustedModels = NOBODY) -> Embeddings:
    """The embeddings that `config` stands for, here and now.

    Models stay loaded from one call to the next, until somebody saves other files in their folder.

    Args:
        config: what a collection has stored, by whomever.
        trusted: models that may be loaded, beside those that the whole process trusts.

    Raises:
        EmbeddingError: `config` holds what none may hold, a model that nobody here trusts, or a
            name under which nothing was provided; or the model is another one and the collection
            was made with `on_change="raise"`.
        InvalidArgumentError: the model is not there any more, or it is one that would run code.
    """
    config = checked(config)
    if config["kind"] in _CLASSES:
        return _rebuild(config, trusted)
    name = config.get("name")
    with _lock:
        found = _provided.get(name or "")
    if found is None:
        raise EmbeddingError(
            "this collection was made with embeddings that are code, remembered as "
            f"{name!r}: call provide({name or 'name'!r}, embeddings), or open "
            "the collection with embedding_function=to_chroma(embeddings)"
        )
    return found


def load_stored(kind: str, model: Config, trusted: TrustedModels) -> _Rebuildable:
    """The embeddings of a model that only a database names, loaded once; from files without code.

    Raises:
        EmbeddingError: nobody here trusts it.
        InvalidArgumentError: there is no such model, or it is one that would run code.
    """
    sources = _sources(model)
    for name, revision in sources:
        require_trust(name, revision, trusted)
    folders = [name for name, _ in sources if Path(name).is_dir()]
    relative = [name for name in folders if not Path(name).is_absolute()]
    if relative:
        raise EmbeddingError.of("model", relative[0], "a Hub name; here is a folder of that name")
    key = json.dumps([kind, model, [*map(folder_signature, folders)]], sort_keys=True)
    with _lock:
        found = _rebuilt.get(key)
        if found is None:
            found = _CLASSES[kind](**model, safetensors_only=True)
            _rebuilt[key] = found
        _rebuilt.move_to_end(key)
        while len(_rebuilt) > _KEPT:
            _rebuilt.popitem(last=False)
    return found


def _kind(embeddings: _Rebuildable) -> str:
    return next(kind for kind, its in _CLASSES.items() if isinstance(embeddings, its))


def _model_options(embeddings: _Rebuildable) -> Config:
    """What loads the model again elsewhere; options that reading would refuse are refused here."""
    if isinstance(embeddings, MultimodalEmbeddings):
        options = _model_options(cast("SentenceTransformerEmbeddings", embeddings.text))
        own = {"normalize": embeddings.normalize, "image_model": embeddings.image_source}
        return options | own
    source, options = asdict(embeddings.source), asdict(embeddings.options)
    for name in _NEVER_STORED:
        if value := source.pop(name):
            expected = "none for a model that a collection may name, or give `name`"
            raise InvalidArgumentError.of(name, value, expected)
    options |= {"backend": embeddings.backend, "quantize": embeddings.quantize}
    stored = {"model": source.pop("name")} | source | options
    return {key: stored[key] for key in stored if key not in _NOT_STORED}


def _sources(model: Config) -> list[tuple[str, str | None]]:
    """Name and revision of each model that the options name."""
    images = model.get("image_model")
    return [(model["model"], model.get("revision")), *([(images, None)] if images else [])]


def _check_nameable(name: str) -> None:
    if not Path(name).is_absolute():
        return  # what the Hub has is seen when it is loaded
    try:
        check_folder(Path(name))
    except InvalidArgumentError as error:
        message = f"{error}, for a model that a collection may name; or give `name`"
        raise InvalidArgumentError(message) from error


def _rebuild(config: Config, trusted: TrustedModels) -> _Rebuildable:
    found = load_stored(config["kind"], config["model"], trusted)
    with _lock:
        _note_change(config, str(found.fingerprint))
    return found


def _note_change(config: Mapping[str, Any], now: str) -> None:
    """Where the model's fingerprint has changed, warn once or raise, as `on_change` says."""
    made_with = config["fingerprint"]
    if now == made_with:
        return
    model = config["model"]["model"]
    message = (
        f"the model at {model} (fingerprint {now}) is not the one that this collection was made "
        f"with ({made_with}): old and new vectors do not belong together, embed the documents again"
    )
    if config["on_change"] == "raise":
        raise EmbeddingError(message)
    _warn_once(message)


@lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    _log.warning("%s", message)
