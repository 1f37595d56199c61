"""Which model is this? Equal digests mean vectors that belong together, wherever the files lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 1
_PER_CALL = ("truncation", "padding")
_INCIDENTAL = frozenset({"_name_or_path", "transformers_version"})  # where from and saved by whom


def model_digest(model: SentenceTransformer) -> str:
    """32 hex digits over weights, tokenizer and module settings.

    Reads what is loaded, not the files: it is the same for a folder that was moved, and new for a
    model that was retrained under the same path. Costs about 1 s per GB of weights.
    """
    digest = hashlib.sha256(f"langchain-chroma-hybrid/{FORMAT}".encode())
    for name, module in model.named_children():
        digest.update(_canonical([name, type(module).__qualname__, _settings(module)]))
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(_canonical([name, str(tensor.dtype), list(tensor.shape)]))
        digest.update(_bytes(tensor))
    digest.update(_tokenizer(model))
    return digest.hexdigest()[:32]


def fingerprint(digest: str, **options: object) -> str:
    """32 hex digits over a model and the options that change its document vectors."""
    return hashlib.sha256(_canonical([digest, options])).hexdigest()[:32]


def folder_signature(folder: str) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of each file: changes when a model is saved there. Reads no file."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    stats = [(str(path.relative_to(root)), path.stat()) for path in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _settings(module: Any) -> object:
    """What decides the module's output beside its weights."""
    described = module.get_config_dict() if hasattr(module, "get_config_dict") else repr(module)
    config = getattr(getattr(module, "auto_model", None), "config", None)
    kept = config.to_dict() if config is not None else {}
    return [described, {key: kept[key] for key in kept if key not in _INCIDENTAL}]


def _tokenizer(model: SentenceTransformer) -> bytes:
    """Vocabulary and rules, without the cut and the padding that each call sets anew."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    backend: Any = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(backend, "to_str"):
        state = json.loads(backend.to_str())
        return _canonical([state[key] for key in sorted(state) if key not in _PER_CALL])
    return _canonical(sorted(backend.get_vocab().items())) if hasattr(backend, "get_vocab") else b""


def _bytes(tensor: Any) -> Any:
    torch = require("torch", "local")
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
