"""Training the layer of `AdaptedEmbeddings` on vectors alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number, one_of
from langchain_chroma_hybrid.embeddings.base import check_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.adapter import AdaptedEmbeddings
from langchain_chroma_hybrid.finetune.data import check_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

    from langchain_chroma_hybrid.finetune.data import TrainingData

_SCALE = 20.0  # of cosines in the softmax, as Sentence Transformers'
_DECAY = 0.1  # draws the layer to nothing at all, and the query to where it was
_SOME = 64


@known_keywords
def train_adapter(
    embeddings: Embeddings,
    data: TrainingData,
    *,
    dev: TrainingData | None = None,
    kind: Literal["linear", "mlp"] = "linear",
    hidden: int = 128,
    epochs: int = 30,
    batch_size: int = 128,
    learning_rate: float = 3e-4,
    patience: int = 5,
    seed: int = 0,
    vectors: Mapping[str, Sequence[float]] | None = None,
) -> AdaptedEmbeddings:
    """Learn a layer for query vectors; each text is embedded once, and the model stays as it is.

    The other answers of a batch count as wrong (multiple negatives ranking), and so do the
    example's own negatives. The same seed gives the same layer on the same machine.

    Args:
        embeddings: what has embedded the collection.
        data: pairs or triplets.
        dev: data of other queries; the epoch that is best on them (nDCG@10 among their answers and
            those of `data`) is kept, and training stops when none was better for `patience` epochs.
            What does no better than no layer at all comes back as no layer.
        kind: `linear` or `mlp`.
        hidden: width of the `mlp`.
        epochs: at most.
        batch_size: examples of a step.
        learning_rate: of AdamW.
        patience: see `dev`.
        seed: of order and new weights.
        vectors: of texts that have been embedded, such as those in the collection, by text.

    Raises:
        InvalidArgumentError: too little data, or scored pairs.
    """
    one_of("kind", kind, ("linear", "mlp"))
    sizes = {"hidden": hidden, "epochs": epochs, "batch_size": batch_size, "patience": patience}
    for name, size in sizes.items():
        positive(name, size)
    number("learning_rate", learning_rate, 0.0, 1.0)
    for part, given in (("data", data), ("dev", dev)):
        if given is not None and given.kind == "scored":
            raise InvalidArgumentError.of(part, "scored", "pairs or triplets")
    data.check()
    if dev is not None:
        check_apart(data, dev)
    known = dict(vectors or {})
    train = _Vectors(embeddings, data, known)
    held = None if dev is None else _Vectors(embeddings, dev, known)
    layer = _Layer(embeddings, train.size, kind, hidden, seed)
    if held is None:
        for order in _orders(epochs, len(data), seed):
            layer.learn(train, order, batch_size, learning_rate)
        return layer.embeddings()
    best, waited = layer.embeddings(), 0
    best_value = held.value(best, train)
    for order in _orders(epochs, len(data), seed):
        layer.learn(train, order, batch_size, learning_rate)
        value = held.value(layer.embeddings(), train)
        waited = 0 if value > best_value else waited + 1
        if value > best_value:
            best, best_value = layer.embeddings(), value
        if waited >= patience:
            break
    return best


class _Vectors:
    """The vectors of the data: queries and answers `(n, d)`, negatives `(m, d)` by example."""

    def __init__(self, model: Embeddings, data: TrainingData, known: dict[str, Any]) -> None:
        rows = data.examples
        texts = dict.fromkeys(t for row in rows for t in (row.text, *row.negatives))
        new = [text for text in texts if text not in known]
        for start in range(0, len(new), _SOME):
            some = new[start : start + _SOME]
            known |= dict(zip(some, model.embed_documents(some), strict=True))
        queries = {q: model.embed_query(q) for q in dict.fromkeys(row.query for row in rows)}
        self.queries = _unit([queries[row.query] for row in rows])
        self.answers = _unit([known[row.text] for row in rows])
        self.names = [row.text for row in rows]
        places = {text: place for place, text in enumerate(dict.fromkeys(self.names))}
        self.text_numbers = np.array([places[text] for text in self.names])
        most = max((len(row.negatives) for row in rows), default=0)
        self.negatives = [
            _unit([known[(row.negatives * most)[n] if row.negatives else row.text] for row in rows])
            for n in range(most)
        ]
        self.size = self.queries.shape[1]

    def value(self, model: AdaptedEmbeddings, others: _Vectors) -> float:
        """nDCG@10 of the first answer of each query, among all answers."""
        answers = {text: v for part in (self, others)
                   for text, v in zip(part.names, part.answers, strict=True)}  # fmt: skip
        places = {text: place for place, text in enumerate(answers)}
        cosines = model.moved(self.queries) @ np.stack(list(answers.values())).T
        own = np.array([places[text] for text in self.names])
        scores = cosines[np.arange(len(own)), own]
        ranks = 1 + (cosines > scores[:, None]).sum(axis=1)
        return float(np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0).mean())  # noqa: PLR2004  # of nDCG@10


class _Layer:
    """The layer in torch while it learns."""

    def __init__(self, base: Embeddings, size: int, kind: str, hidden: int, seed: int) -> None:
        torch = require("torch", "local")
        random = torch.Generator().manual_seed(seed)
        # It begins as no change at all.
        self._weights = {"linear": torch.zeros(size, size)}
        if kind == "mlp":
            inner = torch.randn(hidden, size, generator=random) / size**0.5
            self._weights = {"inner": inner, "inner_bias": torch.zeros(hidden),
                             "outer": torch.zeros(size, hidden)}  # fmt: skip
        for weight in self._weights.values():
            weight.requires_grad_()
        self._base, self._torch = base, torch
        self._optimizer: Any = None

    def embeddings(self) -> AdaptedEmbeddings:
        """The layer as it is now."""
        weights = {n: w.detach().numpy().copy() for n, w in self._weights.items()}
        return AdaptedEmbeddings(self._base, weights)

    def learn(self, data: _Vectors, order: Any, batch_size: int, rate: float) -> None:
        """Go through the data once."""
        if self._optimizer is None:
            self._optimizer = self._torch.optim.AdamW(
                self._weights.values(), lr=rate, weight_decay=_DECAY
            )
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            loss = self._loss(data, rows)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def _loss(self, data: _Vectors, rows: Any) -> Any:
        """How hard it is to tell the answer among all answers and negatives of the batch."""
        torch, w = self._torch, self._weights
        queries, answers = (torch.from_numpy(v[rows]) for v in (data.queries, data.answers))
        candidates = torch.cat([answers, *(torch.from_numpy(n[rows]) for n in data.negatives)])
        if "linear" in w:
            change = queries @ w["linear"].T
        else:
            change = torch.relu(queries @ w["inner"].T + w["inner_bias"]) @ w["outer"].T
        moved = torch.nn.functional.normalize(queries + change, dim=1)
        scores = moved @ candidates.T * _SCALE
        # The same answer to two queries of a batch is wrong for neither.
        texts, count = data.text_numbers[rows], len(rows)
        same = torch.from_numpy(texts[:, None] == texts[None]) & ~torch.eye(count, dtype=torch.bool)
        wide = torch.nn.functional.pad(same, (0, len(candidates) - count))
        scores = scores.masked_fill(wide, -1e4)
        return torch.nn.functional.cross_entropy(scores, torch.arange(count))


def _orders(epochs: int, count: int, seed: int) -> Iterator[Any]:
    """The order of the examples in each epoch."""
    random = np.random.default_rng(seed)
    return (random.permutation(count) for _ in range(epochs))


def _unit(rows: Any) -> NDArray[np.float32]:
    vectors = check_vectors(rows, len(rows))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
