"""Training a few small matrices in place of all weights (LoRA), by peft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def add(model: SentenceTransformer, rank: int) -> None:
    """Freeze the weights, and put matrices of this rank beside all linear layers."""
    peft = require("peft", "finetune")
    model.add_adapter(
        peft.LoraConfig(
            task_type=peft.TaskType.FEATURE_EXTRACTION,
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.1,
            target_modules="all-linear",
        )
    )


def fold_in(model: SentenceTransformer) -> None:
    """Add the matrices to the weights, so that the model is a whole one that needs no peft."""
    layer = require("peft.tuners.tuners_utils", "finetune").BaseTunerLayer
    for name, module in list(model.named_modules()):
        if isinstance(module, layer):
            module.merge()
            above, _, own = name.rpartition(".")
            setattr(model.get_submodule(above), own, module.get_base_layer())
    encoder: Any = model.transformers_model
    encoder._hf_peft_config_loaded = False  # noqa: SLF001  # else it would be saved as an adapter
    del encoder.peft_config
