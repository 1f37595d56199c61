"""Training the layer of `AdaptedEmbeddings` on vectors alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from langchain_chroma_hybrid._langchain.arguments import check_embeddings
from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import check_seed, positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number, one_of
from langchain_chroma_hybrid.embeddings.base import check_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.adapter import AdaptedEmbeddings
from langchain_chroma_hybrid.finetune.data import check_apart, check_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
        InvalidArgumentError: too little data, scored pairs, queries of `data` that are in `dev`,
            too, or a value that cannot be used.
        EmbeddingError: vectors of different length, or not one for each text.
    """
    one_of("kind", kind, ("linear", "mlp"))
    sizes = {"hidden": hidden, "epochs": epochs, "batch_size": batch_size, "patience": patience}
    for name, size in sizes.items():
        positive(name, size)
    number("learning_rate", learning_rate, 1e-9, 1.0)
    check_seed(seed)
    _check_texts(embeddings, data, dev, vectors)
    known = dict(vectors or {})
    train = _Vectors(embeddings, data, known)
    layer = _Layer(embeddings, train.size, kind, hidden, seed)
    models = layer.epochs(train, epochs, batch_size, learning_rate, seed)
    if dev is None:
        *_, last = models
        return last
    held = _Vectors(embeddings, dev, known)
    return _best(models, lambda model: held.value(model, train), patience)


def _check_texts(embeddings: Any, data: Any, dev: Any, vectors: Any) -> None:
    """Refuse what `train_adapter` cannot learn from."""
    if embeddings is None:
        raise InvalidArgumentError.of("embeddings", None, "LangChain Embeddings")
    check_embeddings(embeddings, "embeddings")
    check_data("data", data, scored=False)
    if dev is not None:
        check_data("dev", dev, scored=False)
        check_apart(data, dev)
    if not isinstance(vectors, Mapping | None):
        raise InvalidArgumentError.of_kind("vectors", vectors, "a mapping of texts to vectors")


def _best(
    models: Iterator[AdaptedEmbeddings], value: Callable[[AdaptedEmbeddings], float], patience: int
) -> AdaptedEmbeddings:
    """The first of the best; looks at no more when so many have not been better."""
    best = next(models)
    most, waited = value(best), 0
    for model in models:
        found = value(model)
        best, waited = (model, 0) if found > most else (best, waited + 1)
        most = max(most, found)
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
            found = check_vectors(model.embed_documents(some), len(some))
            known |= dict(zip(some, found, strict=True))
        queries = {q: model.embed_query(q) for q in dict.fromkeys(row.query for row in rows)}
        self.queries = _unit([queries[row.query] for row in rows])
        self.size = self.queries.shape[1]
        self.answers = _unit([known[row.text] for row in rows], self.size)
        self.names = [row.text for row in rows]
        places = {text: place for place, text in enumerate(dict.fromkeys(self.names))}
        self.text_numbers = np.array([places[text] for text in self.names])
        most = max((len(row.negatives) for row in rows), default=0)
        self.negatives = [
            _unit([known[(row.negatives * most)[n]] for row in rows], self.size)
            for n in range(most)
        ]

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

    def _embeddings(self) -> AdaptedEmbeddings:
        weights = {n: w.detach().numpy().copy() for n, w in self._weights.items()}
        return AdaptedEmbeddings(self._base, weights)

    def epochs(
        self, data: _Vectors, count: int, batch_size: int, rate: float, seed: int
    ) -> Iterator[AdaptedEmbeddings]:
        """The layer before the first epoch, and after each."""
        yield self._embeddings()
        optimizer = self._torch.optim.AdamW(self._weights.values(), lr=rate, weight_decay=_DECAY)
        random = np.random.default_rng(seed)
        for _ in range(count):
            order = random.permutation(len(data.names))
            for start in range(0, len(order), batch_size):
                loss = self._loss(data, order[start : start + batch_size])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            yield self._embeddings()

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


def _unit(rows: Any, dimension: int | None = None) -> NDArray[np.float32]:
    vectors = check_vectors(rows, len(rows), dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
