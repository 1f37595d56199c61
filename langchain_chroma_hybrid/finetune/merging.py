"""Weights between two models of one shape: what fine-tuning gained, with less of what it forgot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.workspace import Workspace

if TYPE_CHECKING:
    import os


@known_keywords
def merge_models(
    base: str | os.PathLike[str] | SentenceTransformerEmbeddings,
    tuned: str | os.PathLike[str] | SentenceTransformerEmbeddings,
    output: str | os.PathLike[str],
    *,
    weight: float = 0.5,
) -> SentenceTransformerEmbeddings:
    """Save the model between both (Wortsman et al., WiSE-FT, arXiv 2109.01903).

    Args:
        base: what was trained.
        tuned: what came out.
        output: folder of the new model; it must not be there.
        weight: share of `tuned`, 0..1; choose it on dev queries.

    Raises:
        InvalidArgumentError: models of different shape, or the folder is there.
    """
    number("weight", weight, 0.0, 1.0)
    # Loaded anew, since the weights are changed in place.
    model, other = (_opened(each).model for each in (tuned, base))
    new, old = model.state_dict(), other.state_dict()
    if new.keys() != old.keys() or any(new[name].shape != old[name].shape for name in new):
        raise InvalidArgumentError.of("tuned", "another shape", "a model trained from base")
    for name, tensor in new.items():
        if tensor.is_floating_point():
            tensor.lerp_(old[name].to(tensor.device, tensor.dtype), 1.0 - weight)
    notes = {"merged": weight, "fingerprint": SentenceTransformerEmbeddings(model).fingerprint}
    place = Workspace(output, notes)
    with place.held():
        if place.finished() is None:
            place.begin(restart=True)
            place.complete(lambda folder: model.save(str(folder), create_model_card=False), notes)
    return SentenceTransformerEmbeddings(place.output)


def _opened(
    model: str | os.PathLike[str] | SentenceTransformerEmbeddings,
) -> SentenceTransformerEmbeddings:
    """The model by its name, never one that is in use."""
    name = getattr(model, "model_name", model)
    if isinstance(name, str | Path) and str(name):
        return SentenceTransformerEmbeddings(name)
    raise InvalidArgumentError.of("base, tuned", model, "a Hub name, a folder or embeddings of one")
