"""A model of your own for a collection of your own; extra `finetune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.finetune.data import DataReport, Example, Split, TrainingData
    from langchain_chroma_hybrid.finetune.loading import (
        from_beir,
        from_clicks,
        from_judgements,
        from_llama_index,
        from_pairs,
        from_scored_pairs,
        from_triplets,
    )
    from langchain_chroma_hybrid.finetune.negatives import mine_by_model, mine_negatives

__all__ = [
    "DataReport",
    "Example",
    "Split",
    "TrainingData",
    "from_beir",
    "from_clicks",
    "from_judgements",
    "from_llama_index",
    "from_pairs",
    "from_scored_pairs",
    "from_triplets",
    "mine_by_model",
    "mine_negatives",
]

_MODULES = {
    "DataReport": "data",
    "Example": "data",
    "Split": "data",
    "TrainingData": "data",
    "from_beir": "loading",
    "from_clicks": "loading",
    "from_judgements": "loading",
    "from_llama_index": "loading",
    "from_pairs": "loading",
    "from_scored_pairs": "loading",
    "from_triplets": "loading",
    "mine_by_model": "negatives",
    "mine_negatives": "negatives",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
