"""One training: from a base by way of checkpoints to the folder of a model."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import check_seed, positive
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.embeddings.text.loading import Source, load, without_bars
from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import lora as adapters
from langchain_chroma_hybrid.finetune.card import model_card
from langchain_chroma_hybrid.finetune.losses import RANKING, built, columns
from langchain_chroma_hybrid.finetune.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    from langchain_chroma_hybrid.finetune.data import TrainingData
    from langchain_chroma_hybrid.finetune.workspace import Workspace

LEAST_RATE = 1e-9
_MOST_NEGATIVES = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the result beside base and data, see `training.fine_tune`."""

    loss: str
    epochs: float
    batch_size: int
    learning_rate: float
    seed: int
    matryoshka: tuple[int, ...] | None
    lora: int | None
    patience: int | None
    checks: int
    gradient_accumulation: int
    mini_batch_size: int
    max_seq_length: int | None

    def __post_init__(self) -> None:
        for name in ("batch_size", "checks", "gradient_accumulation", "mini_batch_size"):
            positive(name, getattr(self, name))
        for name in ("lora", "patience", "max_seq_length"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        for size in self.matryoshka or ():
            positive("matryoshka", size)
        number("epochs", self.epochs, 0.01, math.inf)
        number("learning_rate", self.learning_rate, LEAST_RATE, 1.0)
        check_seed(self.seed)


class Run:
    """One training from its base to the folder of its model."""

    def __init__(
        self,
        place: Workspace,
        settings: Settings,
        model: SentenceTransformer,
        data: TrainingData,
        dev: TrainingData | None,
    ) -> None:
        self._place, self._settings, self._model, self._data = place, settings, model, data
        place.check_room(sum(p.numel() * p.element_size() for p in self._model.parameters()))
        self._dev = None if dev is None else Validation(dev, data)

    def train(
        self, *, bf16: bool | None, progress: Callable[[int, int], None] | None
    ) -> dict[str, Any]:
        """Train from the last checkpoint on, and save; returns the notes of the model."""
        started = time.monotonic()
        metrics = {"before": self._dev.value(self._model)} if self._dev is not None else {}
        trainer = self._trainer(bf16=bf16, progress=progress)
        with self._place.writing(), without_bars():
            trainer.train(resume_from_checkpoint=self._place.checkpoint())
        if self._settings.lora:
            adapters.fold_in(self._model)
        self._model.eval()
        if self._dev is not None:
            metrics["after"] = self._dev.value(self._model)
        notes = {
            "fingerprint": SentenceTransformerEmbeddings(self._model).fingerprint,
            "data_digest": self._data.digest,
            "data": str(self._data.report),
            "base": self._place.settings["base"],
            "settings": asdict(self._settings),
            "loss": self._settings.loss,
            "measure": self._dev.measure if self._dev is not None else None,
            "metrics": metrics,
            "seconds": round(time.monotonic() - started, 1),
        }
        return self._place.complete(lambda folder: self._save(folder, notes), notes)

    def _save(self, folder: Path, notes: Mapping[str, Any]) -> None:
        with without_bars():
            self._model.save(str(folder), create_model_card=False)
        (folder / "README.md").write_text(model_card(notes), encoding="utf-8")

    def _trainer(
        self, *, bf16: bool | None, progress: Callable[[int, int], None] | None
    ) -> Any:
        """Sentence Transformers' trainer with our settings."""
        library, settings = require("sentence_transformers", "local"), self._settings
        require("transformers", "local").set_seed(settings.seed)
        if settings.lora:
            adapters.add(self._model, settings.lora)
        table = columns(self._data, settings.loss)
        trainer = library.SentenceTransformerTrainer(
            model=self._model,
            args=library.SentenceTransformerTrainingArguments(
                **self._arguments(len(table["anchor"])),
                bf16=has_bf16() if bf16 is None else bf16,
                disable_tqdm=progress is not None or not sys.stderr.isatty(),
            ),
            train_dataset=require("datasets", "finetune").Dataset.from_dict(table),
            loss=built(settings.loss, self._model, settings.matryoshka, settings.mini_batch_size),
            evaluator=None if self._dev is None else self._dev.evaluator,
            callbacks=_callbacks(settings.patience if self._dev is not None else None, progress),
        )
        trainer.remove_callback(require("transformers", "local").PrinterCallback)
        return trainer

    def _arguments(self, rows: int) -> dict[str, Any]:
        """The trainer's arguments that follow from the settings."""
        settings = self._settings
        a_step = settings.batch_size * settings.gradient_accumulation
        steps = max(1, math.ceil(math.ceil(rows / a_step) * settings.epochs))
        every = max(1, steps // settings.checks)
        found = {
            "output_dir": str(self._place.folder), "num_train_epochs": settings.epochs,
            "per_device_train_batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate, "warmup_steps": round(0.1 * steps),
            "gradient_accumulation_steps": settings.gradient_accumulation,
            "seed": settings.seed, "data_seed": settings.seed, "report_to": "none",
            "save_steps": every, "save_total_limit": 2, "logging_steps": every,
            "batch_sampler": "no_duplicates" if settings.loss in RANKING else "batch_sampler",
            "prompts": _prompts(self._model),
            "dataloader_pin_memory": self._model.device.type == "cuda",
        }  # fmt: skip
        if self._dev is not None:
            found |= {
                "eval_strategy": "steps", "eval_steps": every, "load_best_model_at_end": True,
                "metric_for_best_model": self._dev.key, "greater_is_better": True,
            }  # fmt: skip
        return found


def loaded(source: Source) -> SentenceTransformer:
    """A base, which has to have a tokenizer.

    Raises:
        InvalidArgumentError: it does not load, or has none.
    """
    model = load(source)
    tokenizer: Any = getattr(model, "tokenizer", None)
    # transformers makes one that knows no words where there are no files of one.
    if tokenizer is None or len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InvalidArgumentError.of("base", source.name, "a model with a tokenizer")
    # The card is ours: nobody is asked about the base.
    model.model_card_data.local_files_only = True
    model.model_card_data.widget = [{"text": ""}]  # else examples are looked for, under a bar
    return model


def _prompts(model: SentenceTransformer) -> dict[str, str] | None:
    """What the model puts before queries and documents, by column."""
    kinds = {"anchor": "query", "positive": "document", "negative": "document"}
    kinds |= {f"negative_{n}": "document" for n in range(_MOST_NEGATIVES)}
    found = {column: model.prompts.get(kind) or "" for column, kind in kinds.items()}
    return {column: prompt for column, prompt in found.items() if prompt} or None


def has_bf16() -> bool:
    """Whether a GPU computes in it."""
    torch = require("torch", "local")
    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def _callbacks(patience: int | None, progress: Callable[[int, int], None] | None) -> list[Any]:
    """Early stopping, and telling how far it is."""
    library = require("transformers", "local")
    found = []
    if patience is not None:
        found.append(library.EarlyStoppingCallback(early_stopping_patience=patience))
    if progress is not None:
        step = {"on_step_end": lambda _self, _args, state, _control, **_: progress(
            state.global_step, state.max_steps
        )}  # fmt: skip
        found.append(type("Progress", (library.TrainerCallback,), step)())
    return found
