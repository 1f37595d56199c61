"""Which loss suits the data, and the columns that it reads; all are Sentence Transformers' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.validate import one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer

    from langchain_chroma_hybrid.finetune.data import TrainingData

RANKING = ("multiple_negatives", "cached_multiple_negatives")
_BY_KIND = {
    "scored": ("cosine", "contrastive", "online_contrastive"),
    "pairs": RANKING,
    "triplets": (*RANKING, "triplet"),
}
_CLASSES = {
    "multiple_negatives": "MultipleNegativesRankingLoss",
    "cached_multiple_negatives": "CachedMultipleNegativesRankingLoss",
    "cosine": "CosineSimilarityLoss",
    "contrastive": "ContrastiveLoss",
    "online_contrastive": "OnlineContrastiveLoss",
    "triplet": "TripletLoss",
}
LOSSES = ("auto", *_CLASSES)


def chosen(loss: str, data: TrainingData) -> str:
    """The loss that is meant: by `auto` one that suits the data.

    Scores that are all 0 or 1 take `online_contrastive`, others `cosine`; all else
    `multiple_negatives`, for which the other texts of a batch are negatives, too.

    Raises:
        InvalidArgumentError: an unknown loss, or one that cannot use such data.
    """
    one_of("loss", loss, LOSSES)
    fitting = _BY_KIND[data.kind]
    if loss == "auto":
        yes_or_no = {example.score for example in data.examples} == {0.0, 1.0}
        return "online_contrastive" if data.kind == "scored" and yes_or_no else fitting[0]
    if loss not in fitting:
        expected = f"one for {data.kind}: {', '.join(fitting)}"
        raise InvalidArgumentError.of("loss", loss, expected)
    binary = loss.endswith("contrastive")
    if binary and not {example.score for example in data.examples} <= {0.0, 1.0}:
        raise InvalidArgumentError.of("loss", loss, "'cosine' for scores between 0 and 1")
    return loss


def built(
    name: str,
    model: SentenceTransformer,
    matryoshka: Sequence[int] | None,
    mini_batch_size: int,
) -> Any:
    """The loss over `model`, inside a Matryoshka loss where dimensions are given."""
    losses = require("sentence_transformers.sentence_transformer.losses", "local")
    options = {"mini_batch_size": mini_batch_size} if name.startswith("cached") else {}
    loss = getattr(losses, _CLASSES[name])(model, **options)
    if matryoshka is None:
        return loss
    full = model.get_embedding_dimension() or 0
    if not matryoshka or any(not 1 <= size <= full for size in matryoshka):
        raise InvalidArgumentError.of("matryoshka", matryoshka, f"dimensions from 1 to {full}")
    return losses.MatryoshkaLoss(model, loss, sorted(matryoshka, reverse=True))


def columns(data: TrainingData, loss: str) -> dict[str, list[Any]]:
    """What the loss reads, by column; with `triplet` a row for each negative."""
    rows = data.examples
    found: dict[str, list[Any]] = {"anchor": [row.query for row in rows]}
    found["positive"] = [row.text for row in rows]
    if data.kind == "scored":
        return {**found, "label": [float(row.score or 0.0) for row in rows]}
    if data.kind == "pairs":
        return found
    if loss == "triplet":
        triplets = [(row.query, row.text, text) for row in rows for text in row.negatives]
        names = ("anchor", "positive", "negative")
        return dict(zip(names, map(list, zip(*triplets, strict=True)), strict=True))
    # Every row has as many: the hardest again where there are fewer.
    most = max(len(row.negatives) for row in rows)
    padded = [(row.negatives * most)[:most] for row in rows]
    return found | {f"negative_{n}": [row[n] for row in padded] for n in range(most)}
