"""A model's transformer as an ONNX file, written once and kept.

Written with `torch.onnx.export` and quantised by onnxruntime's dynamic int8: weights in int8,
activations quantised as they come, sums in float32.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from langchain_chroma_hybrid._files import user_cache
from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os

    import torch
    from sentence_transformers import SentenceTransformer
else:
    torch = require("torch", "onnx")

FORMAT = 1
OUTPUT = "last_hidden_state"
_FILE = "model.onnx"
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OPSET = 18
# The exporter folds constants and infers shapes. Without this note that it was done, onnxruntime
# tells the root logger that it should be.
_PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
_PROTOBUF_LIMIT = 1_500_000_000  # bytes; a file may hold 2 GB, so weights go beside it well before


def exported(
    model: SentenceTransformer,
    digest: str,
    *,
    quantize: bool,
    folder: str | os.PathLike[str] | None,
) -> Path:
    """The ONNX file of the model's transformer, made if it is not there yet.

    Processes that want the same file wait for each other; it appears whole or not at all.

    Args:
        model: a model whose first module is a text transformer.
        digest: names the file; see `fingerprint.model_digest`.
        quantize: int8 instead of float32.
        folder: None means `langchain-chroma-hybrid/onnx` in the user's cache folder.

    Raises:
        InvalidArgumentError: the network cannot be exported.
        MissingDependencyError: the extra `onnx` is not installed.
    """
    home = Path(folder) if folder else user_cache() / "onnx"
    path = home.expanduser() / f"{digest}-{FORMAT}-{'int8' if quantize else 'float32'}"
    if not (path / _FILE).exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not (path / _FILE).exists():
                _write(model, path, quantize=quantize)
    return path / _FILE


def _write(model: SentenceTransformer, path: Path, *, quantize: bool) -> None:
    """Make the folder `path`: in a temporary one beside it, which is then renamed."""
    prefix = f".{path.name}-"
    for left_by_a_killed_process in path.parent.glob(f"{prefix}*"):
        shutil.rmtree(left_by_a_killed_process, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix) as scratch:
        full, ready = Path(scratch) / "float32", Path(scratch) / "ready"
        full.mkdir()
        ready.mkdir()
        try:
            _export(model, full / _FILE)
        except (RuntimeError, TypeError, ValueError) as error:
            message = f"'torch': this model's network cannot be exported ({type(error).__name__})"
            raise InvalidArgumentError.of("backend", "onnx", message) from error
        if quantize:
            _quantize(full / _FILE, ready / _FILE)
        else:
            shutil.rmtree(ready)
            ready = full
        shutil.rmtree(path, ignore_errors=True)  # without its file: a folder nobody completed
        ready.rename(path)


def _export(model: SentenceTransformer, path: Path) -> None:
    """Write the network in float32, for any number of texts of any length."""
    require("onnxscript", "onnx")
    network = _float32(next(iter(model.children())))
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        features = model.preprocess(["one text to trace", "another"])
        names = [name for name in _INPUTS if name in features]
        batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
        program: Any = torch.onnx.export(
            _TokenVectors(network, names).eval(),
            tuple(features[name].to(network.device) for name in names),
            dynamo=True,
            opset_version=_OPSET,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_shapes=((*[{0: batch, 1: tokens} for _ in names],),),
            verbose=False,
        )
        program.model.metadata_props.update(_PREPARED)
        program.save(path, external_data=_weight_bytes(network) > _PROTOBUF_LIMIT)


class _TokenVectors(torch.nn.Module):
    """The network as a function of tensors in a fixed order."""

    def __init__(self, network: Any, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self._names = names

    def forward(self, *tensors: Any) -> Any:
        """Token vectors `(n, tokens, d)`."""
        features = dict(zip(self._names, tensors, strict=True))
        return self.network(**features, return_dict=True)[OUTPUT]


def _quantize(source: Path, target: Path) -> None:
    """Write the network anew with 8-bit weights; activations are quantized while it runs."""
    quantization = require("onnxruntime.quantization", "onnx")
    quantization.quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
        use_external_data_format=source.with_suffix(".onnx.data").exists(),
    )


def _float32(transformer: Any) -> Any:
    network = transformer.auto_model
    return network if network.dtype == torch.float32 else copy.deepcopy(network).float()


def _weight_bytes(network: Any) -> int:
    return sum(tensor.nbytes for tensor in network.state_dict().values())
