"""A model between two others."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")

from langchain_chroma_hybrid import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import merge_models
from tests.tiny_models import save_sentence_transformer


def test_the_ends_are_the_models_and_the_middle_is_neither(tmp_path):
    base, tuned = (save_sentence_transformer(tmp_path / name, seed)
                   for seed, name in enumerate(("base", "tuned")))  # fmt: skip
    vectors = {
        weight: merge_models(base, tuned, tmp_path / str(weight), weight=weight).query_vector("abc")
        for weight in (0.0, 0.5, 1.0)
    }
    for weight, folder in ((0.0, base), (1.0, tuned)):
        own = SentenceTransformerEmbeddings(folder).query_vector("abc")
        assert np.allclose(vectors[weight], own, atol=1e-6)
        assert not np.allclose(vectors[0.5], own, atol=1e-3)
    with pytest.raises(InvalidArgumentError, match=r"^output: "):
        merge_models(base, tuned, tmp_path / "0.5", weight=0.4)
    with pytest.raises(InvalidArgumentError, match=r"^weight: "):
        merge_models(base, tuned, tmp_path / "new", weight=1.5)
