"""What a collection remembers of its embeddings, and how they are found again from that."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid.embeddings.fingerprint import folder_signature
from langchain_chroma_hybrid.embeddings.multimodal import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.sentence_transformer import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

OnChange: TypeAlias = Literal["warn", "raise"]
Config: TypeAlias = dict[str, Any]
_Rebuildable: TypeAlias = SentenceTransformerEmbeddings | MultimodalEmbeddings

FORMAT = 1
_SPACES = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}
_CLASSES: dict[str, type[_Rebuildable]] = {
    "sentence_transformer": SentenceTransformerEmbeddings,
    "multimodal": MultimodalEmbeddings,
}
_KEPT = 4  # rebuilt models that stay loaded
# Belongs to a machine or to a person's decision, not into a database.
_NOT_STORED = ("device", "trust_remote_code", "local_files_only", "show_progress")
_log = logging.getLogger(__name__)
_lock = threading.RLock()
_provided: dict[str, Embeddings] = {}
_rebuilt: OrderedDict[str, _Rebuildable] = OrderedDict()


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

    Raises:
        InvalidArgumentError: `model_kwargs` that JSON cannot hold.
    """
    config: Config = {"format": FORMAT, "kind": "named", "name": name, "space": space or "cosine"}
    model = embeddings.text if isinstance(embeddings, MultimodalEmbeddings) else embeddings
    if name is not None or not isinstance(model, SentenceTransformerEmbeddings):
        return config
    # An empty name is a model that was handed over loaded.
    if not model.source.name or getattr(embeddings, "image_source", None) == "":
        return config
    embeddings = cast("_Rebuildable", embeddings)
    own = _SPACES.get(model.model.similarity_fn_name, "cosine")
    config |= {"kind": _kind(embeddings), "space": space or own, "on_change": on_change}
    config["fingerprint"] = embeddings.fingerprint
    config["model"] = _model_options(embeddings)
    try:
        return config | {"model": json.loads(json.dumps(config["model"]))}
    except TypeError as error:
        raise InvalidArgumentError.of(
            "model_kwargs", dict(model.source.model_kwargs), "JSON values, or give `name`"
        ) from error


def find(config: Config) -> Embeddings:
    """The embeddings that `config` stands for, here and now.

    Models stay loaded from one call to the next, until somebody saves other files in their folder.

    Raises:
        EmbeddingError: nothing was provided under that name, or the model is another one and the
            collection was made with `on_change="raise"`.
        InvalidArgumentError: the model is not there any more.
    """
    if config["kind"] in _CLASSES:
        return _rebuild(config)
    with _lock:
        found = _provided.get(config["name"])
    if found is None:
        raise EmbeddingError(
            "this collection was made with embeddings that are code, remembered as "
            f"{config['name']!r}: call provide({config['name'] or 'name'!r}, embeddings), or open "
            "the collection with embedding_function=to_chroma(embeddings)"
        )
    return found


def _kind(embeddings: _Rebuildable) -> str:
    return next(kind for kind, its in _CLASSES.items() if isinstance(embeddings, its))


def _model_options(embeddings: _Rebuildable) -> Config:
    if isinstance(embeddings, MultimodalEmbeddings):
        options = _model_options(cast("SentenceTransformerEmbeddings", embeddings.text))
        own = {"normalize": embeddings.normalize, "image_model": embeddings.image_source}
        return options | own
    source, options = asdict(embeddings.source), asdict(embeddings.options)
    options |= {"backend": embeddings.backend, "quantize": embeddings.quantize}
    stored = {"model": source.pop("name")} | source | options
    return {key: stored[key] for key in stored if key not in _NOT_STORED}


def _rebuild(config: Config) -> _Rebuildable:
    named = (config["model"]["model"], config["model"].get("image_model"))
    files = [folder_signature(name) for name in named if name is not None and Path(name).is_dir()]
    key = json.dumps([config["model"], files], sort_keys=True)
    with _lock:
        found = _rebuilt.get(key)
        if found is None:
            found = _CLASSES[config["kind"]](**config["model"])
            _note_change(config, str(found.fingerprint))
            _rebuilt[key] = found
        _rebuilt.move_to_end(key)
        while len(_rebuilt) > _KEPT:
            _rebuilt.popitem(last=False)
    return found


def _note_change(config: Mapping[str, Any], now: str) -> None:
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
    _log.warning("%s", message)
