"""Whether the files of a model can run code: those of a stranger's model must not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

# What is fetched: weights, descriptions, vocabularies; neither pickles nor code.
_DATA = [f"*.{kind}" for kind in ("safetensors", "json", "txt", "model", "tiktoken", "jinja", "md")]
# A module's class is imported from its dotted path and its `load` called: whatever else of the
# library has a `load`, or takes options such as `trust_remote_code` from a file, is none.
_MODULE = re.compile(
    r"sentence_transformers\.(?:\w+\.)*(?:Asym|BoW|CLIPModel|CNN|Dense|Dropout|LayerNorm|LSTM|"
    r"Normalize|Pooling|Router|StaticEmbedding|Transformer|WeightedLayerPooling|WordEmbeddings|"
    r"WordWeights)"
)
_SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_DEPTH = 8  # routers within routers


def check_folder(folder: Path) -> None:
    """Refuse a model folder that is not data alone; at damaged files, raise whatever comes.

    Raises:
        InvalidArgumentError: its weights are pickles, it has modules that are not Sentence
            Transformers' own, or it adapts a model that lies elsewhere.
    """
    _check_weights(folder)
    for module in _json(folder / "modules.json"):
        _check_module(folder, module["path"], module["type"])


def download(name: str, revision: str | None, *, local_files_only: bool) -> str:
    """The folder of a Hub model without its pickles; a folder of that name here is none."""
    hub = require("huggingface_hub", "local")
    util = require("sentence_transformers.util.misc", "local")
    whole = "/" in name or name.lower() in util.ORIGINAL_TRANSFORMER_MODELS
    found: str = hub.snapshot_download(
        name if whole else f"sentence-transformers/{name}",
        revision=revision,
        local_files_only=local_files_only,
        allow_patterns=_DATA,
    )
    return found


def _check_module(folder: Path, below: str, kind: str, depth: int = 0) -> None:
    """Refuse a module that is not the library's own, or pickled; a router's parts as well."""
    here = folder / below
    if not _MODULE.fullmatch(kind) or depth > _DEPTH:
        raise InvalidArgumentError.of(
            "model", f"{folder} with a module {kind!r}", "modules of Sentence Transformers alone"
        )
    _check_weights(here)
    for name in ("router_config.json", "config.json"):
        types = _json(here / name).get("types", {}) if kind.endswith(("Router", "Asym")) else {}
        for part, its_kind in types.items():
            _check_module(folder, f"{below}/{part}" if below else part, its_kind, depth + 1)


def _check_weights(folder: Path) -> None:
    """What is loaded where both are there is the safetensors file."""
    pickled = [*folder.glob("pytorch_model*")]
    if pickled and not any((folder / name).is_file() for name in _SAFE_WEIGHTS):
        raise InvalidArgumentError.of("model", str(pickled[0]), "weights in a safetensors file")
    shards = _json(folder / "model.safetensors.index.json").get("weight_map", {})
    for shard in shards.values():
        if not shard.endswith(".safetensors"):
            raise InvalidArgumentError.of("model", f"{folder} with {shard!r}", "safetensors files")
    if (folder / "adapter_config.json").is_file():
        raise InvalidArgumentError.of("model", str(folder), "a whole model, not one that adapts")


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
