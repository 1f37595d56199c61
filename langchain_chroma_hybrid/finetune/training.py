"""Fine-tuning by Sentence Transformers' trainer: resumable, repeatable, saved as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import items
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.text.loading import Source, resolve
from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.engine.sync.policy import check_progress
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.data import TrainingData, check_apart, check_data
from langchain_chroma_hybrid.finetune.losses import chosen
from langchain_chroma_hybrid.finetune.run import Run, Settings, has_bf16, loaded
from langchain_chroma_hybrid.finetune.workspace import Workspace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class FineTuned:
    """A model that was trained and saved.

    Attributes:
        folder: where it is, for `SentenceTransformerEmbeddings` and everybody else.
        fingerprint: as that of the embeddings.
        data_digest: of the examples that it was trained on.
        loss: which one was taken.
        metrics: `before` and `after` on the dev queries, where there were some.
        seconds: of this call.
    """

    folder: str
    fingerprint: str
    data_digest: str
    loss: str
    metrics: Mapping[str, float]
    seconds: float

    def embeddings(self, **options: Any) -> SentenceTransformerEmbeddings:
        """The model for a store; options as for `SentenceTransformerEmbeddings`."""
        return SentenceTransformerEmbeddings(self.folder, **options)


@known_keywords
def fine_tune(
    base: str | os.PathLike[str] | SentenceTransformerEmbeddings,
    data: TrainingData,
    output: str | os.PathLike[str],
    *,
    loss: str = "auto",
    dev: TrainingData | None = None,
    epochs: float = 1,
    batch_size: int = 32,
    learning_rate: float | None = None,
    seed: int = 0,
    matryoshka: Sequence[int] | None = None,
    lora: int | None = None,
    patience: int | None = None,
    checks: int = 5,
    gradient_accumulation: int = 1,
    mini_batch_size: int = 16,
    bf16: bool | None = None,
    max_seq_length: int | None = None,
    pooling: Any = None,
    restart: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FineTuned:
    """Train a model on your data, and save it as a folder that appears once it is complete.

    After a kill at any moment the same call goes on from the last checkpoint, or gives back what is
    done. The same base, seed, data, versions, processor and number of threads give the same
    weights, also where a run was resumed at a checkpoint; a GPU gives nearly the same.

    Args:
        base: Hub name or folder: a Sentence Transformers model, or a plain encoder such as BioBERT
            (see `pooling`); or embeddings such as `minilm()`.
        data: what to learn from.
        output: folder of the model; it must not be there.
        loss: `auto` (see `losses.chosen`), `multiple_negatives`, `cached_multiple_negatives` (large
            batches in little memory), `cosine`, `contrastive`, `online_contrastive`, `triplet`.
        dev: data of other queries, on which the best checkpoint is chosen.
        epochs: how often all data is gone through; parts are allowed.
        batch_size: examples of a step.
        learning_rate: None means 2e-5, or 2e-4 with `lora`.
        seed: of order, dropout and new weights.
        matryoshka: dimensions that shall be of use alone, by their beginnings.
        lora: rank of matrices to train in place of all weights; they are added to these at the end.
        patience: stop when `dev` was not better so many times; None never does.
        checks: how often `dev` is looked at, and a checkpoint is written.
        gradient_accumulation: steps of which the gradients are added up.
        mini_batch_size: with the cached loss, examples in memory at a time.
        bf16: half precision; None where a GPU has it.
        max_seq_length: tokens read of a text, also by the model that is saved; None as the base.
        pooling: `mean`, `cls` or `max`, for a plain encoder.
        restart: begin anew where a run was interrupted.
        progress: called with (steps done, steps to do); None shows a bar on a terminal.

    Raises:
        InvalidArgumentError: too little data, queries of `data` that are in `dev`, too, a base
            that does not load or has no tokenizer, a loss that does not fit, a folder that is
            there.
        WriteError: no room on disk, or another process trains there.
        MissingDependencyError: the extra `finetune` is not installed.
    """
    for name in ("accelerate", "datasets"):
        require(name, "finetune")
    if bf16 and not has_bf16():
        raise InvalidArgumentError.of("bf16", bf16, "None or False, where no GPU computes in it")
    check_progress(progress)
    check_data("data", data)
    settings = Settings(
        chosen(loss, data), epochs, batch_size, _rate(learning_rate, lora), seed,
        _sizes(matryoshka), lora, patience, checks, gradient_accumulation, mini_batch_size,
        max_seq_length,
    )  # fmt: skip
    if dev is not None:
        check_data("dev", dev)
        check_apart(data, dev)
    source, model = _opened(base, pooling, max_seq_length)
    weights = SentenceTransformerEmbeddings(model).weights_fingerprint
    run = {**asdict(settings), "base": source.name, "weights of base": weights,
           "pooling": source.pooling, "data": data.digest, "dev": dev and dev.digest}  # fmt: skip
    place = Workspace(output, run)
    with place.held():
        done = place.finished()
        if done is None:
            place.begin(restart=restart)
            done = Run(place, settings, model, data, dev).train(bf16=bf16, progress=progress)
    names = ("fingerprint", "data_digest", "loss", "metrics", "seconds")
    return FineTuned(str(place.output), **{name: done[name] for name in names})


def _rate(given: float | None, lora: int | None) -> float:
    if given is not None:
        return given
    return 2e-4 if lora else 2e-5


def _sizes(given: Any) -> tuple[int, ...] | None:
    return None if given is None else tuple(items("matryoshka", given, "dimensions"))


def _opened(base: Any, pooling: Any, max_seq_length: int | None) -> tuple[Source, Any]:
    """The base, loaded anew, and where it comes from: a name, a folder, or that of embeddings."""
    known = getattr(base, "source", None)
    try:
        if isinstance(known, Source) and known.name:
            source = replace(known, max_seq_length=max_seq_length or known.max_seq_length)
        else:
            source = Source(resolve(base), pooling=pooling, max_seq_length=max_seq_length)
        return source, loaded(source)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(str(error).replace("model:", "base:", 1)) from error
