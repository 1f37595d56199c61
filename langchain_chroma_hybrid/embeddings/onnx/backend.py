"""The transformer of a model through onnxruntime; prompts, pooling and the rest stay."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.onnx.export import OUTPUT, exported
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import torch
    from sentence_transformers import SentenceTransformer
else:
    torch = require("torch", "onnx")


def convert(
    model: SentenceTransformer,
    digest: str,
    *,
    quantize: bool = True,
    folder: str | os.PathLike[str] | None = None,
    query_threads: int | None = 1,
) -> SentenceTransformer:
    """A copy of `model` whose transformer runs in onnxruntime, on the CPU; `model` stays as it is.

    The first conversion of a model takes seconds to minutes, later ones load its file.

    Args:
        model: a model whose first module is a text transformer.
        digest: see `fingerprint.model_digest`.
        quantize: int8 instead of float32.
        folder: see `onnx_export.exported`.
        query_threads: threads for one text; None means onnxruntime's default.

    Raises:
        InvalidArgumentError: the model has no such transformer, or it cannot be exported.
        MissingDependencyError: the extra `onnx` is not installed.
    """
    require("onnxruntime", "onnx")
    first: Any = next(iter(model.children()))
    if not _is_text_transformer(first):
        wanted = f"'torch' for a model that begins with {type(first).__name__}"
        raise InvalidArgumentError.of("backend", "onnx", wanted)
    path = exported(model, digest, quantize=quantize, folder=folder)
    return _with_network(model, _OnnxNetwork(path, first.auto_model.config, query_threads))


class _OnnxNetwork(torch.nn.Module):
    """Stands where the torch network stood. One text and batches have a session each.

    More threads than one make a single short text slower as soon as the machine is busy.
    """

    def __init__(self, path: Path, config: Any, query_threads: int | None) -> None:
        super().__init__()
        self.config = config
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        self._path = path
        self._threads = query_threads
        self._one: Any = None
        self._many: Any = None
        self._lock = threading.Lock()

    def forward(self, **features: Any) -> dict[str, Any]:
        """Token vectors `(n, tokens, d)` under `last_hidden_state`."""
        session = self._session(single=len(features["input_ids"]) == 1)
        names = [given.name for given in session.get_inputs()]
        (tokens,) = session.run([OUTPUT], {name: features[name].numpy() for name in names})
        return {OUTPUT: torch.from_numpy(tokens)}

    def _session(self, *, single: bool) -> Any:
        with self._lock:
            if single:
                self._one = self._one or self._open(self._threads)
                return self._one
            self._many = self._many or self._open(None)
            return self._many

    def _open(self, threads: int | None) -> Any:
        runtime = require("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return runtime.InferenceSession(
            str(self._path), options, providers=["CPUExecutionProvider"]
        )


def _is_text_transformer(module: Any) -> bool:
    text = getattr(module, "modality_config", {}).get("text", {})
    return (
        text.get("method") == "forward"
        and text.get("method_output_name") == OUTPUT
        and hasattr(module, "auto_model")
    )


def _with_network(model: SentenceTransformer, network: Any) -> SentenceTransformer:
    """Shallow copies with one part exchanged: what else hangs on a model comes along."""
    name, transformer = next(iter(model.named_children()))
    twin: SentenceTransformer = _replaced(model, name, _replaced(transformer, "model", network))
    return twin


def _replaced(module: Any, name: str, part: Any) -> Any:
    """As torch shares the table of parts between shallow copies, so the copy gets its own."""
    twin = copy.copy(module)
    twin.__dict__["_modules"] = dict(module.named_children()) | {name: part}
    return twin
