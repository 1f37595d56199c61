"""How good a model is on the dev queries while it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from langchain_chroma_hybrid.finetune.data import TrainingData

_OTHERS = 1_000  # texts of the training data that the answers have to be found among


class Validation:
    """An evaluator of Sentence Transformers' over the dev data.

    With scores, the rank correlation of cosines and scores; else nDCG@10 of the answers, among
    those of other dev queries and some texts of the training data.

    Attributes:
        evaluator: for the trainer.
        measure: what it is called.
        key: the name under which the trainer knows it.
    """

    def __init__(self, dev: TrainingData, train: TrainingData) -> None:
        kinds = require("sentence_transformers.sentence_transformer.evaluation", "local")
        rows = dev.examples
        if dev.kind == "scored":
            if len({row.score for row in rows}) == 1:
                raise InvalidArgumentError.of("dev", rows[0].score, "scores that are not all alike")
            self.measure = "spearman_cosine"
            self.evaluator: Any = kinds.EmbeddingSimilarityEvaluator(
                [row.query for row in rows], [row.text for row in rows],
                [row.score for row in rows], main_similarity="cosine", name="dev",
            )  # fmt: skip
        else:
            self.measure = "cosine_ndcg@10"
            cosine = require("sentence_transformers.util", "local").cos_sim
            self.evaluator = kinds.InformationRetrievalEvaluator(
                *_collection(dev, train), name="dev", score_functions={"cosine": cosine},
                main_score_function="cosine", write_csv=False,
            )  # fmt: skip
        self.key = f"eval_dev_{self.measure}"

    def value(self, model: SentenceTransformer) -> float:
        """The measure of a model, higher is better."""
        return round(float(self.evaluator(model)[f"dev_{self.measure}"]), 4)


def _collection(
    dev: TrainingData, train: TrainingData
) -> tuple[dict[str, str], dict[str, str], dict[str, set[str]]]:
    """Queries, texts, and the texts that answer each query; a text is its own id."""
    answers: dict[str, set[str]] = {}
    for row in dev.examples:
        answers.setdefault(row.query, set()).add(row.text)
    others = list(dict.fromkeys(row.text for row in train.examples))
    drawn = np.random.default_rng(0).permutation(len(others))[:_OTHERS]
    texts = {text: text for texts in answers.values() for text in texts}
    texts |= {others[place]: others[place] for place in drawn}
    return {query: query for query in answers}, texts, answers
